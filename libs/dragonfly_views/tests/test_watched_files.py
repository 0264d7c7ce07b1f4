from __future__ import annotations

from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_views.watched_files import CHECK_INTERVAL_S, WatchedFiles, read_file
from view_world import replace_file


def read_pair(paths: list[Path]) -> bytes:
    one, other = (read_file(path) for path in paths)
    if one != other:
        raise ConfigError("they do not match")
    return one


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("one", "other")]
    for path in paths:
        path.write_bytes(b"old")
    return paths


def test_a_change_is_taken_once_it_is_complete(pair: list[Path]) -> None:
    watched = WatchedFiles("files", pair, lambda: read_pair(pair))
    assert watched.value == b"old"
    looks = []
    for step in range(6):
        if step in {1, 2}:
            replace_file(pair[step - 1], b"new")
        looks.append(watched.refresh(step * CHECK_INTERVAL_S))
    assert looks == [False, False, False, True, False, False]
    assert watched.value == b"new"


def test_a_bad_version_leaves_the_old_one_and_a_good_one_replaces_it(pair: list[Path]) -> None:
    watched = WatchedFiles("files", pair, lambda: read_pair(pair))
    replace_file(pair[0], b"new")
    assert not any(watched.refresh(step) for step in range(3))
    assert watched.value == b"old"
    replace_file(pair[1], b"new")
    assert any(watched.refresh(step) for step in range(3, 6))
    assert watched.value == b"new"


def test_looks_are_no_more_often_than_needed(pair: list[Path]) -> None:
    watched = WatchedFiles("files", pair, lambda: read_pair(pair))
    watched.refresh(1.0)
    replace_file(pair[0], b"new")
    replace_file(pair[1], b"new")
    assert not any(watched.refresh(1.0 + CHECK_INTERVAL_S / 2) for _ in range(3))


def test_files_that_are_bad_at_the_start_are_an_error(pair: list[Path]) -> None:
    pair[0].unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        WatchedFiles("files", pair, lambda: read_pair(pair))
