"""Binance's REST API: instruments and depth. Source: rest-api.md, "Market Data endpoints"."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from venue_simulator.book import Books, Listing
from venue_simulator.venue import RestReply, RestRequest

__all__ = ["RATE_LIMITED", "answer"]

MAX_LIMIT: Final = 5000
RETRY_AFTER_S: Final = "1"

_JSON: Final = {"Content-Type": "application/json;charset=UTF-8"}

RATE_LIMITED: Final = RestReply(
    b'{"code":-1003,"msg":"Too many requests; current limit is 6000 request weight per 1 MINUTE."}',
    429,
    {**_JSON, "Retry-After": RETRY_AFTER_S},
)


def answer(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    path, query = request.path, request.query
    match path:
        case "/api/v3/exchangeInfo":
            return _exchange_info(query, books, now_ns)
        case "/api/v3/depth":
            return _depth(query, books)
        case "/api/v3/ping":
            return _reply({}, 1)
        case "/api/v3/time":
            return _reply({"serverTime": now_ns // 1_000_000}, 1)
        case _:
            return RestReply(b"", 404)


def _exchange_info(query: Mapping[str, str], books: Books, now_ns: int) -> RestReply:
    listings = books.listings()
    named = _named(query)
    if named is not None:
        listings = [listing for listing in listings if listing.symbol in named]
        if len(listings) < len(named):
            return _error(-1121, "Invalid symbol.")
    symbols = [_symbol(listing) for listing in listings]
    info = {"timezone": "UTC", "serverTime": now_ns // 1_000_000, "symbols": symbols}
    return _reply(info, 20)


def _named(query: Mapping[str, str]) -> set[str] | None:
    """Return the symbols that the request is about, None where it is about all."""
    if "symbol" in query:
        return {query["symbol"]}
    if "symbols" not in query:
        return None
    try:
        return set(msgspec.json.decode(query["symbols"], type=list[str]))
    except msgspec.MsgspecError:
        return {""}


def _symbol(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "status": "TRADING" if listing.tradable else "BREAK",
        "baseAsset": listing.base,
        "baseAssetPrecision": listing.amount_decimals,
        "quoteAsset": listing.quote,
        "quotePrecision": listing.price_decimals,
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": listing.tick, "tickSize": listing.tick},
            {"filterType": "LOT_SIZE", "minQty": listing.lot, "stepSize": listing.lot},
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{Decimal(listing.min_notional):.8f}",
                "applyMinToMarket": True,
            },
        ],
    }


def _depth(query: Mapping[str, str], books: Books) -> RestReply:
    if "symbol" not in query:
        return _error(-1102, "Mandatory parameter 'symbol' was not sent.")
    state = books.state(query["symbol"])
    if state is None:
        return _error(-1121, "Invalid symbol.")
    text = query.get("limit", "100")
    if not text.isdecimal():
        return _error(-1100, "Illegal characters found in parameter 'limit'.")
    limit = min(int(text) or 100, MAX_LIMIT)
    book = {
        "lastUpdateId": state.venue_seq,
        "bids": state.bids[:limit],
        "asks": state.asks[:limit],
    }
    return _reply(book, _depth_weight(limit))


def _depth_weight(limit: int) -> int:
    return next(weight for most, weight in _DEPTH_WEIGHTS if limit <= most)


_DEPTH_WEIGHTS: Final = ((100, 5), (500, 25), (1000, 50), (MAX_LIMIT, 250))


def _reply(body: object, weight: int) -> RestReply:
    headers = {**_JSON, "X-MBX-USED-WEIGHT-1M": str(weight)}
    return RestReply(msgspec.json.encode(body), headers=headers)


def _error(code: int, text: str) -> RestReply:
    return RestReply(msgspec.json.encode({"code": code, "msg": text}), 400, _JSON)
