"""Books held against a second word of their venue."""
