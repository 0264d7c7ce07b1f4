"""Engines that others wrote follow our FIX gateway, and what each is sent is judged.

All follow the same simulated market, with faults, over TLS, and the gateway is started anew in the
middle. `make fix-interop` runs it: what the engines need is fetched from their registries.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
import trustme
from dragonfly_views.tokens import hash_token
from fix_engines import ENGINES, PORT, Missing, Place, Request, token_of
from fix_judge import Judge, judge, lines_in
from patience import eventually
from system import System
from test_seeded_market import FAULTS, LONG_S, again
from truth import Truth

pytestmark = [pytest.mark.fix_interop, pytest.mark.timeout(1200)]

SYMBOLS = ("ETH-BTC", "BTC-USD", "ETH-USD")
BOOKS = [Request(f"m{n}", name, 10, incremental=n > 0) for n, name in enumerate(SYMBOLS)]
REQUESTS = [
    *BOOKS,
    Request("b0", "ETH-BTC", 1),
    Request("b1", "BTC-USD", 1, incremental=True),
    Request("l0", "ETH-BTC", 10, merged=True),
    Request("l1", "BTC-USD", 10, incremental=True, merged=True),
]
VENUES = {"binance", "bitstamp", "kraken"}
RESTART_AT_S = 30.0
RATE = "40"


class Engine:
    """A process that prints what it is sent, or why there is none."""

    def __init__(self, name: str, place: Place) -> None:
        self.output = place.folder / f"{name}.lines"
        self.missing = ""
        self._popen: subprocess.Popen[bytes] | None = None
        self._files: list[IO[bytes]] = []
        try:
            self._words: Sequence[str] = ENGINES[name](place)
        except Missing as error:
            self.missing = str(error)

    def start(self, port: int) -> None:
        if not self.missing:
            errors = self.output.with_suffix(".errors")
            self._files = [self.output.open("wb"), errors.open("wb")]
            self._popen = subprocess.Popen(
                [str(port) if word == PORT else word for word in self._words],
                stdin=subprocess.DEVNULL,
                stdout=self._files[0],
                stderr=self._files[1],
                cwd=self.output.parent,
            )

    def stop(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
        for file in self._files:
            file.close()

    def lines(self) -> list[bytes]:
        """Return the whole lines that it has printed."""
        return lines_in(self.output)

    def is_up(self, times: int) -> bool:
        """Say whether it has logged on so often, or is not there."""
        return bool(self.missing) or self.lines().count(b"up") >= times


@dataclass(frozen=True)
class Verdict:
    """What of an engine's lines is wrong, and how many of what they are; or why there are none."""

    missing: str
    violations: list[str]
    counts: Counter[str]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """Let all engines follow a minute of the market, and judge each in a process of its own."""
    folder = tmp_path_factory.mktemp("interop")
    engines: dict[str, Engine] = {}
    with System(folder) as system:
        try:
            asyncio.run(_play(system, folder, engines))
        finally:
            for engine in engines.values():
                engine.stop()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as judges:
        told = {
            name: judges.submit(judge, engine.output, system.truth_log, REQUESTS)
            for name, engine in engines.items()
        }
        return {name: Verdict(engines[name].missing, *one.result()) for name, one in told.items()}


async def _play(system: System, folder: Path, engines: dict[str, Engine]) -> None:
    authority = trustme.CA()
    papers = authority.issue_cert("127.0.0.1", "localhost")
    for name, blob in (
        ("ca.pem", authority.cert_pem),
        ("cert.pem", papers.cert_chain_pems[0]),
        ("key.pem", papers.private_key_pem),
    ):
        blob.write_to_path(str(folder / name))
    bots = (f'[bots.{name}]\ntoken_sha256 = "{hash_token(token_of(name))}"\n' for name in ENGINES)
    (folder / "tokens.toml").write_text("".join(bots))
    for secret in ("key.pem", "tokens.toml"):
        (folder / secret).chmod(0o600)
    for name in ENGINES:  # before the faults begin: fetching may take minutes
        engines[name] = Engine(name, Place(folder / "ca.pem", folder, REQUESTS))
    doors = (
        f"--tls-cert={folder / 'cert.pem'}",
        f"--tls-key={folder / 'key.pem'}",
        f"--tokens={folder / 'tokens.toml'}",
    )
    faults = [again(fault, later) for fault in FAULTS for later in range(0, int(LONG_S), 10)]
    followed = [f"--instrument={symbol}" for symbol in SYMBOLS]
    await system.start(
        simulator=("--rate", RATE, "--seed", "19", *(f"--fault={fault}" for fault in faults)),
        listener=("--no-best-prices",),
        gateway=followed,
    )

    async def start_gateway(port: int) -> int:
        facts = await system._ready(
            "fix-gateway",
            (
                "fix-gateway",
                f"--upstream={system.address('aggregator')}",
                f"--bind=127.0.0.1:{port}",
                *doors,
                *followed,
            ),
        )
        return int(str(facts["fix"]).rpartition(":")[2])

    async def soon(holds: Callable[[Engine], object], what: str) -> None:
        async def all_hold() -> bool:
            await asyncio.sleep(1.0)  # what they printed is long
            return all(map(holds, engines.values()))

        await eventually(all_hold, what)

    port = await start_gateway(0)
    for engine in engines.values():
        engine.start(port)
    await soon(lambda engine: engine.is_up(1), "all are logged on")
    await asyncio.sleep(RESTART_AT_S)
    system.processes["fix-gateway"].signal(signal.SIGTERM)
    await system.processes["fix-gateway"].ended()
    await start_gateway(port)
    await soon(lambda engine: engine.is_up(2), "all are logged on again")
    await asyncio.sleep(LONG_S - RESTART_AT_S)
    await system.clear()

    def is_whole(engine: Engine) -> bool:
        judge = Judge(Truth([]), REQUESTS)
        for line in engine.lines()[-2000:]:
            judge.take(line)
        return all({key.venue for key in judge.books[book.name]} >= VENUES for book in BOOKS)

    await soon(lambda engine: engine.missing or is_whole(engine), "all have each book whole")


@pytest.mark.parametrize("name", ENGINES)
def test_what_an_engine_is_sent_is_the_truth(name: str, verdicts: dict[str, Verdict]) -> None:
    of = verdicts[name]
    if of.missing:
        pytest.skip(of.missing)
    print(f"{name}: {dict(of.counts)}, {len(of.violations)} violations")  # noqa: T201 -- the figures are what is looked for
    assert not of.violations, of.violations[0]
    assert of.counts["up"] >= 2
    assert of.counts["W"] > 100
    assert of.counts["X"] > 100
    assert all(of.counts[request.name] > 50 for request in REQUESTS)
    assert of.counts["sums"] > 50
