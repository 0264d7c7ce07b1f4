"""The order channel's two ends: both ways, after a restart, and by keys over tcp."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from dragonfly_common.bus import ChannelClient, ChannelServer, Keys, Role
from dragonfly_common.bus.curve import new_pair
from dragonfly_common.clock import SystemClock
from dragonfly_common.errors import AddressError
from patience import eventually

CLOCK = SystemClock()


async def exchange(server: ChannelServer, client: ChannelClient, word: bytes) -> None:
    """Send `word` there and back, as often as it takes."""

    def asked() -> bool:
        server.tick()
        client.tick()
        client.send(word)
        for peer, payload in server.receive():
            server.send(peer, payload + b"!")
        return word + b"!" in client.receive()

    await eventually(asked, "an answer")


async def test_both_ways_also_with_a_successor(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/orders"
    with closing(ChannelClient(address, CLOCK)) as client:
        assert not client.send(b"nobody is there")
        with closing(ChannelServer(address, CLOCK)) as server:
            await exchange(server, client, b"one")
            assert not server.send(b"stranger", b"gone")
        with closing(ChannelServer(address, CLOCK)) as server:
            await exchange(server, client, b"two")


def test_an_address_that_is_served_is_refused(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/orders"
    with (
        closing(ChannelServer(address, CLOCK)),
        pytest.raises(AddressError, match="a running process serves it"),
    ):
        ChannelServer(address, CLOCK)


@pytest.fixture
def keys_of(tmp_path: Path) -> Callable[[Role, bool], Keys]:
    trust = tmp_path / "trust"
    trust.write_text("")

    def make(role: Role, trusted: bool) -> Keys:
        public, secret = (part.decode() for part in new_pair())
        file = tmp_path / f"{role}-{public[:4].encode().hex()}.key"
        file.write_text(f"public {public}\nsecret {secret}\n")
        file.chmod(0o600)
        if trusted:
            trust.write_text(f"{trust.read_text()}{role} {public}\n")
        return Keys(role, file, trust)

    return make


async def test_over_tcp_only_a_trusted_gateway_gets_in(
    keys_of: Callable[[Role, bool], Keys],
) -> None:
    engine = keys_of(Role.ENGINE, True)
    gateway, listener = keys_of(Role.GATEWAY, True), keys_of(Role.LISTENER, True)
    stranger = keys_of(Role.GATEWAY, False)
    for one in (engine, gateway, listener, stranger):
        one.refresh(CLOCK.monotonic() + 10)
    with closing(ChannelServer("tcp://127.0.0.1:0", CLOCK, keys=engine)) as server:
        others = [
            ChannelClient(server.address, CLOCK, keys=keys) for keys in (listener, stranger, None)
        ]
        with closing(ChannelClient(server.address, CLOCK, keys=gateway)) as client:
            await exchange(server, client, b"one")
            for other in others:
                other.send(b"let me in")
            await exchange(server, client, b"two")
            assert all(payload != b"let me in" for _, payload in server.receive())
        for other in others:
            other.close()
