"""An address is checked before a socket sees it, and the sentence shows how to write it."""

from __future__ import annotations

import pytest
from dragonfly_common.discovery import check_address, check_upstream, is_loopback
from dragonfly_common.errors import AddressError, ExitCode


@pytest.mark.parametrize(
    "address",
    [
        "ipc:///run/dragonfly/aggregator",
        "tcp://127.0.0.1:5551",
        "tcp://*:0",
        "tcp://127.0.0.1:0",
        "tcp://[::1]:5551",
        "tcp://listener-binance:5551",
        "inproc://anything",
    ],
)
def test_an_address_is_accepted(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("", "ipc:///path"),
        ("127.0.0.1:5551", "ipc:///path"),
        ("udp://127.0.0.1:5551", "ipc:///path"),
        ("ipc://", "ipc:///path/to/socket"),
        ("tcp://127.0.0.1", "tcp://host:5551"),
        ("tcp://127.0.0.1:port", "tcp://host:5551"),
        ("tcp://127.0.0.1:65536", "tcp://host:5551"),
        ("tcp://:5551", "tcp://host:5551"),
        ("tcp://a b:5551", "tcp://host:5551"),
        ("tcp://host:5551/path", "tcp://host:5551"),
        ("tcp://a;b:1", "tcp://host:5551"),
        ("tcp://*host:1", "tcp://host:5551"),
        ("inproc://", "inproc://name"),
        ("inproc://\udcff", "inproc://name"),
        ("ipc:///tmp/\udcff", "ipc:///path/to/socket"),
    ],
)
def test_what_is_none_is_refused_with_the_form(address: str, form: str) -> None:
    with pytest.raises(AddressError) as caught:
        check_address(address)
    sentence = str(caught.value)
    assert repr(address) in sentence
    assert form in sentence
    assert "\n" not in sentence
    assert caught.value.exit_code is ExitCode.CONFIG


def test_a_path_that_no_socket_can_have_is_refused() -> None:
    assert check_address("ipc://" + "/a" * 53)
    with pytest.raises(AddressError, match="may have 107 bytes"):
        check_address("ipc://" + "/a" * 54)


@pytest.mark.parametrize("address", ["ipc:///run/x", "tcp://listener:5551", "inproc://x"])
def test_an_upstream_is_accepted(address: str) -> None:
    assert check_upstream(address) == address


@pytest.mark.parametrize(
    "address", ["tcp://*:5551", "tcp://127.0.0.1:0", "tcp://[::]:00", "ipc://*"]
)
def test_an_upstream_is_somewhere(address: str) -> None:
    assert check_address(address)
    with pytest.raises(AddressError, match="is an address to bind"):
        check_upstream(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("tcp://127.0.0.1:1", True),
        ("tcp://[::1]:1", True),
        ("ipc:///tmp/x", True),
        ("inproc://x", True),
        ("0.0.0.0:1", False),
        (":1", False),
        ("[::]:1", False),
        ("tcp://*:1", False),
        ("tcp://0.0.0.0:1", False),
        ("tcp://listener.bus:1", False),
        ("192.168.0.1:1", False),
    ],
)
def test_what_only_this_machine_reaches(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
