"""cryptofeed's handlers of the frames that `bench/decoders.py` gives; run by a Python that has it.

    python bench/cryptofeed_handlers.py FILE

FILE is JSON, by venue: the symbol, the frames that begin a subscription, and those that are timed.
Prints JSON: µs of CPU for one of the latter, by venue.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import OKX, Bybit, Coinbase
from cryptofeed.symbols import Symbols

FEEDS = {"bybit": Bybit, "coinbase_advanced": Coinbase, "okx": OKX}
NAME = "ETH-BTC"


class Connection:
    uuid = "bench"
    address = "wss://stream.bybit.com/v5/public/spot"


async def measure(feed: type, symbol: str, first: list[str], frames: list[str]) -> float:
    books = 0

    async def count(_book: object, _at: float) -> None:
        nonlocal books
        books += 1

    if feed is Bybit:
        symbol = "ETH/BTC"  # as it spells spot markets itself
    Symbols.set(feed.id, {NAME: symbol}, {"instrument_type": {NAME: "spot"}})  # type: ignore[attr-defined]
    handler = feed(symbols=[NAME], channels=[L2_BOOK], callbacks={L2_BOOK: count}, max_depth=10)
    connection = Connection()
    for frame in first:
        await handler.message_handler(frame, connection, time.time())
    books = 0
    began = time.thread_time_ns()
    for frame in frames:
        await handler.message_handler(frame, connection, time.time())
    took_ns = time.thread_time_ns() - began
    if books < len(frames):
        raise RuntimeError(f"{feed.__name__} made {books} books of {len(frames)} frames")
    return took_ns / len(frames) / 1e3


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps({name: asyncio.run(measure(FEEDS[name], *given[name])) for name in FEEDS}))


if __name__ == "__main__":
    main()
