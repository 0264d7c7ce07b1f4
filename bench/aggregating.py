"""An aggregator under load: what a book costs it, how far its views lag, and how much it holds.

    python bench/aggregating.py [--seconds S] [--repeat N]

The aggregator's process, between publishers in the place of listeners and a reader of its views.
More venues and more instruments share 1000 books a second; last comes a burst of 50,000 a second
over 100 instruments. A lag is from the newest of a view's books being published to the view being
read. Each takes S seconds (default 4) after one that does not count, N times (default 3); medians
are printed. The core without sockets is in `merging.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from array import array
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dragonfly_common import codec
from dragonfly_common.messages import Instruments, VenueStatus
from dragonfly_common.topics import book_topic, instruments_topic, venue_topic
from dragonfly_common.types import FeedState
from measuring import DRAINED_S, START_WITHIN_S, Worker, medians, print_table, quantile, save, usage
from merging import walk
from speakers import Speaker, run_hearer, run_speakers
from system import System

STATES: Final = 200
WARM_UP_S: Final = 1.0


class Load(NamedTuple):
    """`rate` is that of all venues and instruments together."""

    venues: int
    instruments: int
    rate: float


LOADS: Final = (
    Load(2, 1, 1000),
    Load(5, 1, 1000),
    Load(10, 1, 1000),
    Load(20, 1, 1000),
    Load(2, 10, 1000),
    Load(2, 100, 1000),
    Load(2, 500, 1000),
    Load(2, 100, 50_000),
)


def speakers_of(load: Load, system: System) -> list[Speaker]:
    """Return stand-ins for a listener of each venue."""
    instruments = names(load)
    found = []
    for number in range(load.venues):
        venue = f"venue{number}"
        status = VenueStatus(
            venue, FeedState.LIVE, "", venue, 1, load.instruments, load.instruments
        )
        books = [bytes(body) for body in walk(number, STATES)]
        found.append(
            Speaker(
                system.address(f"listener-{venue}"),
                f"listener-{venue}",
                [
                    (venue_topic(venue), bytes(codec.encode_body(status))),
                    (
                        instruments_topic(venue),
                        bytes(codec.encode_body(Instruments(venue, tuple(instruments)))),
                    ),
                ],
                [(book_topic(name, venue), books) for name in instruments],
            )
        )
    return found


def names(load: Load) -> list[str]:
    return sorted(f"COIN{number}-USD" for number in range(load.instruments))


def heard_all(answer: tuple[int, array[int]], load: Load) -> bool:
    """Say whether so many live views came that all instruments must be among them."""
    _, lags = answer
    return len(lags) >= load.instruments


def measure(load: Load, seconds: float) -> dict[str, float]:
    """Return an aggregator's figures; times in ms, memory in MB."""
    with ExitStack() as stack:
        system = System(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.enter_context(system)
        system.start_within_s = START_WITHIN_S
        speakers = speakers_of(load, system)
        saying = stack.enter_context(Worker(run_speakers, speakers))
        saying.answer()
        venues = [speaker.name.removeprefix("listener-") for speaker in speakers]
        asyncio.run(system.start_aggregator(venues=venues))
        address = system.address("aggregator")
        hearing = stack.enter_context(Worker(run_hearer, address, names(load)))
        while not heard_all(hearing.ask(1), load):
            saying.ask("say", 1000, WARM_UP_S)
        pid = system.processes["aggregator"].pid
        hearing.ask(max(1, round(load.rate / 1000)))
        before = usage(pid)
        said = saying.ask("say", load.rate, seconds)
        time.sleep(DRAINED_S)
        after = usage(pid)
        views, lags = hearing.ask(1)
        lags = sorted(lags)
        return {
            "books/s": said,
            "µs/book": (after.cpu_s - before.cpu_s) / (said * seconds) * 1e6,
            "cores": (after.cpu_s - before.cpu_s) / seconds,
            "views/s": views / seconds,
            "lag p50": quantile(lags, 0.5) / 1e6,
            "lag p99": quantile(lags, 0.99) / 1e6,
            "MB before": before.resident_mb,
            "MB after": after.resident_mb,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="An aggregator under load.")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    found = defaultdict(list)
    for _ in range(given.repeat):
        for load in LOADS:
            found[load].append(measure(load, given.seconds))
    rows = {load: medians(figures) for load, figures in found.items()}
    print_table(
        "An aggregator's process",
        ["venues", "instruments", "asked/s", *next(iter(rows.values()))],
        [[*load, *figures.values()] for load, figures in rows.items()],
    )
    save("aggregating", {"rows": [load._asdict() | f for load, f in rows.items()]})


if __name__ == "__main__":
    main()
