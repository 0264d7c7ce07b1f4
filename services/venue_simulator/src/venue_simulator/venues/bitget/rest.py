"""Bitget's public REST: symbols and books. Source: its docs of v2, "Spot", "Market"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.bitget.listing import symbol_status

__all__ = ["RATE_LIMITED", "answer"]

MAX_LIMIT: Final = 150

_JSON: Final = {"Content-Type": "application/json"}
_UNKNOWN_SYMBOL: Final = "40034"

RATE_LIMITED: Final = RestReply(b'{"code":"429","msg":"Too Many Requests"}', 429, _JSON)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    query = request.query
    match request.path:
        case "/api/v2/spot/public/symbols":
            wanted = query.get("symbol")
            listed = [_symbol(one) for one in books.listings() if wanted in {None, one.symbol}]
            return _reply(now_ns, listed) if listed else _unknown(now_ns)
        case "/api/v2/spot/market/orderbook":
            return _book(query, books, now_ns)
        case "/api/v2/public/time":
            return _reply(now_ns, {"serverTime": str(now_ns // 1_000_000)})
        case _:
            return _error(404, now_ns, "40404", "Request URL NOT FOUND")


def _symbol(listing: Listing) -> dict[str, str]:
    return {
        "symbol": listing.symbol,
        "baseCoin": listing.base,
        "quoteCoin": listing.quote,
        "minTradeAmount": "0",
        "pricePrecision": str(listing.tick_decimals),
        "quantityPrecision": str(listing.lot_decimals),
        "status": symbol_status(listing),
        "minTradeUSDT": "1",
    }


def _book(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    limit = query.get("limit", str(MAX_LIMIT))
    if not limit.isdecimal() or not int(limit):
        return _error(400, now_ns, "40020", "Parameter limit error")
    state = books.state(query.get("symbol", ""))
    if state is None:
        return _unknown(now_ns)
    levels = min(int(limit), MAX_LIMIT)
    ts = str(state.ts_ns // 1_000_000)
    return _reply(now_ns, {"asks": state.asks[:levels], "bids": state.bids[:levels], "ts": ts})


def _reply(now_ns: int, data: object, code: str = "00000", text: str = "success") -> RestReply:
    fields = {"code": code, "msg": text, "requestTime": now_ns // 1_000_000, "data": data}
    return RestReply(msgspec.json.encode(fields), headers=_JSON)


def _unknown(now_ns: int) -> RestReply:
    return _error(400, now_ns, _UNKNOWN_SYMBOL, "Parameter does not exist")


def _error(status: int, now_ns: int, code: str, text: str) -> RestReply:
    return RestReply(_reply(now_ns, None, code, text).body, status, _JSON)
