"""The commands are one program, however they are called."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, requires, version

from dragonfly_common.cli import main


def test_both_commands_are_the_program_of_the_common_library() -> None:
    scripts = distribution("dragonflybot").entry_points.select(group="console_scripts")
    assert {one.name for one in scripts} == {"dragonfly", "dragonflybot"}
    assert all(one.load() is main for one in scripts)


def test_the_module_is_that_program_too() -> None:
    said = subprocess.check_output([sys.executable, "-m", "dragonflybot", "--version"], text=True)
    assert said == f"dragonfly, version {version('dragonflybot-common')}\n"


def test_without_an_extra_only_the_common_library_is_needed() -> None:
    needed = requires("dragonflybot") or []
    assert [one for one in needed if "extra ==" not in one] == ["dragonflybot-common"]
