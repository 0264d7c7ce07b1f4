"""Serves the consolidated books to bots over gRPC."""
