"""The network: connections that delay, and that partitions, freezes and deaths cut.

Each connection draws its chance from a stream of its own, so that what happens on one does not
depend on what happens on another at the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Generic, TypeVar

from simulation.virtual import Process, Schedule

__all__ = ["Network", "Pipe", "Weather", "Wire"]

T = TypeVar("T")

WINDOW: Final = 16
"""Messages of a connection that reach a process which stands still: its buffers are full then."""
PIECE_S: Final = 0.02
"""From one to the next of those that waited for room, once it goes on."""
GIVE_UP_S: Final = (3.0, 4.0)
"""When the transport itself gives a dead peer up: by TCP's keepalive and by gRPC's pings."""


@dataclass(frozen=True)
class Weather:
    """How the network is; chances are of each message of the bus."""

    delay_s: float = 0.0003
    spike: float = 0.0
    """Chance of a delay a hundred times as long."""
    loss: float = 0.0
    """Of a state or a beat; ZeroMQ drops at a full pipe. Subscriptions are never lost."""
    duplicate: float = 0.0
    overtaken: float = 0.0
    """Chance to be late by up to 0.3 s, so that other topics overtake it; its own does not."""


class Pipe(Generic[T]):
    """One direction of a connection. What enters keeps its order; a partition holds it."""

    def __init__(self, network: Network, source: Process, target: Process, random: Random) -> None:
        self.receive: Callable[[T], None] = lambda _: None
        self.on_end: Callable[[], None] = lambda: None
        self.is_open = True
        self._network = network
        self._schedule = network.schedule
        self._source = source
        self.target = target
        self.ends = frozenset((source.name, target.name))
        self._random = random
        self._last_at = 0.0
        self._late: dict[object, float] = {}
        self._held: deque[tuple[T | None]] = deque()
        self._unread = 0
        """Messages that arrived since the target stands still."""

    def send(self, item: T) -> None:
        """Deliver `item` after all that was sent before it."""
        if self.is_open and self._source.alive:
            self._last_at = at = max(self._schedule.now + self._delay_s(), self._last_at)
            self._schedule.at(at, lambda: self._arrive((item,)))

    def send_in_weather(self, item: T, topic: object) -> None:
        """Deliver `item` as a message of the bus: it may be lost, doubled or overtaken."""
        weather, random = self._network.weather, self._random.random
        if not (self.is_open and self._source.alive):
            return
        if weather.loss and random() < weather.loss:
            return
        late_until = self._late.pop(topic, 0.0) if self._late else 0.0
        is_late = late_until > self._schedule.now
        if is_late or (weather.overtaken and random() < weather.overtaken):
            lag_s = self._delay_s() if is_late else 0.3 * random()
            at = max(self._schedule.now + lag_s, late_until, self._last_at)
            self._late[topic] = at
            self._schedule.at(at, lambda: self._arrive((item,)))
            return
        self.send(item)
        if weather.duplicate and random() < weather.duplicate:
            self.send(item)

    def finish(self) -> None:
        """Send the end after all that is on its way."""
        if self.is_open and self._source.alive:
            at = max(self._schedule.now + self._delay_s(), self._last_at, *self._late.values(), 0.0)
            self._last_at = at
            self._schedule.at(at, lambda: self._arrive((None,)))

    def close(self) -> None:
        """Drop what is on its way; nothing arrives any more."""
        self.is_open = False
        self._held.clear()

    def flow(self) -> None:
        """Let go of what a partition held."""
        held, self._held = self._held, deque()
        for item in held:
            self._arrive(item)

    def drain(self) -> None:
        """Let what waited for room arrive, one by one."""
        if self._held and not self._is_stuck():
            self._deliver(self._held.popleft())
            self._schedule.after(PIECE_S, self.drain)

    def _is_stuck(self) -> bool:
        is_full = self.target.paused and self._unread >= WINDOW
        return is_full or self._network.is_cut(self.ends)

    def _arrive(self, item: tuple[T | None]) -> None:
        if not self.is_open:
            return
        if self._held or self._is_stuck():
            self._held.append(item)
            self._network.holding[self] = None
        else:
            self._deliver(item)

    def _deliver(self, item: tuple[T | None]) -> None:
        self._unread = self._unread + 1 if self.target.paused else 0
        if item[0] is None:
            self.close()
            self.on_end()
        else:
            self.receive(item[0])

    def _delay_s(self) -> float:
        weather, random = self._network.weather, self._random.random
        delay = weather.delay_s * (0.5 + random())
        return delay * 100 if weather.spike and random() < weather.spike else delay


class Wire(Generic[T]):
    """A connection of two processes: two pipes that begin and end together."""

    def __init__(
        self, network: Network, client: Process, server: Process, *, pinged: bool = True
    ) -> None:
        """`pinged`: a peer that does not answer for seconds is given up by the transport."""
        self.client, self.server = client, server
        self.pinged = pinged
        random = network.chance(f"{client.name}>{server.name}")
        self.up: Pipe[T] = Pipe(network, client, server, random)
        self.down: Pipe[T] = Pipe(network, server, client, random)
        self._network = network
        network.wires[self] = None

    def hang_up(self, by: Process) -> None:
        """Close it properly: the other end hears all that was said before."""
        outgoing, incoming = (self.up, self.down) if by is self.client else (self.down, self.up)
        incoming.close()
        outgoing.finish()
        self._network.wires.pop(self, None)

    def snap(self) -> None:
        """Cut it: both ends notice at once, and what was on its way is lost."""
        self._network.wires.pop(self, None)
        for pipe in (self.up, self.down):
            if pipe.is_open:
                pipe.close()
                pipe.on_end()


class Network:
    """All connections, and what is cut."""

    def __init__(self, schedule: Schedule, seed: str, weather: Weather) -> None:
        self.schedule = schedule
        self.weather = weather
        self.wires: dict[Wire[Any], None] = {}
        self.holding: dict[Pipe[Any], None] = {}
        self._seed = seed
        self._chances: dict[str, int] = {}
        self._cuts: set[frozenset[str]] = set()
        self._random = Random(f"{seed}/network")

    def chance(self, name: str) -> Random:
        """Return a stream of chance: another one each time that `name` asks."""
        count = self._chances[name] = self._chances.get(name, 0) + 1
        return Random(f"{self._seed}/{name}/{count}")

    def is_cut(self, ends: frozenset[str]) -> bool:
        return ends in self._cuts

    def cut(self, one: str, other: str) -> None:
        """Let nothing through between two processes; what is sent is held, until given up."""
        ends = frozenset((one, other))
        self._cuts.add(ends)
        wires = [wire for wire in self.wires if {wire.client.name, wire.server.name} == ends]
        self._give_up_later(wires, lambda: ends in self._cuts)

    def heal(self, one: str, other: str) -> None:
        ends = frozenset((one, other))
        self._cuts.discard(ends)
        for pipe in [pipe for pipe in self.holding if pipe.ends == ends]:
            del self.holding[pipe]
            pipe.flow()

    def freeze(self, process: Process) -> None:
        """Let the peers of a process that stands still give it up in time."""
        self._give_up_later(self._wires_of(process), lambda: process.paused)

    def thaw(self, process: Process) -> None:
        """Let what waited for a process that goes on arrive, a little at a time."""
        for pipe in [pipe for pipe in self.holding if pipe.target is process]:
            pipe.drain()

    def bury(self, process: Process) -> None:
        """End the connections of a process that died: by an end, a reset, or silence."""
        draw = self._random.random()
        for wire in self._wires_of(process):
            if draw < 0.6:
                wire.hang_up(process)
            elif draw < 0.85:
                wire.snap()
            else:
                self.schedule.after(self._random.uniform(*GIVE_UP_S), wire.snap)

    def _wires_of(self, process: Process) -> list[Wire[Any]]:
        return [wire for wire in self.wires if process in (wire.client, wire.server)]

    def _give_up_later(self, wires: list[Wire[Any]], holds: Callable[[], bool]) -> None:
        for wire in wires:
            if wire.pinged:
                self.schedule.after(
                    self._random.uniform(*GIVE_UP_S),
                    lambda wire=wire: wire.snap() if holds() else None,  # type: ignore[misc]
                )
