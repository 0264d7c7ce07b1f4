"""A name stands for all its addresses, which the ends of the bus follow without ever waiting."""

from __future__ import annotations

import socket
import threading

import pytest
from bus_world import NameService, Voice, World, open_sockets, say
from dragonfly_common import discovery
from dragonfly_common.clock import ManualClock
from dragonfly_common.discovery import Discovery, OwnAddresses, is_own, look_up
from patience import PATIENCE_S
from prometheus_client import REGISTRY

HERE, THERE, ELSEWHERE = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "LOOK_UP_INTERVAL_S", 0.01)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what look-ups log."""
    said: list[str] = []

    class Logger:
        def info(self, event: str, **facts: object) -> None:
            said.append(event)

        warning = info

    monkeypatch.setattr(discovery, "logger", Logger())
    return said


@pytest.fixture
def port() -> int:
    """Return a port that is free on the machine's loopback addresses."""
    with socket.create_server((HERE, 0)) as free:
        number: int = free.getsockname()[1]
    return number


def replica(world: World, address: str, port: int) -> Voice:
    """Return a publisher named after its address, which speaks under a topic of its own."""
    voice = world.voice(f"tcp://{address}:{port}", name=address)
    voice.publisher.publish(f"a.{address}", say(1))
    return voice


def failures() -> float:
    return REGISTRY.get_sample_value("dragonfly_name_failures_total") or 0.0


# Upstreams


def test_a_name_is_all_its_addresses_as_they_come_and_go(world: World, port: int) -> None:
    names = NameService(HERE)
    here = replica(world, HERE, port)
    ear = world.ear(f"tcp://replicas:{port}", prefixes=["a."], look_up=names)
    world.until(lambda: ear.subscriber.publishers == {HERE})
    there = replica(world, THERE, port)
    names.addresses = (HERE, THERE)
    world.until(lambda: ear.subscriber.publishers == {HERE, THERE})
    world.until(lambda: ear.last(f"a.{THERE}") == 1)
    names.addresses = (THERE,)
    world.close(here)
    world.until(lambda: ear.subscriber.publishers == {THERE})
    assert [publisher for publisher, _ in ear.losses] == [HERE]
    # The socket of the address that is gone is closed, and the other never was.
    world.until(lambda: open_sockets(ear.subscriber) == 2)
    there.publisher.publish(f"a.{THERE}", say(2))
    world.until(lambda: ear.heard(f"a.{THERE}") == [1, 2])


def test_who_still_speaks_is_heard_after_its_name_was_taken_away(world: World, port: int) -> None:
    names = NameService(HERE, THERE)
    here, _ = replica(world, HERE, port), replica(world, THERE, port)
    ear = world.ear(f"tcp://replicas:{port}", prefixes=["a."], look_up=names)
    world.until(lambda: ear.subscriber.publishers == {HERE, THERE})
    names.addresses = (THERE,)
    asked = names.asked
    world.until(lambda: names.asked > asked + 2)
    here.publisher.publish(f"a.{HERE}", say(2))
    world.until(lambda: ear.last(f"a.{HERE}") == 2)
    assert ear.losses == []
    # And it may come back before it went.
    names.addresses = (HERE, THERE)
    asked = names.asked
    world.until(lambda: names.asked > asked + 2)
    world.restarted(here)
    world.until(lambda: ear.subscriber.publishers == {HERE, THERE})


def test_an_address_at_which_nobody_spoke_is_left_with_its_name(world: World, port: int) -> None:
    names = NameService(HERE, ELSEWHERE)
    replica(world, HERE, port)
    ear = world.ear(f"tcp://replicas:{port}", prefixes=["a."], look_up=names)
    world.until(lambda: open_sockets(ear.subscriber) == 4)
    names.addresses = (HERE,)
    world.until(lambda: open_sockets(ear.subscriber) == 2)
    assert ear.losses == []


def test_a_name_service_that_fails_takes_nobody_out(
    world: World, port: int, logged: list[str]
) -> None:
    names = NameService(HERE)
    voice = replica(world, HERE, port)
    ear = world.ear(f"tcp://replicas:{port}", prefixes=["a."], look_up=names)
    world.until(lambda: ear.subscriber.publishers == {HERE})
    before = failures()
    names.failing = True
    world.until(lambda: failures() >= before + 3)
    voice.publisher.publish(f"a.{HERE}", say(2))
    world.until(lambda: ear.last(f"a.{HERE}") == 2)
    names.failing = False
    asked = names.asked
    world.until(lambda: names.asked > asked + 2)
    assert ear.losses == []
    assert logged == ["name found", "name not found"]


def test_a_name_that_is_not_known_yet_is_waited_for(world: World, port: int) -> None:
    names = NameService(HERE)
    names.failing = True
    replica(world, HERE, port)
    ear = world.ear(f"tcp://replicas:{port}", prefixes=["a."], look_up=names)
    world.until(lambda: names.asked > 2)
    assert open_sockets(ear.subscriber) == 0
    names.failing = False
    world.until(lambda: ear.heard() == [1])


def test_a_slow_name_service_holds_up_nobody(world: World, port: int) -> None:
    names = NameService(HERE)
    names.answering.clear()
    replica(world, HERE, port)
    other = replica(world, THERE, port)
    ear = world.ear(
        f"tcp://replicas:{port}", other.publisher.address, prefixes=["a."], look_up=names
    )
    world.until(lambda: ear.subscriber.publishers == {THERE})
    assert names.asked == 1
    assert not ear.subscriber._discovery.complete
    names.answering.set()
    world.until(lambda: ear.subscriber.publishers == {HERE, THERE})


def test_one_address_of_two_names_is_one_upstream(world: World, port: int) -> None:
    replica(world, HERE, port)
    ear = world.ear(
        f"tcp://one:{port}", f"tcp://two:{port}", prefixes=["a."], look_up=NameService(HERE)
    )
    world.until(lambda: ear.subscriber._discovery.complete and ear.heard())
    assert open_sockets(ear.subscriber) == 2


def test_who_is_there_is_settled_when_all_were_heard(world: World, port: int) -> None:
    clock = ManualClock()
    names = NameService(HERE, THERE)
    names.failing = True
    ear = world.ear(f"tcp://replicas:{port}", look_up=names, clock=clock)
    assert not ear.subscriber.settled(clock.monotonic())
    names.failing = False
    replica(world, HERE, port)
    world.until(lambda: ear.subscriber.publishers == {HERE})
    assert not ear.subscriber.settled(clock.monotonic())
    replica(world, THERE, port)
    world.until(lambda: ear.subscriber.settled(clock.monotonic()))
    assert ear.subscriber.publishers == {HERE, THERE}


def test_who_is_there_is_settled_after_a_second_whoever_is_missing(world: World) -> None:
    clock = ManualClock()
    ear = world.ear(world.address(), clock=clock)
    assert not ear.subscriber.settled(clock.monotonic() + 0.99)
    assert ear.subscriber.settled(clock.monotonic() + 1.0)
    assert ear.subscriber.publishers == set()


# A publisher's own name


def test_a_publisher_binds_what_its_name_means_and_moves_with_it(world: World, port: int) -> None:
    name = f"tcp://me:{port}"
    own = NameService(HERE)
    own.failing = True
    clock = ManualClock()
    voice = world.voice(name, clock=clock, look_up=own)
    voice.publisher.publish("a.", say(1))
    assert voice.publisher.address == name
    own.failing = False

    def bound_to(address: str) -> bool:
        clock.advance(0.25)
        return voice.publisher.address == f"tcp://{address}:{port}"

    world.until(lambda: bound_to(HERE))
    names = NameService(HERE)
    ear = world.ear(f"tcp://replicas:{port}", prefixes=["a."], look_up=names)
    world.until(lambda: ear.heard() == [1])
    own.addresses = names.addresses = (THERE,)
    world.until(lambda: bound_to(THERE))
    voice.publisher.publish("a.", say(2))
    world.until(lambda: ear.last("a.") == 2)
    # Its last values are those it had.
    late = world.ear(f"tcp://{THERE}:{port}", prefixes=["a."])
    world.until(lambda: late.heard() == [2])


def test_a_port_that_is_taken_where_the_name_leads_is_had_when_it_is_free(
    world: World, port: int
) -> None:
    clock = ManualClock()
    with socket.create_server((HERE, port)):
        voice = world.voice(f"tcp://me:{port}", clock=clock, look_up=NameService(HERE))
        world.until(lambda: voice.endpoint._discovery.complete)
        clock.advance(0.25)
        voice.publisher.tick()
        assert voice.publisher.address == f"tcp://me:{port}"
    voice.publisher.publish("a.", say(1))
    ear = world.ear(f"tcp://{HERE}:{port}", prefixes=["a."])

    def heard() -> list[int]:
        clock.advance(0.25)
        return ear.heard()

    world.until(heard)


def test_own_addresses_are_those_of_the_name_that_can_be_bound_here() -> None:
    names = NameService("192.0.2.1", HERE)
    own = OwnAddresses(names)
    assert own("me") == {HERE}
    # It is no longer given out, and still ours.
    names.addresses = ("192.0.2.1", THERE)
    assert own("me") == {HERE, THERE}
    names.addresses = ("192.0.2.1", "2001:db8::1")
    here = {HERE}
    own = OwnAddresses(names, here.__contains__)
    with pytest.raises(OSError, match=r"none of 192\.0\.2\.1, 2001:db8::1 is an address"):
        own("me")
    names.addresses = (HERE, THERE)
    assert own("me") == {HERE}
    here.clear()
    here.add(THERE)
    assert own("me") == {THERE}


# Looking up


def test_a_host_name_is_looked_up_and_a_literal_needs_nobody() -> None:
    assert look_up("localhost") == {"127.0.0.1"}
    assert is_own("127.0.0.1")
    assert not is_own("192.0.2.1")
    names = NameService()
    threads = threading.active_count()
    literals = ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://*:0", "ipc:///a", "inproc://a"]
    found = Discovery(literals, names)
    assert found.complete
    assert found.addresses == set(literals)
    assert threading.active_count() == threads
    assert names.asked == 0


def test_an_ipv6_address_is_written_in_brackets(world: World) -> None:
    found = Discovery(["tcp://six:5551"], NameService("2001:db8::1"))
    world.until(lambda: found.complete)
    assert found.addresses == {"tcp://[2001:db8::1]:5551"}
    found.close()


def test_a_closed_end_asks_no_more(world: World) -> None:
    names = NameService(HERE)
    ear = world.ear("tcp://replicas:1", look_up=names)
    world.until(lambda: names.asked)
    (thread,) = [one for one in threading.enumerate() if one.name == "look up replicas"]
    world.close(ear)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_name_that_no_name_can_be_is_no_more_than_not_found(
    world: World, logged: list[str]
) -> None:
    before = failures()
    found = Discovery([f"tcp://{'a' * 80}:1"])
    world.until(lambda: failures() > before)
    found.close()
    assert logged == ["name not found"]
