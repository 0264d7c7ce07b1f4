"""HTX's book over REST: GET /market/depth, 150 levels.

Its `version` and the `seqNum` of the channels are one counter, as was seen at a sister venue.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.seeds import NumberedBook, source
from dragonfly_venues.htx.control import REST

__all__ = ["SOURCE"]


class _Book(NumberedBook):
    seq: int = msgspec.field(name="version")


# 4000 requests in 5 min are allowed: 15 %.
SOURCE: Final = source(
    msgspec.structs.replace(REST, content="tick").of(_Book),
    "/market/depth?symbol={symbol}&type=step0",
    per_minute=120.0,
    burst=30,
)
