"""Kraken's spot markets, and what of them can be traded: its channels `instrument` and `status`.

The list is the snapshot of `instrument`; its updates and `status` say what changes. Not REST's
AssetPairs: its names are those of the old socket (XBT/USD), not of this one (BTC/USD).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.events import Event, FrameError, Heard, Trading, TradingChange
from dragonfly_venues.instruments import Markets, Number, trading

__all__ = ["parse", "parse_changes", "parse_system"]

_RESTRICTED: Final = frozenset({"limit_only", "post_only", "reduce_only"})
"""Trading goes on for those who keep to it; all other words but `online` are halts."""
_DELISTED: Final = "delisted"


class _Market(msgspec.Struct):
    symbol: str
    status: str
    price_increment: Number = None
    qty_increment: Number = None
    qty_min: Number = None
    cost_min: Number = None


class _List(msgspec.Struct):
    pairs: list[msgspec.Raw] = []


class _Changes(msgspec.Struct):
    pairs: list[_Market] = []


class _Frame(msgspec.Struct):
    channel: str = ""
    type: str = ""
    success: bool | None = None
    error: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _System(msgspec.Struct):
    system: str


_FRAME: Final = msgspec.json.Decoder(_Frame)
_LIST: Final = msgspec.json.Decoder(_List)
_MARKET: Final = msgspec.json.Decoder(_Market)
_CHANGES: Final = msgspec.json.Decoder(_Changes)
_SYSTEMS: Final = msgspec.json.Decoder(list[_System])


def parse(reply: bytes) -> Markets | None:
    """Return the markets by instrument; None if `reply` is not the list.

    Raises:
        FrameError: the list is refused or not of its shape.
    """
    try:
        frame = read(_FRAME, reply)
        listed = frame.channel == "instrument" and frame.type == "snapshot"
        pairs = read(_LIST, frame.data).pairs if listed else None
    except FrameError as error:
        raise FrameError("not_instruments", str(error)) from None
    if frame.success is False:
        raise FrameError("not_instruments", (frame.error or "refused")[:200])
    if pairs is None:
        return None
    markets = Markets()
    for market in markets.read(_MARKET, pairs):
        if market.status != _DELISTED:
            markets.add(
                market.symbol.replace("/", "-"),
                market.symbol,
                _trading(market.status),
                tick=market.price_increment,
                lot=market.qty_increment,
                min_amount=market.qty_min,
                min_notional=market.cost_min,
            )
    return markets


def parse_changes(frame: bytes) -> Sequence[Event]:
    """Return what a frame of the channel `instrument` says of the markets that it names.

    Raises:
        FrameError: it is not of its shape.
    """
    markets = read(_CHANGES, read(_FRAME, frame).data).pairs
    said = tuple(TradingChange(market.symbol, _trading(market.status)) for market in markets)
    return said or (Heard(),)


def parse_system(frame: bytes) -> Sequence[Event]:
    """Return what a frame of the channel `status` says of the whole venue.

    Raises:
        FrameError: it is not of its shape.
    """
    systems = read(_SYSTEMS, read(_FRAME, frame).data)
    return (TradingChange(None, _trading(systems[-1].system)) if systems else Heard(),)


def _trading(status: str) -> Trading:
    return trading(status, "online", _RESTRICTED)
