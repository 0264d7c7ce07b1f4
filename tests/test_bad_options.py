"""A person's mistake gets one sentence and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main
from patience import PATIENCE_S


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a `dragonfly` command that should refuse; return its exit code and what it printed."""
    unset = dict.fromkeys(name for name in os.environ if name.startswith("DRAGONFLY_"))
    ended = CliRunner().invoke(main, arguments, env=unset | dict(environment or {}))
    return ended.exit_code, ended.output


LISTENER = ("listener", "--venue=binance", "--bind=tcp://127.0.0.1:0")
AGGREGATOR = ("aggregator", "--upstream=tcp://127.0.0.1:1", "--bind=tcp://127.0.0.1:0")
GATEWAY = ("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=127.0.0.1:0")
# A port that other tests cannot have meanwhile: it is looked at before anything starts.
UP = ("up", "--gateway=127.0.0.1:0")

# The command, and a word of the sentence that says which input is meant.
MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("lisener",), "Did you mean 'listener'"),
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
    ((*LISTENER, "--depth=101"), "depth"),
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
    ((*AGGREGATOR, "--instrument=BTC-USD+BTC-USDT"), "write BTC-USDT*USDT-USD"),
    ((*AGGREGATOR, "--equivalent=BTC-ANYUSD"), "'BTC-ANYUSD' declares nothing"),
    ((*AGGREGATOR, "--depth=101"), "depth"),
    ((*AGGREGATOR, "--linger-s=soon"), "soon"),
    (("gateway", "--bind=127.0.0.1:0"), "--upstream"),
    (("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=nowhere"), "nowhere"),
    (("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=192.0.2.1:50051"), "192.0.2.1"),
    (("gateway", "--upstream=udp://127.0.0.1:1", "--bind=127.0.0.1:0"), "udp"),
    ((*GATEWAY, "--instrument=ETH/BTC"), "ETH/BTC"),
    ((*GATEWAY, "--equivalent=A-B=A-C+A-C@1"), "A-C is in it twice"),
    ((*GATEWAY, "--depth=-3"), "depth"),
    ((*GATEWAY, "--max-streams=0"), "max-streams"),
    ((*GATEWAY, "--max-streams=3000000000"), "max-streams"),
    ((*GATEWAY, "--max-total-streams=3000000000"), "max-total-streams"),
    ((*GATEWAY, "--linger-s=inf"), "linger-s"),
    (("fix-gateway", "--upstream=ipc://x", "--reset-at=25:00"), "write HH:MM"),
    (("simulator", "--venue=mtgox"), "mtgox"),
    (("simulator", "--rate=-1"), "rate"),
    (("simulator", "--port=70000"), "70000"),
    (("simulator", "--fault=earthquake"), "earthquake"),
    (("simulator", "--instrument=ETH"), "ETH"),
    (("simulator", "--captures=/no/such/folder"), "/no/such/folder"),
    (("simulator", "--tls-cert=/no/such/file.pem"), "--tls-key"),
    (("simulator", "--tls-cert=/no/such.pem", "--tls-key=/no/such.key"), "/no/such.pem"),
    (("simulator", "--truth-log=/no/such/folder/truth"), "/no/such/folder/truth"),
    (("fault", "--control=http://127.0.0.1:1/control", "binance", "close"), "127.0.0.1:1"),
    ((*UP, "--venue=mtgox"), "mtgox"),
    ((*UP, "--venue=binance", "--instrument=ETHBTC"), "ETHBTC"),
    ((*UP, "--venue=binance", "--equivalent=A-B=A-C"), "write 2 to 8 instruments"),
    ((*UP, "--venue=binance", "--ws-url=binance"), "binance"),
    ((*UP, "--venue=binance", "--ws-url=binance=http://x"), "http://x"),
    ((*UP, "--apart", "--status=127.0.0.1:9100"), "--apart"),
    (("demo", "--seconds=-5"), "seconds"),
    (("gateway", "--upstream=ipc://x", "--fees=kraken"), "kraken"),
    (("price", "ETH-BTC", "buy", "1", "--fees=kraken=x"), "kraken"),
    (("web", "--cors-origin=https://desk.example/"), "https://desk.example/"),
    (("watch", "--gateway=nowhere", "--seconds=1"), "nowhere"),
    (("watch", "ETHBTC", "--seconds=1"), "ETHBTC"),
    (("watch", "--seconds=1e18"), "seconds"),
    (("watch", "--gateway=127.0.0.1:1", "--svg=/proc/x.svg"), "/proc/x.svg"),
    (
        ("liquidate", "ETH-BTC", "sell", "1", "--gateway=127.0.0.1:1", "--svg=/proc/x.svg"),
        "/proc/x.svg",
    ),
]


# `{taken}` is a port that another socket listens on.
PORTS_IN_USE: list[tuple[str, ...]] = [
    ("listener", "--venue=binance", "--bind=tcp://127.0.0.1:{taken}"),
    ("aggregator", "--upstream=tcp://127.0.0.1:1", "--bind=tcp://127.0.0.1:{taken}"),
    ("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=127.0.0.1:{taken}"),
    ("simulator", "--port={taken}"),
    (*AGGREGATOR, "--status=127.0.0.1:{taken}"),
    ("up", "--venue=binance", "--gateway=127.0.0.1:{taken}"),
    ("up", "--venue=binance", "--apart", "--gateway=127.0.0.1:{taken}"),
    (*UP, "--venue=binance", "--status=127.0.0.1:{taken}"),
]


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield str(listening.getsockname()[1])


def assert_one_sentence(code: int, output: str, word: str) -> None:
    errors = [line for line in output.splitlines() if line.startswith("Error: ")]
    # `up` logs, and what nobody looks on at is JSON.
    logged = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    errors += [line["event"] for line in logged if line["level"] == "error"]
    assert len(errors) == 1, output
    assert "Traceback" not in output, output
    assert word in errors[0], output
    assert code != 0, output


@pytest.mark.parametrize(
    ("arguments", "word"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES]
)
def test_a_mistake_gets_one_sentence(arguments: tuple[str, ...], word: str) -> None:
    assert_one_sentence(*run(*arguments), word)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("listener", "--venue=mtgox", "--bind=tcp://127.0.0.1:0"), "mtgox"),
        (("aggregator", "--upstream=nowhere", "--bind=tcp://127.0.0.1:0"), "nowhere"),
        (("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=nowhere"), "nowhere"),
        ((*UP, "--venue=binance", "--instrument=ETHBTC"), "ETHBTC"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_it_does_as_a_person_starts_it(arguments: tuple[str, ...], word: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "dragonfly_common.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert_one_sentence(ended.returncode, ended.stdout, word)


def test_a_full_disk_is_a_sentence_too() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "dragonfly_common.cli", "config", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert_one_sentence(ended.returncode, ended.stderr, "No space left on device")


@pytest.mark.parametrize("arguments", PORTS_IN_USE, ids=" ".join)
def test_a_port_in_use_is_named(taken: str, arguments: tuple[str, ...]) -> None:
    assert_one_sentence(*run(*(word.format(taken=taken) for word in arguments)), taken)


def test_a_mistake_in_the_environment_gets_the_same_sentence() -> None:
    answer = run(*LISTENER, environment={"DRAGONFLY_LISTENER_DEPTH": "101"})
    assert_one_sentence(*answer, "'DRAGONFLY_LISTENER_DEPTH'")


def test_a_setting_that_one_process_cannot_have_is_refused() -> None:
    status = "127.0.0.1:9100"
    answer = run(*UP, "--simulated", environment={"DRAGONFLY_GATEWAY_STATUS": status})
    assert_one_sentence(*answer, status)
