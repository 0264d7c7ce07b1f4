"""Coinbase Exchange's public REST: products and books. Source: docs.cdp.coinbase.com."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.times import rfc3339
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.coinbase.listing import whole_sides

__all__ = ["RATE_LIMITED", "answer", "flags"]

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}

RATE_LIMITED: Final = RestReply(b'{"message":"Public rate limit exceeded"}', 429, _JSON)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    match request.path.removeprefix("/").split("/"):
        case ["products"]:
            return _reply([_product(listing) for listing in books.listings()])
        case ["products", product, "book"]:
            return _book(product, request.query, books, now_ns)
        case ["time"]:
            return _reply({"iso": rfc3339(now_ns // 1000), "epoch": now_ns / 1e9})
        case _:
            return _error(404, "NotFound")


def flags(listing: Listing) -> dict[str, str | bool]:
    """Return what is said of a market's trading."""
    return {
        "status": "online",
        "trading_disabled": not listing.tradable,
        "cancel_only": False,
        "limit_only": False,
        "post_only": listing.post_only,
        "auction_mode": False,
    }


def _product(listing: Listing) -> dict[str, str | bool]:
    return {
        "id": listing.symbol,
        "base_currency": listing.base,
        "quote_currency": listing.quote,
        "quote_increment": listing.tick,
        "base_increment": listing.lot,
        "display_name": f"{listing.base}/{listing.quote}",
        "min_market_funds": "1",
        **flags(listing),
    }


def _book(product: str, query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    state = books.state(product)
    if state is None:
        return _error(404, "NotFound")
    level = query.get("level", "1")
    if level not in {"1", "2"}:
        return _error(400, "Invalid level")
    bids, asks = (side[: None if level == "2" else 1] for side in whole_sides(state))
    return _reply(
        {
            "bids": [(price, size, 1) for price, size in bids],
            "asks": [(price, size, 1) for price, size in asks],
            "sequence": state.venue_seq % 10**9,
            "auction_mode": False,
            "auction": None,
            "time": rfc3339(now_ns // 1000),
        }
    )


def _reply(data: object) -> RestReply:
    return RestReply(msgspec.json.encode(data), headers=_JSON)


def _error(status: int, message: str) -> RestReply:
    return RestReply(msgspec.json.encode({"message": message}), status, _JSON)
