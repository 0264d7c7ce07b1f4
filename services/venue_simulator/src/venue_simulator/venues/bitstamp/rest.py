"""Bitstamp's REST API: pairs and books.

Source: bitstamp.net/api, "Markets", "Trading pairs info" (announced obsolete), "Order book".
"""

from __future__ import annotations

from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest

__all__ = ["RATE_LIMITED", "answer"]

_JSON: Final = {"Content-Type": "application/json"}
_BOOK_PATH: Final = "/api/v2/order_book/"

RATE_LIMITED: Final = RestReply(
    b'{"status":"error","reason":"Request rate limit exceeded.","code":"400.002"}',
    429,
    {**_JSON, "Retry-After": "1"},
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    path = request.path
    if path == "/api/v2/markets/":
        return _reply([_market(listing) for listing in books.listings()])
    if path.rstrip("/") == "/api/v2/trading-pairs-info":
        return _reply([_pair(listing) for listing in books.listings()])
    if path.startswith(_BOOK_PATH):
        return _book(path.removeprefix(_BOOK_PATH).rstrip("/"), books)
    return _not_found()


def _market(listing: Listing) -> dict[str, object]:
    enabled = "Enabled" if listing.tradable else "Disabled"
    return {
        "name": f"{listing.base}/{listing.quote}",
        "market_symbol": listing.symbol,
        "market_type": "SPOT",
        "base_currency": listing.base,
        "base_decimals": listing.lot_decimals,
        "counter_currency": listing.quote,
        "counter_decimals": listing.price_decimals,
        "minimum_order_value": listing.min_notional,
        "trading": enabled,
        "instant_order_counter_decimals": listing.price_decimals,
        "instant_and_market_orders": enabled,
        "description": f"{listing.base} / {listing.quote}",
    }


def _pair(listing: Listing) -> dict[str, object]:
    enabled = "Enabled" if listing.tradable else "Disabled"
    return {
        "name": f"{listing.base}/{listing.quote}",
        "url_symbol": listing.symbol,
        "base_decimals": listing.lot_decimals,
        "counter_decimals": listing.price_decimals,
        "instant_order_counter_decimals": listing.price_decimals,
        "minimum_order": f"{listing.min_notional} {listing.quote}",
        "trading": enabled,
        "instant_and_market_orders": enabled,
        "description": f"{listing.base} / {listing.quote}",
    }


def _book(symbol: str, books: Books) -> RestReply:
    state = books.state(symbol)
    if state is None:
        return _not_found()
    return _reply(
        {
            "timestamp": str(state.venue_seq // 1_000_000),
            "microtimestamp": str(state.venue_seq),
            "bids": state.bids,
            "asks": state.asks,
        }
    )


def _reply(body: object) -> RestReply:
    return RestReply(msgspec.json.encode(body), headers=_JSON)


def _not_found() -> RestReply:
    return RestReply(b'{"status":"error","reason":"Not found."}', 404, _JSON)
