"""Say when one venue bids more than another asks: for how long, how much, and at what gain.

A crossed market across venues is legal and common; whether it pays after fees is the bot's affair.

    python arbitrage_watch.py --gateway 127.0.0.1:50051 --fee-bp 5 ETH-BTC
"""

# ruff: noqa: T201  (an example prints)

from __future__ import annotations

import argparse
import asyncio
import contextlib

from connecting import add_connection_options, client_options
from dragonfly_client import Book, DragonflyClient
from dragonfly_client.sync import Options


def gain(book: Book, fee_bp: float) -> tuple[float, float]:
    """Return (amount, gain in quote currency) of trading every crossed level, after fees."""
    bids = [[level.price, level.amount] for level in book.bids]
    asks = [[level.price, level.amount] for level in book.asks]
    fee = fee_bp / 10_000
    amount = total = 0.0
    while bids and asks and bids[0][0] * (1 - fee) > asks[0][0] * (1 + fee):
        traded = min(bids[0][1], asks[0][1])
        amount += traded
        total += traded * (bids[0][0] * (1 - fee) - asks[0][0] * (1 + fee))
        for side in (bids, asks):
            side[0][1] -= traded
            if side[0][1] <= 0:
                side.pop(0)
    return amount, total


async def main(gateway: str, options: Options, instrument: str, fee_bp: float) -> None:
    crossed_since: int | None = None
    async with DragonflyClient(gateway, **options) as client:
        async for book in client.book(instrument):
            amount, total = gain(book, fee_bp)
            if amount and crossed_since is None and book.best_bid and book.best_ask:
                crossed_since = book.ts_in
                print(
                    f"buy {amount:g} on {book.best_ask.venue} at {book.best_ask.price},"
                    f" sell on {book.best_bid.venue} at {book.best_bid.price}: gain {total:.8f}",
                    flush=True,
                )
            elif not amount and crossed_since is not None:
                print(f"gone after {(book.ts_in - crossed_since) / 1e6:.1f} ms", flush=True)
                crossed_since = None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Say when venues cross each other.")
    parser.add_argument("instrument", nargs="?", default="ETH-BTC")
    add_connection_options(parser)
    parser.add_argument("--fee-bp", type=float, default=0.0, help="fee of one trade")
    parser.add_argument("--seconds", type=float, help="end after so long; default: never")
    given = parser.parse_args()
    watch = main(given.gateway, client_options(given), given.instrument, given.fee_bp)
    with contextlib.suppress(TimeoutError, KeyboardInterrupt):
        asyncio.run(asyncio.wait_for(watch, given.seconds))
