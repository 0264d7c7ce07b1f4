"""Kraken's whole book over REST: GET /0/public/Depth, which has no link to the socket's book.

    {"error":[],"result":{"XXBTZUSD":{"asks":[["9","0.5",1790114304]],"bids":[["8","1.25",1790114301]]}}}

Pairs have the names of the old socket there, without the slash: XBTUSD for BTC/USD.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.seeds import UnnumberedBook, source
from dragonfly_venues.events import FrameError

__all__ = ["SOURCE"]

_OLD_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}

_ROUNDED: Final = 0.0005
"""Amounts have three decimals: what shows none is less than this."""

_Levels = tuple[tuple[float, float, int], ...]


class _Book(UnnumberedBook):
    asks: _Levels
    bids: _Levels


class _Reply(msgspec.Struct):
    error: list[str] = []
    result: dict[str, _Book] = {}


_REPLY: Final = msgspec.json.Decoder(_Reply, strict=False)


class _Replies:
    """A decoder of replies to the only book of each."""

    def decode(self, reply: bytes, /) -> _Book:
        answer = _REPLY.decode(reply)
        if len(answer.result) != 1:
            raise FrameError("bad_shape", "; ".join(answer.error)[:200] or "not one book")
        (book,) = answer.result.values()
        return _Book(asks=_whole(book.asks), bids=_whole(book.bids))


def _whole(levels: _Levels) -> _Levels:
    return tuple((price, amount or _ROUNDED, at) for price, amount, at in levels)


def _pair(symbol: str) -> str:
    return "".join(_OLD_NAMES.get(name, name) for name in symbol.split("/"))


# One request in a second is allowed to an address.
SOURCE: Final = source(
    _Replies(),
    "/0/public/Depth?pair={symbol}&count=100",
    spell=_pair,
    per_minute=20.0,
    burst=6,
    cached_s=5.0,
)
