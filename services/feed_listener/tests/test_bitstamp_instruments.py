"""Bitstamp's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from feed_listener.venue import Market, Trading
from feed_listener.venues.bitstamp import Bitstamp

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "bitstamp" / "BITSTAMP.0"


def test_spot_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    reply = json.dumps(
        [
            {"name": "BTC/USD", "url_symbol": "btcusd", "trading": "Enabled", "base_decimals": 8},
            {"name": "USDT/USD", "url_symbol": "usdtusd", "trading": "Enabled"},
            {"name": "OLD/USD", "url_symbol": "oldusd", "trading": "Disabled"},
            {"name": "BTC/USD-PERP", "url_symbol": "btcusd-perp", "trading": "Enabled"},
        ]
    )
    assert Bitstamp().parse_instruments(reply.encode()) == {
        "BTC-USD": Market("btcusd"),
        "USDT-USD": Market("usdtusd"),
        "OLD-USD": Market("oldusd", Trading(halted=True, word="Disabled")),
    }


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    reply = CAPTURE.read_bytes().split(b": ", 1)[1].splitlines()[0]
    listed = Bitstamp().parse_instruments(reply)
    assert listed is not None
    assert listed["ETH-BTC"] == Market("ethbtc")
    assert len(listed) > 100
