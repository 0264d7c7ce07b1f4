"""KuCoin's public REST: sockets, symbols, books. Source: docs.kucoin.com, "Spot Trading"."""

from __future__ import annotations

from typing import Final

import msgspec

from venue_simulator.book import Listing
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.kucoin.tokens import ENDPOINT, Tokens

__all__ = ["RATE_LIMITED", "answer"]

PING_INTERVAL_MS: Final = 18_000
PING_TIMEOUT_MS: Final = 10_000

_JSON: Final = {"Content-Type": "application/json"}
_BOOKS: Final = {
    "/api/v1/market/orderbook/level2_20": 20,
    "/api/v1/market/orderbook/level2_100": 100,
}

RATE_LIMITED: Final = RestReply(
    b'{"code":"429000","msg":"Too many requests"}', 429, {**_JSON, "gw-ratelimit-reset": "1000"}
)


def answer(request: RestRequest, books: Books, now_ns: int, tokens: Tokens) -> RestReply:
    match request.method, request.path:
        case "POST", "/api/v1/bullet-public":
            return _reply(_bullet(request, tokens))
        case "GET", "/api/v2/symbols":
            return _reply([_symbol(listing) for listing in books.listings()])
        case "GET", path if path in _BOOKS:
            return _book(request.query.get("symbol", ""), _BOOKS[path], books, now_ns)
        case "GET", "/api/v1/timestamp":
            return _reply(now_ns // 1_000_000)
        case _:
            return _error(404, "404", "Not Found")


def _bullet(request: RestRequest, tokens: Tokens) -> dict[str, object]:
    server = {
        "endpoint": f"{request.ws_base}{ENDPOINT}",
        "encrypt": request.ws_base.startswith("wss"),
        "protocol": "websocket",
        "pingInterval": PING_INTERVAL_MS,
        "pingTimeout": PING_TIMEOUT_MS,
    }
    return {"token": tokens.give(), "instanceServers": [server]}


def _symbol(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "name": listing.symbol,
        "baseCurrency": listing.base,
        "quoteCurrency": listing.quote,
        "baseMinSize": listing.lot,
        "baseIncrement": listing.lot,
        "quoteMinSize": listing.min_notional,
        "priceIncrement": listing.tick,
        "minFunds": listing.min_notional,
        "enableTrading": listing.tradable,
    }


def _book(symbol: str, levels: int, books: Books, now_ns: int) -> RestReply:
    state = books.state(symbol)
    if state is None:
        return _error(400, "400100", "symbol not exists")
    return _reply(
        {
            "time": now_ns // 1_000_000,
            "sequence": str(state.venue_seq),
            "bids": state.bids[:levels],
            "asks": state.asks[:levels],
        }
    )


def _reply(data: object) -> RestReply:
    return RestReply(msgspec.json.encode({"code": "200000", "data": data}), headers=_JSON)


def _error(status: int, code: str, text: str) -> RestReply:
    return RestReply(msgspec.json.encode({"code": code, "msg": text}), status, _JSON)
