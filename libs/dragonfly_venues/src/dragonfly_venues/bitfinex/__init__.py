"""Bitfinex, WebSocket v2: a snapshot and deltas, numbered socket by socket, with checksums."""

from dragonfly_venues.bitfinex.venue import Bitfinex

__all__ = ["Bitfinex"]
