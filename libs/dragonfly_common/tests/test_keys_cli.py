"""`dragonfly keys new` makes what the services read, overwrites nothing and shows no secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dragonfly_common.bus import Keys, Role
from dragonfly_common.cli import main


def make(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["keys", "new", *map(str, arguments)])


def test_a_pair_for_each_role_and_one_trust_file_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    result = make(folder)
    assert result.exit_code == 0
    trust = folder / "trust"
    for role in Role:
        pair = folder / f"{role}.key"
        assert stat.S_IMODE(pair.stat().st_mode) == 0o400
        held = Keys(role, pair, trust)
        assert held.trusted(role) == (held.public,)
        assert held.secret.decode() not in result.output + trust.read_text()
    assert f"--curve-trust {trust}" in result.output


def test_a_second_pair_of_a_role_is_trusted_beside_the_first(tmp_path: Path) -> None:
    make(tmp_path)
    first = (tmp_path / "listener.key").read_bytes()
    inode = (tmp_path / "trust").stat().st_ino
    for name in ("listener-2.key", "listener-3.key"):
        result = make(tmp_path, "--role", "listener")
        assert result.exit_code == 0
        assert f"--curve-key {tmp_path / name}" in result.output
    assert (tmp_path / "listener.key").read_bytes() == first
    # The same file: one that is mounted into containers alone must show the change there.
    assert (tmp_path / "trust").stat().st_ino == inode
    held = Keys(Role.LISTENER, tmp_path / "listener-3.key", tmp_path / "trust")
    assert len(held.trusted(Role.LISTENER)) == 3
    assert len(held.trusted(Role.GATEWAY)) == 1


@pytest.mark.parametrize("name", ["gateway.key", "trust"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    result = make(tmp_path)
    assert result.exit_code == 78
    assert f"{tmp_path / name} exists" in result.output
    assert (tmp_path / name).read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = make(tmp_path / "file" / "secrets")
    assert result.exit_code == 78
    assert result.output.startswith(f"Error: cannot write {tmp_path / 'file'}")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("role", [[], ["--role", "listener"]])
def test_a_folder_that_cannot_be_is_a_sentence(role: list[str]) -> None:
    result = CliRunner().invoke(main, ["keys", "new", "x" * 300, *role])
    assert result.exit_code == 78
    assert "File name too long" in result.output
