"""The commands are one program, however they are called."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.metadata import distribution, requires, version
from pathlib import Path

from dragonflybot.__main__ import main


def test_both_commands_are_the_same_program() -> None:
    scripts = distribution("dragonflybot").entry_points.select(group="console_scripts")
    assert {one.name for one in scripts} == {"dragonfly", "dragonflybot"}
    assert all(one.load() is main for one in scripts)


def test_the_module_is_that_program_too() -> None:
    said = subprocess.check_output([sys.executable, "-m", "dragonflybot", "--version"], text=True)
    assert said == f"dragonfly, version {version('dragonflybot-common')}\n"


def test_ctrl_c_while_modules_are_imported_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    # Whoever runs this in a background may have it ignored.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    program += "from dragonflybot.__main__ import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")


def test_without_an_extra_only_the_common_library_is_needed() -> None:
    needed = requires("dragonflybot") or []
    assert [one for one in needed if "extra ==" not in one] == ["dragonflybot-common"]
