"""Deribit's public REST: instruments and books. Source: docs.deribit.com, "Market data"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.deribit.frames import levels_text

__all__ = ["RATE_LIMITED", "answer"]

BASE: Final = "/api/v2/public/"
MAX_DEPTH: Final = 10_000

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(
    b'{"jsonrpc":"2.0","error":{"code":10028,"message":"too_many_requests"}}', 429, _JSON
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    match request.path.removeprefix(BASE):
        case "get_instruments":
            return _instruments(request.query, books)
        case "get_order_book":
            return _book(request.query, books)
        case "get_time":
            return _reply(now_ns // 1_000_000)
        case _:
            return _error(-32601, "Method not found", 404)


def _instruments(query: Mapping[str, str], books: Books) -> RestReply:
    currency = query.get("currency", "")
    if not currency:
        return _error(-32602, "Invalid params")
    if query.get("kind", "spot") != "spot":
        return _reply([])
    return _reply(
        [
            _instrument(listing)
            for listing in books.listings()
            if currency in {"any", listing.base, listing.quote}
        ]
    )


def _instrument(listing: Listing) -> dict[str, object]:
    return {
        "price_index": listing.symbol.lower(),
        "kind": "spot",
        "instrument_name": listing.symbol,
        "is_active": listing.tradable,
        "state": "open" if listing.tradable else "locked",
        "tick_size": float(listing.tick),
        "tick_size_steps": [],
        "contract_size": float(listing.lot),
        "min_trade_amount": float(listing.lot),
        "base_currency": listing.base,
        "quote_currency": listing.quote,
    }


def _book(query: Mapping[str, str], books: Books) -> RestReply:
    symbol, depth = query.get("instrument_name", ""), query.get("depth", "5")
    if not depth.isdecimal() or not 1 <= int(depth) <= MAX_DEPTH:
        return _error(-32602, "Invalid params")
    state = books.state(symbol)
    if state is None:
        return _error(13020, "not_found")
    bids, asks = (levels_text(side[: int(depth)]) for side in (state.bids, state.asks))
    about = f'"timestamp":{state.ts_ns // 1_000_000},"state":"open"'
    numbers = f'"instrument_name":"{symbol}","change_id":{state.venue_seq}'
    return _reply(msgspec.Raw(f'{{{about},{numbers},"bids":{bids},"asks":{asks}}}'.encode()))


def _reply(result: object) -> RestReply:
    fields = {"jsonrpc": "2.0", "result": result, "testnet": False}
    return RestReply(msgspec.json.encode(fields), headers=_JSON)


def _error(code: int, message: str, status: int = 400) -> RestReply:
    error = {"code": code, "message": message}
    return RestReply(msgspec.json.encode({"jsonrpc": "2.0", "error": error}), status, _JSON)
