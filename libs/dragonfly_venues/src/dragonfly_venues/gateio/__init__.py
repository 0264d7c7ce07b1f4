"""Gate.io Spot: books of 50 levels by changes every 20 ms, deeper ones of 400 every 100 ms."""

from dragonfly_venues.gateio.venue import Gateio

__all__ = ["Gateio"]
