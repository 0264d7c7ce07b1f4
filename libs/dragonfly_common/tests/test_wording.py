"""What is said is in the words of who reads it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import pytest
from dragonfly_common import wording
from dragonfly_common.wording import as_given, command_name, write_what_can_be


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command as it is installed in an environment that is not on the path."""
    (folder := tmp_path / ".venv" / "bin").mkdir(parents=True)
    script = folder / "dragonfly"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return script


def test_the_command_is_called_as_it_is_found_from_here(
    script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert command_name() == ".venv/bin/dragonfly"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command_name() == str(script)
    monkeypatch.setenv("PATH", str(script.parent))
    assert command_name() == "dragonfly"


def test_another_command_of_its_name_is_not_meant(
    script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "dragonfly"
    other.write_bytes(script.read_bytes())
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_name() == ".venv/bin/dragonfly"


def test_without_a_script_it_is_called_as_a_module(script: Path) -> None:
    script.unlink()
    assert command_name() == f"{sys.executable} -m dragonfly_common.cli"


@click.command()
@click.option("--depth", envvar="X_DEPTH")
@click.option("--depth-s", envvar="X_DEPTH_S")
@click.option("--audit/--no-audit", envvar="X_AUDIT")
def command() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("set_", "typed", "expected"),
    [
        ({}, [], "--depth or --depth-s, --no-audit; my--depth"),
        ({"X_DEPTH": "1"}, [], "X_DEPTH or --depth-s, --no-audit; my--depth"),
        ({"X_DEPTH_S": "1"}, [], "--depth or X_DEPTH_S, --no-audit; my--depth"),
        ({"X_AUDIT": "no"}, [], "--depth or --depth-s, X_AUDIT; my--depth"),
        ({"X_DEPTH": "1"}, ["--depth", "2"], "--depth or --depth-s, --no-audit; my--depth"),
        ({"X_DEPTH": "1"}, ["--depth=2"], "--depth or --depth-s, --no-audit; my--depth"),
        ({"X_DEPTH": ""}, [], "--depth or --depth-s, --no-audit; my--depth"),
    ],
)
def test_an_option_that_nobody_typed_is_called_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, set_: dict[str, str], typed: list[str], expected: str
) -> None:
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    sentence = "--depth or --depth-s, --no-audit; my--depth"
    assert as_given(sentence, command, typed) == expected


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", b"1.24 us - ##| ? ."),
        ("latin-1", b"1.24 \xb5s \xb7 ##| ? ."),
        ("utf-8", "1.24 µs · █▌│ 日 …".encode()),
    ],
)
def test_what_an_encoding_lacks_is_written_otherwise_and_as_wide(
    monkeypatch: pytest.MonkeyPatch, encoding: str, written: bytes
) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding))
    write_what_can_be()
    sys.stdout.write("1.24 µs · █▌│ 日 …")
    sys.stdout.flush()
    assert output.getvalue() == written


def test_a_stream_that_is_closed_or_another_s_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    write_what_can_be()


def test_each_plain_letter_stands_for_one() -> None:
    assert all(len(chr(letter)) == 1 for letter in wording._PLAIN.values())
