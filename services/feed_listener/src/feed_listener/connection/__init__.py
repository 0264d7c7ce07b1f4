"""Connections to one venue: dialled, kept alive, subscribed, replaced before they end."""
