"""Serves the consolidated books to customers over FIX 4.4."""
