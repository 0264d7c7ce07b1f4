"""What surrounds a gateway in the tests: an aggregator on the real bus, and bots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final, Self, TypeVar

import grpc
import grpc.aio
import pytest
from dragonfly_common.bus import Publisher, pump
from dragonfly_common.clock import Clock, ManualClock, SystemClock
from dragonfly_common.messages import Instruments, Venue, View
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.topics import (
    RELIST_PREFIX,
    ViewKind,
    instruments_topic,
    parse_view_topic,
    venue_topic,
    view_topic,
)
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_protos import orderbook_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_gateway.accounts import Account, Caller, Denials
from grpc_gateway.relay import ViewKey
from grpc_gateway.service import Options, serve
from grpc_gateway.tokens import Quota
from grpc_gateway.wire import SharedView
from patience import patiently

AnyView = pb.Book | pb.Bbo | pb.Liquidity
M = TypeVar("M", bound=Message)

_KINDS: Final[dict[type[Message], ViewKind]] = {
    pb.Book: ViewKind.BOOK,
    pb.Bbo: ViewKind.BBO,
    pb.Liquidity: ViewKind.LIQUIDITY,
}
_METHODS: Final[dict[str, MethodDescriptor]] = {
    method.name: method
    for service in (
        pb.DESCRIPTOR.services_by_name["MarketData"],
        orderbook_pb2.DESCRIPTOR.services_by_name["OrderbookAggregator"],
    )
    for method in service.methods
}
# A bot's transport that reads little ahead: a bot that stops reading is noticed early.
READ_LITTLE_AHEAD: Final = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4096))


def make_caller(name: str = "", quota: Quota = Quota(), clock: Clock | None = None) -> Caller:  # noqa: B008 - it is frozen
    """Return who makes a call."""
    clock = clock or ManualClock()
    return Caller(Account(name, quota, Denials(clock), clock), "ipv4:127.0.0.1:1")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    async with patiently():
        while not condition():  # noqa: ASYNC110 - what it waits for is in another process or socket
            await asyncio.sleep(0.002)


def make_book(
    instrument: str = "ETH-BTC", *, levels: int = 3, live: bool = True, mid: float = 1.0
) -> pb.Book:
    """Return a book of one venue, `levels` a side."""
    bids = [pb.Level(venue="kraken", price=mid - i / 64, amount=i) for i in range(1, levels + 1)]
    asks = [pb.Level(venue="kraken", price=mid + i / 64, amount=i) for i in range(1, levels + 1)]
    feed = pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=7, ts_recv=5)
    return pb.Book(
        spread=1 / 32, bids=bids, asks=asks, instrument=instrument, venues=[feed], live=live
    )


def a_view(body: bytes, *, depth: int = 1) -> SharedView:
    """Return a live book's bytes as bots share them, with ages of time 0."""
    return SharedView(ViewKind.BOOK, body, depth, 0, live=True)


class Aggregator:
    """Publishes what a test says, and knows what the gateway asked for."""

    def __init__(self, address: str, name: str = "aggregator.1") -> None:
        self.wanted: set[ViewKey] = set()
        self.relists = 0
        """How often the venues' lists were asked for again."""
        self.on_relist: Callable[[], None] = lambda: None
        self._seq = 0
        self._publisher = Publisher(address, name, SystemClock())
        self.epoch = self._publisher.epoch
        self._pumping = asyncio.create_task(pump((self._publisher,), self._drain))

    async def close(self) -> None:
        """Say bye and be gone; a second time it is gone already."""
        if self._pumping.cancelled():
            return
        self._pumping.cancel()
        with suppress(asyncio.CancelledError):
            await self._pumping
        self._publisher.close()

    def say_venue(self, venue: str = "kraken", state: FeedState = FeedState.LIVE) -> None:
        reason = "" if state is FeedState.LIVE else "because"
        body = Venue(venue, state, reason, f"listener.{venue}", 1, 2, 1)
        self._publisher.publish(venue_topic(venue), body)

    def say_instruments(self, *names: str, venue: str = "kraken") -> None:
        self._publisher.publish(instruments_topic(venue), Instruments(venue, names))

    def say(self, view: AnyView, depth: int = 10, ts_agg: int = 0) -> AnyView:
        """Publish a view under this aggregator's epoch and the next seq."""
        self._seq += 1
        view.epoch, view.seq = self.epoch, self._seq
        key = ViewKey(_KINDS[type(view)], view.instrument)
        body = View(view.live, depth, view.SerializeToString(), ts_agg)
        self._publisher.publish(view_topic(*key), body)
        return view

    def say_bytes(self, key: ViewKey, body: bytes, *, live: bool = True, depth: int = 10) -> None:
        self._publisher.publish(view_topic(*key), View(live, depth, body))

    def _drain(self) -> None:
        for interest in self._publisher.drain():
            if interest.prefix == RELIST_PREFIX and interest.wanted:
                self.relists += 1
                self.on_relist()
            if key := parse_view_topic(interest.prefix):
                (self.wanted.add if interest.wanted else self.wanted.discard)(ViewKey(*key))


class Call:
    """One stream of a bot."""

    def __init__(self, call: grpc.aio.Call) -> None:
        self._call = call

    async def read(self, kind: type[M]) -> M:
        """Return the next message."""
        async with patiently():
            payload = await self._call.read()
        assert payload is not grpc.aio.EOF, "the stream ended"
        return kind.FromString(payload)

    async def quiet(self, seconds: float = 0.1) -> bool:
        """Return whether nothing comes for so long. The call is of no use after a True."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._call.read()
                return False
        return True

    async def send(self, request: Message | bytes) -> None:
        await self._call.write(_encode(request))

    async def done_sending(self) -> None:
        await self._call.done_writing()

    def cancel(self) -> None:
        self._call.cancel()

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """Read to the end; return the status."""
        with suppress(grpc.aio.AioRpcError):
            async with patiently():
                while await self._call.read() is not grpc.aio.EOF:
                    pass
        return await self._call.code(), await self._call.details()


class Bot:
    """A connection of its own to a gateway."""

    def __init__(
        self,
        address: str,
        options: Iterable[tuple[str, int]] = (),
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
    ) -> None:
        own = [("grpc.use_local_subchannel_pool", 1), *options]
        self.channel = (
            grpc.aio.secure_channel(address, credentials, options=own)
            if credentials
            else grpc.aio.insecure_channel(address, options=own)
        )
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self._calls: list[grpc.aio.Call] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in self._calls:
            call.cancel()
        await self.channel.close()

    def stream(
        self,
        method: str,
        request: Message | bytes = b"",
        metadata: Iterable[tuple[str, str]] = (),
    ) -> Call:
        """Open a server stream."""
        open_stream = self.channel.unary_stream(_path(method))
        return self._track(open_stream(_encode(request), metadata=[*metadata, *self.metadata]))

    def session(self) -> Call:
        return self._track(self.channel.stream_stream(_path("Session"))(metadata=self.metadata))

    async def get(
        self, method: str, request: Message | bytes = b"", timeout_s: float | None = None
    ) -> Message:
        """Call a unary method and return its decoded reply."""
        call = self.channel.unary_unary(_path(method))
        payload = await call(_encode(request), timeout=timeout_s, metadata=self.metadata)
        reply: Message = GetMessageClass(_METHODS[method].output_type).FromString(payload)
        return reply

    async def refusal(
        self, method: str, request: Message | bytes = b"", timeout_s: float | None = None
    ) -> tuple[grpc.StatusCode, str]:
        """Return the status of a call, which is not OK."""
        if _METHODS[method].server_streaming:
            return await self.stream(method, request).end()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.get(method, request, timeout_s)
        return error.value.code(), error.value.details() or ""

    async def status(self, method: str, payload: bytes) -> grpc.StatusCode:
        """Return how a unary method ends for a payload, whatever it is."""
        call = self.channel.unary_unary(_path(method))(payload, metadata=self.metadata)
        async with patiently():
            code: grpc.StatusCode = await call.code()
        return code

    def _track(self, call: grpc.aio.Call) -> Call:
        self._calls.append(call)
        return Call(call)


class RunningGateway:
    """A gateway in the test's own loop."""

    def __init__(self, address: str, task: asyncio.Task[None]) -> None:
        self.address = address
        self._task = task

    def bot(
        self,
        options: Iterable[tuple[str, int]] = (),
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
    ) -> Bot:
        return Bot(self.address, options, credentials=credentials, token=token)

    async def stop(self) -> None:
        """Stop it as SIGTERM does."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class _NotingRuntime(Runtime):
    address: str = ""

    def ready(self, **facts: object) -> None:
        self.address = str(facts.get("address", self.address))
        super().ready(**facts)


@asynccontextmanager
async def running(options: Options, log_level: str = "error") -> AsyncIterator[RunningGateway]:
    """Run a gateway."""
    runtime = _NotingRuntime("gateway", RuntimeOptions("gateway.test", log_level=log_level))
    task = asyncio.create_task(serve(runtime, options))
    await until(lambda: bool(runtime.address) or task.done())
    gateway = RunningGateway(runtime.address, task)
    try:
        yield gateway
    finally:
        await gateway.stop()


def _path(method: str) -> str:
    return f"/{_METHODS[method].containing_service.full_name}/{method}"


def _encode(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()
