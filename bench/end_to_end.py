"""From a venue's socket to a bot: latency, its parts, what arrives, and what it costs.

    python bench/end_to_end.py [--seconds S] [--repeat N] [--plain] [--load RATE:BOTS]...

Runs the system's processes on loopback between venues that send ready frames and bots on bare
grpc.aio, each apart. A load is the frames a second at each of two venues, every one of which
changes its best bid, and the number of bots. The loads take turns, N times (default 3), each for S
seconds (default 6) after one second that does not count; medians of the repetitions are printed.
Venues speak TLS unless --plain. Timed is a frame whose venue has the best bid of the book.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple, Self

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from book_bots import HOPS, Seen, run_bots
from measuring import Usage, Worker, machine, medians, print_table, quantile, save
from system import System
from venue_sender import Sent, run_sender

VENUES: Final = ("binance", "bitstamp")
INSTRUMENT: Final = "ETH-BTC"
WARM_UP_S: Final = 1.0
DRAINED_S: Final = 0.3
"""What has not arrived then never will."""
BOT_PROCESSES: Final = 2
"""Many bots share so many; a single one has its own."""
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


class Load(NamedTuple):
    """Frames a second at each venue, and how many bots follow."""

    rate: float
    bots: int

    def __str__(self) -> str:
        return f"{self.rate:g}/s per venue, {self.bots} bot{'s' * (self.bots > 1)}"


LOADS: Final = (
    Load(20, 1),
    Load(200, 1),
    Load(1000, 1),
    Load(5000, 1),
    Load(100, 20),
    Load(100, 100),
)


class EndToEnd:
    """The whole system between its venues and bots."""

    def __init__(self, *, tls: bool, options: Mapping[str, Sequence[str]] | None = None) -> None:
        """`options` are those of each layer: listener, aggregator, gateway."""
        self._tls = tls
        self._options = options or {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ca_file = folder / "ca.pem" if self._tls else None
            self._sender = stack.enter_context(Worker(run_sender, VENUES, (INSTRUMENT,), ca_file))
            self._system = stack.enter_context(System(folder))
            self._system.simulated = {"venues": self._sender.answer()}
            trust = [f"--ca-file={ca_file}"] if ca_file else []
            asyncio.run(self._start(trust))
            self._bots = [
                stack.enter_context(Worker(run_bots, self._system.gateway_address, INSTRUMENT))
                for _ in range(BOT_PROCESSES)
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    async def _start(self, trust: Sequence[str]) -> None:
        given = self._options
        await asyncio.gather(
            *(
                self._system.start_listener(venue, *trust, *given.get("listener", ()))
                for venue in VENUES
            ),
            self._system.start_aggregator(*given.get("aggregator", ()), venues=VENUES),
            self._system.start_gateway(f"--instrument={INSTRUMENT}", *given.get("gateway", ())),
        )
        await self._system.listed(VENUES)

    def measure(self, load: Load, seconds: float) -> dict[str, float]:
        """Return the figures of one load; times in ms."""
        bots = self._bots[: 1 if load.bots == 1 else BOT_PROCESSES]
        for number, bot in enumerate(bots):
            bot.tell("read", load.bots // len(bots) + (number < load.bots % len(bots)))
        for bot in bots:
            bot.answer()
        self._sender.ask("send", load.rate, WARM_UP_S)
        ours = Usage(process.pid for process in self._system.processes.values())
        theirs = Usage(bot.pid for bot in bots)
        sending = Usage([self._sender.pid])
        sent: dict[str, Sent] = self._sender.ask("send", load.rate, seconds)
        used = {"cores": ours.cores(), "bots": theirs.cores(), "sender": sending.cores()}
        time.sleep(DRAINED_S)
        for bot in bots:
            bot.tell("judge", sent)
        return _figures([bot.answer() for bot in bots], sent) | {
            f"cores: {name}": cores for name, cores in used.items()
        }


def _figures(seen: Sequence[Seen], sent: Mapping[str, Sent]) -> dict[str, float]:
    frames = sum(len(one.ns) for one in sent.values())
    bots = sum(one.bots for one in seen)
    best = sorted(ns for one in seen for ns in one.best_ns)
    figures = {name: quantile(best, share) / 1e6 for name, share in SHARES.items()}
    figures["arrived"] = sum(one.frames for one in seen) / bots / frames
    figures["timed"] = len(best) / bots / frames
    figures["books/s to bots"] = sum(one.books for one in seen)
    figures["sender late"] = max(one.late_ns for one in sent.values()) / 1e6
    for name, hop in zip(HOPS, seen[0].hops_ns, strict=True):
        hops = sorted(hop)
        figures |= {f"{name} {q}": quantile(hops, share) / 1e6 for q, share in SHARES.items()}
    return figures


def run(
    loads: Sequence[Load], seconds: float, repeat: int, *, tls: bool
) -> dict[Load, dict[str, float]]:
    """Return the medians of each load's figures."""
    with EndToEnd(tls=tls) as system:
        found = [{load: system.measure(load, seconds) for load in loads} for _ in range(repeat)]
    return {load: medians([one[load] for one in found]) for load in loads}


def show(found: Mapping[Load, Mapping[str, float]]) -> None:
    """Print the tables."""
    columns = {name: f"{name} ms" for name in SHARES} | {
        "arrived": "arrived",
        "cores: cores": "our cores",
        "cores: bots": "bots'",
        "cores: sender": "sender's",
        "sender late": "late ms",
    }
    print_table(
        "From a venue's send to a bot's receive, best bid's own venue",
        ["load", *columns.values()],
        [[str(load), *(figures[name] for name in columns)] for load, figures in found.items()],
    )
    print_table(
        "Where the time goes, p50 and p99 in µs",
        ["load", *HOPS],
        [
            [
                str(load),
                *(f"{1e3 * f[f'{hop} p50']:.0f} / {1e3 * f[f'{hop} p99']:.0f}" for hop in HOPS),
            ]
            for load, f in found.items()
        ],
    )


def _load(text: str) -> Load:
    rate, _, bots = text.partition(":")
    return Load(float(rate), int(bots or 1))


def main() -> None:
    parser = argparse.ArgumentParser(description="From a venue's socket to a bot.")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="venues without TLS")
    parser.add_argument("--load", type=_load, action="append", help="RATE:BOTS; may be repeated")
    given = parser.parse_args()
    print(machine())
    found = run(given.load or LOADS, given.seconds, given.repeat, tls=not given.plain)
    show(found)
    save("end_to_end", {"loads": [{"load": load._asdict(), **f} for load, f in found.items()]})


if __name__ == "__main__":
    main()
