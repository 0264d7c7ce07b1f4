"""KuCoin's list of spot markets: GET /api/v2/symbols."""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import by_instrument, read_list
from dragonfly_venues.kucoin.control import REST
from dragonfly_venues.venue import Market

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/symbols"

_DISABLED: Final = Trading(halted=True, word="trading disabled")


class _Market(msgspec.Struct, rename="camel"):
    symbol: str
    base_currency: str
    quote_currency: str
    enable_trading: bool


_LIST: Final = REST.of(list[_Market])


def parse(reply: bytes) -> dict[str, Market]:
    """Return the markets by instrument; a symbol may differ from the names of its currencies.

    Raises:
        FrameError: `reply` is no such list.
    """
    return by_instrument(
        (
            f"{market.base_currency}-{market.quote_currency}",
            Market(market.symbol, TRADING if market.enable_trading else _DISABLED),
        )
        for market in read_list(_LIST, reply)
    )
