"""The system on the simulated network: listeners, aggregators, a gateway and bots, all production.

Of each service its `serve` runs, or what `serve` runs. Only the outermost shell is missing: command
lines, signals, the watchdog's thread and status pages (`Runtime`), and of the aggregator the loop
that waits, which here is `_wait`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, cast
from zlib import crc32

import aggregator.service
import feed_listener.service
import grpc_gateway.service
from dragonfly_client import ClientError, Disconnected, DragonflyClient, Event, View
from dragonfly_common.assignment import Replicas
from dragonfly_common.bus import Publisher, Subscriber
from dragonfly_common.runtime import Runtime
from dragonfly_common.topics import ViewKind
from dragonfly_venues.registry import find_venue
from feed_listener.listener import Following
from grpc_gateway.servicer import BotLimits

from simulation import bus, transport, venues
from simulation.network import Network, Weather
from simulation.venues import VenueHost
from simulation.virtual import Process, Schedule, current_process

__all__ = ["Bot", "Cluster", "Role", "Shape"]

DEPTH: Final = 10
"""Levels a side, where a plan says nothing else."""
LIST_INTERVAL_S: Final = 1.0
"""How often listeners look for halts: often within the time of the faults."""
TURNS_S: Final = (0.0005, 0.002, 0.01)
LONGEST_WAIT_S: Final = 0.25
END_LIMIT_S: Final = 1.8
"""After that `Runtime` ends a process that was asked to stop."""


_Main = Callable[["_Runtime"], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Shape:
    """What there is of everything."""

    venues: tuple[str, ...]
    listeners: int
    """Replicas for each venue."""
    aggregators: int
    redundancy: int
    instruments: tuple[str, ...]
    bots: tuple[ViewKind, ...]
    rate: float
    """Book states a second, of each book."""
    weather: Weather
    depth: int = DEPTH
    """Levels a side."""
    equivalence: str = ""
    """What bots follow before all instruments, if anything."""
    elsewhere: bool = False
    """Whether listeners and aggregators are looked for at a second address too."""


class _Runtime(Runtime):
    """A `Runtime` without signals, threads and logs of its own."""

    def __init__(self, process: Process, service: str) -> None:
        self.service = service
        self.instance = process.name
        self.clock = process
        self.stopping = False
        self.on_stop = lambda end: end()
        self._open = True

    def ready(self, **facts: object) -> None:
        pass

    def not_ready(self, reason: str) -> None:
        pass

    def warn_if_open(self, address: str, risk: str, remedy: str) -> None:
        pass

    def beat(self) -> None:
        pass


class Role:
    """One place in the system, and the process that fills it, one after another."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        main: _Main,
        elsewhere: _Main | None = None,
    ) -> None:
        """`main` is what its process runs, `elsewhere` what a successor at another address does."""
        self.name = name
        self.process: Process | None = None
        self.environ: Mapping[str, str] = {}
        """What is set when its next process starts."""
        self.superseded: Process | None = None
        """A process that stood still when its successor was started, and does not know of it."""
        # Clocks of different hosts never agree to the nanosecond.
        self.clock_offset_s = cluster.network.chance(name).uniform(-0.02, 0.02)
        self._turn_s = cluster.network.chance(name).choice(TURNS_S)
        self._cluster = cluster
        self._main = main
        self._elsewhere = elsewhere
        self._runtime: _Runtime | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start a process, unless one is there."""
        if self.process is not None:
            return
        cluster = self._cluster
        process = Process(
            self.name,
            cluster.schedule,
            clock_offset_s=self.clock_offset_s,
            turn_s=self._turn_s,
        )
        process.environ = self.environ
        process.on_failure = lambda error: cluster.fail(self.name, error)
        self.process = process
        self._runtime = _Runtime(process, self.name.partition("-")[0])
        cluster.say(self.name, "starts")
        self._task = process.start(self._main(self._runtime))
        self._task.add_done_callback(self._done)

    def kill(self) -> None:
        """End it at once."""
        process, self.process = self.process, None
        if process is not None:
            self._cluster.say(self.name, "killed")
            self._end(process)

    def supersede(self) -> None:
        """Start a successor at another address while the process stands still."""
        if self.process is not None and self.superseded is None and self._elsewhere is not None:
            self.pause()
            self.superseded, self.process = self.process, None
            self._main, self._elsewhere = self._elsewhere, None
            self.start()

    def haunt(self) -> None:
        """Let the superseded process go on, as if it were still the only one."""
        if self.superseded is not None:
            self._cluster.say(self.name, "its predecessor goes on")
            self._go_on(self.superseded)

    def exorcise(self) -> None:
        """End the superseded process."""
        process, self.superseded = self.superseded, None
        if process is not None and process.alive:
            self._cluster.say(self.name, "its predecessor is killed")
            self._end(process)

    def _end(self, process: Process) -> None:
        if process.alive:
            self._cluster.network.bury(process)
            self._cluster.board.bound = {
                address: socket
                for address, socket in self._cluster.board.bound.items()
                if socket.process is not process
            }
            self._cluster.exchange.servers = {
                address: server
                for address, server in self._cluster.exchange.servers.items()
                if server.process is not process
            }
            process.end()

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does; it is ended if it takes too long."""
        process, runtime, task = self.process, self._runtime, self._task
        if process is None or runtime is None or task is None or runtime.stopping:
            return
        self._cluster.say(self.name, "asked to stop")

        def begin() -> None:
            runtime.stopping = True
            if not self.name.startswith("aggregator"):
                runtime.on_stop(task.cancel)

        process.poke(begin)
        self._cluster.schedule.after(
            END_LIMIT_S, lambda: self.kill() if self.process is process else None
        )

    def pause(self) -> None:
        if self.process is not None and not self.process.paused:
            self._cluster.say(self.name, "stands still")
            self.process.pause()
            self._cluster.network.freeze(self.process)

    def resume(self) -> None:
        if self.process is not None and self.process.paused:
            self._cluster.say(self.name, "goes on")
            self._go_on(self.process)

    def restart(self, environ: Mapping[str, str]) -> None:
        """Kill it, and start it where `environ` is set."""
        self.environ = environ
        self.kill()
        self.start()

    def set_clock(self, offset_s: float) -> None:
        """Let the wall clock of its host be off by so much."""
        self.clock_offset_s = offset_s
        self._cluster.say(self.name, f"clock off by {offset_s:+.1f} s")
        if self.process is not None:
            self.process.clock_offset_s = offset_s

    def _go_on(self, process: Process) -> None:
        process.resume()
        self._cluster.network.thaw(process)

    def _done(self, task: asyncio.Task[None]) -> None:
        process = current_process()
        if self.process is not process:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._cluster.fail(self.name, error)
        # What it said last is on its way; its sockets are closed.
        self._cluster.say(self.name, "ended")
        self.process = None
        self._cluster.schedule.after(0.0, lambda: self._sweep(process))

    def _sweep(self, process: Process) -> None:
        for wire in [w for w in self._cluster.network.wires if process in (w.client, w.server)]:
            wire.hang_up(process)
        process.end()


@dataclass
class Bot:
    """A bot's stream, and all that it was handed, with the virtual time at which it was sent."""

    name: str
    kind: ViewKind
    instruments: tuple[str, ...]
    work_s: float
    """How long it works on each view."""
    streams: list[list[tuple[float, View]]] = field(default_factory=list)
    """One for each process that was this bot."""
    connected: bool = False
    void: int = 0
    """So many views of the last stream came by connections that are gone: none of them is live."""
    failures: list[str] = field(default_factory=list)

    @property
    def latest(self) -> dict[str, tuple[float, View]]:
        found = self.streams[-1][self.void :] if self.streams else []
        return {view.instrument: (at, view) for at, view in found}


class Cluster:
    """All roles, wired as `shape` says."""

    def __init__(self, seed: int, shape: Shape, say: Callable[[str, str], None]) -> None:
        self.schedule = Schedule()
        self.network = Network(self.schedule, str(seed), shape.weather)
        self.board = bus.Switchboard(self.network)
        self.exchange = transport.Exchange(self.network)
        self.shape = shape
        self.say = say
        self.failures: list[str] = []
        self.bots: list[Bot] = []
        self.roles: dict[str, Role] = {}
        _current[:] = [self]
        self.venues = VenueHost(
            Process("venues", self.schedule), self.network, shape.venues, seed, shape.rate
        )
        self.venues.process.on_failure = lambda error: self.fail("venues", error)
        self._listeners = {
            venue: [f"listener-{venue}-{n}" for n in range(shape.listeners)]
            for venue in shape.venues
        }
        self._aggregators = [f"aggregator-{n}" for n in range(shape.aggregators)]
        for venue, names in self._listeners.items():
            for name in names:
                self._add(name, *(self._listener(at, venue) for at in self._places(name)))
        for name in self._aggregators:
            self._add(name, *map(self._aggregator, self._places(name)))
        self._add("gateway", self._gateway)
        for number, kind in enumerate(shape.bots):
            name = f"bot-{number}"
            work_s = self.network.chance(name).choice((0.0, 0.0, 0.0, 0.02, 0.5))
            followed = ((shape.equivalence,) if shape.equivalence else ()) + shape.instruments
            bot = Bot(name, kind, followed, work_s)
            self.bots.append(bot)
            self._add(name, self._bot(bot))

    def fail(self, name: str, error: BaseException) -> None:
        """Take note that something raised what nobody expected."""
        notes = "".join(_frames(error))
        self.failures.append(f"{name} raised {type(error).__name__}: {error}{notes}")

    def close(self) -> None:
        """Unwind everything."""
        for role in self.roles.values():
            for process in (role.process, role.superseded):
                if process is not None:
                    process.end()
        self.venues.process.end()

    def _add(self, name: str, main: _Main, elsewhere: _Main | None = None) -> None:
        self.roles[name] = Role(self, name, main, elsewhere)

    def _places(self, *names: str) -> tuple[str, ...]:
        """Return where some processes may publish."""
        again = tuple(f"{name}/elsewhere" for name in names) if self.shape.elsewhere else ()
        return tuple(map(_address, names + again))

    def _listener(self, bind: str, venue: str) -> _Main:
        options = feed_listener.service.ListenerOptions(
            venue=find_venue(venue),
            bind=bind,
            ws_url=f"ws://{venue}{venues.DOMAIN}",
            rest_url=f"http://{venue}{venues.DOMAIN}",
            trust=cast("Any", None),
            following=Following(
                (), self.shape.depth, linger_s=10.0, list_interval_s=LIST_INTERVAL_S
            ),
            replicas=self._replicas(self._listeners[venue]),
        )
        return lambda runtime: feed_listener.service.serve(runtime, options)

    def _aggregator(self, bind: str) -> _Main:
        listeners = [name for names in self._listeners.values() for name in names]
        options = aggregator.service.AggregatorOptions(
            upstreams=self._places(*listeners),
            bind=bind,
            instruments=(),
            depth=self.shape.depth,
            linger_s=10.0,
            replicas=self._replicas(self._aggregators),
        )

        async def serve(runtime: _Runtime) -> None:
            with closing(aggregator.service.Aggregator(runtime, options)) as running:
                while not running.may_end():
                    await _wait(running.endpoints, running.turn())

        return serve

    async def _gateway(self, runtime: _Runtime) -> None:
        options = grpc_gateway.service.GatewayOptions(
            upstreams=self._places(*self._aggregators),
            bind="10.0.0.1:50051",
            instruments=(),
            limits=BotLimits(
                self.shape.depth, max_instruments=64, window=64, acknowledge_within_s=2.0
            ),
            linger_s=10.0,
            max_streams=100,
            max_total_streams=1000,
        )
        await grpc_gateway.service.serve(runtime, options)

    def _bot(self, bot: Bot) -> _Main:
        async def run(runtime: _Runtime) -> None:
            stream: list[tuple[float, View]] = []
            bot.streams.append(stream)
            bot.void = 0
            chance = self.network.chance(bot.name)

            def on_event(event: Event) -> None:
                bot.connected = False
                if isinstance(event, Disconnected):
                    bot.void = len(stream)
                self.say(bot.name, str(event))

            while True:
                process = current_process()
                # Before the gateway is there a bot may be told so, and asks again.
                target = DragonflyClient(
                    "10.0.0.1:50051",
                    random=chance.random,
                    now_ns=process.now_ns,
                    on_event=on_event,
                    connect_timeout_s=60.0,
                )
                try:
                    async with target as client:
                        async for view in _views(client, bot):
                            bot.connected = True
                            stream.append((self.exchange.sent_at[bot.name], view))
                            self.say(bot.name, _summary(view))
                            if bot.work_s:
                                await asyncio.sleep(bot.work_s)
                except ClientError as error:
                    bot.connected = False
                    bot.failures.append(f"{type(error).__name__}: {error}")
                    self.say(bot.name, bot.failures[-1])
                await asyncio.sleep(0.5)

        return run

    def _replicas(self, names: Sequence[str]) -> Replicas:
        if len(names) == 1:
            return Replicas()
        return Replicas(self._places(*names), self.shape.redundancy)


def _views(client: DragonflyClient, bot: Bot) -> Any:
    match bot.kind:
        case ViewKind.BOOK:
            return client.books(bot.instruments)
        case ViewKind.BBO:
            return client.bbo(bot.instruments)
        case ViewKind.LIQUIDITY:
            return client.liquidity(bot.instruments[0])


def _summary(view: View) -> str:
    feeds = " ".join(
        f"{feed.venue}={feed.venue_seq if feed.state.name == 'LIVE' else feed.state.name}"
        + (f"({feed.reason})" if feed.reason else "")
        for feed in view.venues
    )
    return f"{type(view).__name__} {view.instrument} {view.epoch % 10**12}/{view.seq} {feeds}"


def _address(name: str) -> str:
    """Return where a process publishes: an address that needs no looking up."""
    return f"tcp://10.0.0.1:{1024 + crc32(name.encode()) % 60_000}"


async def _wait(endpoints: Sequence[Publisher | Subscriber], timeout_s: float) -> None:
    """Stands for `Waiter.wait`, which blocks."""
    wait_s = min(timeout_s, LONGEST_WAIT_S, *[endpoint.tick() for endpoint in endpoints])
    woken = asyncio.Event()
    descriptors = [cast("Any", endpoint.fileno()) for endpoint in endpoints]
    for descriptor in descriptors:
        descriptor.on_edge = woken.set
    if any(one.readable() for one in descriptors):
        await asyncio.sleep(0)
        return
    timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), woken.set)
    await woken.wait()
    timer.cancel()


def _frames(error: BaseException) -> list[str]:
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append(f"\n  {code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            found += [f"\n  {type(inner).__name__}: {inner}", *_frames(inner)]
    return found


_current: list[Cluster] = []


def _install() -> None:
    bus.install(lambda: _current[0].board)
    venues.install(lambda: _current[0].venues)
    transport.install(lambda: _current[0].exchange)
    # The listener's chance is the seed's.
    chance = SimpleNamespace(
        random=lambda: _current[0].network.chance(f"{current_process().name}/jitter").random()
    )
    setattr(feed_listener.service, "random", chance)  # noqa: B010 - its own name for the module


_install()
