"""The gateway from both sides, and what a bot's library makes of its words.

The gateway is the real one, not started: what comes from the bus is handed to its subscriber, and
calls to its handlers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import grpc
import msgspec
from dragonfly_client import Bbo, Book, Liquidity
from dragonfly_client import _decode as client
from dragonfly_client._freshness import Freshness
from dragonfly_client.errors import ProtocolError
from dragonfly_common import counters
from dragonfly_common.clock import ManualClock
from dragonfly_common.messages import Body, EncodedView, Gone, Heartbeat, Instruments, VenueStatus
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.mailbox import Mail
from dragonfly_views.relay import ViewKey
from dragonfly_views.views import sealed
from fuzzing import Target
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from grpc_gateway.health import Health
from grpc_gateway.reflection import Reflection
from grpc_gateway.rpc import SERVICES
from grpc_gateway.service import GatewayOptions, _Gateway
from grpc_gateway.servicer import BotLimits
from judging import counted
from mutation import Form
from target_bus import MESSAGES, PUBLISHER, Wire, message, numbered, parts_of

__all__ = ["TARGETS"]

EPOCH: Final = 1_700_000_000_000_000_000
REFUSALS: Final = {
    StatusCode.INVALID_ARGUMENT,
    StatusCode.NOT_FOUND,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.UNAUTHENTICATED,
    StatusCode.UNAVAILABLE,
    StatusCode.ABORTED,
    StatusCode.ALREADY_EXISTS,
    StatusCode.DEADLINE_EXCEEDED,
}
LONGEST_SENTENCE: Final = 1000
MOST_TURNS: Final = 40
"""Of the loop, for a call to say all that it has to say."""

_METHODS: Final = {
    f"/{service.full_name}/{method.name}": method
    for service in (*SERVICES, Health.service, Reflection.service)
    for method in service.methods
}


def a_book(kind: type[Any] = pb.Book, price: float = 1.0) -> bytes:
    """Return a view of one live venue."""
    feed = pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=7, ts_recv=5)
    view = kind(instrument="ETH-BTC", venues=[feed], live=True, epoch=EPOCH, seq=3, spread=1.0)
    if kind is pb.Book:
        view.bids.add(venue="kraken", price=price, amount=2.0)
        view.asks.add(venue="kraken", price=price + 1, amount=2.0)
    elif kind is pb.Bbo:
        view.bid.CopyFrom(pb.Level(venue="kraken", price=price, amount=2.0))
    else:
        share = pb.Share(venue="kraken", amount=2.0)
        view.bids.add(price=price, amount=2.0, shares=[share])
    body: bytes = view.SerializeToString()
    return body


class _Ended(Exception):  # noqa: N818 -- how a call is ended
    def __init__(self, code: StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class _Context:
    """One call, as the transport would show it."""

    def __init__(
        self, metadata: Iterable[tuple[str, str | bytes]], payloads: Sequence[bytes]
    ) -> None:
        self._metadata = list(metadata)
        self._payloads = list(payloads)
        self.written: list[bytes] = []

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        return {}

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]]:
        return self._metadata

    async def read(self) -> object:
        return self._payloads.pop(0) if self._payloads else grpc.aio.EOF

    async def write(self, payload: bytes) -> None:
        self.written.append(payload)

    async def abort(self, code: StatusCode, sentence: str) -> NoReturn:
        assert code in REFUSALS, code
        assert 0 < len(sentence) < LONGEST_SENTENCE, sentence
        assert "\n" not in sentence, repr(sentence)
        sentence.encode()
        raise _Ended(code, sentence)


class _WithGateway(Target):
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def close(self) -> None:
        self._loop.run_until_complete(self._gateway._server.stop(None))
        self._loop.close()

    def reset(self) -> None:
        if hasattr(self, "_gateway"):
            self._loop.run_until_complete(self._gateway._server.stop(None))
        self._loop.run_until_complete(self._begin())

    async def _begin(self) -> None:
        clock = ManualClock()
        self._wire = Wire(clock)
        runtime = Runtime("gateway", RuntimeOptions("gateway", log_level="critical"), clock)
        options = GatewayOptions(
            upstreams=[],
            bind="127.0.0.1:0",
            instruments=("ETH-BTC",),
            limits=BotLimits(10, 4, 8, 2.0, patience_s=0.0, settles_after_s=0.0),
            linger_s=0.5,
            max_streams=4,
            max_total_streams=8,
        )
        self._gateway = _Gateway(runtime, options)
        self._wire.subscriber.subscribe("status.")
        self._gateway.views.subscriber = self._wire.subscriber
        self._gateway.views.relay._upstream = self._wire.subscriber
        self._handlers = self._gateway._handlers()
        self._say("status.venue.kraken.", VenueStatus("kraken", FeedState.LIVE, "", "l", 1, 2, 1))
        self._say("status.instruments.kraken.", Instruments("kraken", ("BTC-USD", "ETH-BTC")))
        for key, kind in (("book", pb.Book), ("bbo", pb.Bbo), ("liquidity", pb.Liquidity)):
            self._say(f"view.{key}.ETH-BTC.", EncodedView(live=True, depth=10, body=a_book(kind)))

    def _say(self, topic: str, body: Body, seq: int = 1) -> None:
        self._take(parts_of(message(topic, body, seq, self._wire.clock.now_ns())))

    def _take(self, parts: list[bytes]) -> None:
        self._wire.clock.advance(0.01)
        self._wire._link.arriving.append(parts)
        self._gateway.on_activity()
        self._wire._link.arriving.clear()

    async def _call(
        self, path: str, metadata: Sequence[tuple[str, str | bytes]], payloads: Sequence[bytes]
    ) -> tuple[str, list[bytes]]:
        """Make a call, and leave it when it says no more; return how it ended and what it said."""
        details = _Details(path, tuple(metadata))
        handler = next(filter(None, (each.service(details) for each in self._handlers)))
        context = _Context(metadata, payloads)
        # To gRPC all of them are streams both ways.
        answering = handler.stream_stream(_stream(payloads), context)
        task: asyncio.Task[None] = self._loop.create_task(answering)
        said = -1
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            if task.done():
                break
            said = len(context.written)
        if not task.done():
            task.cancel()
        try:
            await task
        except _Ended as ended:
            return ended.code.name, context.written
        except asyncio.CancelledError:
            return f"open, said {min(said, 3)}", context.written
        finally:
            assert len(self._gateway._streams) == 0
        return "answered", context.written


class _Details(grpc.HandlerCallDetails):  # type: ignore[misc]
    def __init__(self, method: str, metadata: tuple[tuple[str, str | bytes], ...]) -> None:
        self.method = method
        self.invocation_metadata = metadata


async def _stream(payloads: Iterable[bytes]) -> AsyncIterator[bytes]:
    for payload in payloads:
        yield payload


class Calls(_WithGateway):
    """Calls of bots: [method, [[key, value], …], [payload, …]], each payload one request."""

    name = "gateway.calls"
    form = Form.MSGPACK
    weight = 12

    def seeds(self) -> Sequence[bytes]:
        book = pb.Subscription(instrument="ETH-BTC", view=pb.VIEW_BOOK, depth=3)
        requests = [
            pb.SessionRequest(subscribe=book, window=3),
            pb.SessionRequest(ack=1),
            pb.SessionRequest(unsubscribe=book),
        ]
        priced = pb.ExecutableRequest(
            instrument="ETH-BTC", side=pb.SIDE_BUY, sizes=[1, 2.5], fees={"kraken": 26, "*": 30}
        )
        payloads: dict[str, list[Message]] = {
            "BookSummary": [],
            "StreamBook": [pb.BookRequest(instrument="ETH-BTC", depth=3)],
            "GetBook": [pb.BookRequest(instrument="ETH-BTC", depth=3)],
            "StreamLiquidity": [pb.LiquidityRequest(instrument="ETH-BTC", depth=3)],
            "GetLiquidity": [pb.LiquidityRequest(instrument="ETH-BTC")],
            "StreamBbo": [pb.BboRequest(instruments=["ETH-BTC", "BTC-USD"])],
            "GetBbo": [pb.GetBboRequest(instrument="ETH-BTC")],
            "StreamExecutable": [priced],
            "GetExecutable": [priced],
            "ListInstruments": [pb.ListInstrumentsRequest(venue="kraken", instrument="ETH-BTC")],
            "Session": [*requests],
        }
        found = []
        for path, method in _METHODS.items():
            sent = [request.SerializeToString() for request in payloads.get(method.name, [])]
            metadata = [["instrument", "ETH-BTC"], ["authorization", "Bearer x"]]
            found.append(msgspec.msgpack.encode([path, metadata, sent]))
        return found

    def feed(self, data: bytes) -> str:
        path, pairs, payloads = _described(data)
        self._gateway.views.drain()
        outcome, said = self._loop.run_until_complete(self._call(path, pairs, payloads))
        kind = GetMessageClass(_METHODS[path].output_type)
        for reply in said:
            kind.FromString(reply)
        return f"{path.rpartition('/')[2]} {outcome}"

    def check(self) -> None:
        request = pb.BookRequest(instrument="ETH-BTC").SerializeToString()
        self._gateway.views.drain()
        outcome, said = self._loop.run_until_complete(
            self._call("/dragonfly.v1.MarketData/GetBook", (), [request])
        )
        assert outcome == "answered", outcome
        assert pb.Book.FromString(said[0]).bids[0].price == 1.0


def _described(data: bytes) -> tuple[str, list[tuple[str, str | bytes]], list[bytes]]:
    """Return the call that an input describes, as far as it does; else its bytes are requests."""
    try:
        path, pairs, payloads = msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError, RecursionError):
        path, pairs, payloads = "", [], [data, data[3:]]
    if not isinstance(path, str) or path not in _METHODS:
        path = [*_METHODS][len(data) % len(_METHODS)]
    found = [
        (pair[0], pair[1])
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
        if isinstance(pair[1], str | bytes)
    ]
    sent = payloads if isinstance(payloads, list) else [payloads]
    return path, found, [each if isinstance(each, bytes) else parts_of(data)[0] for each in sent]


class ViewMessages(_WithGateway):
    """Messages of aggregators: relay, statuses, and what a bot is then told."""

    name = "gateway.views"
    form = Form.MSGPACK
    weight = 12

    def seeds(self) -> Sequence[bytes]:
        views = [
            message(f"view.{kind}.ETH-BTC.", EncodedView(live=True, depth=10, body=a_book(made)), 3)
            for kind, made in (("book", pb.Book), ("bbo", pb.Bbo), ("liquidity", pb.Liquidity))
        ]
        gone = message("view.book.ETH-BTC.", Gone(), 3)
        return [*views, gone, *(message(topic, body, 3) for topic, body in MESSAGES[4:])]

    def mend(self, data: bytes) -> bytes:
        self._seq += 1
        return numbered(data, self._seq)

    def reset(self) -> None:
        self._seq = 10
        super().reset()

    def feed(self, data: bytes) -> str:
        refused = counted(counters.BUS_UNDECODABLE) + counted(counters.BUS_DROPPED)
        self._take(parts_of(data))
        key = ViewKey(ViewKind.BOOK, "ETH-BTC")
        shown = self._gateway.views.relay._entries[key].shown
        now_ns = self._wire.clock.now_ns()
        told = (
            (sealed(Mail(key, shown, 0), 1, now_ns) or b"") if shown and shown._depth > 1 else b""
        )
        self._tell(told)
        pb.Venues.FromString(self._gateway.views.statuses.encoded_venues)
        statuses = self._gateway.views.statuses
        for instrument in ("", "ETH-BTC"):
            pb.ListInstrumentsResponse.FromString(statuses.encode_instruments("", instrument))
        if counted(counters.BUS_UNDECODABLE) + counted(counters.BUS_DROPPED) > refused:
            return "refused"
        return "told" if told else "not told"

    def _tell(self, told: bytes) -> None:
        with suppress(ProtocolError):  # of an aggregator's nonsense a bot's library says so
            client.decode_book(client.parse(pb.Book, told), 1)

    def check(self) -> None:
        for _ in range(80):
            self._wire.clock.advance(0.25)
            self._seq += 1
            price = 1.0 + self._seq
            view = EncodedView(live=True, depth=10, body=a_book(price=price))
            self._say(
                "hb." + PUBLISHER, Heartbeat({"view.book.ETH-BTC.": self._seq - 1}), self._seq
            )
            self._say("view.book.ETH-BTC.", view, self._seq)
            shown = self._gateway.views.relay._entries[ViewKey(ViewKind.BOOK, "ETH-BTC")].shown
            if shown is not None and shown.at(20, 0) == view.body:
                return
        raise AssertionError("a good view was not shown")


_DECODERS: Final[dict[type[Message], Callable[[Any], object]]] = {
    pb.Book: lambda message: client.decode_book(message, 1),
    pb.Bbo: lambda message: client.decode_bbo(message, 1),
    pb.Liquidity: lambda message: client.decode_liquidity(message, 1),
    pb.SessionUpdate: lambda message: client.decode_update(message, 1),
    pb.Venues: client.decode_venues,
    pb.ListInstrumentsResponse: client.decode_instruments,
}


class Client(Target):
    """What a bot's library makes of bytes: messages, or its one error."""

    name = "client.decode"

    def seeds(self) -> Sequence[bytes]:
        books = [a_book(kind) for kind in (pb.Book, pb.Bbo, pb.Liquidity)]
        update = pb.SessionUpdate(book=pb.Book.FromString(books[0]), number=1)
        refusal = pb.SessionUpdate(refusal=pb.Refusal(message="no", code=3), number=2)
        venues = pb.Venues(venues=[pb.Venue(venue="kraken", state=pb.STATE_LIVE)])
        market = pb.Market(venue="kraken", symbol="ETH/BTC", tick="0.01", min_amount="1e-8")
        feed = pb.FeedStanding(venue="kraken", state=pb.STATE_LIVE, since=1, audited_at=2)
        listed = pb.Instrument(
            instrument="ETH-BTC", venues=["kraken"], markets=[market], feeds=[feed]
        )
        instruments = pb.ListInstrumentsResponse(instruments=[listed], left_out={"kraken": 1})
        rest = [part.SerializeToString() for part in (update, refusal, venues, instruments)]
        return [*books, *rest]

    def reset(self) -> None:
        self._now = 0.0
        self._freshness = Freshness(lambda: self._now)

    def feed(self, data: bytes) -> str:
        understood = []
        for kind, decode in _DECODERS.items():
            try:
                message = decode(client.parse(kind, data))
            except ProtocolError:
                continue
            understood.append(kind.__name__)
            if isinstance(message, Book | Bbo | Liquidity):
                self._freshness.admit(message)
        return " ".join(understood) or "nothing"

    def check(self) -> None:
        """A stream that went mad is followed again, at once or after its patience."""
        for _ in range(3):
            self._now += 2.0
            book = client.decode_book(client.parse(pb.Book, a_book()), 1)
            if self._freshness.admit(book):
                return
        raise AssertionError("a good book was not admitted")


TARGETS: Final = (Calls, ViewMessages, Client)
