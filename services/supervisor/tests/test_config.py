"""What `up --config` takes, and how it says what it cannot."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dragonfly_common.cli import main
from dragonfly_common.errors import ConfigError
from supervisor import cli
from supervisor.plan import DeploymentOptions

SOUND = """\
[up]
simulated = true
venue = ["kraken", "binance"]
instrument = ["ETH-BTC"]
depth = 20
linger-s = 5
audit = false
fault = ["kraken gap at=1", "binance gap at=2"]

[gateway]
max-streams = 500

[listener]
"audit-interval-s" = 30
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dragonfly.toml"
    path.write_text(SOUND)
    return path


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], env=environment)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `up` would have started: its options, and the variables of its parts."""
    found: dict[str, Any] = {}

    def running_system(options: DeploymentOptions, **_: object) -> None:
        found["options"] = options
        found["environment"] = dict(os.environ)
        raise ConfigError("not started")

    monkeypatch.setattr(cli, "running_system", running_system)
    for name in ("GATEWAY_MAX_STREAMS", "LISTENER_AUDIT_INTERVAL_S"):
        monkeypatch.setenv(f"DRAGONFLY_{name}", "")
        monkeypatch.delenv(f"DRAGONFLY_{name}")
    return found


def test_the_file_stands_in_for_defaults(file: Path, started: dict[str, Any]) -> None:
    assert "not started" in run("up", "--config", file).stderr
    options = started["options"]
    assert (options.venues, options.depth) == (("kraken", "binance"), 20)
    assert options.more["gateway"] == ["--linger-s", "5.0"]
    assert options.more["listener"][-1] == "--no-audit"
    assert options.more["simulator"] == [
        "--fault",
        "kraken gap at=1",
        "--fault",
        "binance gap at=2",
    ]
    assert started["environment"]["DRAGONFLY_GATEWAY_MAX_STREAMS"] == "500"
    assert started["environment"]["DRAGONFLY_LISTENER_AUDIT_INTERVAL_S"] == "30"


@pytest.mark.parametrize(
    ("words", "environment", "depth"),
    [
        ((), {}, 20),
        ((), {"DRAGONFLY_UP_DEPTH": "30"}, 30),
        (("--depth", 40), {"DRAGONFLY_UP_DEPTH": "30"}, 40),
    ],
)
def test_a_flag_goes_before_the_environment_and_that_before_the_file(
    file: Path,
    started: dict[str, Any],
    words: tuple[object, ...],
    environment: dict[str, str],
    depth: int,
) -> None:
    run("up", "--config", file, *words, **environment, DRAGONFLY_GATEWAY_MAX_STREAMS="7")
    assert started["options"].depth == depth
    assert started["environment"]["DRAGONFLY_GATEWAY_MAX_STREAMS"] == "7"


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("depth = 20", "depth = 2000", "line 5: [up] depth: 2000 is not in the range 1<=x<=100"),
        ("depth = 20", "dept = 20", "line 5: [up] dept: 'dept' is no option here: did you mean de"),
        ("depth = 20", "depth = true", "line 5: [up] depth: True is not a whole number"),
        ("[gateway]", "[gate]", "line 10: [gate]: 'gate' is no table of this file: there are up,"),
        ('["ETH-BTC"]', '"ETH-BTC"', "line 4: [up] instrument: 'ETH-BTC' is not a list such as"),
        ("ETH-BTC", "ETHBTC", "line 4: [up] instrument: 'ETHBTC' is not an instrument: write BASE"),
        ("500", "5.5", "line 11: [gateway] max-streams: 5.5 is not a whole number"),
        ("max-streams", "bind", "line 11: [gateway] bind: 'bind' is no option here"),
        ("max-streams", "depth", "line 11: [gateway] depth: 'depth' is no option here"),
        ("audit = false", "audit = 1", "line 7: [up] audit: 1 is not true or false"),
        ("depth = 20", "depth = ", "is no TOML: Invalid value (at line 5"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_the_line(
    file: Path, before: str, after: str, sentence: str
) -> None:
    file.write_text(SOUND.replace(before, after))
    for words in (("config", "check", file), ("up", "--config", file)):
        ran = run(*words)
        assert ran.exit_code == 78
        (line,) = ran.stderr.splitlines()
        assert sentence in line


def test_show_is_a_file_again_and_says_where_each_value_is_from(file: Path) -> None:
    ran = run("config", "show", file, DRAGONFLY_UP_DEPTH="30")
    assert "depth = 30  # the environment" in ran.stdout
    assert "linger-s = 5.0  # the file" in ran.stdout
    assert "apart = false  # default" in ran.stdout
    again = file.with_name("again.toml")
    again.write_text(ran.stdout)
    assert run("config", "check", again).exit_code == 0
    assert tomllib.loads(ran.stdout)["gateway"] == {"max-streams": 500}


def test_the_schema_takes_what_the_file_may_say(file: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(run("config", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    sound = tomllib.loads(SOUND)
    assert [*validator.iter_errors(sound)] == []
    wrongs: tuple[dict[str, Any], ...] = (
        {"up": {"depth": 0}},
        {"up": {"dept": 1}},
        {"gate": {}},
        {"up": {"venue": "x"}},
    )
    for wrong in wrongs:
        assert [*validator.iter_errors(wrong)]


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    ran = run("config", "check", tmp_path / "none.toml")
    assert (ran.exit_code, ran.stdout) == (78, "")
    assert "cannot be read: No such file" in ran.stderr
