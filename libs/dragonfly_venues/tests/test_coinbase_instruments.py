"""Coinbase Exchange's list of products, and its books over REST."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.coinbase import Coinbase, seed
from dragonfly_venues.events import BookTop, FrameError, Trading
from dragonfly_venues.venue import Market

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "coinbase" / "COINBASE.0"


def product(base: str, **said: object) -> dict[str, object]:
    names = {"id": f"{base}-USD", "base_currency": base, "quote_currency": "USD"}
    return {**names, "status": "online", "trading_disabled": False, **said}


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    numbers = {"quote_increment": "0.01", "base_increment": "0.00000001", "min_market_funds": "1"}
    reply = [
        product("BTC", **numbers),
        product("A", status="offline"),
        product("B", trading_disabled=True, post_only=True),
        product("C", cancel_only=True),
        product("D", limit_only=True),
        product("E", auction_mode=True),
        product("F", status="delisted"),
        {"id": "odd"},
    ]
    listed = Coinbase().instruments.parse(json.dumps(reply).encode())
    assert listed == {
        "BTC-USD": Market("BTC-USD", tick="0.01", lot="0.00000001", min_notional="1"),
        "A-USD": Market("A-USD", Trading(halted=True, word="offline")),
        "B-USD": Market("B-USD", Trading(halted=True, word="trading_disabled")),
        "C-USD": Market("C-USD", Trading(halted=True, word="cancel_only")),
        "D-USD": Market("D-USD", Trading(word="limit_only")),
        "E-USD": Market("E-USD", Trading(halted=True, word="auction_mode")),
    }


@pytest.mark.needs(CAPTURE)
def test_the_recorded_list() -> None:
    reply = CAPTURE.read_text().splitlines()[0].partition(" -> ")[2].partition(": ")[2]
    listed = Coinbase().instruments.parse(reply.encode())
    assert listed is not None
    assert len(listed) > 100
    assert listed["BTC-GBP"].tick == "0.01"
    assert all(market.symbol == name for name, market in listed.items())


def test_a_book_over_rest_has_the_number_of_its_time() -> None:
    book = {
        "bids": [["9", "1", 4], ["8", "2", 1]],
        "asks": [],
        "sequence": 7,
    }
    reply = json.dumps(book | {"time": "2026-09-30T12:00:00.05Z"}).encode()
    assert seed.SOURCE.parse(reply, "BTC-USD", 1) == BookTop(
        "BTC-USD", 1790769600050000, None, ((9.0, 1.0),), ()
    )
    with pytest.raises(FrameError):
        seed.SOURCE.parse(b'{"message":"NotFound"}', "BTC-USD", 1)
    assert seed.SOURCE.path("BTC-USD") == "/products/BTC-USD/book?level=2"
