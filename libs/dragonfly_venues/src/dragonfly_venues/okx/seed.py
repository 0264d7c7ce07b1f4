"""OKX's whole book over REST: GET /api/v5/market/books, numbered like the channel `books`.

Whether both count alike is not documented: what shows another number is not comparable.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.seeds import source
from dragonfly_venues.okx.control import REST

__all__ = ["SOURCE"]

LIMIT: Final = 100

_Levels = tuple[tuple[float, float, str, str], ...]


class _Book(msgspec.Struct):
    asks: _Levels
    bids: _Levels
    seq: int = msgspec.field(name="seqId")


_BOOKS: Final = REST.of(tuple[_Book])


class _Replies:
    """A decoder of replies to the only book of each."""

    def decode(self, reply: bytes, /) -> _Book:
        (book,) = _BOOKS.decode(reply)
        return book


# 40 requests in 2 s are allowed.
SOURCE: Final = source(
    _Replies(),
    f"/api/v5/market/books?instId={{symbol}}&sz={LIMIT}",
    per_minute=240.0,
    burst=20,
)
