"""The status page answers whoever asks, and minds nobody who does not."""

from __future__ import annotations

import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
from dragonfly_common import status
from dragonfly_common.errors import AddressError
from dragonfly_common.status import StatusServer, split_host_port
from patience import PATIENCE_S


def get(server: StatusServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=PATIENCE_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Readiness:
    def __init__(self) -> None:
        self.reason: str | None = "starting"

    def __call__(self) -> str | None:
        return self.reason


@pytest.fixture
def unready() -> Readiness:
    return Readiness()


@pytest.fixture
def server(unready: Readiness) -> Iterator[StatusServer]:
    with closing(StatusServer("127.0.0.1:0", unready)) as server:
        yield server


def test_ready_and_not_ready(server: StatusServer, unready: Readiness) -> None:
    assert get(server, "/readyz") == (503, "starting\n")
    assert get(server, "/healthz") == (200, "ok\n")
    unready.reason = None
    assert get(server, "/readyz") == (200, "ok\n")


def test_metrics_are_served(server: StatusServer) -> None:
    code, page = get(server, "/metrics")
    assert code == 200
    assert "dragonfly_bus_received_total" in page


def test_anything_else_is_not_found_and_says_what_there_is(server: StatusServer) -> None:
    assert get(server, "/") == (404, "there are /metrics, /healthz and /readyz\n")


@contextmanager
def connection(server: StatusServer) -> Iterator[socket.socket]:
    with socket.create_connection(split_host_port(server.address), PATIENCE_S) as connected:
        yield connected


def test_who_connects_and_never_asks_keeps_nobody_waiting(server: StatusServer) -> None:
    with connection(server), connection(server), connection(server):
        assert get(server, "/healthz")[0] == 200


def test_who_hangs_up_or_talks_nonsense_or_says_nothing_is_no_event(
    server: StatusServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status._QuietHandler, "timeout", 0.05)
    with connection(server) as silent:
        assert silent.recv(1) == b""  # given up
    with connection(server) as rude:
        rude.sendall(b"\x00\xff\xfe nonsense\r\n\r\n")
        assert rude.recv(1000)
    with connection(server) as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.sendall(b"GET /heal")
    assert get(server, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_those_who_drip_are_few_and_hinder_no_probe(server: StatusServer) -> None:
    before = threading.active_count()
    with ExitStack() as open_:
        dripping = [
            open_.enter_context(connection(server)) for _ in range(status.MOST_CONNECTIONS + 8)
        ]
        for one in dripping:
            with suppress(OSError):
                one.sendall(b"GET / HTTP/1.0\r\nX: ")
        assert get(server, "/healthz")[0] == 200
        assert dripping[0].recv(1) == b""
        assert threading.active_count() - before <= status.MOST_CONNECTIONS + 1


def test_a_request_that_never_ends_is_given_up(
    server: StatusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "WHOLE_LIMIT_S", 0.3)
    with connection(server) as dripping, suppress(OSError):
        dripping.settimeout(0.01)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            dripping.sendall(b"x")
            with suppress(TimeoutError):
                assert dripping.recv(1) == b""
                return
        pytest.fail("it still drips")


def test_the_head_of_a_request_is_bounded(server: StatusServer) -> None:
    with connection(server) as talkative:
        line = b"X: " + b"x" * 1000 + b"\r\n"
        with suppress(OSError):
            talkative.sendall(b"GET /healthz HTTP/1.0\r\n" + line * 10_000)
        with suppress(OSError):  # whether it hears an answer first is a race
            talkative.recv(1)
    assert get(server, "/healthz")[0] == 200


def test_closing_frees_the_port(unready: Readiness) -> None:
    server = StatusServer("127.0.0.1:0", unready)
    server.close()
    StatusServer(server.address, unready).close()


def test_the_name_service_is_not_asked(unready: Readiness, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(name: str = "") -> str:
        raise AssertionError(name)

    monkeypatch.setattr(socket, "getfqdn", ask)
    StatusServer("127.0.0.1:0", unready).close()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        (":9100", ("0.0.0.0", 9100)),
        ("[::1]:0", ("::1", 0)),
        ("status.example:80", ("status.example", 80)),
    ],
)
def test_host_and_port_are_told_apart(text: str, meant: tuple[str, int]) -> None:
    assert split_host_port(text) == meant


@pytest.mark.parametrize("text", ["", "9100", "127.0.0.1", "127.0.0.1:", "h:-1", "h:65536", "h:x"])
def test_what_is_no_host_and_port_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(AddressError, match="write HOST:PORT, for example") as caught:
        split_host_port(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_cannot_be_had_is_one_sentence(unready: Readiness, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"{host}:{taken.getsockname()[1]}"
        with pytest.raises(AddressError) as caught:
            StatusServer(address, unready)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ipv6_is_spoken_where_it_is_written(unready: Readiness) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with closing(StatusServer("[::1]:0", unready)) as server:
        assert server.address.startswith("[::1]:")
        assert get(server, "/healthz")[0] == 200
