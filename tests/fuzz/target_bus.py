"""Messages of the bus, by the way they take from a socket to what an aggregator publishes.

An input is a msgpack array of one message's parts; a part that is not bytes is encoded, so that
what an envelope holds can be changed field by field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from unittest.mock import Mock

import msgspec
from aggregator import counters as aggregator_counters
from aggregator.service import _take_event, _take_interest
from aggregator.world import World
from dragonfly_common import codec, counters
from dragonfly_common.assignment import Assignment
from dragonfly_common.bus import Delivery, Interest, PublisherLost, Subscriber
from dragonfly_common.bus.zmq_transport import ZmqUpstream
from dragonfly_common.clock import ManualClock
from dragonfly_common.errors import DecodeError
from dragonfly_common.messages import (
    Body,
    Book,
    Claim,
    EncodedView,
    FeedStanding,
    Gone,
    Heartbeat,
    Instruments,
    ListedMarket,
    VenueStatus,
)
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from fuzzing import Target
from judging import counted, judge_view
from mutation import Form

__all__ = ["MESSAGES", "TARGETS", "Wire", "message"]

PUBLISHER: Final = "listener-kraken"
EPOCH: Final = 1_700_000_000_000_000_000
DEPTH: Final = 5
TURNS_TO_HEAL: Final = 80
"""Of a quarter of a second each: a name that a lie took is held for ten seconds."""

SIDE: Final = tuple((100.0 - number, 0.5 + number) for number in range(DEPTH))
ASKS: Final = tuple((101.0 + number, 0.5 + number) for number in range(DEPTH))
LIVE: Final = FeedState.LIVE
STANDING: Final = FeedStanding("ETH-BTC", LIVE, 1, 2, agreed=True)
MARKET: Final = ListedMarket("ETH/BTC", False, "post_only", "0.01", "1", None, None)
MESSAGES: Final[tuple[tuple[str, Body], ...]] = (
    ("book.ETH-BTC.kraken.", Book(LIVE, "", EPOCH, 7, None, EPOCH, SIDE, ASKS)),
    ("book.ETH-BTC.binance.", Book(LIVE, "", EPOCH, 7, 5, EPOCH, SIDE[1:], ASKS[1:])),
    ("book.ETH-BTC.kraken.", Book(FeedState.STALE, "silent", EPOCH, 7, 5, EPOCH, (), ())),
    ("book.ETH-BTC.kraken.", Gone()),
    ("status.venue.kraken.", VenueStatus("kraken", LIVE, "", PUBLISHER, 1, 2, 1, 3, (STANDING,))),
    (
        "status.instruments.kraken.",
        Instruments("kraken", ("BTC-USD", "ETH-BTC"), codec.pack_markets([MARKET] * 2), 1, 2),
    ),
    ("share.", Claim(leaving=False, keys=frozenset({"ETH-BTC"}))),
    (f"hb.{PUBLISHER}", Heartbeat({"book.ETH-BTC.kraken.": 3})),
    (f"hb.{PUBLISHER}", Heartbeat({}, bye=True)),
)


def message(topic: str, body: Body, seq: int = 3, ts_pub: int = EPOCH) -> bytes:
    """Return an input that is a good message."""
    envelope = [codec.SCHEMA_VERSION, PUBLISHER, EPOCH, seq, ts_pub, codec.encode_body(body)]
    return msgspec.msgpack.encode([topic.encode(), envelope])


def numbered(data: bytes, seq: int) -> bytes:
    """Return an input with the publisher, epoch and sequence that a subscriber would believe."""
    try:
        parts = msgspec.msgpack.decode(data)
        parts[1][1:4] = [PUBLISHER, EPOCH, seq]
        return msgspec.msgpack.encode(parts)
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError, LookupError, RecursionError):
        return data


def parts_of(data: bytes) -> list[bytes]:
    """Return the message that an input describes; bytes that describe none are its only part."""
    try:
        parts = msgspec.msgpack.decode(data)
        if not isinstance(parts, list):
            return [data]
        return [part if isinstance(part, bytes) else _encoded(part) for part in parts]
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError, RecursionError):
        return [data]


def _encoded(part: Any) -> bytes:
    return part.encode() if isinstance(part, str) else msgspec.msgpack.encode(part)


class _Paper(ZmqUpstream):
    """A link without a socket: what arrives is handed to it."""

    def _open(self) -> None:
        self.arriving: list[list[bytes]] = []
        self.unread = True
        self.refused = self._denied = False
        self._socket = Mock()

    def _close(self) -> None:
        return

    def trouble(self) -> None:
        return

    def receive(self) -> Iterator[list[bytes]]:
        while self._reopen_at is None and self.arriving:
            yield self.arriving.pop(0)


class Wire:
    """A subscriber of one address, on which a test says what arrives."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.subscriber = Subscriber([], clock)
        self._link = _Paper("ipc:///fuzzing", ["hb."], clock.monotonic(), self.subscriber._poller)
        self.subscriber._upstreams[self._link.address] = self._link
        followed = frozenset(self.subscriber._upstreams)
        self.subscriber._followed = self.subscriber._discovery.addresses = followed

    def hear(self, parts: list[bytes]) -> list[Delivery | PublisherLost]:
        """Let a message arrive; return what is handed on. Each is accounted for by a counter."""
        arriving = self._link.arriving
        arriving.append(parts)
        before = counters.BUS_RECEIVED.count
        events = self.subscriber.drain()
        assert counters.BUS_RECEIVED.count == before + 1 - len(arriving)
        arriving.clear()  # what a socket held is gone with it
        return events


class Codec(Target):
    """Payloads: a decoded body or one kind of error, and what was decoded can be said again."""

    name = "bus.codec"
    form = Form.MSGPACK

    def seeds(self) -> Sequence[bytes]:
        bodies = [body for _, body in MESSAGES] + [
            EncodedView(live=True, depth=10, body=b"\x0a\x00")
        ]
        return [codec.encode_message(PUBLISHER, EPOCH, 3, EPOCH, body) for body in bodies]

    def feed(self, data: bytes) -> str:
        try:
            body = codec.decode_body(codec.decode_envelope(data).body)
        except DecodeError as error:
            assert len(str(error)) < 300, error
            return error.reason
        again = codec.encode_body(body)
        assert codec.encode_body(codec.decode_body(again)) == again
        return type(body).__name__


class Aggregator(Target):
    """Messages of listeners: subscriber, world, and what gateways would hear."""

    name = "bus.aggregator"
    form = Form.MSGPACK
    weight = 20

    def seeds(self) -> Sequence[bytes]:
        return [message(topic, body) for topic, body in MESSAGES]

    def reset(self) -> None:
        self._wire = Wire(ManualClock())
        self._world = World(EPOCH, DEPTH, 1.0)
        for kind in ViewKind:
            self._world.want(kind, "ETH-BTC")
        self._seq = 10
        self._said: dict[str, Body] = {}
        self.check()

    def feed(self, data: bytes) -> str:
        self._wire.clock.advance(0.01)
        refused = counted(counters.BUS_UNDECODABLE) + counted(counters.BUS_DROPPED)
        misplaced = counted(aggregator_counters.MISPLACED_BODIES)
        events = self._wire.hear(parts_of(data))
        self._settle(events)
        if counted(counters.BUS_UNDECODABLE) + counted(counters.BUS_DROPPED) > refused:
            return "refused"
        if counted(aggregator_counters.MISPLACED_BODIES) > misplaced:
            return "misplaced"
        return " ".join(sorted({type(getattr(event, "body", event)).__name__ for event in events}))

    def mend(self, data: bytes) -> bytes:
        """Let it be the followed publisher's next message."""
        self._seq += 1
        return numbered(data, self._seq)

    def check(self) -> None:
        for _ in range(TURNS_TO_HEAL):
            self._wire.clock.advance(0.25)
            beat = Heartbeat({"book.ETH-BTC.kraken.": self._seq})
            self._seq += 1
            # STALE before: a view that does not change is not published.
            stale = Book(FeedState.STALE, "fuzzing", EPOCH, 2**62 + self._seq, None, 0, (), ())
            book = Book(LIVE, "", EPOCH, 2**62 + self._seq, None, EPOCH, SIDE, ASKS)
            self._hear("hb." + PUBLISHER, beat)
            self._hear("book.ETH-BTC.kraken.", stale)
            self._seq += 1
            self._hear("book.ETH-BTC.kraken.", book)
            if self._shows(book):
                return
        raise AssertionError(f"a good book was not shown: {self._said}")

    def _hear(self, topic: str, body: Body) -> None:
        said = message(topic, body, self._seq, self._wire.clock.now_ns())
        self._settle(self._wire.hear(parts_of(said)))

    def _shows(self, book: Book) -> bool:
        view = self._said.get("view.book.ETH-BTC.")
        if not isinstance(view, EncodedView):
            return False
        feeds = pb.Book.FromString(view.body).venues
        return any(
            feed.venue == "kraken"
            and feed.state == pb.STATE_LIVE
            and feed.venue_seq == book.venue_seq
            for feed in feeds
        )

    def _settle(self, events: Iterable[Delivery | PublisherLost]) -> None:
        now, now_ns = self._wire.clock.monotonic(), self._wire.clock.now_ns()
        for event in events:
            _take_event(self._world, event, now, now_ns)
        effects = self._world.evaluate(now, now_ns)
        for topic, body in effects.publish:
            again = codec.decode_body(codec.encode_body(body))
            self._said[topic] = again
            if isinstance(again, EncodedView):
                judge_view(_KINDS[topic.split(".")[1]].FromString(again.body))


_KINDS: Final[dict[str, type[pb.Book | pb.Bbo | pb.Liquidity]]] = {
    "book": pb.Book,
    "bbo": pb.Bbo,
    "liquidity": pb.Liquidity,
    "levels": pb.Book,
}


class Claims(Target):
    """What replicas say of themselves: who owns what follows, and nothing is lost of it."""

    name = "bus.claims"
    form = Form.MSGPACK

    def seeds(self) -> Sequence[bytes]:
        names = [f"listener.{number}" for number in range(3)]
        return [
            msgspec.msgpack.encode([[name, leaving, ["ETH-BTC", "BTC-USD"]] for name in names])
            for leaving in (False, True)
        ]

    def reset(self) -> None:
        self._assignment = Assignment("me", redundancy=2)
        self._now = 0.0
        for key in ("ETH-BTC", "BTC-USD"):
            self._assignment.want(key)

    def feed(self, data: bytes) -> str:
        self._now += 0.1
        assignment = self._assignment
        try:
            said = msgspec.msgpack.decode(data, type=list[tuple[str, bool, frozenset[str]]])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return "no claims"
        for peer, leaving, keys in said[:50]:
            assignment.on_claim(peer, Claim(leaving, keys))
        moves = assignment.evaluate(self._now)
        assignment.note_ready(assignment.carried)
        assert assignment.carried <= assignment.wanted.keys()
        assert not set(moves.take) - assignment.carried
        assert not set(moves.release) & assignment.carried
        codec.decode_body(codec.encode_body(assignment.claim))
        return "moved" if moves.take or moves.release else "stayed"

    def check(self) -> None:
        for peer in list(self._assignment._peers):
            self._assignment.on_lost(peer)
        self._assignment.evaluate(self._now)
        assert self._assignment.alone
        assert self._assignment.carried == self._assignment.wanted.keys()


class Interests(Target):
    """Prefixes that gateways subscribe to."""

    name = "bus.interest"
    weight = 4

    def seeds(self) -> Sequence[bytes]:
        topics = [f"view.{kind}.ETH-BTC." for kind in ViewKind]
        topics += ["status.", "share.", "hb.", "", "book.ETH-BTC."]
        return [flag + topic.encode() for topic in topics for flag in (b"\x01", b"\x00")]

    def reset(self) -> None:
        self._world = World(EPOCH, DEPTH, 1.0)
        self._now = 0.0

    def feed(self, data: bytes) -> str:
        try:
            prefix = data[1:].decode()
        except UnicodeDecodeError:
            return "not text"  # the publisher refuses it
        self._now += 0.3
        before = counted(aggregator_counters.FOREIGN_INTEREST)
        interest = Interest(prefix, data[:1] != b"\x00")
        _take_interest(self._world, interest, self._now)
        for topic in self._world.evaluate(self._now, EPOCH).subscribe:
            topic.encode()
        if counted(aggregator_counters.FOREIGN_INTEREST) > before:
            return "foreign"
        return "wanted" if interest.wanted else "unwanted"

    def check(self) -> None:
        _take_interest(self._world, Interest("view.book.LTC-BTC.", wanted=True), self._now)
        assert "book.LTC-BTC." in self._world.evaluate(self._now, EPOCH).subscribe


TARGETS: Final = (Codec, Aggregator, Claims, Interests)
