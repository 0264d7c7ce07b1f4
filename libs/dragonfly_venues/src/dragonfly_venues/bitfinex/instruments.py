"""Bitfinex's list of spot markets: its pairs, and which codes of currencies have other names.

    [["BTCUSD","AAVE:UST"],[["UST","USDt"],["IOT","IOTA"]]]

It says of no market whether it is halted: one that cannot be traded is not listed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import Markets, read_list
from dragonfly_venues.venue import InstrumentSource

__all__ = ["SOURCE", "parse"]

CODE_LENGTH: Final = 3
"""Of both codes of a pair that no colon parts."""

_Entries = list[msgspec.Raw]

_REPLY: Final = msgspec.json.Decoder(tuple[_Entries, _Entries])
_PAIR: Final = msgspec.json.Decoder(str)
_NAME: Final = msgspec.json.Decoder(tuple[str, str])


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    pairs, names = read_list(_REPLY, reply)
    markets = Markets()
    name_of = dict(markets.read(_NAME, names))
    for pair in markets.read(_PAIR, pairs):
        base, colon, quote = pair.partition(":")
        if not colon and len(pair) == 2 * CODE_LENGTH:
            base, quote = pair[:CODE_LENGTH], pair[CODE_LENGTH:]
        markets.add(f"{name_of.get(base, base)}-{name_of.get(quote, quote)}", f"t{pair}")
    return markets


# Some 400 markets in 5 kB; a quarter more for the names.
SOURCE: Final = InstrumentSource(
    parse=parse, rest_path="/v2/conf/pub:list:pair:exchange,pub:map:currency:sym"
)
