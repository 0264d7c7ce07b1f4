"""Two FIX sessions and the line between them, on a virtual clock: a seed, judged.

The line cuts, stalls, splits, garbles and reorders; it doubles nothing. Either process crashes
where its store is written, or while its application has a message, and starts again with the same
store. A seed is of orders (both stores keep all, numbers go on) or of quotes (numbers begin anew at
every logon, and the acceptor keeps none).

What is judged: a number is used once; a message that is sent again is the one it was; what is
delivered has its turn, and of orders nothing is left out; all that is sent is as the dictionary has
it; and once all is healed both sides agree, with nothing left to ask for.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from dragonfly_fix.codec import FixDecoder, FixMessage, encode_fields
from dragonfly_fix.fix44 import FIX44
from dragonfly_fix.session import (
    Acceptor,
    FixSession,
    Initiator,
    LoggedOn,
    LogonAdmitted,
    LogonRefused,
    Received,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore

from simulation.run import Outcome

__all__ = ["simulate"]

EPOCH_NS: Final = 1_790_000_000_000_000_000
HEARTBEAT_S: Final = 10
STEP_S: Final = 0.1
HEALED_AT_S: Final = 90.0
WHOLE_WITHIN_S: Final = 90.0
"""A half-open connection is given up after 24 s, and a Logon into it after 10."""
CALM_S: Final = 3 * HEARTBEAT_S
"""Nothing is asked for or logged out that long after the last message of the applications."""

Say = Callable[[float, str, str], None]


class _Crash(BaseException):
    """A process dies here."""


class _Weather:
    """How likely each fault is, of what it may befall."""

    def __init__(self, chance: Random) -> None:
        worst = chance.choice([0.0, 0.02, 0.1, 0.3])
        self.garbles = chance.random() * worst
        self.reorders = chance.random() * worst
        self.splits = chance.random()
        self.cuts = chance.choice([0.0, 0.001, 0.01])
        self.stalls = chance.choice([0.0, 0.001, 0.005])
        self.crashes = chance.choice([0.0, 0.001, 0.01, 0.05])
        self.latency_s = chance.choice([0.0, 0.1, 1.0, 3.0])

    def clear(self) -> None:
        self.garbles = self.reorders = self.cuts = self.stalls = self.crashes = 0.0
        self.latency_s = 0.1


class _DiskStore(MemoryStore):
    """A store that a process leaves as it is when it dies: before a call was done, or behind it."""

    def __init__(self, world: _World, *, keeps: bool) -> None:
        self._world = world
        self.said: list[dict[int, tuple[bytes, bytes]]] = []
        """Since each reset: type and text of the application's messages by number."""
        super().__init__(keeps=keeps)

    def reset(self) -> None:
        super().reset()
        self.said.append({})

    def save(self, number: int, frame: bytes | None) -> None:
        self._world.may_crash()
        super().save(number, frame)
        if frame is not None:
            [message] = FixDecoder().feed(frame)
            assert isinstance(message, FixMessage)
            self.said[-1][number] = message.type, message.get(148) or b""
        self._world.may_crash()

    def expect(self, number: int) -> None:
        self._world.may_crash()
        super().expect(number)
        self._world.may_crash()


class _Side:
    """A process: its clocks, and what outlives it."""

    def __init__(self, name: str, world: _World, *, keeps: bool) -> None:
        self.name = name
        self.skew_s = world.chance.uniform(-50, 50)
        self.starts_at = 0.0
        self.store = _DiskStore(world, keeps=keeps)
        self.delivered: list[bytes] = []
        """Texts, in the order in which they came first."""
        self.live: FixSession | None = None
        self.numbers: dict[int, int] = {}
        """Used on the wire since each reset: by the number of resets, the last one."""


class _End:
    """One end of a connection, and the pipe that leads to it."""

    def __init__(self, side: _Side, session: FixSession) -> None:
        self.side, self.session = side, session
        self.pipe: deque[tuple[float, bytes]] = deque()
        """When each piece arrives; an empty one says that the other end was closed."""
        self.stalled_until = 0.0
        self.closed = False


class _World:
    """All that there is of one seed."""

    def __init__(self, seed: int, say: Say) -> None:
        self.chance = Random(f"fix {seed}")
        self.now = 0.0
        self.found: list[str] = []
        self.busy_at = 0.0
        """When something was last asked for again, or logged out."""
        self._say = say
        self.weather = _Weather(self.chance)
        self.orders = self.chance.random() < 0.6
        self.talks = self.chance.choice([0.03, 0.3, 0.9])
        self.sides = (
            _Side("initiator", self, keeps=True),
            _Side("acceptor", self, keeps=self.orders),
        )
        self.resets = not self.orders
        self.connections: list[tuple[_End, _End]] = []
        self.dial_at = 0.0
        self.texts = 0

    # Faults.

    def may_crash(self) -> None:
        if self.chance.random() < self.weather.crashes:
            raise _Crash

    def cut(self, connection: tuple[_End, _End]) -> None:
        """Lose all that is on its way; one end may not hear of it."""
        for end in connection:
            end.pipe.clear()
        told = self.chance.choice([connection, connection[:1], connection[1:]])
        self.say("line", f"cut, {' and '.join(end.side.name for end in told)} told")
        for end in told:
            end.session.end("the connection was lost")
            end.closed = True
        for end in connection:
            end.stalled_until = float("inf")

    def crash(self, side: _Side) -> None:
        self.say(side.name, "crashes")
        side.live = None
        side.starts_at = self.now + self.chance.uniform(0.1, 5.0)
        place = self.sides.index(side)
        for connection in self.connections:
            connection[place].session.end("crashed")
            self._close(connection[place], connection[1 - place])

    # What happens.

    def step(self) -> None:
        self.now += STEP_S
        self._dial()
        for connection in self.connections:
            for end, other in (connection, connection[::-1]):
                if not end.closed and end.side.starts_at <= self.now:
                    try:
                        self._turn(end, other)
                    except _Crash:
                        self.crash(end.side)
            if self.chance.random() < self.weather.cuts:
                self.cut(connection)
            if self.chance.random() < self.weather.stalls:
                end = self.chance.choice(connection)
                end.stalled_until = self.now + self.chance.choice([1.0, 15.0, 40.0])
                self.say("line", f"stalls towards the {end.side.name}")
        self.connections = [each for each in self.connections if not all(e.closed for e in each)]

    def say(self, who: str, what: str) -> None:
        self._say(self.now, who, what)

    def clocks(self, side: _Side) -> tuple[float, int]:
        return self.now, EPOCH_NS + round((self.now + side.skew_s) * 1e9)

    def is_whole(self) -> bool:
        """Say whether both sides agree on their numbers, and have all that they should."""
        one, other = self.sides
        return (
            all(
                side.live is not None and side.live.state is SessionState.ACTIVE
                for side in self.sides
            )
            and one.store.next_in == other.store.next_out
            and other.store.next_in == one.store.next_out
        )

    def _dial(self) -> None:
        initiator, acceptor = self.sides
        if initiator.live is not None and initiator.live.state is SessionState.ENDED:
            self.say("initiator", f"has lost its session: {initiator.live.reason}")
            initiator.live = None
            self.dial_at = self.now + self.chance.uniform(0.5, 2.0)
        ready_at = max(self.dial_at, initiator.starts_at, acceptor.starts_at)
        if initiator.live is not None or self.now < ready_at:
            return
        now, now_ns = self.clocks(initiator)
        if self.orders and self.weather.crashes and self.chance.random() < 0.02:
            self.resets = True
        try:
            dialled = Initiator(
                "ME",
                "YOU",
                initiator.store,
                now,
                now_ns,
                heartbeat_s=HEARTBEAT_S,
                reset=self.resets,
            )
        except _Crash:
            self.crash(initiator)
            return
        initiator.live = dialled
        answering = Acceptor(lambda _: self._admit(answering), self.clocks(acceptor)[0])
        self.connections.append((_End(initiator, dialled), _End(acceptor, answering)))

    def _admit(self, session: FixSession) -> LogonAdmitted | LogonRefused:
        acceptor = self.sides[1]
        if acceptor.live is not None and acceptor.live.state is not SessionState.ENDED:
            return LogonRefused()
        acceptor.live = session
        return LogonAdmitted(acceptor.store)

    def _turn(self, end: _End, other: _End) -> None:
        session, side = end.session, end.side
        while end.pipe and max(end.pipe[0][0], end.stalled_until) <= self.now:
            _, data = end.pipe.popleft()
            if not data:
                session.end("the other end was closed")
            for event in session.receive(data, *self.clocks(side)):
                if isinstance(event, LoggedOn) and side.name == "initiator":
                    self.resets = not self.orders
                elif isinstance(event, Received):
                    self._deliver(side, event.message)
            self._write(end, other)
        session.tick(*self.clocks(side))
        if session.state is SessionState.ACTIVE and self.chance.random() < self.talks:
            self._talk(session, side)
        self._write(end, other)
        if session.state is SessionState.ENDED:
            self._close(end, other)

    def _deliver(self, side: _Side, message: FixMessage) -> None:
        text = message.get(148) or b""
        self.say(side.name, f"gets {text.decode()}")
        self.may_crash()
        if side.delivered[-1:] != [text]:
            side.delivered.append(text)
        self.may_crash()
        if self.chance.random() < 0.3 and side.live is not None:
            self._talk(side.live, side)

    def _talk(self, session: FixSession, side: _Side) -> None:
        if session.state is SessionState.ACTIVE:
            self.texts += 1
            body = encode_fields([(148, b"%d" % self.texts), (33, b"1"), (58, b"x")])
            session.send(b"B", body, *self.clocks(side))

    def _close(self, end: _End, other: _End) -> None:
        if not end.closed:
            end.closed = True
            other.pipe.append((self.now + self.weather.latency_s, b""))

    # The line.

    def _write(self, end: _End, other: _End) -> None:
        frames = [frame for data in iter(end.session.output, b"") for frame in _frames(data)]
        for frame in frames:
            self._judge(end.side, frame)
        sent = frames[:]
        for place in range(len(sent) - 1):
            if self.chance.random() < self.weather.reorders:
                sent[place : place + 2] = sent[place + 1], sent[place]
        for place, frame in enumerate(sent):
            if self.chance.random() < self.weather.garbles:
                at = self.chance.randrange(len(frame))
                sent[place] = frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]
        data = b"".join(sent)
        due = max(
            [self.now + self.chance.uniform(0, self.weather.latency_s)]
            + [at for at, _ in list(other.pipe)[-1:]]
        )
        while data:
            cut = len(data)
            if self.chance.random() < self.weather.splits:
                cut = self.chance.randint(1, len(data))
            other.pipe.append((due, data[:cut]))
            data = data[cut:]

    # The judge.

    def _judge(self, side: _Side, frame: bytes) -> None:
        [message] = FixDecoder().feed(frame)
        assert isinstance(message, FixMessage), message
        FIX44.check(message, strict=True)
        number, text = int(message.get(34) or 0), message.get(148) or b""
        self.say(side.name, f"sends {message.type.decode()} {number} {text.decode()}".rstrip())
        if message.type in {b"2", b"5"}:
            self.busy_at = self.now
        era = len(side.store.said)
        if message.get(43) == b"Y":
            self._judge_again(side, message, number)
        elif number <= side.numbers.get(era, 0):
            self.found.append(f"the {side.name} used number {number} twice, at {self.now:.2f}")
        else:
            side.numbers[era] = number

    def _judge_again(self, side: _Side, message: FixMessage, number: int) -> None:
        said = side.store.said[-1]
        if message.type == b"4":
            filled = range(number, int(message.get(36) or 0))
            left_out = [one for one in filled if one in said] if self.orders else []
            if left_out:
                self.found.append(f"the {side.name} filled a gap over {left_out}")
        elif said.get(number) != (message.type, message.get(148)):
            self.found.append(f"the {side.name} sent {number} again as another message")

    def judge_deliveries(self) -> None:
        """Hold what each side was handed against what the other one said."""
        for side, other in (self.sides, self.sides[::-1]):
            handed = iter(side.delivered)
            text = next(handed, None)
            for era, said in enumerate(other.store.said):
                # Of quotes what was lost stays lost, and of orders what a reset left behind.
                last = era == len(other.store.said) - 1
                missing = b""
                for _, one in said.values():
                    if one != text:
                        missing = missing or one
                        continue
                    if missing and self.orders:
                        self.found.append(f"the {side.name} was handed {one!r} before {missing!r}")
                    text = next(handed, None)
                if last and missing and self.orders:
                    self.found.append(f"the {side.name} was never handed {missing!r}")
            if text is not None:
                self.found.append(f"the {side.name} was handed {text!r} out of its turn")


def _frames(data: bytes) -> Iterator[bytes]:
    for part in data.split(b"8=FIX.4.4\x01")[1:]:
        yield b"8=FIX.4.4\x01" + part


def simulate(seed: int, say: Say = lambda _at, _who, _what: None) -> Outcome:
    """Run `seed`; `say` hears (virtual time, who, what) of each event."""
    world, outcome = _World(seed, say), Outcome(seed)
    digest = hashlib.blake2b(digest_size=8)
    while world.now < HEALED_AT_S:
        world.step()
    world.weather.clear()
    world.talks = 0.0
    world.say("line", "all is healed")
    # A connection that stays half-open is one that nobody has ended yet.
    while not world.is_whole() and world.now < HEALED_AT_S + WHOLE_WITHIN_S:
        world.step()
    outcome.whole_after_s = world.now - HEALED_AT_S
    if not world.is_whole():
        world.found.append("both sides never agreed on their numbers")
    calm_from = world.now + CALM_S
    while world.now < calm_from + CALM_S:
        world.step()
    if world.busy_at > calm_from:
        world.found.append(f"something was asked for or logged out at {world.busy_at:.2f}")
    world.judge_deliveries()
    outcome.violations += world.found
    outcome.virtual_s = world.now
    outcome.judged = sum(len(side.delivered) for side in world.sides)
    digest.update(repr([side.delivered for side in world.sides]).encode())
    outcome.digest = digest.hexdigest()
    return outcome
