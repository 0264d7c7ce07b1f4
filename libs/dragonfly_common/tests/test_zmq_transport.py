"""An upstream mends everything by a fresh socket, no faster than it should, and leaks nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from bus_world import Ear, HandMade, World, count, open_sockets, say
from dragonfly_common.bus import transport, zmq_transport
from dragonfly_common.clock import ManualClock

OTHERS = {
    # What it says, whether it then hangs up, and how that is noticed.
    "hangs up": (b"", True, "handshake"),
    "web server": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", True, "handshake"),
    "almost right": (b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + b"\xee" * 100, False, "handshake"),
    "noise": (bytes(range(256)) * 8, False, "disconnected"),
    "waits": (b"HTTP/1.1 100 Continue\r\n\r\n", False, "mute"),
}


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


class Babbler:
    """A TCP server that says the same to everybody, whatever it hears, and may hang up."""

    def __init__(self, words: bytes, *, hangs_up: bool) -> None:
        self.connections = 0
        self._words = words
        self._hangs_up = hangs_up
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._held: list[socket.socket] = []
        self.address = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"

    def turn(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except BlockingIOError:
            return
        self.connections += 1
        connection.sendall(self._words)
        if self._hangs_up:
            connection.close()
        else:
            self._held.append(connection)

    def close(self) -> None:
        for held in (*self._held, self._listening):
            held.close()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what upstreams log at warning level."""
    said: list[str] = []

    class Logger:
        def warning(self, event: str, **facts: object) -> None:
            said.append(event)

    monkeypatch.setattr(transport, "logger", Logger())
    return said


@pytest.mark.parametrize("other", OTHERS)
def test_a_peer_that_speaks_something_else_is_tried_again_at_a_measured_pace(
    world: World, other: str, logged: list[str]
) -> None:
    words, hangs_up, reason = OTHERS[other]
    babbler = Babbler(words, hangs_up=hangs_up)
    clock = ManualClock()
    kinds = ("no_detail", "protocol", "mechanism")
    failures = sum(count("handshake_failures", side="subscriber", kind=kind) for kind in kinds)
    before = count("reopened", reason=reason)
    ear = world.ear(babbler.address, prefixes=["a."], clock=clock)
    for times in range(1, 5):

        def replaced(times: int = times) -> bool:
            babbler.turn()
            if reason == "mute" and babbler.connections == times:
                clock.advance(transport.MUTE_LIMIT_S)
            return count("reopened", reason=reason) - before == times

        world.until(replaced)
        if reason != "mute":
            # No sooner than it may: the clock stands still.
            assert open_sockets(ear.subscriber) == 0
            assert 0.0 < ear.subscriber.tick() < 2 * zmq_transport.REOPEN_INTERVAL_S
            world.turn()
            assert open_sockets(ear.subscriber) == 0
            clock.advance(2 * zmq_transport.REOPEN_INTERVAL_S)
    babbler.close()
    failed = (
        sum(count("handshake_failures", side="subscriber", kind=kind) for kind in kinds) - failures
    )
    assert failed == (4 if reason == "handshake" else 0)
    assert ear.events == []
    assert logged == ["handshake failed" if reason == "handshake" else "upstream not heard"]


def test_a_peer_that_was_something_else_is_heard_when_it_is_right(world: World) -> None:
    babbler = Babbler(b"", hangs_up=True)
    before = count("reopened", reason="handshake")
    ear = world.ear(babbler.address, prefixes=["a."])

    def failed() -> bool:
        babbler.turn()
        return count("reopened", reason="handshake") > before

    world.until(failed)
    babbler.close()
    voice = world.voice(babbler.address)
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])


def test_a_message_beyond_all_size_costs_the_connection_and_nothing_else(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1])
    peer.throw(b"a.", bytes(2 << 20))
    world.until(lambda: ear.losses == [("p", "disconnected")])
    world.until(lambda: peer.asked.count(b"\x01a.") == 2)
    peer.send("a.", 2, say(2))
    world.until(lambda: ear.last("a.") == 2)


def test_a_fresh_socket_asks_for_all_that_is_followed_now(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a.", "b.", "c."], clock=clock)
    world.joined(peer, "a.", "b.", "c.")
    peer.beat(1, bye=True)
    world.until(lambda: open_sockets(ear.subscriber) == 0)
    ear.subscriber.unsubscribe("b.")
    ear.subscriber.unsubscribe("never followed")
    ear.subscriber.subscribe("d.")
    ear.subscriber.subscribe("c.")
    world.until(lambda: b"\x00a." in peer.asked)
    peer.asked.clear()
    clock.advance(2 * zmq_transport.REOPEN_INTERVAL_S)
    world.joined(peer, "a.", "c.", "d.", "hb.")
    assert sorted(peer.asked) == [b"\x01a.", b"\x01c.", b"\x01d.", b"\x01hb."]


def test_replaced_sockets_leave_no_descriptor_behind(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")

    def replace() -> None:
        peer.asked.clear()
        peer.beat(1, bye=True)
        clock.advance(2 * zmq_transport.REOPEN_INTERVAL_S)
        lost = len(ear.losses)
        world.until(lambda: len(ear.losses) > lost)
        world.joined(peer, "a.")

    replace()
    before = open_files()
    for _ in range(50):
        replace()
    # The library closes in its own time.
    world.until(lambda: open_files() <= before + 3)


def test_a_flood_is_read_in_portions_so_that_timers_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq_transport, "MOST_AT_ONCE", 10)
    peer: HandMade = world.hand_made()
    ear: Ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    received = count("received")
    for seq in range(1, 101):
        peer.send("a.", seq, say(seq))
    turns = 0
    while ear.last("a.") != 100:
        before = count("received")
        ear.turn()
        assert count("received") - before <= 10
        turns += 1
    assert count("received") - received == 100
    assert turns >= 10


def test_who_waits_for_a_fresh_socket_may_be_given_up_again(world: World) -> None:
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    (waiting,) = ear.subscriber._upstreams.values()
    for reason in ("disconnected", "mute"):
        ear.subscriber._replace(waiting, reason)
    assert open_sockets(ear.subscriber) == 0
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])
