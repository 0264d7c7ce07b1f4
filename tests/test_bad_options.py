"""A person's mistake gets one sentence and an exit code, never a traceback."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock

import pytest
from dragonfly_common import cli
from patience import PATIENCE_S

AT_ONCE = 3

# Each command is a process of its own, forked from one that has imported the program: starting
# Python and importing it is most of what refusing a mistake takes.
PROCESSES = multiprocessing.get_context("forkserver")
STARTING = Lock()
PARTS = "aggregator feed_listener grpc_gateway supervisor terminal venue_simulator"
PROCESSES.set_forkserver_preload([*(f"{part}.cli" for part in PARTS.split()), "pytest"])


def run(
    arguments: Sequence[str], output: Path, environment: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """Run a `dragonfly` command that should refuse; return its exit code and what it printed."""
    output.touch()
    process = PROCESSES.Process(target=_command, args=(arguments, output, environment or {}))
    with STARTING:  # each start looks after the others' ends
        process.start()
    ready = wait([process.sentinel], PATIENCE_S)
    with STARTING:
        if not ready:
            process.kill()
        process.join()
        code = process.exitcode if ready else None
    return code, output.read_text()


def _command(arguments: Sequence[str], output: Path, environment: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("DRAGONFLY_")]:
        del os.environ[name]
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for ours, theirs in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(ours, theirs)
    sys.argv = ["dragonfly", *arguments]
    cli.main()


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
    (("up", "--venue=mtgox"), "mtgox"),
    (("up", "--venue=binance", "--instrument=ETHBTC"), "ETHBTC"),
    (("up", "--venue=binance", "--equivalent=A-B=A-C"), "write 2 to 8 instruments"),
    (("up", "--venue=binance", "--ws-url=binance"), "binance"),
    (("up", "--venue=binance", "--ws-url=binance=http://x"), "http://x"),
    (("up", "--apart", "--status=127.0.0.1:9100"), "--apart"),
    (("demo", "--seconds=-5"), "seconds"),
    (("watch", "--gateway=nowhere", "--seconds=1"), "nowhere"),
    (("watch", "ETHBTC", "--seconds=1"), "ETHBTC"),
    (("watch", "--seconds=1e18"), "seconds"),
    (("watch", "--gateway=127.0.0.1:1", "--svg=/proc/x.svg"), "/proc/x.svg"),
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
    ("up", "--venue=binance", "--status=127.0.0.1:{taken}"),
]


class Refusals:
    """What the commands answered: all were started beforehand, several at a time."""

    def __init__(self, taken: int, folder: Path) -> None:
        self.taken = str(taken)
        commands = [arguments for arguments, _ in MISTAKES]
        commands += [self.fill(arguments) for arguments in PORTS_IN_USE]
        outputs = [folder / str(number) for number in range(len(commands))]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self._answers = dict(zip(commands, pool.map(run, commands, outputs), strict=True))

    def fill(self, arguments: Sequence[str]) -> tuple[str, ...]:
        return tuple(text.format(taken=self.taken) for text in arguments)

    def of(self, arguments: tuple[str, ...]) -> tuple[int | None, str]:
        return self._answers[arguments]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusals]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield Refusals(listening.getsockname()[1], tmp_path_factory.mktemp("refusals"))


def assert_one_sentence(code: int | None, output: str, word: str) -> None:
    assert code is not None, f"still running after {PATIENCE_S:g} s:\n{output}"
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
def test_a_mistake_gets_one_sentence(
    refusals: Refusals, arguments: tuple[str, ...], word: str
) -> None:
    assert_one_sentence(*refusals.of(arguments), word)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("listener", "--venue=mtgox", "--bind=tcp://127.0.0.1:0"), "mtgox"),
        (("aggregator", "--upstream=nowhere", "--bind=tcp://127.0.0.1:0"), "nowhere"),
        (("gateway", "--upstream=tcp://127.0.0.1:1", "--bind=nowhere"), "nowhere"),
        (("up", "--venue=binance", "--instrument=ETHBTC"), "ETHBTC"),
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


@pytest.mark.parametrize("arguments", PORTS_IN_USE, ids=" ".join)
def test_a_port_in_use_is_named(refusals: Refusals, arguments: tuple[str, ...]) -> None:
    assert_one_sentence(*refusals.of(refusals.fill(arguments)), refusals.taken)


def test_a_mistake_in_the_environment_gets_the_same_sentence(tmp_path: Path) -> None:
    answer = run(LISTENER, tmp_path / "said", {"DRAGONFLY_LISTENER_DEPTH": "101"})
    assert_one_sentence(*answer, "'DRAGONFLY_LISTENER_DEPTH'")


def test_a_setting_that_one_process_cannot_have_is_refused(tmp_path: Path) -> None:
    status = "127.0.0.1:9100"
    answer = run(("up", "--simulated"), tmp_path / "said", {"DRAGONFLY_GATEWAY_STATUS": status})
    assert_one_sentence(*answer, status)
