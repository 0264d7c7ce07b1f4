"""gRPC on the simulated network: what the gateway uses of a server, and a bot of a channel.

The gateway's handlers and the client's session are the production code. A stream keeps its order;
a server's write waits while the bot leaves too much unread; a peer that stands still is given up
by pings; a cut stream is UNAVAILABLE to the bot and a cancelled handler to the gateway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from operator import lt
from types import SimpleNamespace
from typing import Any, Final, Literal, NamedTuple, NoReturn

import grpc
import grpc.aio
from dragonfly_client import State, View, _channel, _follow, _gets, client
from dragonfly_client._freshness import Freshness
from grpc import StatusCode
from grpc_gateway import service

from simulation.network import Network, Wire
from simulation.virtual import Process, current_process

__all__ = ["Exchange", "install"]

CONNECT_RETRY_S: Final = 0.1
CONNECT_LIMIT_S: Final = 3.0
UNREAD_LIMIT: Final = 8
"""Messages that the transport takes for a bot that does not read."""

_Metadata = Sequence[tuple[str, str]]


class _Item(NamedTuple):
    """What goes through a call."""

    kind: Literal["open", "message", "read", "status"]
    data: bytes = b""
    code: StatusCode = StatusCode.OK
    sent_at: float = 0.0


class _AbortError(Exception):
    """Raised by `abort`, as grpc.aio does."""


class Exchange:
    """Which gateway serves where."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.servers: dict[str, _Server] = {}
        self.sent_at: dict[str, float] = {}
        """By bot, when the gateway wrote what the bot read last."""
        self.went_back: list[str] = []
        """What a gateway sent that is older than what it sent before in the same call."""
        self._reached: dict[str, dict[tuple[str, ...], tuple[int, int]]] = {}
        """By bot, how far each venue is with each instrument of each view in its present call."""

    def begin_stream(self) -> None:
        """Note that a bot follows views anew."""
        self._reached[current_process().name] = {}

    def note(self, view: View) -> None:
        """Take note of a view that a bot read, and of what goes back in it."""
        bot = current_process().name
        reached = self._reached[bot]
        for key, feed in view.feeds.items():
            venue = (view.instrument, *key)
            if feed.state is State.LIVE:
                place = feed.venue_seq, feed.book_seq or feed.venue_seq
                if any(map(lt, place, reached.get(venue, (0, 0)))):
                    self.went_back.append(
                        f"{bot}: the gateway went back within a call: {feed.venue} was at"
                        f" {reached[venue]} before {view!r}"
                    )
                reached[venue] = place


class _Witness(Freshness):
    """The client's own judgement, which other bots have not: what it refuses is seen here."""

    def __init__(self, exchange: Exchange, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic)
        self._exchange = exchange

    def admit(self, view: View) -> bool:
        self._exchange.note(view)
        return super().admit(view)


class _Server:
    """Stands for a `grpc.aio.Server`."""

    def __init__(self, exchange: Exchange, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self.process = current_process()
        self.address = ""
        self._exchange = exchange
        self._handlers = handlers
        self._calls = 0

    async def start(self) -> None:
        self._exchange.servers[self.address] = self

    async def stop(self, grace_s: float) -> None:
        if self._exchange.servers.get(self.address) is self:
            del self._exchange.servers[self.address]

    def accept(self, wire: Wire[_Item], path: str) -> None:
        self._calls += 1
        context = _Context(self.process, wire, f"ipv4:10.0.0.1:{self._calls}")
        self.process.poke(lambda: context.begin(self._behaviour(path)))

    def _behaviour(self, path: str) -> Callable[[Any, Any], Any]:
        details = SimpleNamespace(method=path, invocation_metadata=())
        found = [handler.service(details) for handler in self._handlers]
        handler = next(one for one in found if one is not None)
        behaviour: Callable[[Any, Any], Any] = handler.stream_stream
        return behaviour


class _Context:
    """The gateway's end of one call."""

    def __init__(self, process: Process, wire: Wire[_Item], peer: str) -> None:
        self._process = process
        self._wire = wire
        self._peer = peer
        self._requests: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unread = 0
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        wire.up.receive = lambda item: process.poke(lambda: self._take(item))
        wire.up.on_end = lambda: process.poke(self._cut)

    def begin(self, behaviour: Callable[[Any, Any], Any]) -> None:
        self._task = self._process.loop.create_task(self._serve(behaviour))

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> dict[str, Sequence[bytes]]:
        return {}

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> _Metadata:
        return ()

    async def read(self) -> Any:
        request = await self._requests.get()
        return grpc.aio.EOF if request is None else request

    async def write(self, message: bytes) -> None:
        while self._unread >= UNREAD_LIMIT:
            self._room.clear()
            await self._room.wait()
        self._unread += 1
        self._wire.down.send(_Item("message", message, sent_at=self._process.monotonic()))

    async def abort(self, code: StatusCode, details: str) -> NoReturn:
        self._end(code, details)
        raise _AbortError(details)

    async def _serve(self, behaviour: Callable[[Any, Any], Any]) -> None:
        try:
            await behaviour(self._stream(), self)
            self._end(StatusCode.OK, "")
        except _AbortError:
            pass
        except asyncio.CancelledError:
            self._end(StatusCode.CANCELLED, "")
        except Exception as error:
            self._end(StatusCode.UNKNOWN, str(error))
            raise

    async def _stream(self) -> Any:
        while (request := await self._requests.get()) is not None:
            yield request

    def _end(self, code: StatusCode, details: str) -> None:
        self._wire.down.send(_Item("status", details.encode(), code))

    def _take(self, item: _Item) -> None:
        if item.kind == "read":
            self._unread -= 1
            self._room.set()
        else:
            self._requests.put_nowait(item.data)

    def _cut(self) -> None:
        if self._task is not None:
            self._task.cancel()


class _Channel:
    """Stands for a `grpc.aio.Channel`."""

    def __init__(self, exchange: Exchange, target: str) -> None:
        self._exchange = exchange
        self._target = target
        self._calls: list[_Call] = []

    def stream_stream(
        self, path: str, request_serializer: Callable[[Any], bytes]
    ) -> Callable[..., _Call]:
        self._exchange.begin_stream()
        return lambda metadata: self._begin(path, request_serializer)

    def unary_unary(
        self, path: str, request_serializer: Callable[[Any], bytes]
    ) -> Callable[..., Coroutine[Any, Any, bytes]]:
        return lambda request, metadata, timeout: self._begin(path, request_serializer).ask(
            request, timeout
        )

    def get_state(self) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.READY

    async def close(self, _: float | None = None) -> None:
        for call in self._calls:
            call.cancel()

    def _begin(self, path: str, serialize: Callable[[Any], bytes]) -> _Call:
        call = _Call(self._exchange, self._target, path, serialize)
        self._calls.append(call)
        return call


class _Call:
    """A bot's end of one call."""

    def __init__(
        self,
        exchange: Exchange,
        target: str,
        path: str,
        serialize: Callable[[Any], bytes],
    ) -> None:
        self._process = current_process()
        self._exchange = exchange
        self._target = target
        self._path = path
        self._serialize = serialize
        self._inbox: deque[_Item] = deque()
        self._changed = asyncio.Event()
        self._wire: Wire[_Item] | None = None
        self._status: _Item | None = None
        self._on_end: list[Callable[[_Call], object]] = []
        self._opening = self._process.loop.create_task(self._open())

    async def read(self) -> Any:
        item = await self._next()
        if item is None:
            return grpc.aio.EOF
        self._exchange.sent_at[self._process.name] = item.sent_at
        return item.data

    async def ask(self, request: Any, timeout_s: float) -> bytes:
        """Return the one reply to one request."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.write(request)
                reply = await self._next()
        except TimeoutError:
            self.cancel(StatusCode.DEADLINE_EXCEEDED)
            raise self._error() from None
        except asyncio.InvalidStateError:
            raise self._error() from None
        assert reply is not None
        return reply.data

    async def _next(self) -> _Item | None:
        """Return the next message; None where the gateway ended the call in good order."""
        while not self._inbox and self._status is None:
            self._changed.clear()
            await self._changed.wait()
        if self._inbox:
            if self._wire is not None:
                self._wire.up.send(_Item("read"))
            return self._inbox.popleft()
        assert self._status is not None
        if self._status.code is StatusCode.OK:
            return None
        raise self._error()

    async def write(self, request: Any) -> None:
        await asyncio.wait((self._opening,))
        if self._wire is None or self._status is not None:
            raise self._error() if self._wire is None else asyncio.InvalidStateError
        self._wire.up.send(_Item("message", self._serialize(request)))

    def add_done_callback(self, callback: Callable[[_Call], object]) -> None:
        self._on_end.append(callback)

    def cancel(self, code: StatusCode = StatusCode.CANCELLED) -> None:
        self._opening.cancel()
        if self._wire is not None:
            self._wire.hang_up(self._process)
        self._end(_Item("status", b"cancelled by the bot", code))

    async def _open(self) -> None:
        process, network = self._process, self._exchange.network
        deadline = process.monotonic() + CONNECT_LIMIT_S
        while True:
            await asyncio.sleep(4 * network.weather.delay_s)
            server = self._exchange.servers.get(self._target)
            if server is not None and server.process.alive and not server.process.paused:
                ends = frozenset((process.name, server.process.name))
                if not network.is_cut(ends):
                    break
            elif server is None:
                self._end(
                    _Item(
                        "status", b"failed to connect: connection refused", StatusCode.UNAVAILABLE
                    )
                )
                return
            if process.monotonic() >= deadline:
                self._end(_Item("status", b"failed to connect: no answer", StatusCode.UNAVAILABLE))
                return
            await asyncio.sleep(CONNECT_RETRY_S)
        wire: Wire[_Item] = Wire(network, process, server.process)
        wire.down.receive = lambda item: process.poke(lambda: self._take(item))
        wire.down.on_end = lambda: process.poke(self._lose)
        self._wire = wire
        server.accept(wire, self._path)

    def _take(self, item: _Item) -> None:
        if item.kind == "status":
            self._end(item)
            if self._wire is not None:
                self._wire.hang_up(self._process)
        else:
            self._inbox.append(item)
            self._changed.set()

    def _lose(self) -> None:
        self._end(_Item("status", b"connection lost", StatusCode.UNAVAILABLE))

    def _end(self, status: _Item) -> None:
        self._status = self._status or status
        self._changed.set()
        while self._on_end:
            self._on_end.pop()(self)

    def _error(self) -> grpc.aio.AioRpcError:
        status = self._status or _Item("status", b"not connected", StatusCode.UNAVAILABLE)
        metadata = grpc.aio.Metadata()
        return grpc.aio.AioRpcError(status.code, metadata, metadata, status.data.decode())


def install(exchange: Callable[[], Exchange]) -> None:
    """Let the gateways and clients of this Python process meet at `exchange()`, for good."""

    def listen(server: _Server, bind: str, credentials: object) -> str:
        server.address = bind
        return bind

    def monotonic() -> float:
        return current_process().monotonic()

    def open_channel(self: _channel.Connector) -> _Channel:
        return _Channel(exchange(), self.target)

    replaced: list[tuple[Any, str, Any]] = [
        (service, "_new_server", lambda _, handlers: _Server(exchange(), handlers)),
        (service, "_listen", listen),
        (_channel.Connector, "_channel", open_channel),
        (client, "Freshness", lambda: _Witness(exchange(), monotonic)),
        (_follow, "time", SimpleNamespace(monotonic=monotonic)),
        (_gets, "time", SimpleNamespace(monotonic=monotonic)),
    ]
    for owner, name, stand_in in replaced:
        setattr(owner, name, stand_in)
