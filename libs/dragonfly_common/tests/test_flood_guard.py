"""Subscriptions that nobody needs fill no memory: whoever sends them is cut off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bus_world import Voice, World, count, say
from dragonfly_common.bus import flood_guard, zmq_sockets
from dragonfly_common.memory import give_back
from patience import PATIENCE_S

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"


class Attacker:
    """Subscribes by ZeroMQ's protocol, as fast as it can, whatever becomes of it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(PATIENCE_S)
        self._socket.sendall(GREETING)
        self._socket.recv(64, socket.MSG_WAITALL)
        self._socket.sendall(b"\x04" + bytes([len(READY)]) + READY)
        self._socket.recv(1)

    def subscribe(self, *topics: bytes) -> None:
        """Send, until this is cut off."""
        frames = (b"\x01" + topic for topic in topics)
        with suppress(OSError):
            self._socket.sendall(
                b"".join(b"\x02" + len(frame).to_bytes(8, "big") + frame for frame in frames)
            )

    def is_cut(self) -> bool:
        """Say whether the publisher has hung up."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(1 << 16):
                pass
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # also wakes who still sends
        self._socket.close()


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def listening(world: World) -> tuple[Voice, int]:
    voice = world.voice("tcp://127.0.0.1:0")
    return voice, int(voice.publisher.address.rpartition(":")[2])


def serves(world: World, voice: Voice) -> None:
    """Check that who behaves is served."""
    ear = world.ear(voice.publisher.address, prefixes=["book.ETH-BTC."])
    voice.publisher.publish("book.ETH-BTC.kraken.", say(7))
    world.until(lambda: 7 in ear.heard("book.ETH-BTC.kraken."))


@pytest.fixture
def attackers() -> Iterator[Callable[[int], Attacker]]:
    made: list[Attacker] = []

    def attack(port: int) -> Attacker:
        made.append(Attacker(port))
        return made[-1]

    yield attack
    for attacker in made:
        attacker.close()


def test_all_that_a_great_gateway_wants_is_heard_though_few_may_wait(world: World) -> None:
    voice, _ = listening(world)
    wanted = {f"view.liquidity.{number:036}-{number:04}." for number in range(9_000)}
    world.ear(voice.publisher.address, prefixes=wanted)
    world.until(lambda: len(voice.interests) > len(wanted))
    assert voice.wanted == wanted


def test_a_subscription_that_is_too_large_ends_its_connection(
    world: World, attackers: Callable[[int], Attacker]
) -> None:
    voice, port = listening(world)
    attacker = attackers(port)
    attacker.subscribe(b"a.", bytes(zmq_sockets.MAX_SUBSCRIPTION_BYTES))
    world.until(attacker.is_cut)
    world.until(lambda: not voice.wanted)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", None])
def test_who_subscribes_more_than_anybody_needs_is_cut_off_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    monkeypatch.setattr(flood_guard, "MOST_OF_A_PEER", 10)
    voice = world.voice(address)
    before = count("cut_off", reason="too_many")
    good = world.ear(voice.publisher.address, prefixes=["a.", "b."])
    for number in range(20):  # the same again is no more
        good.subscriber.unsubscribe(f"c{number}.")
        good.subscriber.subscribe(f"c{number}.")
        good.subscriber.unsubscribe(f"c{number}.")
    world.until(lambda: voice.wanted == {"a.", "b."})
    bad = world.ear(voice.publisher.address, prefixes=[f"x{number}." for number in range(11)])
    world.until(lambda: count("cut_off", reason="too_many") > before)
    world.close(bad)
    world.until(lambda: voice.wanted == {"a.", "b."})
    voice.publisher.publish("a.", say(1))
    world.until(lambda: good.heard("a."))
    assert good.losses == []


def test_there_is_a_bound_for_all_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood_guard, "MOST_IN_ALL", 25)
    voice = world.voice()
    before = count("cut_off", reason="too_many_in_all")
    good = world.ear(voice.publisher.address, prefixes=[f"a{number}." for number in range(14)])
    world.until(lambda: len(voice.wanted) == 14)
    bad = world.ear(voice.publisher.address, prefixes=[f"x{number}." for number in range(14)])
    world.until(lambda: count("cut_off", reason="too_many_in_all") > before)
    world.close(bad)
    world.until(lambda: len(voice.wanted) == 14)
    # What the other had counts no more.
    world.ear(voice.publisher.address, prefixes=["b."])
    world.until(lambda: len(voice.wanted) == 15)
    assert good.losses == []


@pytest.mark.parametrize("topic", [b"\xff", b"\x1b[2J", bytes(range(33, 127)) * 3])
def test_topics_that_are_none_reach_no_service_and_end_their_connection(
    world: World, attackers: Callable[[int], Attacker], topic: bytes
) -> None:
    voice, port = listening(world)
    before = count("cut_off", reason="malformed")
    attacker = attackers(port)
    attacker.subscribe(*(topic + b"%d" % number for number in range(100)))
    world.until(attacker.is_cut)
    assert count("cut_off", reason="malformed") - before == 1
    assert not any(interest.wanted for interest in voice.interests)
    serves(world, voice)


def test_one_thread_watches_over_all_publishers(world: World) -> None:
    def sentries() -> int:
        return sum(thread.name == "sentry" for thread in threading.enumerate())

    for _ in range(3):  # also of those that come before the thread has seen the others go
        voices = [world.voice("tcp://127.0.0.1:0") for _ in range(2)]
        assert sentries() == 1
        for voice in voices:
            world.close(voice)


@pytest.mark.parametrize("connections", [1, 16])
def test_a_flood_takes_bounded_memory_and_is_cut_off(
    world: World, attackers: Callable[[int], Attacker], connections: int
) -> None:
    """Well-formed ones, from one connection, and from more than a publisher can keep up with."""
    voice, port = listening(world)
    serves(world, voice)

    def cut_off() -> float:
        return sum(count("cut_off", reason=reason) for reason in ("too_many", "flood"))

    before, before_mib = cut_off(), resident_mib()
    threads = [
        threading.Thread(
            target=attackers(port).subscribe,
            args=[b"book.%0170d." % (part << 32 | number) for number in range(20_000)],
        )
        for part in range(connections)
    ]
    for thread in threads:
        thread.start()
    world.until(lambda: cut_off() > before)
    serves(world, voice)
    assert resident_mib() - before_mib < 1024
    give_back()
