"""Deribit's list of spot markets: GET public/get_instruments?currency=any&kind=spot.

A market can be traded where `is_active` says so; its `state` says why not. Steps of a price may be
longer far from 0: `tick_size` is the shortest.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import LONGEST_WORD, Markets, Number, read_list

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/public/get_instruments?currency=any&kind=spot"


class _Market(msgspec.Struct):
    instrument_name: str
    base_currency: str
    quote_currency: str
    is_active: bool
    state: str = ""
    tick_size: Number = None
    contract_size: Number = None
    min_trade_amount: Number = None


class _Reply(msgspec.Struct):
    result: list[msgspec.Raw]


_REPLY: Final = msgspec.json.Decoder(_Reply)
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_REPLY, reply).result):
        markets.add(
            f"{market.base_currency}-{market.quote_currency}",
            market.instrument_name,
            TRADING if market.is_active else _halted(market.state),
            tick=market.tick_size,
            lot=market.contract_size,
            min_amount=market.min_trade_amount,
        )
    return markets


def _halted(state: str) -> Trading:
    return Trading(halted=True, word=state[:LONGEST_WORD] or "inactive")
