"""Runs the whole system on one machine: dragonfly up, dragonfly demo."""
