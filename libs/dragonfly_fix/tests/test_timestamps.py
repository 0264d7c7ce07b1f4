from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dragonfly_fix.timestamps import format_timestamp, parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

LAST_S = 253_402_300_799


@given(st.integers(0, LAST_S), st.integers(0, 999))
def test_a_timestamp_is_read_as_it_was_written(seconds: int, ms: int) -> None:
    at_ns = seconds * 10**9 + ms * 10**6
    text = format_timestamp(at_ns)
    assert parse_timestamp(text) == at_ns
    told = datetime.strptime(text.decode(), "%Y%m%d-%H:%M:%S.%f").replace(tzinfo=UTC)
    assert int(told.timestamp()) == seconds


def test_seconds_to_nanoseconds_are_read() -> None:
    second = parse_timestamp(b"20261001-12:00:00")
    assert parse_timestamp(b"20261001-12:00:00.000001") == second + 1000
    assert parse_timestamp(b"20261001-12:00:00.000000001") == second + 1


@pytest.mark.parametrize(
    "text", [b"", b"20261001", b"20261301-00:00:00", b"20261001-24:00:00", b"20261001-00:00:00.1"]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_timestamp(text)
