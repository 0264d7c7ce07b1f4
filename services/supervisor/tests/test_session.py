from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from supervisor.session import LONGEST_FOLDER_BYTES, _short_folder


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/var/tmp", "/var/tmp"),
        ("/" + "x" * (LONGEST_FOLDER_BYTES - 1), None),
        ("/" + "x" * LONGEST_FOLDER_BYTES, "/tmp"),
        ("/" + "ö" * (LONGEST_FOLDER_BYTES - 1), "/tmp"),
    ],
)
def test_sockets_go_where_their_paths_are_short_enough(
    monkeypatch: pytest.MonkeyPatch, folder: str, expected: str | None
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", folder)
    assert _short_folder() == (expected or folder)
    made = Path(_short_folder()) / "dragonfly-12345678" / "aggregator"
    assert len(bytes(made)) <= 107
