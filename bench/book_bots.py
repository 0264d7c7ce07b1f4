"""Bots that note when each book came: bare grpc.aio on the first generation's `BookSummary`.

As a worker (see `measuring`) `run_bots` answers `("read", bots)` once each of so many has a book,
each on a connection of its own, and `("judge", sent)` with what they saw of the frames `sent`;
`("forget",)` lets only what comes from then on count.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

import grpc
import grpc.aio
from dragonfly_protos import market_data_pb2 as pb
from venue_sender import Sent

__all__ = ["HOPS", "Seen", "run_bots"]

HOPS: Final = ("venue to listener", "listener", "to aggregator", "to gateway", "to bot")
"""The way of a book: the stamps that part it are ts_recv, ts_pub, ts_agg and ts_out."""

_METHOD: Final = "/orderbook.OrderbookAggregator/BookSummary"


@dataclass
class Seen:
    """What some bots saw of the frames that were sent."""

    best_ns: array[int] = field(default_factory=lambda: array("q"))
    """From the sending of a frame to its book, where its venue has the best bid of that book."""
    hops_ns: tuple[array[int], ...] = field(default_factory=lambda: tuple(array("q") for _ in HOPS))
    """The same in its parts, of the first bot."""
    frames: int = 0
    """Frames that a bot saw in a book, over all bots."""
    books: int = 0
    bytes: int = 0
    """Of all books."""
    bots: int = 0
    lost: tuple[str, ...] = ()
    """Why streams ended too early, which spoils the figures."""


class _Bot:
    def __init__(self, address: str, instrument: str) -> None:
        self.times = array("q")
        self.books: list[bytes] = []
        self.first = asyncio.Event()
        self.lost = ""
        self._address = address
        self._instrument = instrument

    async def read(self) -> None:
        # A channel of its own is a connection of its own only so.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(self._address, options=options) as channel:
            stream = channel.unary_stream(_METHOD, response_deserializer=self._parse)
            try:
                async for _ in stream(b"", metadata=[("instrument", self._instrument)]):
                    self.times.append(time.time_ns())
                    self.first.set()
            except grpc.aio.AioRpcError as error:
                self.lost = str(error.details())
            finally:
                self.first.set()

    def _parse(self, payload: bytes) -> pb.Book:
        self.books.append(payload)
        return pb.Book.FromString(payload)


def run_bots(pipe: Connection, address: str, instrument: str) -> None:
    """Read the books of one instrument, as asked."""
    asyncio.run(_run(pipe, address, instrument))


async def _run(pipe: Connection, address: str, instrument: str) -> None:
    bots: list[_Bot] = []
    tasks: list[asyncio.Task[None]] = []
    while True:
        match await asyncio.to_thread(pipe.recv):
            case ("read", int(number)):
                bots = [_Bot(address, instrument) for _ in range(number)]
                tasks = [asyncio.create_task(bot.read()) for bot in bots]
                async with asyncio.timeout(30):
                    await asyncio.gather(*(bot.first.wait() for bot in bots))
                pipe.send("reading")
            case ("forget",):
                for bot in bots:
                    bot.times, bot.books = array("q"), []
                pipe.send("forgotten")
            case ("judge", sent):
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                pipe.send(_judge(bots, sent))
                bots = []


class _Frames:
    """The frames that venues sent, by what a book says of them."""

    def __init__(self, sent: Mapping[str, Sent]) -> None:
        self._by_seq = {
            name: dict(zip(one.seqs, one.ns, strict=True)) for name, one in sent.items()
        }
        self._by_best: dict[tuple[str, float, float], list[int]] = defaultdict(list)
        for name, one in sent.items():
            for ns, best in zip(one.ns, one.bests, strict=True):
                self._by_best[name, *best].append(ns)

    def of(self, book: pb.Book, ts_in: int) -> Iterator[tuple[str, int, pb.VenueFeed | None]]:
        """Yield (venue, when it was sent, feed) of each frame that the book has.

        A book of another system has no feeds: its frames are told by their venues' best bids.
        """
        for feed in book.venues:
            ns = self._by_seq[feed.venue].get(feed.venue_seq)
            if ns is not None:
                yield feed.venue, ns, feed
        if not book.venues:
            best = {level.venue: level for level in reversed(book.bids)}
            for venue, level in best.items():
                times = self._by_best.get((venue, level.price, level.amount), [])
                before = bisect(times, ts_in)
                if before:
                    yield venue, times[before - 1], None


def _judge(bots: list[_Bot], sent: Mapping[str, Sent]) -> Seen:
    frames = _Frames(sent)
    seen = Seen(bots=len(bots), lost=tuple(bot.lost for bot in bots if bot.lost))
    if seen.lost:
        print(f"{len(seen.lost)} bots lost their streams: {', '.join(set(seen.lost))}", flush=True)
    for number, bot in enumerate(bots):
        seen.books += len(bot.books)
        seen.bytes += sum(map(len, bot.books))
        if not sent:
            continue
        last = dict.fromkeys(sent, 0)
        for ts_in, payload in zip(bot.times, bot.books, strict=True):
            book = pb.Book.FromString(payload)
            best = book.bids[0].venue if book.bids else ""
            for venue, sent_ns, feed in frames.of(book, ts_in):
                if sent_ns <= last[venue]:
                    continue
                last[venue] = sent_ns
                seen.frames += 1
                if venue != best:
                    continue
                seen.best_ns.append(ts_in - sent_ns)
                if number == 0 and feed:
                    stamps = (sent_ns, feed.ts_recv, feed.ts_pub, book.ts_agg, book.ts_out, ts_in)
                    for hop, begin, end in zip(seen.hops_ns, stamps, stamps[1:], strict=False):
                        hop.append(end - begin)
    return seen
