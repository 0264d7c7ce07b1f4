"""Kraken Spot, WebSocket v2: a snapshot and deltas, with a checksum over the book's text."""

from dragonfly_venues.kraken.venue import Kraken

__all__ = ["Kraken"]
