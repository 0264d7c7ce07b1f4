"""The venues: the simulator's own exchanges, protocols and faults, on simulated connections.

`venue_simulator` without its sockets: its `Exchange`, `ConnectedClient`, sessions, market and
faults, and on the listener's side a `VenueClient` and `Connection` as its client layer offers them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, NoReturn, Self, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec
from dragonfly_venues.transport import ClosedError, RejectedError, Standing, UnreachableError
from dragonfly_venues.transport.connection import Connection
from dragonfly_venues.transport.proxies import proxy_of
from feed_listener import instrument_list, service
from feed_listener.connection import endpoint
from venue_simulator import market
from venue_simulator.book import BookState, Levels
from venue_simulator.client import ConnectedClient as Member
from venue_simulator.connection import VenueConnection
from venue_simulator.exchange import Exchange
from venue_simulator.fault_injection import FaultInjection
from venue_simulator.faults import Fault, FaultKind
from venue_simulator.refusals import refusal
from venue_simulator.seeded import SeededDriver
from venue_simulator.truth import Truth, fault_line
from venue_simulator.venue import Frame, RestRequest
from venue_simulator.venues import VENUES

from simulation.freshness import History
from simulation.network import Network, Wire
from simulation.virtual import Process, current_process

__all__ = ["DOMAIN", "VenueHost", "install"]

DOMAIN: Final = ".example"
"""Of all venues: names of the internet, which a proxy may be meant for."""

OPEN_TIMEOUT_S: Final = 5.0
SLOW_REST_S: Final = 3.0
LEVELS: Final = 24
"""Of the simulated books: what is published, as much again that moves below, and what a step of the
market may take away."""

SHOWN_LEVELS: Final = LEVELS + 4

_encode = msgspec.json.Encoder().encode


class _Item(NamedTuple):
    """What goes through a WebSocket."""

    kind: Literal["text", "ping", "pong"]
    data: bytes = b""
    answered: Callable[[], None] | None = None


class _TruthLog(Truth):
    """Keeps the lines of the truth log, and the history."""

    def __init__(self, history: History, process: Process) -> None:
        super().__init__()
        self.lines: list[bytes] = []
        self._history = history
        self._process = process
        self._newest: dict[tuple[str, str], int] = {}

    def newest(self, venue: str, instrument: str) -> int:
        """Return the `venue_seq` of the book as it stands."""
        return self._newest[venue, instrument]

    def note_state(self, venue: str, instrument: str, state: BookState) -> None:
        self._newest[venue, instrument] = state.venue_seq
        line = {
            "venue": venue,
            "instrument": instrument,
            "venue_seq": state.venue_seq,
            "ts": state.ts_ns,
            "bids": state.bids,
            "asks": state.asks,
        }
        self.lines.append(_encode(line))
        bids, asks = _numbers(state.bids), _numbers(state.asks)
        self._history.note(venue, instrument, self._process.monotonic(), bids, asks)

    def note_fault(self, fault: Fault, now_ns: int) -> None:
        self.lines.append(fault_line(fault, now_ns))


def _numbers(levels: Levels) -> tuple[tuple[float, float], ...]:
    return tuple([(float(price), float(amount)) for price, amount in levels[:SHOWN_LEVELS]])


class VenueHost:
    """One process that is all venues; it never dies, but each venue may fail in its own ways."""

    def __init__(
        self, process: Process, network: Network, names: Iterable[str], seed: int, rate: float
    ) -> None:
        self.process = process
        self.network = network
        self.history = History()
        self.truth = _TruthLog(self.history, process)
        # Where all is sent at once, more of each state is seen; at intervals, what is ahead.
        self.exchanges = {
            name: Exchange(VENUES[name], process, self.truth, paced=seed % 2 == 0) for name in names
        }
        self.faults = FaultInjection(self.exchanges, process, self.truth)
        self._driver: SeededDriver | None = None
        self._seed = seed
        self._rate = rate
        self._connection_ids = 0
        process.poke(self._open)

    def disarm(self) -> None:
        """Let no fault befall a later frame that had found none to befall."""
        for exchange in self.exchanges.values():
            exchange.faults._armed.clear()

    def stop_market(self) -> None:
        """Let every book stand as it is."""
        assert self._driver is not None
        self._driver.close()

    def burst(self, steps: int) -> None:
        """Move every open book many times at once."""

        def step() -> None:
            assert self._driver is not None
            for _ in range(steps):
                self._driver.step()

        self.process.poke(step)

    def next_connection_id(self) -> int:
        self._connection_ids += 1
        return self._connection_ids

    def _open(self) -> None:
        self._driver = SeededDriver(self.exchanges, (), self._seed, self._rate)
        self._driver.start()


class _Connection:
    """A listener's end of a WebSocket."""

    def __init__(self, process: Process, wire: Wire[_Item]) -> None:
        self._process = process
        self._wire = wire
        self._inbox: deque[_Item] = deque()
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        wire.down.receive = self._arrive
        wire.down.on_end = lambda: process.poke(self._end)

    async def send(self, text: str) -> None:
        self._check()
        self._wire.up.send(_Item("text", text.encode()))

    async def receive(self) -> bytes:
        while True:
            while self._inbox:
                item = self._inbox.popleft()
                if item.kind == "text":
                    return item.data
            self._check()
            self._waiting = self._process.loop.create_future()
            await self._waiting

    async def stream(self, take: Callable[[Sequence[bytes]], None]) -> NoReturn:
        while True:
            frames = [await self.receive()]
            frames += [item.data for item in self._inbox if item.kind == "text"]
            self._inbox.clear()
            take(frames)

    async def ping(self, on_answer: Callable[[], None]) -> None:
        self._check()
        self._wire.up.send(_Item("ping", answered=on_answer))

    async def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._wire.hang_up(self._process)

    def _check(self) -> None:
        if self._ended:
            raise ClosedError("the connection was cut")

    def _arrive(self, item: _Item) -> None:
        if item.answered is not None:
            # Behind the task that takes what came before, as in the WebSocket library.
            answered, loop = item.answered, self._process.loop
            self._process.poke(lambda: loop.call_soon(answered))
        else:
            self._inbox.append(item)
            self._process.poke(self._wake)

    def _end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _VenueEnd:
    """The venue's end: the `VenueConnection` that the simulator's `ConnectedClient` uses."""

    def __init__(self, process: Process, wire: Wire[_Item]) -> None:
        self.is_silent: Callable[[], bool] = lambda: False
        self.on_control: Callable[[], None] = lambda: None
        self._process = process
        self._wire = wire
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        wire.up.receive = lambda item: process.poke(lambda: self._arrive(item))
        wire.up.on_end = lambda: process.poke(lambda: self._inbox.put_nowait(None))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        frame = await self._inbox.get()
        if frame is None:
            raise StopAsyncIteration
        return frame

    def push(self, frame: Frame) -> bool:
        if not self.is_silent():
            data = frame.encode() if isinstance(frame, str) else frame
            self._wire.down.send(_Item("text", data))
        return True

    async def close(self, code: int, reason: str) -> None:
        self._wire.hang_up(self._process)
        self._inbox.put_nowait(None)

    def reset(self) -> None:
        self._wire.snap()

    async def ping(self, data: str) -> Awaitable[float]:
        answered = self._process.loop.create_future()
        answered.set_result(0.0)
        return answered

    def _arrive(self, item: _Item) -> None:
        if item.kind == "text":
            self._inbox.put_nowait(item.data)
            return
        self.on_control()
        if not self.is_silent():
            self._wire.down.send(item._replace(kind="pong"))


class _Dialler:
    """A listener's `VenueClient`: opens connections to the host's venues."""

    def __init__(self, host: VenueHost, standing: Standing) -> None:
        self._host = host
        self._standing = standing

    async def connect(self, url: str) -> Connection:
        with self._standing.attempt(url):
            return await self._connect(url)

    async def _connect(self, url: str) -> Connection:
        exchange = await _reach(self._host, url)
        deadline = current_process().monotonic() + OPEN_TIMEOUT_S
        while not exchange.audible.is_set():
            if current_process().monotonic() >= deadline:
                raise UnreachableError(f"{url} did not answer within {OPEN_TIMEOUT_S:g} s")
            await asyncio.sleep(0.05)
        process, host = current_process(), self._host
        wire: Wire[_Item] = Wire(host.network, process, host.process, pinged=False)
        connection = _Connection(process, wire)
        end = cast("VenueConnection", _VenueEnd(host.process, wire))
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        session = exchange.venue.session(path, exchange, host.next_connection_id())
        host.process.poke(lambda: _admit(host.process, end, exchange, session))
        return connection


def _admit(process: Process, end: VenueConnection, exchange: Exchange, session: Any) -> None:
    process.loop.create_task(Member(end, exchange, session).stay())


async def _reach(host: VenueHost, url: str) -> Exchange:
    """Return the venue at `url` after the time that it takes to get there.

    Raises:
        ProxyError: a proxy is set that cannot be used.
        UnreachableError: it cannot be reached.
    """
    network, process = host.network, current_process()
    if (proxy := proxy_of(url, process.environ)) is not None:
        raise UnreachableError(f"{url} through {proxy.told} cannot be reached: nobody is there")
    name = urlsplit(url).netloc.removesuffix(DOMAIN)
    await asyncio.sleep(4 * network.weather.delay_s)
    if network.is_cut(frozenset((process.name, host.process.name))):
        await asyncio.sleep(OPEN_TIMEOUT_S)
        raise UnreachableError(f"{url} did not answer within {OPEN_TIMEOUT_S:g} s")
    exchange = host.exchanges[name]
    if exchange.faults.lasts(FaultKind.NOT_ACCEPTING):
        raise UnreachableError(f"{url} hung up before it answered")
    if (refused := refusal(exchange.faults)) is not None:
        retry_after = refused.headers.get("Retry-After")
        raise RejectedError(url, refused.status, retry_after, body=refused.body)
    return exchange


async def _fetch(
    host: VenueHost, url: str, max_bytes: int, standing: Standing, method: str
) -> bytes:
    """Return a venue's REST reply, as `dragonfly_venues.transport.fetch` does."""
    with standing.attempt(url):
        return await _ask(host, url, max_bytes, method)


async def _ask(host: VenueHost, url: str, max_bytes: int, method: str) -> bytes:
    parts = urlsplit(url)
    exchange = await _reach(host, url)
    if exchange.faults.lasts(FaultKind.REST_429):
        raise RejectedError(url, 429, "2")
    query, now_ns = dict(parse_qsl(parts.query)), host.process.now_ns()
    reply = exchange.venue.rest(
        RestRequest(parts.path, query, method, f"ws://{parts.netloc}"), exchange, now_ns
    )
    slow = exchange.faults.lasts(FaultKind.REST_SLOW)
    await asyncio.sleep(SLOW_REST_S if slow else host.network.weather.delay_s)
    if reply.status != 200:
        raise RejectedError(url, reply.status)
    assert len(reply.body) <= max_bytes
    return reply.body


def install(host: Callable[[], VenueHost]) -> None:
    """Let the listeners of this Python process reach the venues at `host()`, for good."""
    setattr(service, "build_client", lambda _, options: _Dialler(host(), options.standing))  # noqa: B010 - another type
    for module in (service, instrument_list, endpoint):
        name = "fetch"  # of another type, too
        setattr(
            module,
            name,
            lambda url, _, max_bytes, standing, method="GET": _fetch(
                host(), url, max_bytes, standing, method
            ),
        )
    setattr(market, "LEVELS", LEVELS)  # noqa: B010 - declared Final
    setattr(market, "MAX_LEVELS", LEVELS + 4)  # noqa: B010 - declared Final
