"""Kraken's list of spot markets: the snapshot of the `instrument` channel.

Not REST's AssetPairs: its names are those of the old socket (XBT/USD), not of this one (BTC/USD).
"""

from __future__ import annotations

from typing import Final

import msgspec

from feed_listener.frames import read
from feed_listener.venue import FrameError
from feed_listener.venues.instruments import by_instrument

__all__ = ["parse"]

_TRADABLE: Final = frozenset({"online", "limit_only", "post_only", "reduce_only"})


class _Market(msgspec.Struct):
    symbol: str
    status: str


class _Data(msgspec.Struct):
    pairs: list[_Market]


class _Frame(msgspec.Struct):
    channel: str = ""
    type: str = ""
    success: bool | None = None
    error: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_FRAME: Final = msgspec.json.Decoder(_Frame)
_DATA: Final = msgspec.json.Decoder(_Data)


def parse(reply: bytes) -> dict[str, str] | None:
    """Return {instrument: symbol} of the markets that trade now; None if `reply` is not the list.

    Raises:
        FrameError: the list is refused or not of its shape.
    """
    try:
        frame = read(_FRAME, reply)
        listed = frame.channel == "instrument" and frame.type == "snapshot"
        markets = read(_DATA, frame.data).pairs if listed else None
    except FrameError as error:
        raise FrameError("not_instruments", str(error)) from None
    if frame.success is False:
        raise FrameError("not_instruments", (frame.error or "refused")[:200])
    if markets is None:
        return None
    return by_instrument(
        (market.symbol.replace("/", "-"), market.symbol)
        for market in markets
        if market.status in _TRADABLE
    )
