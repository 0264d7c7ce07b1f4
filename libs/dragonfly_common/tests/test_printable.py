from __future__ import annotations

import pytest
from dragonfly_common.printable import LONGEST_QUOTE, printable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("größer → 1", "größer → 1"),
        (1.5, "1.5"),
        ("", ""),
        ("\x1b[2Jgone\r\n", "\\x1b[2Jgone\\r\\n"),
        ("\x9b31m", "\\x9b31m"),  # an escape sequence in one character
        ("\u202eback", "\\u202eback"),
        ("\ud800", "\\ud800"),
        ("a" * LONGEST_QUOTE, "a" * LONGEST_QUOTE),
        ("a" * (LONGEST_QUOTE + 1), "a" * (LONGEST_QUOTE - 3) + "..."),
    ],
)
def test_what_moves_a_cursor_is_written_out_and_what_is_long_is_cut(
    value: object, expected: str
) -> None:
    assert printable(value) == expected


def test_what_grows_by_being_written_out_is_cut_too() -> None:
    assert printable("\x1b" * 10**6, 20) == "\\x1b\\x1b\\x1b\\x1b\\..."
