"""Bybit Spot: books of 50 or 200 levels by numbered changes, and the best level alone."""

from dragonfly_venues.bybit.venue import Bybit

__all__ = ["Bybit"]
