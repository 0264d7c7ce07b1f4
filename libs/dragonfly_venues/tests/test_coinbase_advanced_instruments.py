"""Coinbase Advanced Trade's list of products, and its books over REST."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.coinbase_advanced import CoinbaseAdvanced, seed
from dragonfly_venues.events import FrameError, Trading
from dragonfly_venues.venue import Market

MESSAGES = Path(__file__).parents[4] / "shared" / "captures" / "messages" / "coinbase"


def product(base: str, quote: str = "USD", **said: object) -> dict[str, object]:
    names = {"base_currency_id": base, "quote_currency_id": quote}
    return {"product_id": f"{base}-{quote}", **names, "status": "online", **said}


def test_an_alias_and_what_is_no_spot_market_are_left_out() -> None:
    reply = {
        "products": [
            product("BTC", price_increment="0.01", base_increment="0.00000001", quote_min_size="1"),
            product("BTC", "USDC", alias="BTC-USD"),
            product("A", view_only=True),
            product("B", product_type="FUTURE"),
            product("C", status="delisted"),
        ]
    }
    assert CoinbaseAdvanced().instruments.parse(json.dumps(reply).encode()) == {
        "BTC-USD": Market("BTC-USD", tick="0.01", lot="0.00000001", min_notional="1"),
        "A-USD": Market("A-USD", Trading(halted=True, word="view_only")),
    }


@pytest.mark.needs(MESSAGES)
def test_the_recorded_list() -> None:
    listed = CoinbaseAdvanced().instruments.parse((MESSAGES / "http_products.json").read_bytes())
    assert listed == {
        "BTC-USD": Market(
            "BTC-USD",
            tick="0.01",
            lot="0.00000001",
            min_amount="0.00000001",
            min_notional="1",
        )
    }


@pytest.mark.needs(MESSAGES)
def test_the_recorded_book_has_the_number_of_its_time() -> None:
    reply = (MESSAGES / "http_product_book.json").read_bytes()
    book = seed.SOURCE.parse(reply, "BTC-USD", 2)
    assert book.venue_seq == 1775521739662782
    assert book.bids == ((68923.66, 0.17189468), (68923.0, 0.05795895))
    assert len(book.asks) == 2


def test_what_is_no_book_is_refused() -> None:
    with pytest.raises(FrameError):
        seed.SOURCE.parse(b'{"error":"NOT_FOUND"}', "BTC-USD", 2)
    assert seed.SOURCE.path("BTC-USD").endswith("/product_book?product_id=BTC-USD&limit=100")
