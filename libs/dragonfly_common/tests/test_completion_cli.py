"""Shells complete what is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main
from dragonfly_common.completion_cli import SHELLS
from patience import PATIENCE_S


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(shell: str) -> None:
    ran = CliRunner().invoke(main, ["completion", shell])
    assert ran.exit_code == 0
    assert f"_DRAGONFLY_COMPLETE={shell}_complete" in ran.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=ran.stdout, text=True, check=True, timeout=PATIENCE_S)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [(["compl"], ["completion"]), (["health", "--st"], ["--status"])],
)
def test_bash_completes_commands_and_options(
    tmp_path: Path, typed: list[str], completed: list[str]
) -> None:
    command = tmp_path / "dragonfly"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m dragonfly_common.cli "$@"\n')
    command.chmod(0o755)
    words = " ".join(typed)
    script = f"""
        eval "$(dragonfly completion bash)"
        COMP_WORDS=(dragonfly {words}); COMP_CWORD={len(typed)}
        _dragonfly_completion dragonfly; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    ran = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert ran.stdout.split() == completed
