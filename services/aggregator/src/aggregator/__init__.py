"""Merges the tops of many venues into one book per instrument."""
