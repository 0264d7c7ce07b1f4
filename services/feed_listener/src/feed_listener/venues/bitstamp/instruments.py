"""Bitstamp's list of spot markets: GET /api/v2/trading-pairs-info/."""

from __future__ import annotations

from typing import Final

import msgspec

from feed_listener.frames import read
from feed_listener.venue import FrameError, Market
from feed_listener.venues.instruments import by_instrument, trading

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/trading-pairs-info/"


class _Market(msgspec.Struct):
    name: str
    url_symbol: str
    trading: str


_LIST: Final = msgspec.json.Decoder(list[_Market])


def parse(reply: bytes) -> dict[str, Market]:
    """Return the markets by instrument, their symbols as channels spell them.

    Raises:
        FrameError: `reply` is no such list.
    """
    try:
        markets = read(_LIST, reply)
    except FrameError as error:
        raise FrameError("not_instruments", str(error)) from None
    return by_instrument(
        (
            market.name.replace("/", "-"),
            Market(market.url_symbol, trading(market.trading, "Enabled")),
        )
        for market in markets
        if not market.url_symbol.endswith("-perp")
    )
