"""Kraken's public REST: pairs and depth. Source: docs.kraken.com/api/docs/rest-api."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from venue_simulator.book import Levels, Listing
from venue_simulator.times import rfc3339
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.kraken.listing import pair_status, rest_asset, rest_name

__all__ = ["RATE_LIMITED", "answer"]

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}

RATE_LIMITED: Final = RestReply(
    b'{"error":["EGeneral:Too many requests"]}', 429, {**_JSON, "Retry-After": "1"}
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    path, query = request.path, request.query
    match path:
        case "/0/public/AssetPairs":
            return _reply({_key(listing): _pair(listing) for listing in books.listings()})
        case "/0/public/Depth":
            return _depth(query, books)
        case "/0/public/Time":
            return _reply({"unixtime": now_ns // 1_000_000_000, "rfc1123": ""})
        case "/0/public/SystemStatus":
            return _reply({"status": "online", "timestamp": rfc3339(now_ns // 1000)})
        case _:
            return _error("EGeneral:Unknown method")


def _pair(listing: Listing) -> dict[str, object]:
    base, quote = rest_name(listing.base), rest_name(listing.quote)
    return {
        "altname": f"{base}{quote}",
        "wsname": f"{base}/{quote}",
        "aclass_base": "currency",
        "base": rest_asset(listing.base),
        "aclass_quote": "currency",
        "quote": rest_asset(listing.quote),
        "pair_decimals": listing.price_decimals,
        "lot_decimals": listing.amount_decimals,
        "lot_multiplier": 1,
        "ordermin": listing.lot,
        "costmin": listing.min_notional,
        "tick_size": listing.tick,
        "status": pair_status(listing),
    }


def _depth(query: Mapping[str, str], books: Books) -> RestReply:
    wanted, count = query.get("pair", ""), query.get("count", "100")
    if not count.isdecimal():
        return _error("EGeneral:Invalid arguments:count")
    for listing in books.listings():
        names = {_key(listing), _pair(listing)["altname"], _pair(listing)["wsname"]}
        state = books.state(listing.symbol) if wanted in names else None
        if state is not None:
            seconds = state.venue_seq // 1_000_000
            sides = {
                "asks": _timed(state.asks[: int(count)], seconds),
                "bids": _timed(state.bids[: int(count)], seconds),
            }
            return _reply({_key(listing): sides})
    return _error("EQuery:Unknown asset pair")


def _timed(levels: Levels, seconds: int) -> list[tuple[str, str, int]]:
    # Amounts have three decimals, unlike those of the socket.
    return [(price, f"{float(amount):.3f}", seconds) for price, amount in levels]


def _key(listing: Listing) -> str:
    return rest_asset(listing.base) + rest_asset(listing.quote)


def _reply(result: object) -> RestReply:
    return RestReply(msgspec.json.encode({"error": [], "result": result}), headers=_JSON)


def _error(text: str) -> RestReply:
    return RestReply(msgspec.json.encode({"error": [text]}), headers=_JSON)
