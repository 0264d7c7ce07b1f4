"""Kraken's instrument list."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.events import FrameError, Trading
from dragonfly_venues.kraken import Kraken
from dragonfly_venues.venue import Market

NUMBERS = {"price_increment": 1e-08, "qty_increment": 0.001, "qty_min": 0.5, "cost_min": "0.50"}


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    pairs = [
        {"symbol": "BTC/USD", "base": "BTC", "quote": "USD", "status": "online"},
        {"symbol": "AAPLx/USD", "status": "post_only", **NUMBERS},
        {"symbol": "OLD/USD", "status": "delisted"},
        {"symbol": "SICK/USD", "status": "maintenance"},
        {"symbol": "FROZEN/USD", "status": "cancel_only"},
        {"symbol": "NOPE", "status": "online"},
    ]
    frame = {"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": pairs}}
    assert Kraken().instruments.parse(json.dumps(frame).encode()) == {
        "BTC-USD": Market("BTC/USD"),
        "AAPLX-USD": Market(
            "AAPLx/USD",
            Trading(word="post_only"),
            tick="0.00000001",
            lot="0.001",
            min_amount="0.5",
            min_notional="0.5",
        ),
        "SICK-USD": Market("SICK/USD", Trading(halted=True, word="maintenance")),
        "FROZEN-USD": Market("FROZEN/USD", Trading(halted=True, word="cancel_only")),
    }


@pytest.mark.parametrize(
    "frame",
    [
        '{"channel":"status","type":"update","data":[{"system":"online"}]}',
        '{"channel":"heartbeat"}',
        '{"method":"subscribe","result":{"channel":"instrument"},"success":true}',
        '{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[]}}',
    ],
)
def test_what_comes_before_the_list_is_not_the_list(frame: str) -> None:
    assert Kraken().instruments.parse(frame.encode()) is None


@pytest.mark.parametrize(
    "frame",
    [
        '{"error":"Channel not supported","method":"subscribe","success":false}',
        '{"channel":"instrument","type":"snapshot","data":[]}',
        '{"channel":"instrument","type":"snapshot"}',
    ],
)
def test_a_refusal_is_told(frame: str) -> None:
    with pytest.raises(FrameError) as caught:
        Kraken().instruments.parse(frame.encode())
    assert caught.value.reason == "not_instruments"
