"""Crypto.com's whole book over REST: public/get-book, which has no link to the socket."""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.cryptocom.control import DEPTHS, REST
from dragonfly_venues.decoding.seeds import UnnumberedBook, source

__all__ = ["SOURCE"]

_Levels = tuple[tuple[float, float, str], ...]


class _Book(UnnumberedBook):
    asks: _Levels
    bids: _Levels


class _Result(msgspec.Struct):
    data: tuple[_Book]


_RESULTS: Final = REST.of(_Result)


class _Replies:
    """A decoder of replies to the only book of each."""

    def decode(self, reply: bytes, /) -> _Book:
        (book,) = _RESULTS.decode(reply).data
        return book


# 100 requests in a second are allowed to an address.
SOURCE: Final = source(
    _Replies(),
    f"/exchange/v1/public/get-book?instrument_name={{symbol}}&depth={DEPTHS[-1]}",
    per_minute=240.0,
    burst=20,
    cached_s=5.0,
)
