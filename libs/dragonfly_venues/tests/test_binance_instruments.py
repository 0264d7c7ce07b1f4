"""Binance's instrument list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_common.types import is_instrument
from dragonfly_venues.binance import Binance
from dragonfly_venues.events import Trading
from dragonfly_venues.venue import Market

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "binance" / "BINANCE.0"

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.00001000", "tickSize": "0.00001000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00020000", "stepSize": "0.00010000"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "stepSize": "0.00000000"},
    {"filterType": "NOTIONAL", "minNotional": "0.00010000", "applyMinToMarket": True},
    {"filterType": "A_RULE_OF_TOMORROW", "limit": 5},
]


def market(symbol: str, base: str, quote: str, **facts: object) -> dict[str, object]:
    return {
        "symbol": symbol,
        "baseAsset": base,
        "quoteAsset": quote,
        "status": "TRADING",
        "isSpotTradingAllowed": True,
        **facts,
    }


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    reply = json.dumps(
        {
            "timezone": "UTC",
            "symbols": [
                market("ETHBTC", "ETH", "BTC", filters=FILTERS),
                market("币安人生USDT", "币安人生", "USDT"),
                market("HALTBTC", "HALT", "BTC", status="BREAK"),
                market("NEWSBTC", "NEWS", "BTC", status="A_WORD_OF_TOMORROW"),
                market("SICKBTC", "SICK", "BTC", status="BREAK"),
                market("SICKBTC2", "SICK", "BTC"),
                market("PERPBTC", "PERP", "BTC", isSpotTradingAllowed=False),
                market("ODD-BTC", "ODD-", "BTC"),
                market("ETHBTC2", "eth", "btc"),
            ],
        }
    )
    assert Binance().instruments.parse(reply.encode()) == {
        "ETH-BTC": Market(
            "ethbtc", tick="0.00001", lot="0.0001", min_amount="0.0002", min_notional="0.0001"
        ),
        "币安人生-USDT": Market("币安人生usdt"),
        "HALT-BTC": Market("haltbtc", Trading(halted=True, word="BREAK")),
        "NEWS-BTC": Market("newsbtc", Trading(halted=True, word="A_WORD_OF_TOMORROW")),
        "SICK-BTC": Market("sickbtc2"),
    }


def test_a_part_of_the_list_is_asked_for_by_name() -> None:
    source = Binance.instruments
    assert source.part_path is not None
    assert source.part_path(["ethbtc", "币安人生usdt"]) == (
        "/api/v3/exchangeInfo?showPermissionSets=false"
        "&symbols=%5B%22ETHBTC%22%2C%22%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT%22%5D"
    )


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    reply = CAPTURE.read_bytes().split(b": ", 1)[1].splitlines()[0]
    listed = Binance().instruments.parse(reply)
    assert listed is not None
    assert listed["ETH-BTC"] == Market(
        "ethbtc", tick="0.000001", lot="0.0001", min_amount="0.0001", min_notional="0.0001"
    )
    assert len(listed) > 1000
    assert all(market.tick and market.lot and market.min_amount for market in listed.values())
    assert all(map(is_instrument, listed))
