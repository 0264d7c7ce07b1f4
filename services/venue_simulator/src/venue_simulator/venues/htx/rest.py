"""HTX's public REST: symbols and books. Source: HTX spot API docs, "Reference Data", "Market Data".

Errors are answered with status 200 and a code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.htx.frames import DEPTH_LEVELS, levels_text
from venue_simulator.venues.htx.listing import instrument_state

__all__ = ["RATE_LIMITED", "answer"]

DEPTHS: Final = {"5": 5, "10": 10, "20": 20, "": DEPTH_LEVELS}

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(
    b'{"status":"error","err-code":"too-many-request","err-msg":"too many request","data":null}',
    429,
    _JSON,
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    match request.path:
        case "/v1/common/symbols":
            return _reply([_long(listing) for listing in books.listings()])
        case "/v2/settings/common/symbols":
            return _reply([_short(listing) for listing in books.listings()])
        case "/v1/common/timestamp":
            return _reply(now_ns // 1_000_000)
        case "/market/depth":
            return _book(request.query, books, now_ns)
        case _:
            return RestReply(b'{"status":"error","err-code":"not-found"}', 404, _JSON)


def _long(listing: Listing) -> dict[str, object]:
    return {
        "base-currency": listing.base.lower(),
        "quote-currency": listing.quote.lower(),
        "price-precision": listing.tick_decimals,
        "amount-precision": listing.lot_decimals,
        "symbol": listing.symbol,
        "state": instrument_state(listing),
        "min-order-amt": float(listing.lot),
        "min-order-value": 10,
    }


def _short(listing: Listing) -> dict[str, object]:
    return {
        "sc": listing.symbol,
        "bc": listing.base.lower(),
        "qc": listing.quote.lower(),
        "state": instrument_state(listing),
        "tpp": listing.tick_decimals,
        "tap": listing.lot_decimals,
    }


def _book(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    symbol, depth = query.get("symbol", ""), DEPTHS.get(query.get("depth", ""))
    if depth is None or query.get("type") != "step0":
        return _error("invalid type or depth")
    state = books.state(symbol)
    if state is None:
        return _error("invalid symbol")
    ts = now_ns // 1_000_000
    bids, asks = levels_text(state.bids[:depth]), levels_text(state.asks[:depth])
    tick = f'{{"bids":{bids},"asks":{asks},"version":{state.venue_seq},"ts":{ts}}}'
    text = f'{{"ch":"market.{symbol}.depth.step0","status":"ok","ts":{ts},"tick":{tick}}}'
    return RestReply(text.encode(), headers=_JSON)


def _reply(data: object) -> RestReply:
    return RestReply(msgspec.json.encode({"status": "ok", "data": data}), headers=_JSON)


def _error(text: str) -> RestReply:
    fields = {"status": "error", "err-code": "invalid-parameter", "err-msg": text}
    return RestReply(msgspec.json.encode(fields), headers=_JSON)
