"""Times as venues stamp their messages: RFC 3339, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias

import msgspec

from dragonfly_venues.decoding.shapes import MAX_SEQ

__all__ = ["NS_PER_US", "Time", "stamp_us"]

NS_PER_US: Final = 1000

Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time as decoders ask msgspec for it; it rounds nanoseconds."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def stamp_us(time: datetime | None) -> int | None:
    """Return µs since the epoch; None where there is no time, or one that cannot be a stamp."""
    if time is None:
        return None
    us = (time - _EPOCH) // _MICROSECOND
    return us if 0 < us <= MAX_SEQ // NS_PER_US else None
