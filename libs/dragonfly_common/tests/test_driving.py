"""Nobody who waits for the bus sleeps through anything, on any loop."""

from __future__ import annotations

import asyncio
import random
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop
from bus_world import Ear, Voice, World, say
from dragonfly_common.bus import (
    Publisher,
    Subscriber,
    Waiter,
    drive,
    driving,
    subscriber,
    transport,
)
from dragonfly_common.clock import ManualClock
from patience import PATIENCE_S, patiently

NEVER_S = 3600.0


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


@pytest.fixture
def no_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing that would wake a sleeper but what arrives."""
    monkeypatch.setattr(driving, "LONGEST_WAIT_S", NEVER_S)
    monkeypatch.setattr(transport, "BEAT_INTERVAL_S", NEVER_S)
    monkeypatch.setattr(subscriber, "SILENCE_LIMIT_S", NEVER_S)
    monkeypatch.setattr(subscriber, "MUTE_LIMIT_S", NEVER_S)


class Pumped:
    """An end that is pumped, and a way to wait for what its turns bring."""

    def __init__(self, end: Voice | Ear) -> None:
        self._end = end
        self._turned = asyncio.Event()
        self._task = asyncio.create_task(drive([_endpoint(end)], self._turn))

    def _turn(self) -> None:
        self._end.turn()
        self._turned.set()

    async def until(self, condition: Callable[..., object], *arguments: object) -> None:
        async with patiently():
            while not condition(*arguments):
                self._turned.clear()
                await self._turned.wait()

    async def stop(self) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task


def _endpoint(end: Voice | Ear) -> Publisher | Subscriber:
    return end.publisher if isinstance(end, Voice) else end.subscriber


def is_heard(ear: Ear, topic: str, number: int) -> bool:
    return ear.last(topic) == number


def is_wanted(voice: Voice, prefix: str) -> bool:
    return prefix in voice.wanted


def are_lost(ear: Ear, times: int) -> bool:
    return len(ear.losses) == times


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.usefixtures("no_timers")
def test_no_wake_up_is_lost_while_others_publish_and_subscribe(
    world: World, runner: asyncio.Runner
) -> None:
    voice = world.voice()
    ear = world.ear(voice.publisher.address)

    async def scenario() -> None:
        speaking, listening = Pumped(voice), Pumped(ear)
        chance = random.Random(5)
        said: dict[str, int] = {}
        for number in range(1000):
            topic = f"{chance.randrange(20)}."
            # In any order, and with others in between: each takes edges that the pumps wait for.
            for step in chance.sample(("publish", "subscribe", "yield", "unsubscribe"), 4):
                if step == "publish":
                    said[topic] = number
                    voice.publisher.publish(topic, say(number))
                elif step == "subscribe":
                    ear.subscriber.subscribe(topic)
                elif step == "unsubscribe":
                    ear.subscriber.unsubscribe(f"{chance.randrange(20)}.")
                else:
                    await asyncio.sleep(0)
            ear.subscriber.subscribe(topic)
            await listening.until(is_heard, ear, topic, said[topic])
        await speaking.stop()
        await listening.stop()

    runner.run(scenario())


def wait_for_edge(end: Publisher | Subscriber) -> None:
    """Block until the descriptor says that something came, so that the loop knows nothing yet."""
    number = end.fileno()
    assert number is not None
    readable, _, _ = select.select([number], [], [], PATIENCE_S)
    assert readable


@pytest.mark.usefixtures("no_timers")
def test_subscribing_leaves_the_edge_of_a_message(world: World, runner: asyncio.Runner) -> None:
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: voice.wanted)

    async def scenario() -> None:
        listening = Pumped(ear)
        for number in range(0, 40, 2):
            voice.publisher.publish("a.", say(number))
            await listening.until(is_heard, ear, "a.", number)
            voice.publisher.publish("a.", say(number + 1))
            wait_for_edge(ear.subscriber)
            if number % 4:
                ear.subscriber.subscribe(f"{number}.")
            else:
                ear.subscriber.unsubscribe(f"{number - 2}.")
            await listening.until(is_heard, ear, "a.", number + 1)
        await listening.stop()

    runner.run(scenario())


@pytest.mark.usefixtures("no_timers")
def test_publishing_takes_the_edge_of_a_subscription_and_says_so(
    world: World, runner: asyncio.Runner
) -> None:
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: voice.wanted)

    async def scenario() -> None:
        speaking = Pumped(voice)
        await speaking.until(lambda: True)
        for number in range(20):
            ear.subscriber.subscribe(f"{number}.")
            wait_for_edge(voice.publisher)
            voice.publisher.publish("nobody listens", say(number))
            await speaking.until(is_wanted, voice, f"{number}.")
        await speaking.stop()

    runner.run(scenario())


@pytest.mark.usefixtures("no_timers")
def test_a_replaced_socket_wakes_its_pump(world: World, runner: asyncio.Runner) -> None:
    """A fresh socket often has the descriptor of the one that was closed."""
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])

    async def scenario() -> None:
        listening = Pumped(ear)

        async def asked(times: int) -> None:
            async with patiently():
                while peer.asked.count(b"\x01a.") < times:
                    peer.turn()
                    await asyncio.sleep(0)

        for times in range(1, 5):
            await asked(times)
            peer.send("a.", times, say(times))
            await listening.until(is_heard, ear, "a.", times)
            peer.beat(1, bye=True)
            await listening.until(are_lost, ear, times)
        await listening.stop()

    runner.run(scenario())


def test_who_is_cancelled_leaves_nothing_in_the_loop(world: World, runner: asyncio.Runner) -> None:
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=["a."])

    async def pumped() -> None:
        speaking, listening = Pumped(voice), Pumped(ear)
        voice.publisher.publish("a.", say(1))
        await listening.until(ear.heard)
        await speaking.stop()
        await listening.stop()

    async def scenario() -> None:
        await pumped()
        before = open_files()
        for _ in range(20):
            await pumped()
        assert open_files() <= before
        assert voice.publisher.on_pending is None

    runner.run(scenario())


def test_what_goes_wrong_in_a_turn_ends_the_pump(world: World, runner: asyncio.Runner) -> None:
    voice = world.voice()

    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        runner.run(drive([voice.publisher], fail))
    assert voice.publisher.on_pending is None


def test_a_pump_turns_now_and_then_when_nothing_happens(
    world: World, runner: asyncio.Runner
) -> None:
    voice = world.voice()

    async def scenario() -> None:
        turns = 0
        enough = asyncio.Event()

        def turn() -> None:
            nonlocal turns
            turns += 1
            if turns == 3:
                enough.set()

        task = asyncio.create_task(drive([voice.publisher], turn))
        async with patiently():
            await enough.wait()
        task.cancel()

    runner.run(scenario())


@pytest.mark.usefixtures("no_timers")
def test_a_plain_loop_waits_until_something_arrives(world: World) -> None:
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: voice.wanted)
    waiter = Waiter([ear.subscriber])

    def publish() -> None:
        voice.publisher.publish("a.", say(1))

    thread = threading.Timer(0.05, publish)
    thread.start()
    started = time.monotonic()
    while not ear.heard():
        waiter.wait(NEVER_S)
        ear.turn()
    thread.join()
    assert time.monotonic() - started < PATIENCE_S


def test_a_plain_loop_waits_no_longer_than_it_was_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Poll(NamedTuple):
        poll: Callable[[float], None] = waited.append

    ear = world.ear(world.address(), clock=ManualClock())
    waiter = Waiter([ear.subscriber])
    monkeypatch.setattr(waiter, "_epoll", Poll())
    ear.turn()
    waiter.wait(0.0)
    waiter.wait(-1.0)
    assert waited == []
    waiter.wait(0.01)
    waiter.wait(NEVER_S)
    assert waited == [0.01, driving.LONGEST_WAIT_S]


class Sender:
    """An end that sends, and has something to drain where `taken` says so."""

    on_pending: Callable[[], None] | None = None
    on_sent: Callable[[], None] | None = None
    taken = False

    def fileno(self) -> int | None:
        return None

    def tick(self) -> float:
        return 0.0 if self.taken else 10.0


@pytest.mark.parametrize("taken", [True, False])
def test_what_sends_took_is_drained_after_them(runner: asyncio.Runner, *, taken: bool) -> None:
    sender, turns = Sender(), 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        sender.taken = False
        assert sender.on_sent is not None
        sender.on_sent()  # is looked after by the turn itself

    async def scenario() -> None:
        driving = asyncio.create_task(drive([sender], turn))
        await asyncio.sleep(0)
        assert turns == 1
        assert sender.on_sent is not None
        sender.taken = taken
        for _ in range(3):
            sender.on_sent()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert turns == 1 + taken
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)

    runner.run(scenario())
