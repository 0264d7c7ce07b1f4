"""KuCoin's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.events import Trading
from dragonfly_venues.kucoin import Kucoin
from dragonfly_venues.venue import Market

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "kucoin" / "KUCOIN.0"


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    numbers = {
        "priceIncrement": "0.1",
        "baseIncrement": "0.00000001",
        "baseMinSize": "0.00001",
        "minFunds": "0.1",
    }
    reply = {"code": "200000", "data": [_market("BTC") | numbers, _market("A", trading=False)]}
    assert Kucoin().instruments.parse(json.dumps(reply).encode()) == {
        "BTC-USDT": Market(
            "BTC-USDT", tick="0.1", lot="0.00000001", min_amount="0.00001", min_notional="0.1"
        ),
        "A-USDT": Market("A-USDT", Trading(halted=True, word="trading disabled")),
    }


def _market(base: str, *, trading: bool = True) -> dict[str, object]:
    names = {"symbol": f"{base}-USDT", "baseCurrency": base, "quoteCurrency": "USDT"}
    return {**names, "enableTrading": trading}


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    reply = CAPTURE.read_bytes().split(b": ", 1)[1].splitlines()[0]
    listed = Kucoin().instruments.parse(reply)
    assert listed is not None
    assert listed["REQ-ETH"] == Market("REQ-ETH", tick="0.0000001", lot="0.0001", min_amount="1")
    assert len(listed) > 500
