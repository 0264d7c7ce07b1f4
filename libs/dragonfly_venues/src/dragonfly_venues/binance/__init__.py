"""Binance Spot: combined streams of partial books, the best 20 levels every 100 ms on change."""

from dragonfly_venues.binance.venue import Binance

__all__ = ["Binance"]
