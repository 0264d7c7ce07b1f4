"""Bitstamp: the best 100 levels of each book on every change."""

from dragonfly_venues.bitstamp.venue import Bitstamp

__all__ = ["Bitstamp"]
