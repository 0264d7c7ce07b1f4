from __future__ import annotations

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main

TOLD = ("--upstream", "tcp://127.0.0.1:1", "--bind", "tcp://127.0.0.1:0")


@pytest.mark.parametrize(
    ("argv", "named", "remedy"),
    [
        (["--bind", "tcp://127.0.0.1:0"], "--upstream", "Missing option"),
        (["--upstream", "tcp://127.0.0.1:1"], "--bind", "Missing option"),
        (
            ["--upstream", "localhost:1", "--bind", "tcp://127.0.0.1:0"],
            "localhost:1",
            "tcp://host:port",
        ),
        (
            ["--upstream", "tcp://h:99999", "--bind", "tcp://127.0.0.1:0"],
            "tcp://h:99999",
            "tcp://host:5551",
        ),
        (
            ["--upstream", "tcp://127.0.0.1:1", "--bind", "ipc:///no/such/folder/a"],
            "ipc:///no/such/folder/a",
            "another --bind",
        ),
        (
            [*TOLD, "--depth", "101"],
            "--depth",
            "1<=x<=100",
        ),
        (
            [*TOLD, "--instrument", "ETHBTC"],
            "ETHBTC",
            "ETH-BTC",
        ),
    ],
)
def test_a_bad_option_gets_one_sentence(argv: list[str], named: str, remedy: str) -> None:
    result = CliRunner().invoke(main, ["aggregator", *argv])
    assert result.exit_code != 0
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert named in sentence
    assert remedy in sentence
    assert "Traceback" not in result.stderr
