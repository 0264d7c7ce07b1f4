"""Bitstamp's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.bitstamp import Bitstamp, instruments
from dragonfly_venues.events import Trading
from dragonfly_venues.venue import Market
from lists import markets_of

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "bitstamp" / "BITSTAMP.0"
NUMBERS = {"base_decimals": 8, "counter_decimals": 2, "minimum_order": "20.0 USD"}


def test_spot_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    reply = json.dumps(
        [
            {"name": "BTC/USD", "url_symbol": "btcusd", "trading": "Enabled"} | NUMBERS,
            {"name": "USDT/USD", "url_symbol": "usdtusd", "trading": "Enabled"},
            {"name": "OLD/USD", "url_symbol": "oldusd", "trading": "Disabled"},
            {"name": "BTC/USD-PERP", "url_symbol": "btcusd-perp", "trading": "Enabled"},
        ]
    )
    assert Bitstamp().instruments.parse(reply.encode()) == {
        "BTC-USD": Market("btcusd", tick="0.01", lot="0.00000001", min_notional="20"),
        "USDT-USD": Market("usdtusd"),
        "OLD-USD": Market("oldusd", Trading(halted=True, word="Disabled")),
    }


def test_a_minimum_in_another_currency_is_none_of_the_notional() -> None:
    odd = {"name": "BTC/USD", "url_symbol": "btcusd", "trading": "Enabled"}
    markets = markets_of(
        instruments.SOURCE, json.dumps([odd | NUMBERS | {"minimum_order": "1 BTC"}]).encode()
    )
    assert markets["BTC-USD"].min_notional is None
    assert markets.bad_numbers == 1


def test_the_list_that_replaces_it_names_the_same_markets() -> None:
    reply = json.dumps(
        [
            _market("BTC", "USD", base_decimals=8, counter_decimals=0, minimum_order_value="10.00"),
            _market("USDT", "USD"),
            _market("OLD", "USD", trading="Disabled"),
            _market("BTC", "USD", market_symbol="btcusd-perp", market_type="PERPETUAL"),
        ]
    )
    assert Bitstamp().instruments.parse(reply.encode()) == {
        "BTC-USD": Market("btcusd", tick="1", lot="0.00000001", min_notional="10"),
        "USDT-USD": Market("usdtusd"),
        "OLD-USD": Market("oldusd", Trading(halted=True, word="Disabled")),
    }


def test_the_list_that_replaces_it_is_asked_for_first() -> None:
    source = Bitstamp().instruments
    assert source.rest_path == "/api/v2/markets/"
    assert source.other_rest_path == "/api/v2/trading-pairs-info/"


def _market(base: str, counter: str, **other: object) -> dict[str, object]:
    symbol = f"{base}{counter}".lower()
    market: dict[str, object] = {
        "name": f"{base}/{counter}",
        "market_symbol": symbol,
        "market_type": "SPOT",
    }
    currencies = {"base_currency": base, "counter_currency": counter, "trading": "Enabled"}
    return market | currencies | other


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    reply = CAPTURE.read_bytes().split(b": ", 1)[1].splitlines()[0]
    listed = Bitstamp().instruments.parse(reply)
    assert listed is not None
    assert listed["ETH-BTC"] == Market(
        "ethbtc", tick="0.00000001", lot="0.00000001", min_notional="0.0002"
    )
    assert len(listed) > 100
    assert all(market.tick and market.lot and market.min_notional for market in listed.values())
