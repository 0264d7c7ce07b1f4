"""A connection answers for the key that let it in; what is no connection is left alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import zmq
from dragonfly_common.bus.connections import Connections

HERE = "127.0.0.1"


class Server:
    """Accepts connections as ZeroMQ does, and says so."""

    def __init__(self, opened: ExitStack) -> None:
        self.connections = Connections()
        self._opened = opened
        self._listening = opened.enter_context(socket.create_server((HERE, 0)))

    def accept(self, source: str = HERE) -> socket.socket:
        """Return this end of a new connection from an address of this machine."""
        address = self._listening.getsockname()
        self._opened.enter_context(
            closing(socket.create_connection(address, source_address=(source, 0)))
        )
        accepted = self._opened.enter_context(closing(self._listening.accept()[0]))
        self.connections.hear(zmq.EVENT_ACCEPTED, accepted.fileno())
        return accepted

    def cut(self, *keys: bytes) -> int:
        self.connections.match()
        return self.connections.cut(set(keys).__contains__)


def is_open(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        return bool(end.recv(1))
    except BlockingIOError:
        return True


@pytest.fixture
def server() -> Iterator[Server]:
    with ExitStack() as opened:
        yield Server(opened)


def test_only_the_connections_of_a_refused_key_are_cut(server: Server) -> None:
    ends = []
    for key, source in ((b"a", HERE), (b"b", HERE), (b"a", "127.0.0.2")):
        ends.append(server.accept(source))
        server.connections.admit(source, key)
        assert server.cut() == 0
    assert server.cut(b"a") == 2
    assert [is_open(end) for end in ends] == [False, True, False]
    assert server.cut(b"a") == 0


def test_neighbours_that_come_at_once_answer_for_each_other(server: Server) -> None:
    ends = [server.accept(), server.accept()]
    server.connections.admit(HERE, b"a")
    server.cut()
    server.connections.admit(HERE, b"b")
    server.cut()
    assert server.cut(b"b") == 2
    assert not any(map(is_open, ends))


def test_what_has_ended_or_is_no_connection_is_left_alone(server: Server) -> None:
    ended = server.accept()
    server.connections.admit(HERE, b"a")
    server.cut()
    number = ended.fileno()
    ended.close()
    assert server.cut(b"a") == 1  # nothing was there to be cut any more
    server.connections.hear(zmq.EVENT_DISCONNECTED, number)
    server.connections.hear(zmq.EVENT_ACCEPTED, number)
    with socket.socket() as unconnected:
        server.connections.hear(zmq.EVENT_ACCEPTED, unconnected.fileno())
    server.connections.admit(HERE, b"a")
    assert server.cut(b"a") == 0
