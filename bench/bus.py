"""What a message costs on the bus, beside a bare ZeroMQ hop with the same bytes.

    python bench/bus.py [ROUNDS] [--curve]

Prints µs per message of this thread's processor time and of the whole process's (ZeroMQ sends,
receives and encrypts in a thread of its own), for bursts of 100 topics and for one message at a
time; and the wall time of one message from `publish` until `drain` returns it. The best of ROUNDS
(default 7) counts: noise only ever adds. Both ends are in one thread, over ipc.

With --curve the bus over tcp with keys stands beside the bus over tcp without.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import zmq
from dragonfly_common import codec
from dragonfly_common.bus import Delivery, Keys, Publisher, Role, Subscriber, Waiter
from dragonfly_common.bus.curve import new_pair
from dragonfly_common.clock import SystemClock
from dragonfly_common.messages import Book, Envelope
from dragonfly_common.types import FeedState

BURST: Final = 100
BURSTS: Final = 100
SINGLES: Final = 2000

TOPICS: Final = [f"book.COIN{number}-USDT.binance." for number in range(BURST)]


def book(seq: int) -> Book:
    """Return a book of ten levels a side; each differs from the one before."""
    bids = tuple((30_000.25 - level, 0.125 + seq) for level in range(10))
    asks = tuple((30_000.75 + level, 0.125 + seq) for level in range(10))
    return Book(FeedState.LIVE, "", 1, seq, 1_700_000_000_000_000_000, seq, bids, asks)


BOOKS: Final = [book(seq) for seq in range(64)]


class Hop(Protocol):
    """A way for a message to get from one end to the other."""

    def send(self, topic: str, number: int) -> None: ...
    def take(self) -> int: ...
    def wait(self) -> None: ...
    def join(self) -> None: ...


class Bus:
    """This project's."""

    def __init__(
        self,
        address: str,
        opened: ExitStack,
        publishing: Keys | None = None,
        subscribing: Keys | None = None,
    ) -> None:
        clock = SystemClock()
        self._publisher = opened.enter_context(
            closing(Publisher(address, "bench", clock, keys=publishing))
        )
        self._subscriber = opened.enter_context(
            closing(Subscriber([self._publisher.address], clock, keys=subscribing))
        )
        self._subscriber.subscribe("book.")
        self._waiter = Waiter((self._publisher, self._subscriber))
        while not any(interest.prefix == "book." for interest in self._publisher.drain()):
            self.wait()

    def send(self, topic: str, number: int) -> None:
        self._publisher.publish(topic, BOOKS[number % len(BOOKS)])

    def take(self) -> int:
        return sum(isinstance(event, Delivery) for event in self._subscriber.drain())

    def wait(self) -> None:
        self._waiter.wait(0.1)

    def join(self) -> None:
        """Return when both ends hear each other: while the other hop ran, this one was silent."""
        self.send(TOPICS[0], 0)
        while not self.take():
            self.wait()
            self._publisher.drain()
        time.sleep(0.05)  # for the other last values, if it had been taken for dead
        self.take()


class Bare:
    """PUB and SUB and nothing else: the bytes are ready, and nobody looks at them."""

    def __init__(self, address: str, opened: ExitStack) -> None:
        context = opened.enter_context(zmq.Context())
        self._publisher: zmq.Socket[bytes] = opened.enter_context(context.socket(zmq.XPUB))
        self._publisher.bind(address)
        self._subscriber: zmq.Socket[bytes] = opened.enter_context(context.socket(zmq.SUB))
        self._subscriber.subscribe("book.")
        self._subscriber.connect(address)
        self._publisher.recv()
        self._payloads = [
            codec.encode_envelope(
                Envelope(1, "bench", 1, 1, time.time_ns(), codec.encode_body(body))
            )
            for body in BOOKS
        ]
        self._poller = zmq.Poller()
        self._poller.register(self._subscriber, zmq.POLLIN)

    def send(self, topic: str, number: int) -> None:
        payload = self._payloads[number % len(BOOKS)]
        self._publisher.send_multipart((topic.encode(), payload), zmq.NOBLOCK)

    def take(self) -> int:
        taken = 0
        while True:
            try:
                self._subscriber.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return taken
            taken += 1

    def wait(self) -> None:
        self._poller.poll(100)

    def join(self) -> None:
        """Do nothing: nobody takes this one for dead."""


class Cost(NamedTuple):
    """µs per message, of the processor in this thread and in all, and of the clock on the wall."""

    processor_us: float
    all_threads_us: float
    wall_us: float


def in_bursts(hop: Hop) -> int:
    """Send a burst of messages of different topics, take them all, and again."""
    for burst in range(BURSTS):
        for topic in TOPICS:
            hop.send(topic, burst)
        _take(hop, BURST)
    return BURSTS * BURST


def one_at_a_time(hop: Hop) -> int:
    """Send a message, take it, and again."""
    for number in range(SINGLES):
        hop.send(TOPICS[0], number)
        _take(hop, 1)
    return SINGLES


def _take(hop: Hop, expected: int) -> None:
    while expected > 0:
        taken = hop.take()
        expected -= taken
        if not taken:
            hop.wait()


def _measure(hop: Hop, way: Callable[[Hop], int]) -> Cost:
    hop.join()
    clocks = (time.thread_time, time.process_time, time.perf_counter)
    began = [clock() for clock in clocks]
    messages = way(hop)
    return Cost(*((clock() - at) / messages * 1e6 for clock, at in zip(clocks, began, strict=True)))


def best(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(min, zip(*costs, strict=True)))


def new_keys(folder: Path) -> tuple[Keys, Keys]:
    """Return the keys of a listener and of an aggregator that trust each other."""
    trust, made = folder / "trust", {}
    trust.touch()
    for role in (Role.LISTENER, Role.AGGREGATOR):
        public, secret = (key.decode() for key in new_pair())
        made[role] = folder / f"{role}.key"
        made[role].write_text(f"public {public}\nsecret {secret}\n")
        made[role].chmod(0o400)
        trust.write_text(f"{trust.read_text()}{role} {public}\n")
    listener, aggregator = (Keys(role, path, trust) for role, path in made.items())
    return listener, aggregator


def main() -> None:
    options = sys.argv[1:]
    curve = "--curve" in options
    rounds = int(next((option for option in options if option.isdigit()), "7"))
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        bus: Hop
        bare: Hop
        if curve:
            bus = Bus("tcp://127.0.0.1:0", opened, *new_keys(Path(folder)))
            bare = Bus("tcp://127.0.0.1:0", opened)
        else:
            bus = Bus(f"ipc://{folder}/bus", opened)
            bare = Bare(f"ipc://{folder}/bare", opened)
        names = ("tcp with keys", "tcp without") if curve else ("bus", "bare ZeroMQ")
        print(f"{'':22}{names[0]:>16}{names[1]:>16}{'ratio':>8}")
        for way in (in_bursts, one_at_a_time):
            taken = [(_measure(bus, way), _measure(bare, way)) for _ in range(rounds)]
            ours, theirs = best([cost for cost, _ in taken]), best([cost for _, cost in taken])
            for what in Cost._fields:
                mine, other = getattr(ours, what), getattr(theirs, what)
                name = f"{way.__name__} {what.removesuffix('_us')}".replace("_", " ")
                print(f"{name:<27}{mine:>9.1f} µs{other:>13.1f} µs{mine / other:>8.1f}")


if __name__ == "__main__":
    main()
