"""HTX Spot: whole tops every 100 ms, or changes joined with a book asked for on the socket."""

from dragonfly_venues.htx.venue import Htx

__all__ = ["Htx"]
