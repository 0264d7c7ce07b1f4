"""HTX's book over REST: GET /market/depth, 150 levels.

Its `version` and the `seqNum` of the channels are one counter, as was seen at a sister venue.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser
from dragonfly_venues.htx.control import REST

__all__ = ["parse", "path"]


class _Book(NumberedBook):
    seq: int = msgspec.field(name="version")


parse = seed_parser(msgspec.structs.replace(REST, content="tick").of(_Book))


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/market/depth?symbol={quote(symbol)}&type=step0"
