"""The Python client of DragonflyBot's gateway, for bots."""
