"""The wheels of `make dist` are all that a user needs besides the pinned packages of others.

`make install-test` makes the wheels, fetches those of others, and runs this. Each environment is
new, without a pip of its own, and filled from these two folders alone: no index is asked, and no
configuration of pip is read. Programs start in an empty folder, with a path and a home and no other
variable. The interpreter and the libraries of the system are this machine's: `make docker-test` has
those of the images.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = pytest.mark.wheels

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = (ROOT / "dist", ROOT / ".venv" / "wheels")
PROJECTS: Final = [
    tomllib.loads(path.read_text())["project"]
    for path in sorted(ROOT.glob("[ls]*/*/pyproject.toml"))
]
WHOLE: Final = next(one for one in PROJECTS if one["name"] == "dragonflybot")
SERVED_BY: Final = {
    "aggregator": {"aggregator"},
    "client": set[str](),
    "conformance": {"conformance", "fault", "listener", "simulator"},
    "engine": {"engine"},
    "fix": set[str](),
    "fix-gateway": {"fix-gateway"},
    "gateway": {"gateway"},
    "listener": {"listener"},
    "simulator": {"simulator", "fault"},
    "socks": set[str](),
    "supervisor": {
        *("aggregator", "demo", "engine", "fix-gateway", "gateway", "listener", "up", "web"),
    },
    "terminal": {
        *("fix-client", "instruments", "kill", "latency", "liquidate", "orders", "price", "watch"),
    },
    "web": {"web"},
}
"""The commands that must come with each extra; with `all` every one there is."""
ABOUT: Final = """\
import json, sys
from importlib.metadata import distributions, entry_points
print(json.dumps({
    "ours": sorted(one.name for one in distributions() if one.name.startswith("dragonflybot")),
    "commands": sorted(one.name for one in entry_points(group="dragonfly.commands")),
    "from": sorted({one.partition("/lib/")[0] for one in sys.path if "site-packages" in one}),
}))
"""


class Bare:
    """An environment in `folder`, with `dragonflybot` and some of its extras."""

    def __init__(self, folder: Path, extras: str) -> None:
        self._empty = folder / "empty"
        self.bin = folder / "venv" / "bin"
        self._empty.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self._done(
            [
                *(sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "-q"),
                *("--no-index", *(f"--find-links={one}" for one in FOLDERS)),
                f"dragonflybot[{extras}]",
            ]
        )

    def run(self, program: str, *arguments: str) -> str:
        """Return what one of the environment's own programs printed."""
        return self._done([self.bin / program, *arguments])

    def about(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.run("python", "-c", ABOUT))
        return told

    def _done(self, command: Sequence[str | Path]) -> str:
        done = subprocess.run(
            command,
            cwd=self._empty,
            env={
                "HOME": str(self._empty),
                "PATH": f"{self.bin}:/usr/bin:/bin",
                "PIP_CONFIG_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def bare(tmp_path: Path) -> Callable[[str], Bare]:
    return lambda extras: Bare(tmp_path, extras)


def commands_of(names: Sequence[str]) -> set[str]:
    """Return the commands that the distributions called `names` declare."""
    return {
        command
        for one in PROJECTS
        if one["name"] in names
        for command in one.get("entry-points", {}).get("dragonfly.commands", {})
    }


def test_the_demo_runs_out_of_wheels_alone(bare: Callable[[str], Bare]) -> None:
    installed = bare("all,socks")
    told = installed.about()
    assert told["from"] == [str(installed.bin.parent)]
    assert told["ours"] == sorted(one["name"] for one in PROJECTS)
    assert set(told["commands"]) == commands_of(told["ours"])
    shown = installed.run("dragonfly", "demo", "--seconds", "2", "--gateway", "127.0.0.1:0")
    assert "ETH-BTC" in shown
    assert all(venue in shown for venue in ("binance", "bitstamp", "kraken"))


def test_a_bot_needs_the_client_and_no_service(bare: Callable[[str], Bare]) -> None:
    installed = bare("client")
    installed.run("python", "-c", "from dragonfly_client.sync import Client; Client")
    assert installed.about()["ours"] == [
        "dragonflybot",
        "dragonflybot-client",
        "dragonflybot-common",
        "dragonflybot-protos",
    ]


@pytest.mark.parametrize("extra", sorted(SERVED_BY))
def test_each_extra_brings_what_its_commands_need(bare: Callable[[str], Bare], extra: str) -> None:
    assert {*SERVED_BY, "all"} == set(WHOLE["optional-dependencies"])
    installed = bare(extra)
    told = installed.about()
    assert SERVED_BY[extra] <= set(told["commands"]) == commands_of(told["ours"])
    for command in told["commands"]:
        assert f"dragonfly {command}" in installed.run("dragonfly", command, "--help")


def test_both_commands_and_the_module_are_one_program(bare: Callable[[str], Bare]) -> None:
    installed = bare("client")
    said = {
        installed.run("dragonfly", "--version"),
        installed.run("dragonflybot", "--version"),
        installed.run("python", "-m", "dragonflybot", "--version"),
    }
    assert said == {f"dragonfly, version {WHOLE['version']}\n"}
