"""Crypto.com's public REST: instruments and books. Source: exchange-docs.crypto.com."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Levels, Listing
from venue_simulator.venue import Books, RestReply, RestRequest

__all__ = ["RATE_LIMITED", "answer"]

ROOT: Final = "/exchange/v1/"
MAX_DEPTH: Final = 50

_JSON: Final = {"Content-Type": "application/json"}

RATE_LIMITED: Final = RestReply(b'{"id":-1,"code":42901,"message":"TOO_MANY_REQUESTS"}', 429, _JSON)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    method = request.path.removeprefix(ROOT)
    match method:
        case "public/get-instruments":
            listed = [_instrument(listing) for listing in books.listings()]
            return _reply(method, {"data": [*listed, _perpetual()]})
        case "public/get-book":
            return _book(method, request.query, books)
        case _:
            return _error(method, 40003, "No such method")


def _instrument(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "inst_type": "CCY_PAIR",
        "display_name": listing.instrument.replace("-", "/"),
        "base_ccy": listing.base,
        "quote_ccy": listing.quote,
        "quote_decimals": listing.price_decimals,
        "quantity_decimals": listing.amount_decimals,
        "price_tick_size": listing.tick,
        "qty_tick_size": listing.lot,
        "tradable": listing.tradable,
    }


def _perpetual() -> dict[str, object]:
    """Return an instrument that is no spot market."""
    return {
        "symbol": "BTCUSD-PERP",
        "inst_type": "PERPETUAL_SWAP",
        "base_ccy": "BTC",
        "quote_ccy": "USD",
        "price_tick_size": "0.1",
        "qty_tick_size": "0.0001",
        "tradable": True,
    }


def _book(method: str, query: Mapping[str, str], books: Books) -> RestReply:
    depth, name = query.get("depth", str(MAX_DEPTH)), query.get("instrument_name", "")
    state = books.state(name)
    if state is None:
        return _error(method, 40003, "Unknown symbol")
    if not depth.isdecimal() or not 1 <= int(depth) <= MAX_DEPTH:
        return _error(method, 40003, "Invalid depth")
    sides = {
        "asks": _levels(state.asks[: int(depth)]),
        "bids": _levels(state.bids[: int(depth)]),
    }
    return _reply(method, {"instrument_name": name, "depth": int(depth), "data": [sides]})


def _levels(levels: Levels) -> list[tuple[str, str, str]]:
    return [(price, amount, "1") for price, amount in levels]


def _reply(method: str, result: object) -> RestReply:
    body = {"id": -1, "method": method, "code": 0, "result": result}
    return RestReply(msgspec.json.encode(body), headers=_JSON)


def _error(method: str, code: int, text: str) -> RestReply:
    body = {"id": -1, "method": method, "code": code, "message": text}
    return RestReply(msgspec.json.encode(body), 400, _JSON)
