"""A person's mistake gets one sentence and an exit code, never a traceback."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator

import pytest

DEADLINE_S = 15.0


@pytest.fixture
def taken() -> Iterator[str]:
    """A port of this machine that is in use."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


async def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run a `dragonfly` command that should refuse; return its exit code and what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DRAGONFLY_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragonfly_common.cli", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean | environment,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        pytest.fail(f"still running after {DEADLINE_S} s, instead of refusing:\n{output.decode()}")
    assert process.returncode is not None
    return process.returncode, output.decode()


LISTENER = ("listener", "--venue=binance", "--bind=tcp://127.0.0.1:0")
AGGREGATOR = ("aggregator", "--upstream=tcp://127.0.0.1:1", "--bind=tcp://127.0.0.1:0")
GATEWAY = ("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=127.0.0.1:0")

# The command, and a word of the sentence that says which input is meant.
MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("lisener",), "lisener"),
    (("listener", "--bind=tcp://127.0.0.1:0"), "--venue"),
    (("listener", "--venue=binance"), "--bind"),
    (("listener", "--venue=mtgox", "--bind=tcp://127.0.0.1:0"), "mtgox"),
    (("listener", "--venue=binance", "--bind=127.0.0.1:0"), "127.0.0.1:0"),
    (("listener", "--venue=binance", "--bind=tcp://127.0.0.1:http"), "http"),
    (("listener", "--venue=binance", "--bind=tcp://192.0.2.1:5555"), "192.0.2.1"),
    (("listener", "--venue=binance", "--bind=ipc:///no/such/folder/x.ipc"), "/no/such/folder"),
    ((*LISTENER, "--instrument=ETHBTC"), "ETHBTC"),
    ((*LISTENER, "--instrument="), "''"),
    ((*LISTENER, "--depth=0"), "depth"),
    ((*LISTENER, "--depth=21"), "depth"),
    ((*LISTENER, "--depth=ten"), "ten"),
    ((*LISTENER, "--ws-url=https://example.com"), "https://example.com"),
    ((*LISTENER, "--rest-url=example.com"), "example.com"),
    ((*LISTENER, "--ca-file=/no/such/file.pem"), "/no/such/file.pem"),
    ((*LISTENER, "--ca-file=/dev/null"), "/dev/null"),
    ((*LISTENER, "--linger-s=-1"), "linger"),
    ((*LISTENER, "--log-level=loud"), "loud"),
    ((*LISTENER, "--status=nowhere"), "nowhere"),
    ((*LISTENER, "--colour"), "--colour"),
    (("aggregator", "--bind=tcp://127.0.0.1:0"), "--upstream"),
    (("aggregator", "--upstream=nowhere", "--bind=tcp://127.0.0.1:0"), "nowhere"),
    ((*AGGREGATOR, "--instrument=eth_btc"), "eth_btc"),
    ((*AGGREGATOR, "--depth=99"), "depth"),
    ((*AGGREGATOR, "--linger-s=soon"), "soon"),
    (("gateway", "--bind=127.0.0.1:0"), "--upstream"),
    (("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=nowhere"), "nowhere"),
    (("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=192.0.2.1:50051"), "192.0.2.1"),
    (("gateway", "--upstream=udp://127.0.0.1:1", "--bind=127.0.0.1:0"), "udp"),
    ((*GATEWAY, "--instrument=ETH/BTC"), "ETH/BTC"),
    ((*GATEWAY, "--depth=-3"), "depth"),
    ((*GATEWAY, "--max-streams=0"), "max-streams"),
    (("simulator", "--venue=mtgox"), "mtgox"),
    (("simulator", "--rate=-1"), "rate"),
    (("simulator", "--port=70000"), "70000"),
    (("simulator", "--fault=earthquake"), "earthquake"),
    (("simulator", "--instrument=ETH"), "ETH"),
    (("simulator", "--captures=/no/such/folder"), "/no/such/folder"),
    (("simulator", "--tls-cert=/no/such/file.pem"), "/no/such/file.pem"),
    (("fault", "--control=http://127.0.0.1:1/control", "binance", "close"), "127.0.0.1:1"),
    (("up", "--venue=mtgox"), "mtgox"),
    (("up", "--venue=binance", "--instrument=ETHBTC"), "ETHBTC"),
    (("up", "--venue=binance", "--ws-url=binance"), "binance"),
    (("demo", "--seconds=-5"), "seconds"),
    (("watch", "--gateway=nowhere", "--seconds=1"), "nowhere"),
    (("watch", "ETHBTC", "--seconds=1"), "ETHBTC"),
]


def assert_one_sentence(code: int, output: str, word: str) -> None:
    errors = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, output
    assert "Traceback" not in output, output
    assert word in errors[0], output
    assert code != 0, output


@pytest.mark.parametrize(
    ("arguments", "word"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES]
)
async def test_a_mistake_gets_one_sentence(arguments: tuple[str, ...], word: str) -> None:
    code, output = await run(*arguments)
    assert_one_sentence(code, output, word)


async def test_a_mistake_in_the_environment_gets_the_same_sentence() -> None:
    code, output = await run(*LISTENER, DRAGONFLY_LISTENER_DEPTH="21")
    assert_one_sentence(code, output, "depth")


@pytest.mark.parametrize(
    "arguments",
    [
        ("listener", "--venue=binance", "--bind=tcp://{taken}"),
        ("aggregator", "--upstream=tcp://127.0.0.1:1", "--bind=tcp://{taken}"),
        ("gateway", "--upstream=tcp://127.0.0.1:1", "--bind={taken}"),
        ("simulator", "--port={port}"),
        (*AGGREGATOR, "--status={taken}"),
        ("up", "--venue=binance", "--gateway={taken}"),
    ],
    ids=" ".join,
)
async def test_a_port_in_use_is_named(arguments: tuple[str, ...], taken: str) -> None:
    port = taken.rpartition(":")[2]
    code, output = await run(*(text.format(taken=taken, port=port) for text in arguments))
    assert_one_sentence(code, output, port)
