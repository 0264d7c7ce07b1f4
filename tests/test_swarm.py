"""The stack of `deploy/swarm`, for real: with simulated venues, keys, TLS and tokens.

Without the routing mesh: it needs IPVS in the kernel, which not every machine has.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from containers import make_secrets
from dragonfly_client import Book, State, Tls
from oracle import Oracle
from system import VENUES, Bot, eventually, live_venues
from truth import Truth

ROOT: Final = Path(__file__).parents[1]
STACK: Final = "dragonfly-swarm-test"
SERVICES: Final = ("listener", "aggregator", "gateway", "simulator")
PARTS: Final = ("", ".sim", ".host", ".secure")
INSTRUMENTS: Final = ("ETH-BTC", "BTC-USD")
GATEWAY_BRIDGE: Final = "docker_gwbridge"
"""A network that the engine makes for a Swarm, and leaves behind."""
WHOLE_S: Final = 120.0
GONE_S: Final = 60.0
UPDATE: Final = (
    *("service", "update", "--force", "--quiet", "--no-resolve-image"),
    *("--health-interval=1s", "--update-delay=5s", "--update-monitor=1s"),
)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]


def docker(*arguments: str | Path, **variables: str) -> str:
    """Run a docker command, and return what it printed."""
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )
    assert done.returncode == 0, f"docker {arguments}: {done.stderr[-2000:]}"
    return done.stdout


def until_gone(*arguments: str) -> None:
    """Wait until a docker command lists nothing of the stack any more."""
    deadline = time.monotonic() + GONE_S
    while docker(*arguments, "--filter", f"label=com.docker.stack.namespace={STACK}").strip():
        assert time.monotonic() < deadline, f"still there: {arguments}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def images(swarm: None) -> Iterator[str]:
    """Build the images; return what their names begin with."""
    for service in SERVICES:
        docker("build", "--quiet", f"--target={service}", f"--tag={STACK}-{service}", ROOT)
    yield STACK
    docker("image", "rm", *(f"{STACK}-{service}" for service in SERVICES))


@pytest.fixture(scope="module")
def swarm() -> Iterator[None]:
    """A Swarm of this one machine, which leaves it again if it was in none before."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command")
    info = subprocess.run(
        ["docker", "info", "--format", "{{json .Swarm}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if info.returncode != 0:
        pytest.skip("no Docker engine answers")
    state = json.loads(info.stdout)
    if state["LocalNodeState"] == "inactive":
        networks = docker("network", "ls", "--format={{.Name}}").split()
        docker("swarm", "init", "--advertise-addr=127.0.0.1")
        yield
        docker("swarm", "leave", "--force")
        if GATEWAY_BRIDGE not in networks:
            docker("network", "rm", GATEWAY_BRIDGE)
    elif state["ControlAvailable"]:
        yield
    else:
        pytest.skip("this machine is a Swarm's worker, not a manager")


@pytest.fixture
def bot(images: str, tmp_path: Path) -> Iterator[Bot]:
    """Deploy the stack with the simulator's truth log in `tmp_path`; return a bot for it."""
    tmp_path.chmod(0o777)  # the simulator's user writes there
    secrets = tmp_path / "secrets"
    token = make_secrets(secrets)
    kept = tmp_path / "truth.yaml"
    simulator = {
        "environment": {"DRAGONFLY_SIMULATOR_TRUTH_LOG": "/truth/truth.ndjson"},
        "volumes": [f"{tmp_path}:/truth"],
    }
    kept.write_text(json.dumps({"version": "3.13", "services": {"simulator": simulator}}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    files = [ROOT / "deploy" / "swarm" / f"stack{part}.yaml" for part in PARTS]
    try:
        docker(
            *("stack", "deploy", "--detach=true", "--resolve-image=never"),
            *(word for file in [*files, kept] for word in ("--compose-file", file)),
            STACK,
            DRAGONFLY_IMAGES=images,
            DRAGONFLY_TAG="latest",
            DRAGONFLY_PORT=str(port),
            DRAGONFLY_SECRETS=str(secrets),
            DRAGONFLY_SECRETS_VERSION="test",
            DRAGONFLY_LISTENER_REPLICAS="3",
            DRAGONFLY_INSTRUMENTS=" ".join(INSTRUMENTS),
        )
        yield Bot(
            f"127.0.0.1:{port}",
            *INSTRUMENTS,
            tls=Tls(ca_file=secrets / "authority.pem"),
            token=token,
        )
    finally:
        docker("stack", "rm", STACK)
        until_gone("ps", "--all", "--quiet")
        until_gone("network", "ls", "--quiet")
        until_gone("secret", "ls", "--quiet")


def running() -> dict[str, str]:
    """Return how many replicas of each service run: {"listener-kraken": "3/3"}."""
    lines = docker("stack", "services", STACK, "--format", "{{.Name}} {{.Replicas}}").splitlines()
    return dict(line.removeprefix(f"{STACK}_").split(" ") for line in lines)


def all_run() -> bool:
    return all(len(set(count.split("/"))) == 1 for count in running().values())


async def update(*services: str) -> None:
    """Replace all tasks of some services, each service's one after another."""
    await asyncio.gather(
        *(asyncio.to_thread(docker, *UPDATE, f"{STACK}_{service}") for service in services)
    )


def is_whole(bot: Bot) -> bool:
    return all(
        name in bot.latest and live_venues(bot.latest[name]) == set(VENUES) for name in INSTRUMENTS
    )


def missing(books: Sequence[Book]) -> Iterator[str]:
    """Yield what each book says of the venues that are not live in it."""
    for book in books:
        dead = [f"{one.venue} {one.reason}" for one in book.venues if one.state is not State.LIVE]
        if dead or not book.live:
            yield f"{book.ts_out} {book.instrument}: {', '.join(dead) or 'no aggregator speaks'}"


async def test_a_stack_serves_and_is_updated_under_a_bot(bot: Bot, tmp_path: Path) -> None:
    await eventually(all_run, within_s=WHOLE_S, what="all tasks running")
    assert {running()[f"listener-{venue}"] for venue in VENUES} == {"3/3"}
    async with bot:
        await eventually(lambda: is_whole(bot), within_s=WHOLE_S, what="all venues live")

        began = len(bot.books)
        await update(*(f"listener-{venue}" for venue in VENUES))
        await update("aggregator")
        during = bot.books[began:]
        assert during
        assert not list(missing(during))
        assert bot.events == [], "only its own gateway's end may break a bot's stream"

        await update("grpc-gateway")
        began = len(bot.books)
        await eventually(
            lambda: len(bot.books) > began and is_whole(bot),
            within_s=WHOLE_S,
            what="the bot resumed by itself",
        )
    truth = Truth.from_file(tmp_path / "truth.ndjson")
    for name in INSTRUMENTS:
        oracle = Oracle(truth)
        violation = oracle.first_violation(bot.of(name))
        assert violation is None, str(violation)
        assert oracle.judged > 0
