"""What a message costs on the bus, beside a bare ZeroMQ hop with the same bytes.

    python bench/bus.py [ROUNDS]

Prints µs per message of this thread's processor time, for bursts of 100 topics and for one message
at a time; and the wall time of one message from `publish` until `drain` returns it. The best of
ROUNDS (default 7) counts: noise only ever adds. Both ends are in one thread, over ipc.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Final, NamedTuple, Protocol

import zmq
from dragonfly_common import codec
from dragonfly_common.bus import Delivery, Publisher, Subscriber, Waiter
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


class Bus:
    """This project's."""

    def __init__(self, address: str, opened: ExitStack) -> None:
        clock = SystemClock()
        self._publisher = opened.enter_context(closing(Publisher(address, "bench", clock)))
        self._subscriber = opened.enter_context(closing(Subscriber([address], clock)))
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


class Cost(NamedTuple):
    """µs per message, of the processor and of the clock on the wall."""

    processor_us: float
    wall_us: float


def in_bursts(hop: Hop) -> Cost:
    """Send a burst of messages of different topics, take them all, and again."""

    def run() -> int:
        for burst in range(BURSTS):
            for topic in TOPICS:
                hop.send(topic, burst)
            _take(hop, BURST)
        return BURSTS * BURST

    return _measure(run)


def one_at_a_time(hop: Hop) -> Cost:
    """Send a message, take it, and again."""

    def run() -> int:
        for number in range(SINGLES):
            hop.send(TOPICS[0], number)
            _take(hop, 1)
        return SINGLES

    return _measure(run)


def _take(hop: Hop, expected: int) -> None:
    while expected > 0:
        taken = hop.take()
        expected -= taken
        if not taken:
            hop.wait()


def _measure(run: Callable[[], int]) -> Cost:
    processor, wall = time.thread_time(), time.perf_counter()
    messages = run()
    return Cost(
        (time.thread_time() - processor) / messages * 1e6,
        (time.perf_counter() - wall) / messages * 1e6,
    )


def best(costs: Sequence[Cost]) -> Cost:
    return Cost(min(cost.processor_us for cost in costs), min(cost.wall_us for cost in costs))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        bus = Bus(f"ipc://{folder}/bus", opened)
        bare = Bare(f"ipc://{folder}/bare", opened)
        print(f"{'':22}{'bus':>16}{'bare ZeroMQ':>16}{'ratio':>8}")
        for way in (in_bursts, one_at_a_time):
            taken = [(way(bus), way(bare)) for _ in range(rounds)]
            ours, theirs = best([cost for cost, _ in taken]), best([cost for _, cost in taken])
            for what in Cost._fields:
                mine, other = getattr(ours, what), getattr(theirs, what)
                name = f"{way.__name__} {what.removesuffix('_us')}".replace("_", " ")
                print(f"{name:<26}{mine:>9.1f} µs{other:>13.1f} µs{mine / other:>8.1f}")


if __name__ == "__main__":
    main()
