"""The consolidated book by ccxt's names, for a program that was written for ccxt pro.

exchange = Dragonfly("127.0.0.1:50051")
book = await exchange.watch_order_book("ETH/BTC")

python ccxt_adapter.py --gateway 127.0.0.1:50051 ETH/BTC
"""

# ruff: noqa: T201  (an example prints)

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Unpack

from connecting import add_connection_options, client_options
from dragonfly_client import Book, CcxtBook, DragonflyClient
from dragonfly_client.sync import Options


class Dragonfly:
    """As much of a ccxt exchange as books need; a symbol is ETH/BTC here."""

    id = "dragonfly"

    def __init__(self, gateway: str, **options: Unpack[Options]) -> None:
        self._client = DragonflyClient(gateway, **options)
        self._streams: dict[tuple[str, int], AsyncGenerator[Book, None]] = {}

    async def fetch_order_book(self, symbol: str, limit: int = 0) -> CcxtBook:
        """Return the book of this moment."""
        return (await self._client.get_book(_instrument(symbol), depth=limit)).to_ccxt()

    async def watch_order_book(self, symbol: str, limit: int = 0) -> CcxtBook:
        """Return the next book; what came while nobody asked is replaced by the newest."""
        key = symbol, limit
        if key not in self._streams:
            self._streams[key] = self._client.book(_instrument(symbol), depth=limit)
        return (await anext(self._streams[key])).to_ccxt()

    async def close(self) -> None:
        await self._client.aclose()


def _instrument(symbol: str) -> str:
    return symbol.replace("/", "-")


async def main(gateway: str, options: Options, symbol: str) -> None:
    exchange = Dragonfly(gateway, **options)
    try:
        while True:
            book = await exchange.watch_order_book(symbol, 5)
            best = [side[0] if side else None for side in (book["bids"], book["asks"])]
            print(book["symbol"], book["datetime"], *best, flush=True)
    finally:
        await exchange.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the book as ccxt has it.")
    parser.add_argument("symbol", nargs="?", default="ETH/BTC")
    add_connection_options(parser)
    parser.add_argument("--seconds", type=float, help="end after so long; default: never")
    given = parser.parse_args()
    with contextlib.suppress(TimeoutError, KeyboardInterrupt):
        watch = main(given.gateway, client_options(given), given.symbol)
        asyncio.run(asyncio.wait_for(watch, given.seconds))
