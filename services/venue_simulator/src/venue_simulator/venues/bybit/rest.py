"""Bybit's public REST: instruments and books. Source: v5/market of its docs.

Errors are answered with status 200 and a code; who asks too often is banned for ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.bybit.frames import DEEPEST, number
from venue_simulator.venues.bybit.listing import instrument_status

__all__ = ["RATE_LIMITED", "answer"]

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(b"access too frequent", 403, {"Content-Type": "text/plain"})


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    query = request.query
    match request.path:
        case "/v5/market/instruments-info" | "/v5/market/orderbook" if (
            query.get("category") != "spot"
        ):
            return _error(now_ns, "Invalid category")
        case "/v5/market/instruments-info":
            return _instruments(query, books, now_ns)
        case "/v5/market/orderbook":
            return _book(query, books, now_ns)
        case "/v5/market/time":
            return _reply(now_ns, {"timeSecond": str(now_ns // 1_000_000_000)})
        case _:
            return RestReply(b"404 page not found\n", 404, {"Content-Type": "text/plain"})


def _instruments(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    wanted = query.get("symbol")
    listed = [_instrument(one) for one in books.listings() if wanted in {None, one.symbol}]
    return _reply(now_ns, {"category": "spot", "list": listed})


def _instrument(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "baseCoin": listing.base,
        "quoteCoin": listing.quote,
        "status": instrument_status(listing),
        "symbolType": "",
        "priceFilter": {"tickSize": listing.tick},
        "lotSizeFilter": {
            "basePrecision": listing.lot,
            "quotePrecision": listing.tick,
            "minOrderQty": listing.lot,
            "minOrderAmt": "5",
        },
    }


def _book(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    limit = query.get("limit", "1")
    if not limit.isdecimal() or not 1 <= int(limit) <= DEEPEST:
        return _error(now_ns, "Illegal limit")
    state = books.state(query.get("symbol", ""))
    if state is None:
        return _error(now_ns, "Not supported symbols")
    ts = state.ts_ns // 1_000_000
    book = {
        "s": query["symbol"],
        "b": state.bids[: int(limit)],
        "a": state.asks[: int(limit)],
        "ts": ts,
        "u": number(state, DEEPEST),
        "seq": state.venue_seq,
        "cts": ts,
    }
    return _reply(now_ns, book)


def _reply(now_ns: int, result: object, code: int = 0, text: str = "OK") -> RestReply:
    fields = {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}}
    body = msgspec.json.encode({**fields, "time": now_ns // 1_000_000})
    return RestReply(body, headers=_JSON)


def _error(now_ns: int, text: str) -> RestReply:
    return _reply(now_ns, {}, 10001, text)
