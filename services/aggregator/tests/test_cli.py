from __future__ import annotations

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main


@pytest.mark.parametrize(
    ("argv", "named", "remedy"),
    [
        (["--bind", "ipc:///tmp/a"], "--upstream", "Missing option"),
        (["--upstream", "ipc:///tmp/l"], "--bind", "Missing option"),
        (["--upstream", "localhost:1", "--bind", "ipc:///tmp/a"], "localhost:1", "tcp://host:port"),
        (
            ["--upstream", "tcp://h:99999", "--bind", "ipc:///tmp/a"],
            "tcp://h:99999",
            "tcp://host:5551",
        ),
        (
            ["--upstream", "ipc:///tmp/l", "--bind", "ipc:///no/such/folder/a"],
            "ipc:///no/such/folder/a",
            "another --bind",
        ),
        (
            ["--upstream", "ipc:///tmp/l", "--bind", "ipc:///tmp/a", "--depth", "21"],
            "--depth",
            "1<=x<=20",
        ),
        (
            ["--upstream", "ipc:///tmp/l", "--bind", "ipc:///tmp/a", "--instrument", "ETHBTC"],
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
