"""Gate.io's public REST: pairs and books. Source: gate.com, "API v4", "Spot"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.gateio.listing import trade_status

__all__ = ["RATE_LIMITED", "answer"]

DEFAULT_LIMIT: Final = "10"
MAX_LIMIT: Final = 1000

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(
    b'{"label":"TOO_MANY_REQUESTS","message":"Request Rate limit Exceeded"}', 429, _JSON
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    match request.path:
        case "/api/v4/spot/currency_pairs":
            return _reply([_pair(listing) for listing in books.listings()])
        case "/api/v4/spot/order_book":
            return _book(request.query, books, now_ns)
        case "/api/v4/spot/time":
            return _reply({"server_time": now_ns // 1_000_000})
        case _:
            return _error(404, "NOT_FOUND", "no such path")


def _pair(listing: Listing) -> dict[str, object]:
    return {
        "id": listing.symbol,
        "base": listing.base,
        "quote": listing.quote,
        "fee": "0.2",
        "min_base_amount": listing.lot,
        "min_quote_amount": "3",
        "amount_precision": listing.lot_decimals,
        "precision": listing.tick_decimals,
        "trade_status": trade_status(listing),
        "sell_start": 0,
        "buy_start": 0,
    }


def _book(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    limit = query.get("limit", DEFAULT_LIMIT)
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
        return _error(400, "INVALID_PARAM_VALUE", f"Invalid limit: {limit}")
    pair = query.get("currency_pair", "")
    state = books.state(pair)
    if state is None:
        return _error(400, "INVALID_CURRENCY_PAIR", f"Invalid currency pair {pair}")
    number = {"id": state.venue_seq} if query.get("with_id") == "true" else {}
    return _reply(
        {
            **number,
            "current": now_ns // 1_000_000,
            "update": state.ts_ns // 1_000_000,
            "asks": state.asks[: int(limit)],
            "bids": state.bids[: int(limit)],
        }
    )


def _reply(body: object) -> RestReply:
    return RestReply(msgspec.json.encode(body), headers=_JSON)


def _error(status: int, label: str, text: str) -> RestReply:
    body = {"label": label, "message": text}
    return RestReply(msgspec.json.encode(body), status, _JSON)
