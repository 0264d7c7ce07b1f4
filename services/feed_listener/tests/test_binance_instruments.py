"""Binance's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_common.types import is_instrument
from feed_listener.venues.binance import Binance

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "binance" / "BINANCE.0"


def market(symbol: str, base: str, quote: str, **facts: object) -> dict[str, object]:
    return {
        "symbol": symbol,
        "baseAsset": base,
        "quoteAsset": quote,
        "status": "TRADING",
        "isSpotTradingAllowed": True,
        **facts,
    }


def test_only_markets_that_trade_are_listed() -> None:
    reply = json.dumps(
        {
            "timezone": "UTC",
            "symbols": [
                market("ETHBTC", "ETH", "BTC"),
                market("币安人生USDT", "币安人生", "USDT"),
                market("HALTBTC", "HALT", "BTC", status="BREAK"),
                market("PERPBTC", "PERP", "BTC", isSpotTradingAllowed=False),
                market("ODD-BTC", "ODD-", "BTC"),
                market("ETHBTC2", "eth", "btc"),
            ],
        }
    )
    assert Binance().parse_instruments(reply.encode()) == {
        "ETH-BTC": "ethbtc",
        "币安人生-USDT": "币安人生usdt",
    }


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    reply = CAPTURE.read_bytes().split(b": ", 1)[1].splitlines()[0]
    listed = Binance().parse_instruments(reply)
    assert listed is not None
    assert listed["ETH-BTC"] == "ethbtc"
    assert len(listed) > 1000
    assert all(map(is_instrument, listed))
