"""What merging costs: processor time of the aggregator's core for each book that it hears.

    python bench/merging.py [BOOKS]

Drives the aggregator's core, without sockets, with BOOKS books (default 20,000): from a listener's
bytes to the bytes of the view. Venues follow one price; from one book to the next two of twenty
levels change, and now and then the price moves. Prints the microseconds of the processor for one
book, how many fit into a second, and how many made a new view. What else runs on the machine does
not count, though it slows the caches.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Final

import msgspec
from aggregator.world import World
from dragonfly_common import codec
from dragonfly_common.messages import Book, VenueStatus
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState
from measuring import print_table, save

DEPTH: Final = 10
LOADS: Final = ((2, 1), (5, 1), (10, 1), (20, 1), (2, 100), (2, 500), (20, 100))
"""(venues, instruments)"""


def walk(venue: int, count: int) -> list[msgspec.Raw]:
    """Return `count` books of a venue, encoded, which may be said again and again.

    So all have the same `venue_seq`: what falls behind what was heard is not believed.
    """
    prices, chance = random.Random(0), random.Random(venue + 1)
    middle = 100_000
    bids = {middle - n: chance.randint(1, 9999) / 100 for n in range(1, DEPTH + 1)}
    asks = {middle + n: chance.randint(1, 9999) / 100 for n in range(1, DEPTH + 1)}
    found = []
    for seq in range(1, count + 1):
        step = prices.choice((-1, 1)) if prices.random() < 0.1 else 0
        bids = {price + step: amount for price, amount in bids.items()}
        asks = {price + step: amount for price, amount in asks.items()}
        for side in (bids, asks):
            side[chance.choice([*side])] = chance.randint(1, 9999) / 100
        tops = [[(price / 1000, side[price]) for price in sorted(side)] for side in (bids, asks)]
        book = Book(FeedState.LIVE, "", 1, 1, seq, seq, tuple(reversed(tops[0])), tuple(tops[1]))
        found.append(codec.encode_body(book))
    return found


def run(venues: int, instruments: int, count: int) -> tuple[float, float]:
    """Return (seconds of the processor for one book, views for one book)."""
    names = [f"venue{number}" for number in range(venues)]
    followed = [f"COIN{number}-USD" for number in range(instruments)]
    rounds = max(1, count // (venues * instruments))
    walks = [walk(number, rounds) for number in range(venues)]
    world = World(1, DEPTH, 10.0)
    for name in names:
        world.on_venue(name, VenueStatus(name, FeedState.LIVE, "", name, 1, 1, 1))
    for instrument in followed:
        world.want(ViewKind.BOOK, instrument)
    world.evaluate(0.0, 0)
    views = 0
    began = time.process_time()
    for now, turn in enumerate(zip(*walks, strict=True), start=1):
        for instrument in followed:
            for name, raw in zip(names, turn, strict=True):
                book = codec.decode_body(raw)
                assert isinstance(book, Book)
                world.on_book(name, instrument, name, book, now, float(now))
                views += len(world.evaluate(float(now), now).publish)
    took = time.process_time() - began
    books = rounds * instruments * venues
    return took / books, views / books


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rows = []
    for venues, instruments in LOADS:
        cost, views = run(venues, instruments, count)
        rows.append((venues, instruments, cost * 1e6, 1 / cost, views))
    head = ("venues", "instruments", "µs/book", "books/s", "views/book")
    print_table("An aggregator's core: books merged on a core", head, rows)
    save("merging", {"rows": [dict(zip(head, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
