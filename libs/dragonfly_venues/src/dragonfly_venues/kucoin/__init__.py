"""KuCoin Spot, classic socket: books by deltas, joined with a book that REST gives."""

from dragonfly_venues.kucoin.venue import Kucoin

__all__ = ["Kucoin"]
