"""Over tcp with keys the whole system works, a stranger gets nothing, and keys can be replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dragonfly_client import UnavailableError
from dragonfly_common.bus import Role
from system import VENUES, Bot, Process, System, eventually, live_venues, patient_client


class Guarded(System):
    """A system whose buses are tcp with keys."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys = folder / "keys"
        self._names: list[str] = []

    def address(self, name: str) -> str:
        # An address of this machine for each process, where no other program picks its ports.
        if name not in self._names:
            self._names.append(name)
        high, low = divmod(os.getpid() % 0x10000, 0x100)
        return f"tcp://127.{high}.{low}.{self._names.index(name) + 2}:5551"

    def with_key(self, name: str) -> list[str]:
        """Return the options of a service that has the key `name`."""
        return [f"--curve-key={self.keys / name}.key", f"--curve-trust={self.keys / 'trust'}"]

    async def make_keys(self, *options: str) -> None:
        assert await self.run("keys", "new", str(self.keys), *options).ended() == 0


@pytest.fixture
def guarded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    with Guarded(tmp_path) as running:
        yield running
    request.node.add_report_section("teardown", "logs of the processes", running.logs())


async def knows_any(gateway: Process) -> bool:
    """Say whether a gateway has heard of a venue."""
    address = str((await gateway.event("ready"))["address"])
    async with patient_client(address) as client:
        try:
            return bool(await client.instruments())
        except UnavailableError:
            return False


async def test_who_has_a_key_is_served_and_a_stranger_is_not(guarded: Guarded) -> None:
    await guarded.make_keys()
    await guarded.start(
        simulator=("--rate", "20"),
        listener=guarded.with_key("listener"),
        aggregator=guarded.with_key("aggregator"),
        gateway=guarded.with_key("gateway"),
    )
    async with Bot(guarded.gateway_address, "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")

        # A gateway with a key that nobody knows, until its line is put into the trust file.
        trust = guarded.keys / "trust"
        known = trust.read_text()
        await guarded.make_keys("--role", "gateway")
        new = trust.read_text()
        trust.write_text(known)
        stranger = guarded.run(
            "gateway",
            f"--upstream={guarded.address('aggregator')}",
            "--bind=127.0.0.1:0",
            "--log-format=json",
            *guarded.with_key("gateway-2"),
        )
        refused = await guarded.processes["aggregator"].event("subscriber refused")
        assert (refused["peer"], refused["reason"]) == ("127.0.0.1", "unknown key")
        assert (await stranger.event("handshake failed"))["kind"] == "auth"
        assert not await knows_any(stranger)
        trust.write_text(new)
        await eventually(lambda: knows_any(stranger), what="a key allowed later")

        # Kraken's listener gets a new pair while all others run on.
        await guarded.make_keys("--role", "listener")
        guarded.processes["listener-kraken"].kill()
        await guarded.start_listener("kraken", *guarded.with_key("listener-2"))
        bot.books.clear()
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="kraken back")

    secrets = [path.read_text().split()[-1] for path in guarded.keys.glob("*.key")]
    assert len(secrets) == len(Role) + 2  # the new ones
    logs = "".join(path.read_text() for path in guarded.folder.glob("*.log"))
    assert not [secret for secret in secrets if secret in logs]
