"""OKX Spot: books of 400 levels by deltas that name the number they follow, every 100 ms."""

from dragonfly_venues.okx.venue import Okx

__all__ = ["Okx"]
