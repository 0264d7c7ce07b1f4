"""Binance Spot: combined streams of partial books, the best 20 levels every 100 ms on change.

Deeper books are made of the changes of whole books, joined with one that REST gives.
"""

from dragonfly_venues.binance.venue import Binance, BinanceByFix, BinanceUs

__all__ = ["Binance", "BinanceByFix", "BinanceUs"]
