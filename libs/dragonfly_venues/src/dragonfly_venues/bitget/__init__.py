"""Bitget Spot, v2: books of 500 levels by changes that name the number they follow."""

from dragonfly_venues.bitget.venue import Bitget

__all__ = ["Bitget"]
