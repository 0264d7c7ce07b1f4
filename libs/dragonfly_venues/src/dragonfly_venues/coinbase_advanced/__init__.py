"""Coinbase Advanced Trade, the public feed: whole books and changes, every message numbered."""

from dragonfly_venues.coinbase_advanced.venue import CoinbaseAdvanced

__all__ = ["CoinbaseAdvanced"]
