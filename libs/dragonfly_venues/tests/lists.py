"""Venues' lists as tests read them."""

from __future__ import annotations

from dragonfly_venues.instruments import Markets
from dragonfly_venues.venue import InstrumentSource


def markets_of(source: InstrumentSource, reply: bytes) -> Markets:
    """Return the markets of a reply that is a list."""
    markets = source.parse(reply)
    assert isinstance(markets, Markets)
    return markets
