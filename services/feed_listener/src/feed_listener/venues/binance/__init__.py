"""Binance Spot: combined streams of partial books, the best 20 levels every 100 ms on change."""

from feed_listener.venues.binance.spec import Binance

__all__ = ["Binance"]
