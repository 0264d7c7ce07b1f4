"""Listens to one venue and publishes its changed tops of book."""
