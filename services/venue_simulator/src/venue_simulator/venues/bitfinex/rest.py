"""Bitfinex's public REST v2: configuration and books. Source: docs.bitfinex.com, "REST public".

Several parts of the configuration can be asked for at once, parted by commas. Errors are arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from venue_simulator.book import Levels
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.bitfinex.frames import number
from venue_simulator.venues.bitfinex.listing import CODES

__all__ = ["RATE_LIMITED", "answer"]

CONF: Final = "/v2/conf/"
BOOK: Final = "/v2/book/"
LENGTHS: Final = ("25", "100")

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}

RATE_LIMITED: Final = RestReply(b'["error",11010,"ratelimit: error"]', 429, _JSON)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    path = request.path
    if path.startswith(CONF):
        return _reply([_conf(part, books) for part in path.removeprefix(CONF).split(",")])
    if path.startswith(BOOK):
        symbol, _, precision = path.removeprefix(BOOK).partition("/")
        return _book(symbol, precision, request.query.get("len", LENGTHS[0]), books)
    if path == "/v2/platform/status":
        return _reply([0 if books.halted else 1])
    return RestReply(b'{"error":"ERR_RESOURCE_NOT_FOUND"}', 404, _JSON)


def _conf(part: str, books: Books) -> Sequence[object]:
    match part:
        case "pub:list:pair:exchange":
            listed = (listing.symbol[1:] for listing in books.listings() if listing.tradable)
            return sorted(listed)
        case "pub:map:currency:sym":
            return [[code, name] for name, code in CODES.items()]
        case _:
            return []


def _book(symbol: str, precision: str, length: str, books: Books) -> RestReply:
    state = books.state(symbol)
    if state is None:
        return _error("symbol: invalid")
    if precision != "P0":
        return _error("precision: invalid")
    if length not in LENGTHS:
        return _error("len: invalid")
    depth = int(length)
    levels = [*_levels(state.bids[:depth], ""), *_levels(state.asks[:depth], "-")]
    return _reply(levels)


def _levels(side: Levels, sign: str) -> list[list[object]]:
    return [
        [msgspec.Raw(number(price).encode()), 1, msgspec.Raw(f"{sign}{number(amount)}".encode())]
        for price, amount in side
    ]


def _reply(body: object) -> RestReply:
    return RestReply(msgspec.json.encode(body), headers=_JSON)


def _error(text: str) -> RestReply:
    return RestReply(msgspec.json.encode(["error", 10020, text]), 500, _JSON)
