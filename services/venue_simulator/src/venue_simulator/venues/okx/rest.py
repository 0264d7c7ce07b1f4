"""OKX's public REST: instruments and books. Source: okx.com/docs-v5, "Public Data", "Market Data".

Errors are answered with status 200 and a code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Levels, Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.okx.listing import instrument_state

__all__ = ["RATE_LIMITED", "answer"]

MAX_DEPTH: Final = 400

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(b'{"code":"50011","data":[],"msg":"Too Many Requests"}', 429, _JSON)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    path, query = request.path, request.query
    match path:
        case "/api/v5/public/instruments":
            return _instruments(query, books)
        case "/api/v5/market/books":
            return _book(query, books)
        case "/api/v5/public/time":
            return _reply([{"ts": str(now_ns // 1_000_000)}])
        case _:
            return RestReply(b'{"code":"404","data":{},"msg":"Not Found"}', 404, _JSON)


def _instruments(query: Mapping[str, str], books: Books) -> RestReply:
    if query.get("instType") != "SPOT":
        return _error("51000", "Parameter instType error")
    wanted = query.get("instId")
    listings = [
        listing for listing in books.listings() if wanted is None or listing.symbol == wanted
    ]
    if wanted is not None and not listings:
        return _error("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return _reply([_instrument(listing) for listing in listings])


def _instrument(listing: Listing) -> dict[str, str]:
    return {
        "instType": "SPOT",
        "instId": listing.symbol,
        "baseCcy": listing.base,
        "quoteCcy": listing.quote,
        "tickSz": listing.tick,
        "lotSz": listing.lot,
        "minSz": listing.lot,
        "state": instrument_state(listing),
    }


def _book(query: Mapping[str, str], books: Books) -> RestReply:
    depth = query.get("sz", "1")
    if not depth.isdecimal() or not 1 <= int(depth) <= MAX_DEPTH:
        return _error("51000", "Parameter sz error")
    state = books.state(query.get("instId", ""))
    if state is None:
        return _error("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return _reply(
        [
            {
                "asks": _levels(state.asks[: int(depth)]),
                "bids": _levels(state.bids[: int(depth)]),
                "ts": str(state.ts_ns // 1_000_000),
                "seqId": state.venue_seq,
            }
        ]
    )


def _levels(levels: Levels) -> list[tuple[str, str, str, str]]:
    return [(price, amount, "0", "1") for price, amount in levels]


def _reply(data: object) -> RestReply:
    return RestReply(msgspec.json.encode({"code": "0", "msg": "", "data": data}), headers=_JSON)


def _error(code: str, text: str) -> RestReply:
    return RestReply(msgspec.json.encode({"code": code, "msg": text, "data": []}), headers=_JSON)
