"""The Python generated from DragonflyBot's contracts with bots."""
