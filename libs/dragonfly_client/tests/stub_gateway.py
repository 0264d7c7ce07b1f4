"""A gateway without anything behind it: it serves what a test publishes, as the contract says.

Tests of the client and of the terminal have it in their own loop or in a process of its own.
As a program (`python stub_gateway.py --port 0`) it prints its address and serves a seeded market.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Final, Self

import grpc
import grpc.aio
import pytest
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import Message
from patience import patiently

Message_ = pb.Book | pb.Bbo | pb.Liquidity
Key = tuple[int, str]

SERVICE: Final = "dragonfly.v1.MarketData"
DEFAULT_WINDOW: Final = 8  # of a session that says none
VIEWS: Final = {pb.Book: pb.VIEW_BOOK, pb.Bbo: pb.VIEW_BBO, pb.Liquidity: pb.VIEW_LIQUIDITY}
FIELDS: Final[dict[int, str]] = {
    pb.VIEW_BOOK: "book",
    pb.VIEW_BBO: "bbo",
    pb.VIEW_LIQUIDITY: "liquidity",
}


class Mailbox:
    """The newest view per key that one stream has not sent yet."""

    def __init__(self) -> None:
        self.waiting: dict[Key, Message_] = {}
        self.replaced: Counter[Key] = Counter()
        self.changed = asyncio.Event()

    def put(self, key: Key, message: Message_) -> None:
        if key in self.waiting:
            self.replaced[key] += 1
        self.waiting[key] = message
        self.changed.set()

    def take(self) -> tuple[Key, Message_] | None:
        if not self.waiting:
            return None
        key = next(iter(self.waiting))
        message = self.waiting.pop(key)
        message = type(message).FromString(message.SerializeToString())
        message.replaced = self.replaced.pop(key, 0)
        message.ts_out = time.time_ns()
        return key, message


class StubGateway:
    """Real sockets, the real messages, and counters of what bots did."""

    def __init__(
        self,
        *,
        token: str | None = None,
        known: Iterable[str] = ("ETH-BTC",),
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.token = token
        self._credentials = credentials
        self.known = list(known)
        self.address = "127.0.0.1:0"
        self.venues = pb.Venues()
        self.feeds: list[pb.FeedStanding] = []
        self.executable = pb.Executable()
        self.priced: list[pb.ExecutableRequest] = []
        self.newest: dict[Key, Message_] = {}
        self.sessions: set[_Session] = set()
        self.refuse_all: tuple[grpc.StatusCode, str] | None = None
        self.garble = False
        self.starting = False
        self.doubted: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.cancelled = 0
        self.acked = 0
        self.sent = 0
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve at the address of before, or at a free port."""
        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 500),
            ]
        )
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, self._handlers())]
        )
        if self._credentials is None:
            port = server.add_insecure_port(self.address)
        else:
            port = server.add_secure_port(self.address, self._credentials)
        self.address = f"127.0.0.1:{port}"
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Cut every connection."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def publish(self, message: Message_) -> None:
        key = (VIEWS[type(message)], message.instrument)
        self.newest[key] = message
        for session in self.sessions:
            if key in session.keys:
                session.mailbox.put(key, message)

    def abort_all(self, code: grpc.StatusCode, sentence: str) -> None:
        """End every open session with a status."""
        for session in self.sessions:
            session.ended = (code, sentence)
            session.mailbox.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition()` holds; it is asked whenever a bot did something."""
        async with patiently():
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def open_calls(self) -> int:
        return self.calls["opened"] - self.calls["ended"]

    def _handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        def unary(call: Callable[..., object], request: type[Message]) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(
                call, request.FromString, lambda reply: reply.SerializeToString()
            )

        return {
            "Session": grpc.stream_stream_rpc_method_handler(
                self._session, pb.SessionRequest.FromString
            ),
            "StreamVenues": grpc.unary_stream_rpc_method_handler(
                self._stream_venues, pb.VenuesRequest.FromString, pb.Venues.SerializeToString
            ),
            "StreamExecutable": grpc.unary_stream_rpc_method_handler(
                self._stream_executable,
                pb.ExecutableRequest.FromString,
                pb.Executable.SerializeToString,
            ),
            "GetExecutable": unary(self._get_executable, pb.ExecutableRequest),
            "GetBook": unary(self._get(pb.VIEW_BOOK), pb.BookRequest),
            "GetBbo": unary(self._get(pb.VIEW_BBO), pb.GetBboRequest),
            "GetLiquidity": unary(self._get(pb.VIEW_LIQUIDITY), pb.LiquidityRequest),
            "GetVenues": unary(self._get_venues, pb.VenuesRequest),
            "ListInstruments": unary(self._list_instruments, pb.ListInstrumentsRequest),
        }

    async def _admit(self, context: grpc.aio.ServicerContext) -> None:
        if self.refuse_all is not None:
            await context.abort(*self.refuse_all)
        sent = dict(context.invocation_metadata() or ())
        if self.token is not None and "authorization" not in sent:
            why = "no token: send metadata `authorization: Bearer TOKEN`"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, why)
        if self.token is not None and sent.get("authorization") != f"Bearer {self.token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not known here")

    def _refusal(self, instrument: str, depth: int) -> tuple[grpc.StatusCode, str] | None:
        if depth > 20:
            return grpc.StatusCode.INVALID_ARGUMENT, f"depth {depth}: give 0 to 20"
        if self.starting or instrument in self.doubted:
            return grpc.StatusCode.UNAVAILABLE, "no venue's list is there yet: try later"
        if instrument not in self.known:
            return grpc.StatusCode.NOT_FOUND, f"no venue lists {instrument}: see ListInstruments"
        return None

    def _get(self, view: int) -> Callable[..., object]:
        async def get(request: pb.BookRequest, context: grpc.aio.ServicerContext) -> Message:
            await self._admit(context)
            depth = request.depth if "depth" in request.DESCRIPTOR.fields_by_name else 0
            refusal = self._refusal(request.instrument, depth)
            if refusal is not None:
                self._count("refused")
                await context.abort(*refusal)
            if (view, request.instrument) not in self.newest:
                self._count("waiting gets")
                await asyncio.Event().wait()
            return self.newest[view, request.instrument]

        return get

    async def _get_venues(self, _: object, context: grpc.aio.ServicerContext) -> pb.Venues:
        await self._admit(context)
        return self.venues

    async def _stream_venues(
        self, _: object, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.Venues]:
        self._count("opened")
        try:
            await self._admit(context)
            yield self.venues
            await asyncio.Event().wait()
        finally:
            self._count("ended")

    async def _get_executable(
        self, request: pb.ExecutableRequest, context: grpc.aio.ServicerContext
    ) -> pb.Executable:
        await self._admit(context)
        self.priced.append(request)
        return self.executable

    async def _stream_executable(
        self, request: pb.ExecutableRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.Executable]:
        self._count("opened")
        try:
            yield await self._get_executable(request, context)
            await asyncio.Event().wait()
        finally:
            self._count("ended")

    async def _list_instruments(
        self, request: pb.ListInstrumentsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListInstrumentsResponse:
        await self._admit(context)
        return pb.ListInstrumentsResponse(
            instruments=[
                pb.Instrument(
                    instrument=name,
                    venues=[request.venue or "binance"],
                    markets=[pb.Market(venue=request.venue, symbol=name.lower(), tick="0.010")]
                    * bool(request.venue),
                    feeds=self.feeds,
                )
                for name in self.known
                if request.instrument in ("", name)
            ],
            left_out={"binance": 2},
        )

    async def _session(
        self, requests: AsyncIterator[pb.SessionRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        session = _Session(self)
        self.sessions.add(session)
        self._count("opened")
        reader = asyncio.create_task(session.read(requests))
        try:
            await self._admit(context)
            async for update in session.updates():
                self.sent += 1
                yield b"\xff\xff" if self.garble else update.SerializeToString()
            if session.ended is not None:
                await context.abort(*session.ended)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            reader.cancel()
            self.sessions.discard(session)
            self._count("ended")

    def _count(self, what: str) -> None:
        self.calls[what] += 1
        self._changed.set()

    def noticed(self) -> None:
        """Let `until` ask again."""
        self._changed.set()


class _Session:
    def __init__(self, gateway: StubGateway) -> None:
        self.mailbox = Mailbox()
        self._gateway = gateway
        self._refusals: list[pb.Refusal] = []
        self.keys: set[Key] = set()
        self._window: int | None = None
        self._number = 0
        self._acked = 0
        self.ended: tuple[grpc.StatusCode, str] | None = None

    async def read(self, requests: AsyncIterator[pb.SessionRequest]) -> None:
        async for request in requests:
            if self._window is None and (request.window or request.WhichOneof("request") == "ack"):
                self._window = request.window or DEFAULT_WINDOW
            match request.WhichOneof("request"):
                case "ack":
                    self._acked = request.ack
                    self._gateway.acked = request.ack
                    self._gateway.calls["acks"] += 1
                case "subscribe":
                    self._subscribe(request.subscribe)
            self.mailbox.changed.set()
            self._gateway.noticed()

    def _subscribe(self, asked: pb.Subscription) -> None:
        refusal = self._gateway._refusal(asked.instrument, asked.depth)
        if refusal is not None:
            code, sentence = refusal
            self._refusals.append(
                pb.Refusal(subscription=asked, message=sentence, code=code.value[0])
            )
            return
        key = (asked.view, asked.instrument)
        self.keys.add(key)
        if key in self._gateway.newest:
            self.mailbox.put(key, self._gateway.newest[key])

    async def updates(self) -> AsyncIterator[pb.SessionUpdate]:
        while True:
            self.mailbox.changed.clear()  # first: what changes while a bot is written to is seen
            while self._refusals:
                yield self._numbered(pb.SessionUpdate(refusal=self._refusals.pop()))
            if self.ended is not None:
                return
            while self._may_send() and (taken := self.mailbox.take()) is not None:
                (view, _), message = taken
                update = pb.SessionUpdate()
                getattr(update, FIELDS[view]).CopyFrom(message)
                yield self._numbered(update)
            await self.mailbox.changed.wait()

    @property
    def read_all(self) -> bool:
        """Whether the bot came back for more after all that was sent to it."""
        return self._number > 0 and self._acked == self._number

    def _may_send(self) -> bool:
        return self._window is None or self._number - self._acked < self._window

    def _numbered(self, update: pb.SessionUpdate) -> pb.SessionUpdate:
        self._number += 1
        update.number = self._number
        return update


def make_book(
    instrument: str = "ETH-BTC",
    *,
    seq: int = 1,
    epoch: int = 7,
    mid: float = 0.07,
    depth: int = 10,
    states: Mapping[str, tuple[pb.State, str]] | None = None,
) -> pb.Book:
    """Return a book of three venues around `mid`; only venues that are live have levels."""
    states = states or {}
    now = time.time_ns()
    names = ("binance", "bitstamp", "kraken")
    feeds = [
        pb.VenueFeed(
            venue=name,
            state=states.get(name, (pb.STATE_LIVE, ""))[0],
            reason=states.get(name, (pb.STATE_LIVE, ""))[1],
            age_ns=1000 * place,
            venue_seq=seq,
            ts_recv=now - 300_000 - 1000 * ((seq + place) % 3),
            ts_pub=now - 200_000,
        )
        for place, name in enumerate(names)
    ]
    live = [feed.venue for feed in feeds if feed.state == pb.STATE_LIVE]
    tick = 1e-8 if mid < 1 else 0.01
    decimals = 8 if mid < 1 else 2
    dice = random.Random(seq)

    def side(direction: int) -> list[pb.Level]:
        return [
            pb.Level(
                venue=live[(place + seq) % len(live)],
                price=round(mid + direction * tick * (20 + 15 * place), decimals),
                amount=round(dice.expovariate(0.5), 4) + 0.01,
            )
            for place in range(depth if live else 0)
        ]

    bids, asks = side(-1), side(1)
    return pb.Book(
        spread=round(asks[0].price - bids[0].price, decimals) if live else 0.0,
        bids=bids,
        asks=asks,
        instrument=instrument,
        venues=feeds,
        live=bool(live),
        epoch=epoch,
        seq=seq,
        ts_agg=now - 100_000,
    )


def make_bbo(book: pb.Book) -> pb.Bbo:
    return pb.Bbo(
        spread=book.spread,
        bid=book.bids[0] if book.bids else None,
        ask=book.asks[0] if book.asks else None,
        instrument=book.instrument,
        venues=book.venues,
        live=book.live,
        epoch=book.epoch,
        seq=book.seq,
        ts_agg=book.ts_agg,
    )


def make_liquidity(book: pb.Book) -> pb.Liquidity:
    def merged(level: pb.Level) -> pb.MergedLevel:
        share = pb.Share(venue=level.venue, amount=level.amount)
        return pb.MergedLevel(price=level.price, amount=level.amount, shares=[share])

    return pb.Liquidity(
        spread=book.spread,
        bids=map(merged, book.bids),
        asks=map(merged, book.asks),
        instrument=book.instrument,
        venues=book.venues,
        live=book.live,
        epoch=book.epoch,
        seq=book.seq,
        ts_agg=book.ts_agg,
    )


def make_venues() -> pb.Venues:
    return pb.Venues(
        venues=[
            pb.Venue(
                venue=name, state=pb.STATE_LIVE, connections=1, instruments=2, instruments_live=2
            )
            for name in ("binance", "bitstamp", "kraken")
        ]
    )


@pytest.fixture
async def gateway() -> AsyncIterator[StubGateway]:
    async with StubGateway() as stub:
        yield stub


@pytest.fixture(scope="session")
def stub_address() -> Iterator[str]:
    """A stub with a moving market in a process of its own: for tests that have their own loop."""
    command = [sys.executable, __file__]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # what is beside all tests, too
    with subprocess.Popen(command, env=found, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


async def serve(port: int, rate: float, token: str | None) -> None:
    """Serve a seeded market of two instruments until killed."""
    gateway = StubGateway(token=token, known=("ETH-BTC", "BTC-USD"))
    gateway.address = f"127.0.0.1:{port}"
    gateway.venues = make_venues()
    mids = {"ETH-BTC": 0.07, "BTC-USD": 65_000.0}
    dice = random.Random(1)

    def step(seq: int) -> None:
        for name, mid in mids.items():
            mids[name] = mid * (1 + dice.gauss(0, 2e-5))
            book = make_book(name, seq=seq, mid=mids[name])
            for message in (book, make_bbo(book), make_liquidity(book)):
                gateway.publish(message)

    step(1)
    async with gateway:
        print(gateway.address, flush=True)  # noqa: T201  (how the starter learns the port)
        for seq in range(2, 1 << 31):
            await asyncio.sleep(1 / rate)
            step(seq)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--rate", type=float, default=50.0)
    options.add_argument("--token")
    given = options.parse_args()
    asyncio.run(serve(given.port, given.rate, given.token))
