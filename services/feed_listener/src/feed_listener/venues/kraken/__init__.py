"""Kraken Spot, WebSocket v2: a snapshot and deltas, with a checksum over the book's text."""

from feed_listener.venues.kraken.spec import Kraken

__all__ = ["Kraken"]
