"""Print the best price to buy and to sell at, across venues, whenever one of them moves.

python best_price.py --gateway 127.0.0.1:50051 ETH-BTC BTC-USD
"""

# ruff: noqa: T201  (an example prints)

from __future__ import annotations

import argparse
import asyncio
import contextlib

from connecting import add_connection_options, client_options
from dragonfly_client import Bbo, DragonflyClient
from dragonfly_client.sync import Options


def describe(bbo: Bbo) -> str:
    if bbo.bid is None or bbo.ask is None:
        reasons = ", ".join(f"{feed.venue}: {feed.reason}" for feed in bbo.venues)
        return f"{bbo.instrument}: nothing to trade ({reasons})"
    return (
        f"{bbo.instrument}: sell at {bbo.bid.price} on {bbo.bid.venue},"
        f" buy at {bbo.ask.price} on {bbo.ask.venue}"
    )


async def main(gateway: str, options: Options, instruments: list[str]) -> None:
    last: dict[str, str] = {}
    async with DragonflyClient(gateway, **options) as client:
        async for bbo in client.bbo(instruments):
            line = describe(bbo)
            if last.get(bbo.instrument) != line:
                last[bbo.instrument] = line
                print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the best prices across venues.")
    parser.add_argument("instruments", nargs="*", default=["ETH-BTC"])
    add_connection_options(parser)
    parser.add_argument("--seconds", type=float, help="end after so long; default: never")
    given = parser.parse_args()
    with contextlib.suppress(TimeoutError, KeyboardInterrupt):
        watch = main(given.gateway, client_options(given), given.instruments)
        asyncio.run(asyncio.wait_for(watch, given.seconds))
