"""Crypto.com Exchange v1: a snapshot and deltas, each naming the one it follows."""

from dragonfly_venues.cryptocom.venue import Cryptocom

__all__ = ["Cryptocom"]
