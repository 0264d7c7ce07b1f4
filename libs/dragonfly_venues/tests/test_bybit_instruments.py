"""Bybit's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.bybit import Bybit
from dragonfly_venues.events import Trading
from dragonfly_venues.venue import Market

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "messages" / "bybit"


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    listed = [
        {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"},
        {"symbol": "AUSDT", "baseCoin": "A", "quoteCoin": "USDT", "status": "PreLaunch"},
    ]
    reply = {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": listed}}
    assert Bybit().instruments.parse(json.dumps(reply).encode()) == {
        "BTC-USDT": Market("BTCUSDT"),
        "A-USDT": Market("AUSDT", Trading(halted=True, word="PreLaunch")),
    }


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    listed = Bybit().instruments.parse((CAPTURE / "http_get_instruments_spot.json").read_bytes())
    assert listed is not None
    assert listed["ETH-USDT"] == Market(
        "ETHUSDT", tick="0.01", lot="0.00001", min_amount="0.001", min_notional="10"
    )
