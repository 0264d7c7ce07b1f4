"""Gemini's public REST: symbols, their details, books. Source: docs.gemini.com, REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Levels, Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.gemini.listing import status

__all__ = ["RATE_LIMITED", "answer"]

DETAILS: Final = "/v1/symbols/details/"
BOOK: Final = "/v1/book/"
DEFAULT_LIMIT: Final = "50"

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(
    b'{"result":"error","reason":"RateLimit","message":"Rate limit exceeded"}', 429, _JSON
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    match request.path:
        case "/v1/symbols":
            return _reply([listing.symbol for listing in books.listings()])
        case "/v1/symbols/details/all":
            return _reply([_details(listing) for listing in books.listings()])
        case path if path.startswith(DETAILS):
            listing = books.listing(path.removeprefix(DETAILS).lower())
            return _unknown(path) if listing is None else _reply(_details(listing))
        case path if path.startswith(BOOK):
            return _book(path, request.query, books, now_ns)
        case path:
            return _error(404, "EndpointNotFound", f"API entry point `{path}` not found")


def _details(listing: Listing) -> dict[str, object]:
    """Return what is said of a market; the increments are numbers, of other names than usual."""
    return {
        "symbol": listing.symbol.upper(),
        "base_currency": listing.base,
        "quote_currency": listing.quote,
        "tick_size": float(listing.lot),
        "quote_increment": float(listing.tick),
        "min_order_size": listing.lot,
        "status": status(listing),
        "product_type": "spot",
        "contract_type": "vanilla",
    }


def _book(path: str, query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    state = books.state(path.removeprefix(BOOK).lower())
    if state is None:
        return _unknown(path)
    limits = [query.get(f"limit_{side}", DEFAULT_LIMIT) for side in ("bids", "asks")]
    if not all(limit.isdecimal() and len(limit) < 10 for limit in limits):
        return _error(400, "InvalidParameterValue", "a limit is no number")
    bids, asks = (
        _levels(side[: int(limit) or None], now_ns)
        for side, limit in zip((state.bids, state.asks), limits, strict=True)
    )
    return _reply({"bids": bids, "asks": asks})


def _levels(levels: Levels, now_ns: int) -> list[dict[str, str]]:
    stamp = str(now_ns // 1_000_000_000)
    return [{"price": price, "amount": amount, "timestamp": stamp} for price, amount in levels]


def _reply(body: object) -> RestReply:
    return RestReply(msgspec.json.encode(body), headers=_JSON)


def _unknown(path: str) -> RestReply:
    return _error(400, "InvalidSymbol", f"Received a symbol that is none in {path}")


def _error(status_code: int, reason: str, text: str) -> RestReply:
    body = {"result": "error", "reason": reason, "message": text}
    return RestReply(msgspec.json.encode(body), status_code, _JSON)
