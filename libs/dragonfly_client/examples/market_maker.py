"""The skeleton of a market maker: say what it would quote, and when it would pull its quotes.

The fair price is the microprice, moved against what is held already. There are quotes only while
the book is live at several venues and fresh, and new ones only when the price moved by a tick.

    python market_maker.py --gateway 127.0.0.1:50051 --half-spread-bp 5 ETH-BTC
"""

# ruff: noqa: T201  (an example prints)

from __future__ import annotations

import argparse
import asyncio
import contextlib
from dataclasses import dataclass

from connecting import add_connection_options, client_options
from dragonfly_client import Book, Disconnected, DragonflyClient, Event, State
from dragonfly_client.sync import Options


@dataclass(frozen=True)
class Rules:
    half_spread_bp: float
    least_venues: int = 2
    oldest_s: float = 1.0
    most_held: float = 10.0
    """At this inventory the fair price is moved by half a spread."""


@dataclass(frozen=True)
class Quotes:
    bid: float
    ask: float


def decide(book: Book, held: float, rules: Rules) -> Quotes | str:
    """Return what to quote now, or why nothing."""
    live = sum(feed.state is State.LIVE and not feed.reason for feed in book.venues)
    if live < rules.least_venues:
        return f"{live} venues can be traded, {rules.least_venues} are needed"
    if book.age_s() > rules.oldest_s:
        return f"the book is {book.age_s():.1f} s old"
    fair = book.microprice
    if fair is None:
        return "a side is empty"
    if book.crossed:
        return "the venues cross each other: the fair price is anybody's guess"
    half = fair * rules.half_spread_bp / 10_000
    fair -= half * held / rules.most_held
    return Quotes(fair - half, fair + half)


async def main(gateway: str, options: Options, instrument: str, rules: Rules) -> None:
    held = 0.0  # the fills of your own orders change it
    last: Quotes | str = "nothing is known yet"

    def tell(event: Event) -> None:
        if isinstance(event, Disconnected):  # no book will come that says so
            print("pull all quotes: no gateway", flush=True)

    options["on_event"] = tell
    async with DragonflyClient(gateway, **options) as client:
        listed = await client.instruments(instrument=instrument)
        ticks = [market.tick for one in listed for market in one.markets if market.tick]
        tick = float(min(ticks, default=0))
        async for book in client.book(instrument, depth=5):
            now = decide(book, held, rules)
            match last, now:
                case Quotes(), Quotes() if abs(now.bid - last.bid) < tick:
                    continue
                case _, Quotes():
                    print(f"quote {now.bid:.8f} / {now.ask:.8f}", flush=True)
                case _ if now != last:
                    print(f"pull all quotes: {now}", flush=True)
            last = now


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Say what a market maker would quote.")
    parser.add_argument("instrument", nargs="?", default="ETH-BTC")
    add_connection_options(parser)
    parser.add_argument("--half-spread-bp", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, help="end after so long; default: never")
    given = parser.parse_args()
    making = main(
        given.gateway, client_options(given), given.instrument, Rules(given.half_spread_bp)
    )
    with contextlib.suppress(TimeoutError, KeyboardInterrupt):
        asyncio.run(asyncio.wait_for(making, given.seconds))
