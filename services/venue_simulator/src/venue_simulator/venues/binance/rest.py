"""Binance's REST API: instruments, depth, and signed requests. Source: rest-api.md.

The status of -1007 (504) and of an error of the venue's own (500) is from memory: documented are
the code, and that 5XX says nothing about an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from venue_simulator.book import Listing
from venue_simulator.trading.requests import SignedRequest
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.binance import orders
from venue_simulator.venues.binance.signing import (
    BinanceError,
    authenticate,
    check_time,
    mandatory,
)

__all__ = ["FAILURE", "RATE_LIMITED", "TIMEOUT", "answer", "limit_error", "signed"]

MAX_LIMIT: Final = 5000
RETRY_AFTER_S: Final = "1"

_JSON: Final = {"Content-Type": "application/json;charset=UTF-8"}

RATE_LIMITED: Final = RestReply(
    b'{"code":-1003,"msg":"Too many requests; current limit is 6000 request weight per 1 MINUTE."}',
    429,
    {**_JSON, "Retry-After": RETRY_AFTER_S},
)


TIMEOUT: Final = BinanceError(
    -1007,
    "Timeout waiting for response from backend server. Send status unknown; "
    "execution status unknown.",
    504,
)
FAILURE: Final = BinanceError(-1000, "An unknown error occurred while processing the request.", 500)

_SIGNED: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/api/v3/order"): "order.place",
    ("POST", "/api/v3/order/test"): "order.test",
    ("DELETE", "/api/v3/order"): "order.cancel",
    ("GET", "/api/v3/order"): "order.status",
    ("DELETE", "/api/v3/openOrders"): "openOrders.cancelAll",
    ("GET", "/api/v3/openOrders"): "openOrders.status",
    ("GET", "/api/v3/allOrders"): "allOrders",
    ("GET", "/api/v3/myTrades"): "myTrades",
    ("GET", "/api/v3/account"): "account.status",
    ("GET", "/api/v3/account/commission"): "account.commission",
}


def signed(request: RestRequest, books: Books) -> SignedRequest[RestReply] | None:
    method = _SIGNED.get((request.method, request.path))
    if method is None:
        return None
    return SignedRequest(
        partial(_perform, method, request, books),
        orders.METHODS[method][1],
        unknown=_refuse(TIMEOUT),
        failed=_refuse(FAILURE),
        limit=_limit,
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


def limit_error(status: int, retry_ms: int) -> BinanceError:
    """Return what is said to one request too many (429), or to who went on nevertheless (418)."""
    said = (
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
        if status == 429
        else f"Way too much request weight used; IP banned until {retry_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return BinanceError(-1003, said, status)


def _perform(method: str, request: RestRequest, books: Books, now_ns: int) -> RestReply:
    try:
        payload, params = _payload(request)
        signature = mandatory(params, "signature")
        check_time(params, now_ns)
        key = request.headers.get("x-mbx-apikey", "")
        account = authenticate(books.desk, key, payload, signature)
        return _reply(orders.perform(method, books, account, params, now_ns), 1)
    except BinanceError as error:
        return _refuse(error)


def _payload(request: RestRequest) -> tuple[str, dict[str, str]]:
    """Return the signed text exactly as it was sent, and the parameters in it.

    Raises:
        BinanceError: the body is no text.
    """
    try:
        sent = request.raw_query + request.body.decode("ascii")
    except UnicodeDecodeError:
        raise BinanceError(-1022, "Signature for this request is not valid.") from None
    parts = sent.split("&")
    payload = "&".join(part for part in parts if not part.startswith("signature="))
    return payload, dict(parse_qsl(sent))


def _limit(status: int, now_ns: int, retry_at_ns: int) -> RestReply:
    wait_s = max(1, (retry_at_ns - now_ns) // 1_000_000_000)
    return _refuse(limit_error(status, retry_at_ns // 1_000_000), **{"Retry-After": str(wait_s)})


def _refuse(error: BinanceError, **headers: str) -> RestReply:
    said = msgspec.json.encode({"code": error.code, "msg": error.text})
    return RestReply(said, error.status, {**_JSON, **headers})


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
