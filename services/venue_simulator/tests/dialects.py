"""How a test speaks with each simulated venue, written from the venues' documents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

from patience import PATIENCE_S
from venue_client import Message, Wire, dial
from venue_simulator.simulator import Simulator

__all__ = ["DIALECTS", "Dialect", "dialled", "socket_url"]


@dataclass(frozen=True)
class Dialect:
    """What a venue wants to hear for the book of ETH-BTC, and how its book frames are known."""

    path: str
    rest_path: str
    """Of its instrument list."""
    subscribe: object
    begins: Callable[[Message], bool]
    """Of the message behind which only changes come."""
    is_book: Callable[[Message], bool]
    seq: Callable[[Any], object]
    """Of a book frame's message."""
    statuses: Callable[[Any], Iterator[tuple[str, object]]]
    """BASE-QUOTE and what is said of its trading, from the instrument list."""
    halted: object
    """What is said of the trading of a halted market."""
    greeting: object = None
    """What is said first of all, without awaiting an answer."""
    token_path: str | None = None
    """To which a POST is sent that tells the socket's address."""


def microseconds(time: str) -> int:
    """Return what `2026-09-30T12:00:00.050000Z` is since the epoch."""
    return round(datetime.fromisoformat(time).timestamp() * 1e6)


def entries_of(message: Message) -> list[object]:
    """Return the entries of a book of Bitfinex, none of anything else."""
    content = message.get("array", [0, 0])[1]
    return content if isinstance(content, list) else []


def _deribit_book(message: Message) -> Message:
    data: Message = message.get("params", {}).get("data", {})
    return data


DIALECTS: Final = {
    "binance": Dialect(
        "/stream",
        "/api/v3/exchangeInfo",
        {"method": "SUBSCRIBE", "params": ["ethbtc@depth20@100ms"], "id": 1},
        begins=lambda message: message.get("id") == 1,
        is_book=lambda message: "depth" in message.get("stream", ""),
        seq=lambda message: message["data"]["lastUpdateId"],
        statuses=lambda reply: (
            (f"{one['baseAsset']}-{one['quoteAsset']}", one["status"]) for one in reply["symbols"]
        ),
        halted="BREAK",
    ),
    "bitget": Dialect(
        "/v2/ws/public",
        "/api/v2/spot/public/symbols",
        {
            "op": "subscribe",
            "args": [{"instType": "SPOT", "channel": "books", "instId": "ETHBTC"}],
        },
        begins=lambda message: message.get("action") == "snapshot",
        is_book=lambda message: (
            message.get("arg", {}).get("instType") == "SPOT" and "action" in message
        ),
        seq=lambda message: message["data"][0]["seq"],
        statuses=lambda reply: (
            (f"{one['baseCoin']}-{one['quoteCoin']}", one["status"]) for one in reply["data"]
        ),
        halted="halt",
    ),
    "bitfinex": Dialect(
        "/ws/2",
        "/v2/conf/pub:list:pair:exchange",
        {"event": "subscribe", "channel": "book", "symbol": "tETHBTC", "len": "250"},
        begins=lambda message: len(entries_of(message)) > 100,
        is_book=lambda message: bool(entries_of(message)),
        seq=lambda message: message["array"][-1],
        statuses=lambda reply: ((f"{pair[:3]}-{pair[-3:]}", "listed") for pair in reply[0]),
        halted=None,  # it is not listed
        # TIMESTAMP, SEQ_ALL, OB_CHECKSUM, BULK_UPDATES
        greeting={"event": "conf", "flags": 32768 + 65536 + 131072 + 536870912},
    ),
    "bitstamp": Dialect(
        "",
        "/api/v2/trading-pairs-info/",
        {"event": "bts:subscribe", "data": {"channel": "order_book_ethbtc"}},
        begins=lambda message: message.get("event") == "bts:subscription_succeeded",
        is_book=lambda message: message.get("event") == "data",
        seq=lambda message: message["data"]["microtimestamp"],
        statuses=lambda reply: ((one["name"].replace("/", "-"), one["trading"]) for one in reply),
        halted="Disabled",
    ),
    "coinbase": Dialect(
        "",
        "/products",
        {"type": "subscribe", "product_ids": ["ETH-BTC"], "channels": ["level2_batch"]},
        begins=lambda message: message.get("type") == "snapshot",
        is_book=lambda message: message.get("type") in {"snapshot", "l2update"},
        seq=lambda message: microseconds(message["time"]),
        statuses=lambda reply: ((one["id"], one["trading_disabled"]) for one in reply),
        halted=True,
    ),
    "coinbase_advanced": Dialect(
        "",
        "/api/v3/brokerage/market/products",
        {"type": "subscribe", "product_ids": ["ETH-BTC"], "channel": "level2"},
        begins=lambda message: message["channel"] == "l2_data",
        is_book=lambda message: message.get("channel") == "l2_data",
        # It prints nanoseconds.
        seq=lambda message: microseconds(f"{message['timestamp'][:-4]}Z"),
        statuses=lambda reply: (
            (one["product_id"], one["trading_disabled"])
            for one in reply["products"]
            if not one["alias"]
        ),
        halted=True,
    ),
    "deribit": Dialect(
        "/ws/api/v2",
        "/api/v2/public/get_instruments?currency=any&kind=spot",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "public/subscribe",
            "params": {"channels": ["book.ETH_BTC.100ms"]},
        },
        begins=lambda message: _deribit_book(message).get("type") == "snapshot",
        is_book=lambda message: "change_id" in _deribit_book(message),
        seq=lambda message: message["params"]["data"]["change_id"],
        statuses=lambda reply: (
            (f"{one['base_currency']}-{one['quote_currency']}", one["is_active"])
            for one in reply["result"]
        ),
        halted=False,
    ),
    "gateio": Dialect(
        "/ws/v4/",
        "/api/v4/spot/currency_pairs",
        {"channel": "spot.obu", "event": "subscribe", "payload": ["ob.ETH_BTC.400"]},
        begins=lambda message: message.get("event") == "update",
        is_book=lambda message: (
            message.get("channel") == "spot.obu" and message["event"] == "update"
        ),
        seq=lambda message: message["result"]["u"],
        statuses=lambda reply: (
            (f"{one['base']}-{one['quote']}", one["trade_status"]) for one in reply
        ),
        halted="untradable",
    ),
    "bybit": Dialect(
        "/v5/public/spot",
        "/v5/market/instruments-info?category=spot",
        {"req_id": "1", "op": "subscribe", "args": ["orderbook.50.ETHBTC"]},
        begins=lambda message: message.get("type") == "snapshot",
        is_book=lambda message: message.get("topic") == "orderbook.50.ETHBTC",
        seq=lambda message: message["data"]["seq"],
        statuses=lambda reply: (
            (f"{one['baseCoin']}-{one['quoteCoin']}", one["status"])
            for one in reply["result"]["list"]
        ),
        halted="Closed",
    ),
    "htx": Dialect(
        "/ws",
        "/v1/common/symbols",
        {"sub": "market.ethbtc.mbp.refresh.20", "id": "1"},
        begins=lambda message: "subbed" in message,
        is_book=lambda message: "tick" in message,
        seq=lambda message: message["tick"]["seqNum"],
        statuses=lambda reply: (
            (f"{one['base-currency']}-{one['quote-currency']}".upper(), one["state"])
            for one in reply["data"]
        ),
        halted="suspend",
    ),
    "gemini": Dialect(
        "/?snapshot=-1",
        "/v1/symbols/details/all",
        {"id": 1, "method": "subscribe", "params": ["ethbtc@depth@100ms"]},
        begins=lambda message: message.get("status") == 200,
        is_book=lambda message: message.get("e") == "depthUpdate",
        seq=lambda message: message["u"],
        statuses=lambda reply: (
            (f"{one['base_currency']}-{one['quote_currency']}", one["status"]) for one in reply
        ),
        halted="closed",
    ),
    "kraken": Dialect(
        "/v2",
        "/0/public/AssetPairs",
        {
            "method": "subscribe",
            "params": {"channel": "book", "symbol": ["ETH/BTC"], "depth": 100},
        },
        begins=lambda message: message.get("type") == "snapshot",
        is_book=lambda message: message.get("channel") == "book",
        seq=lambda message: message["data"][0]["timestamp"],
        statuses=lambda reply: (
            (one["wsname"].replace("/", "-"), one["status"]) for one in reply["result"].values()
        ),
        halted="cancel_only",
    ),
    "cryptocom": Dialect(
        "/exchange/v1/market",
        "/exchange/v1/public/get-instruments",
        {
            "id": 1,
            "method": "subscribe",
            "params": {
                "channels": ["book.ETH_BTC.50"],
                "book_subscription_type": "SNAPSHOT_AND_UPDATE",
            },
        },
        begins=lambda message: "result" in message,
        is_book=lambda message: (
            message.get("method") == "subscribe" and "data" in message.get("result", {})
        ),
        seq=lambda message: message["result"]["data"][0]["u"],
        statuses=lambda reply: (
            (f"{one['base_ccy']}-{one['quote_ccy']}", one["tradable"])
            for one in reply["result"]["data"]
            if one["inst_type"] == "CCY_PAIR"
        ),
        halted=False,
    ),
    "kucoin": Dialect(
        "/endpoint",
        "/api/v2/symbols",
        {"id": "1", "type": "subscribe", "topic": "/market/level2:ETH-BTC", "response": True},
        begins=lambda message: message.get("type") == "ack",
        is_book=lambda message: message.get("subject") == "trade.l2update",
        seq=lambda message: message["data"]["sequenceEnd"],
        statuses=lambda reply: ((one["symbol"], one["enableTrading"]) for one in reply["data"]),
        halted=False,
        token_path="/api/v1/bullet-public",
    ),
    "okx": Dialect(
        "/ws/v5/public",
        "/api/v5/public/instruments?instType=SPOT",
        {"op": "subscribe", "args": [{"channel": "books", "instId": "ETH-BTC"}]},
        begins=lambda message: message.get("action") == "snapshot",
        is_book=lambda message: message.get("action") in {"snapshot", "update"},
        seq=lambda message: message["data"][0]["seqId"],
        statuses=lambda reply: ((one["instId"], one["state"]) for one in reply["data"]),
        halted="suspend",
    ),
}
DIALECTS["binanceus"] = DIALECTS["binance"]


async def socket_url(simulator: Simulator, venue: str) -> str:
    """Return where the venue's socket is, with a token where it wants one."""
    dialect = DIALECTS[venue]
    if dialect.token_path is None:
        return simulator.ws_url(venue) + dialect.path
    url = simulator.rest_url(venue) + dialect.token_path

    def post() -> Any:
        with build_opener(ProxyHandler({})).open(
            Request(url, method="POST"), timeout=PATIENCE_S
        ) as reply:
            return json.loads(reply.read())["data"]

    told = await asyncio.to_thread(post)
    return f"{told['instanceServers'][0]['endpoint']}?token={told['token']}&connectId=7"


@asynccontextmanager
async def dialled(simulator: Simulator, venue: str) -> AsyncIterator[Wire]:
    """Connect to a venue until the context ends."""
    async with dial(await socket_url(simulator, venue)) as wire:
        if DIALECTS[venue].greeting is not None:
            await wire.say(DIALECTS[venue].greeting)
        yield wire
