"""Connections on real sockets; the time is a parameter."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from dragonfly_views.places import network_of
from grpc_gateway import counters
from grpc_gateway.connections import (
    CALL_WITHIN_S,
    GRACE_S,
    LOOK_INTERVAL_S,
    MOST_STRANGERS,
    MOST_UNSENT_BYTES,
    Connections,
    _parse_peer,
    bound_unsent,
)
from structlog.testing import capture_logs


class Port:
    """A listening socket, and both ends of the connections that came in."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.number: int = self._listening.getsockname()[1]

    def connect(self, count: int) -> list[socket.socket]:
        """Return the gateway's ends."""
        ends = []
        for _ in range(count):
            self._stack.enter_context(socket.create_connection(("127.0.0.1", self.number)))
            ends.append(self._stack.enter_context(self._listening.accept()[0]))
        return ends


@pytest.fixture
def port() -> Iterator[Port]:
    with ExitStack() as stack:
        yield Port(stack)


@pytest.fixture
def connections(port: Port) -> Connections:
    connections = Connections()
    connections.port = port.number
    return connections


def peer(end: socket.socket) -> str:
    host, number = end.getpeername()
    return f"ipv4:{host}:{number}"


def is_open(end: socket.socket) -> bool:
    try:
        return end.recv(1, socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True


def test_of_one_address_few_connections_are_kept_that_make_no_admitted_call(
    port: Port, connections: Connections
) -> None:
    ends = port.connect(MOST_STRANGERS + 5)
    connections.look(0.0)
    (newer,) = port.connect(1)
    connections.look(GRACE_S)
    assert all(is_open(end) for end in ends)
    connections.look(GRACE_S + LOOK_INTERVAL_S)
    assert [is_open(end) for end in ends].count(False) == 5
    assert is_open(newer)


def test_a_connection_that_makes_no_call_is_closed_in_the_end(
    port: Port, connections: Connections
) -> None:
    silent, watching_health = port.connect(2)
    connections.look(0.0)
    connections.called(peer(watching_health))
    connections.look(CALL_WITHIN_S)
    assert is_open(silent)
    connections.look(CALL_WITHIN_S + LOOK_INTERVAL_S)
    assert not is_open(silent)
    assert is_open(watching_health)


def test_an_admitted_connection_is_kept_for_good(port: Port, connections: Connections) -> None:
    ends = port.connect(3 * MOST_STRANGERS)
    for end in ends:
        connections.admitted(peer(end))
    for now in (0.0, CALL_WITHIN_S, 10 * CALL_WITHIN_S):
        connections.look(now)
    assert all(is_open(end) for end in ends)


def test_a_call_after_a_while_makes_a_stranger_a_bot(port: Port, connections: Connections) -> None:
    (late,) = port.connect(1)
    connections.look(0.0)
    connections.admitted(peer(late))
    connections.look(10 * CALL_WITHIN_S)
    connections.look(20 * CALL_WITHIN_S)
    assert is_open(late)


def test_what_is_no_connection_to_the_port_is_left_alone(
    port: Port, connections: Connections
) -> None:
    with ExitStack() as stack:
        other = Port(stack).connect(MOST_STRANGERS + 1)
        pair = [end for _ in range(MOST_STRANGERS) for end in socket.socketpair()]
        for end in pair:
            stack.enter_context(end)
        for now in (0.0, 10 * CALL_WITHIN_S, 20 * CALL_WITHIN_S):
            connections.look(now)
        assert all(is_open(end) for end in (*other, *pair))


def test_closed_connections_are_counted_and_said_now_and_then(
    port: Port, connections: Connections
) -> None:
    before = counters.STRANGERS_CLOSED._value.get()
    port.connect(MOST_STRANGERS + 5)
    with capture_logs() as said:
        for now in (0.0, GRACE_S + 1, GRACE_S + 2, CALL_WITHIN_S + 1):
            connections.look(now)
    assert counters.STRANGERS_CLOSED._value.get() == before + MOST_STRANGERS + 5
    assert [line["count"] for line in said] == [5]


def test_nothing_is_left_open_by_looking(port: Port, connections: Connections) -> None:
    port.connect(3)
    connections.look(0.0)
    before = sorted(Path("/dev/fd").iterdir())
    connections.look(10 * CALL_WITHIN_S)
    bound_unsent(port.number)
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_little_waits_unsent_of_the_connections_that_come_in(port: Port) -> None:
    bound_unsent(port.number)
    (end,) = port.connect(1)
    level, option = socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT
    assert end.getsockopt(level, option) == MOST_UNSENT_BYTES


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:40000", ("127.0.0.1", 40000)),
        ("ipv6:%5B::1%5D:40000", ("::1", 40000)),
        ("ipv6:[2001:db8::1]:40000", ("2001:db8::1", 40000)),
        ("ipv6:%5B::ffff:192.0.2.1%5D:40000", ("192.0.2.1", 40000)),
    ],
)
def test_peers_in_grpcs_words(peer: str, address: tuple[str, int]) -> None:
    assert _parse_peer(peer) == address


def test_an_ipv6_network_of_64_bits_counts_as_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
