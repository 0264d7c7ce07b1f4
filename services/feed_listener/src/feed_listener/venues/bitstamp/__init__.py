"""Bitstamp: the best 100 levels of each book on every change."""

from feed_listener.venues.bitstamp.spec import Bitstamp

__all__ = ["Bitstamp"]
