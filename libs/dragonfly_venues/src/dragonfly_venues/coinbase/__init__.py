"""Coinbase Exchange, the public feed: whole books, then changes in batches of 50 ms."""

from dragonfly_venues.coinbase.venue import Coinbase

__all__ = ["Coinbase"]
