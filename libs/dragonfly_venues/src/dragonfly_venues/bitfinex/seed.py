"""Bitfinex's whole book over REST: GET /v2/book/tBTCUSD/P0, which has no link to the socket.

[[6000,2,1.5],[5999,1,0.4],[6001,3,-0.2]]    price, count of orders, amount; asks are negative
"""

from __future__ import annotations

from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.seeds import UnnumberedBook, source

__all__ = ["SOURCE"]


class _Book(UnnumberedBook):
    asks: Side
    bids: Side


_ENTRIES: Final = msgspec.json.Decoder(tuple[tuple[float, int, float], ...])


class _Replies:
    """A decoder of replies, whose entries are of both sides."""

    def decode(self, reply: bytes, /) -> _Book:
        entries = _ENTRIES.decode(reply)
        return _Book(
            asks=tuple((price, -amount) for price, _, amount in entries if amount < 0),
            bids=tuple((price, amount) for price, _, amount in entries if amount > 0),
        )


# 240 requests in a minute are allowed to an address.
SOURCE: Final = source(
    _Replies(),
    "/v2/book/{symbol}/P0?len=100",
    per_minute=40.0,
    burst=10,
    cached_s=5.0,
)
