"""OKX's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.events import Trading
from dragonfly_venues.okx import Okx
from dragonfly_venues.venue import Market

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "messages" / "okx"


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    numbers = {"tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001"}
    reply = {
        "code": "0",
        "data": [
            {"instId": "BTC-USD", "baseCcy": "BTC", "quoteCcy": "USD", "state": "live", **numbers},
            {"instId": "A-USD", "baseCcy": "A", "quoteCcy": "USD", "state": "preopen", "minSz": ""},
        ],
    }
    assert Okx().instruments.parse(json.dumps(reply).encode()) == {
        "BTC-USD": Market("BTC-USD", tick="0.1", lot="0.00000001", min_amount="0.00001"),
        "A-USD": Market("A-USD", Trading(halted=True, word="preopen")),
    }


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    listed = Okx().instruments.parse((CAPTURE / "http_get_instruments_spot.json").read_bytes())
    assert listed is not None
    assert listed["ETH-USD"] == Market("ETH-USD", tick="0.01", lot="0.000001", min_amount="0.0001")
