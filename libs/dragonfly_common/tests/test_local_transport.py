"""Within a process the bus says what it says elsewhere, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest
import uvloop
from bus_world import Ear, World, count, say
from dragonfly_common.bus import Delivery, Publisher, Subscriber, drive, local_transport
from dragonfly_common.bus.transport import SILENCE_LIMIT_S
from dragonfly_common.clock import ManualClock, SystemClock
from dragonfly_common.errors import AddressError
from dragonfly_common.messages import EncodedView
from patience import patiently

_numbers = itertools.count()


@pytest.fixture
def address() -> Iterator[str]:
    """Return an address of its own; nobody may be left there."""
    address = f"inproc://local-{next(_numbers)}"
    yield address
    assert address not in local_transport._places


@pytest.fixture
def world(world: World, address: str) -> Iterator[World]:
    yield world
    world.close_all()


def test_who_comes_later_gets_last_values_and_then_what_is_said(world: World, address: str) -> None:
    voice = world.voice(address)
    voice.publisher.publish("a.", say(1))
    voice.publisher.publish("b.", say(7))
    ear = world.ear(address, prefixes=["a."])
    world.until(lambda: ear.heard() == [1])
    voice.publisher.publish("a.", say(2))
    voice.publisher.publish("b.", say(8))
    world.until(lambda: ear.heard() == [1, 2])
    later = world.ear(address, prefixes=["a.", "b."])
    world.until(lambda: sorted(later.heard()) == [2, 8])
    assert ear.heard() == [1, 2]


def test_of_what_waits_only_the_newest_of_each_topic_is_handed_on(
    world: World, address: str
) -> None:
    voice = world.voice(address)
    ear = world.ear(address, prefixes=["a."])
    world.until(lambda: voice.wanted == {"a."})
    replaced = count("dropped", reason="replaced")
    for number in range(5):
        voice.publisher.publish("a.1.", say(number))
        voice.publisher.publish("a.2.", say(10 + number))
    world.until(ear.heard)
    assert ear.heard() == [4, 14]
    assert count("dropped", reason="replaced") - replaced == 8


def test_bodies_pass_as_they_are(world: World, address: str) -> None:
    voice = world.voice(address)
    ear = world.ear(address, prefixes=["a."])
    world.until(lambda: voice.wanted == {"a."})
    body = say(1)
    voice.publisher.publish("a.", body)
    world.until(ear.heard)
    (delivery,) = ear.events
    assert isinstance(delivery, Delivery)
    assert delivery.body is body


def test_interest_is_told_once_it_begins_and_once_nobody_is_left(
    world: World, address: str
) -> None:
    voice = world.voice(address)
    first = world.ear(address, prefixes=["a."])
    second = world.ear(address, prefixes=["a."])
    world.until(lambda: voice.wanted == {"a."})
    first.subscriber.unsubscribe("a.")
    world.turn()
    assert voice.wanted == {"a."}
    world.close(second)
    world.until(lambda: voice.wanted == set())


def test_what_was_given_up_and_is_asked_for_again_is_news(world: World, address: str) -> None:
    voice = world.voice(address)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(address, prefixes=["a."])
    world.until(lambda: ear.heard() == [1])
    ear.subscriber.unsubscribe("a.")
    voice.publisher.publish("a.", say(2))
    world.turn()
    assert ear.heard() == [1]
    ear.subscriber.subscribe("a.")
    world.until(lambda: ear.heard() == [1, 2])


def test_who_ends_is_lost_and_its_successor_is_heard(world: World, address: str) -> None:
    ear = world.ear(address, prefixes=["a."])
    voice = world.voice(address)
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])
    again = world.restarted(voice)
    again.publisher.publish("a.", say(2))
    world.until(lambda: ear.heard() == [1, 2])
    assert ear.losses == [("p", "bye")]


def test_who_is_silent_is_lost_and_the_very_same_value_is_news_again(
    world: World, address: str
) -> None:
    clock = ManualClock()
    voice = world.voice(address, clock=clock)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(address, prefixes=["a."], clock=clock)
    world.until(lambda: ear.heard() == [1])
    clock.advance(SILENCE_LIMIT_S + 0.1)
    world.until(lambda: ear.losses == [("p", "silent")])
    world.until(lambda: ear.heard() == [1, 1])


def test_an_address_serves_one(world: World, address: str) -> None:
    world.voice(address)
    with pytest.raises(AddressError, match=r"another service of this process .* choose another"):
        world.voice(address, "q")


def test_each_is_answered_with_what_it_asked_for(world: World, address: str) -> None:
    voice = world.voice(address)
    for number in range(50):
        voice.publisher.publish(f"a.{number}.", say(number))
    ears: list[Ear] = [world.ear(address, prefixes=[f"a.{number}."]) for number in range(50)]
    world.until(lambda: [ear.heard() for ear in ears] == [[number] for number in range(50)])


async def test_a_turn_is_its_own_service_s_whoever_called_for_it(address: str) -> None:
    clock = SystemClock()
    publisher = Publisher(address, "p", clock)
    subscriber = Subscriber([address], clock)
    subscriber.subscribe("a.")
    name: ContextVar[str] = ContextVar("name")
    heard: asyncio.Queue[str] = asyncio.Queue()

    def take() -> None:
        if any(isinstance(event, Delivery) for event in subscriber.drain()):
            heard.put_nowait(name.get())

    async def listen() -> None:
        name.set("who listens")
        await drive((subscriber,), take)

    listening = asyncio.create_task(listen())
    try:
        name.set("who speaks")
        publisher.drain()
        for number in range(3):
            publisher.publish("a.", say(number))
            async with patiently():
                assert await heard.get() == "who listens"
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        subscriber.close()
        publisher.close()


async def test_a_message_wakes_who_waits_for_it(address: str) -> None:
    clock = SystemClock()
    publisher = Publisher(address, "p", clock)
    subscriber = Subscriber([address], clock)
    subscriber.subscribe("a.")
    heard: asyncio.Queue[EncodedView] = asyncio.Queue()

    def take() -> None:
        for event in subscriber.drain():
            if isinstance(event, Delivery) and isinstance(event.body, EncodedView):
                heard.put_nowait(event.body)

    def answer() -> None:
        publisher.drain()

    pumps = [
        asyncio.create_task(drive((publisher,), answer)),
        asyncio.create_task(drive((subscriber,), take)),
    ]
    try:
        for number in range(20):
            publisher.publish("a.", say(number))
            async with patiently():
                assert (await heard.get()).body == str(number).encode()
    finally:
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        subscriber.close()
        publisher.close()


class Relay:
    """Says what it hears at one address at another; a service in the midst of a process."""

    def __init__(self, hears: str, says: str, on_heard: Callable[[], None]) -> None:
        clock = SystemClock()
        self.publisher = Publisher(says, says, clock)
        self.subscriber = Subscriber([hears], clock)
        self.subscriber.subscribe("a.")
        self._on_heard = on_heard
        self._pumping = asyncio.create_task(drive((self.subscriber, self.publisher), self._turn))

    def _turn(self) -> None:
        self.publisher.drain()
        for event in self.subscriber.drain():
            if isinstance(event, Delivery):
                self._on_heard()
                self.publisher.publish("a.", event.body)

    async def stop(self) -> None:
        self._pumping.cancel()
        await asyncio.gather(self._pumping, return_exceptions=True)
        self.subscriber.close()
        self.publisher.close()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_state_goes_all_its_way_before_the_loop_does_anything_else(
    address: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    order: list[str] = []
    arrived = asyncio.Event()

    def first() -> None:
        asyncio.get_running_loop().call_soon(order.append, "the loop goes on")

    def last() -> None:
        order.append("heard at the end")
        arrived.set()

    async def scenario() -> None:
        publisher = Publisher(address, "p", SystemClock())
        relays = [
            Relay(address, f"{address}-2", first),
            Relay(f"{address}-2", f"{address}-3", lambda: None),
            Relay(f"{address}-3", f"{address}-4", last),
        ]
        try:
            async with patiently():
                await asyncio.sleep(0)  # all have asked
                publisher.drain()
                publisher.publish("a.", say(1))
                await arrived.wait()
        finally:
            for relay in relays:
                await relay.stop()
            publisher.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())
    assert order == ["heard at the end", "the loop goes on"]


async def test_services_that_never_cease_to_call_each_other_leave_the_loop_its_share(
    address: str,
) -> None:
    heard = itertools.count()
    enough = asyncio.Event()

    def count_one() -> None:
        if next(heard) == 1_000:
            enough.set()

    there, back = f"{address}-there", f"{address}-back"
    relays = [Relay(there, back, count_one), Relay(back, there, count_one)]
    try:
        async with patiently():
            await asyncio.sleep(0)
            relays[0].publisher.publish("a.", say(0))
            await enough.wait()
    finally:
        for relay in relays:
            await relay.stop()
