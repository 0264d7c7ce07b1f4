"""UTCTimestamp of FIX, to nanoseconds since 1970 and back. Pure."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

__all__ = ["format_timestamp", "parse_timestamp"]

_NS: Final = 10**9
_TIMESTAMP: Final = re.compile(
    rb"([0-9]{8})-([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]{3}|[0-9]{6}|[0-9]{9}))?"
)
_DAY_0: Final = date(1970, 1, 1).toordinal()


def parse_timestamp(text: bytes) -> int:
    """Return the nanoseconds since 1970 of a UTCTimestamp in s, ms, µs or ns.

    Raises:
        ValueError: it is none.
    """
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(f"not YYYYMMDD-HH:MM:SS[.sss]: {text[:40]!r}")
    day, hour, minute, second, part = found.groups()
    seconds = ((_days(day) * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
    return seconds * _NS + (int(part) * 10 ** (9 - len(part)) if part else 0)


def format_timestamp(at_ns: int) -> bytes:
    """Return the UTCTimestamp of nanoseconds since 1970, cut to milliseconds."""
    seconds, rest = divmod(at_ns, _NS)
    return b"%b.%03d" % (_second(seconds), rest // 10**6)


@lru_cache(maxsize=64)
def _days(text: bytes) -> int:
    return date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal() - _DAY_0


@lru_cache(maxsize=64)
def _second(seconds: int) -> bytes:
    days, rest = divmod(seconds, 86400)
    day = date.fromordinal(_DAY_0 + days)
    return f"{day:%Y%m%d}-{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}".encode()
