from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main


@pytest.mark.parametrize(
    ("argv", "named", "remedy"),
    [
        (["up", "--venue", "mtgox"], "mtgox", "binance"),
        (["up", "--instrument", "ETHBTC"], "ETHBTC", "ETH-BTC"),
        (["up", "--gateway", "localhost"], "localhost", "HOST:PORT"),
        (["up", "--depth", "0"], "--depth", "1<=x<=20"),
        (["up", "--ws-url", "wss://x"], "--ws-url", "binance=wss://host"),
        (["up", "--venue", "kraken", "--ws-url", "binance=ws://x"], "binance=ws://x", "--venue"),
        (["up", "--ca-file", "/no/such/file"], "/no/such/file", "does not exist"),
        (["demo", "--seconds", "0"], "--seconds", "x>0"),
        (["demo", "--rate", "-1"], "--rate", "x>=0"),
        (["demo", "--venue", "mtgox"], "mtgox", "binance"),
    ],
)
def test_a_bad_option_gets_one_sentence(argv: list[str], named: str, remedy: str) -> None:
    result = CliRunner().invoke(main, argv)
    assert result.exit_code != 0
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert named in sentence
    assert remedy in sentence


def test_a_taken_gateway_port_is_one_sentence_and_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(
            main, ["up", "--simulated", "--venue", "kraken", "--gateway", address]
        )
    assert result.exit_code not in {0, 1}
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert address in sentence
