"""The book without an event loop: a plain `for`.

python sync_book.py --gateway 127.0.0.1:50051 ETH-BTC
"""

# ruff: noqa: T201  (an example prints)

from __future__ import annotations

import argparse
import contextlib
import time

from connecting import add_connection_options, client_options
from dragonfly_client.sync import Client, Options


def main(gateway: str, options: Options, instrument: str, seconds: float | None) -> None:
    ends_at = None if seconds is None else time.monotonic() + seconds
    with Client(gateway, **options) as client:
        for book in client.book(instrument, depth=3):
            states = " ".join(f"{feed.venue}={feed.state.name}" for feed in book.venues)
            spread = "-" if book.mid is None else f"{book.spread:g}"
            print(f"{book.instrument} spread {spread} replaced {book.replaced} {states}")
            for bid, ask in zip(book.bids, book.asks, strict=False):
                print(
                    f"{bid.amount:>12} {bid.price:>14} {bid.venue:<9}"
                    f" | {ask.venue:>9} {ask.price:<14} {ask.amount:<12}"
                )
            if ends_at is not None and time.monotonic() > ends_at:
                break
            # Working for long is fine: the next book is the newest, not the next in a queue.
            time.sleep(0.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the top of the book twice a second.")
    parser.add_argument("instrument", nargs="?", default="ETH-BTC")
    add_connection_options(parser)
    parser.add_argument("--seconds", type=float, help="end after so long; default: never")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        main(given.gateway, client_options(given), given.instrument, given.seconds)
