"""Serves the consolidated books to people and to whoever speaks JSON; a bot of the gRPC gateway."""
