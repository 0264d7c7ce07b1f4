"""The venues that can be simulated, one folder each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from venue_simulator.venue import FakeVenue
from venue_simulator.venues.binance import Binance
from venue_simulator.venues.bitstamp import Bitstamp
from venue_simulator.venues.kraken import Kraken
from venue_simulator.venues.kucoin import Kucoin
from venue_simulator.venues.okx import Okx

__all__ = ["VENUES"]

VENUES: Final[Mapping[str, FakeVenue]] = MappingProxyType(
    {venue.name: venue for venue in (Binance(), Bitstamp(), Kraken(), Kucoin(), Okx())}
)
