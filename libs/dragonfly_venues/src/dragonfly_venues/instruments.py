"""Instrument lists: what every venue's list has in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from dragonfly_common.errors import InstrumentError
from dragonfly_common.types import normalise_instrument

from dragonfly_venues.decoding.frames import Decodes, read
from dragonfly_venues.events import TRADING, FrameError, Trading
from dragonfly_venues.venue import Market

__all__ = ["by_instrument", "read_list", "trading"]

T = TypeVar("T")

LONGEST_WORD: Final = 40
"""Of a venue's status: what it says is repeated to bots."""


def read_list(decoder: Decodes[T], reply: bytes) -> T:
    """Return a venue's list decoded.

    Raises:
        FrameError: `not_instruments`: `reply` is none.
    """
    try:
        return read(decoder, reply)
    except FrameError as error:
        raise FrameError("not_instruments", str(error)) from None


def by_instrument(listed: Iterable[tuple[str, Market]]) -> dict[str, Market]:
    """Return {instrument: market} of (BASE-QUOTE in any case, market).

    Names that are no instrument are left out: venues list leveraged tokens and trials that nothing
    else could name. Of two markets of one instrument the first that can be traded stands.
    """
    found: dict[str, Market] = {}
    for name, market in listed:
        try:
            instrument = normalise_instrument(name)
        except InstrumentError:
            continue
        known = found.get(instrument)
        if market.symbol and (known is None or known.trading.halted > market.trading.halted):
            found[instrument] = market
    return found


def trading(status: str, usual: str, restricted: Collection[str] = ()) -> Trading:
    """Return what a venue's `status` means: a halt, unless it is `usual` or a known restriction.

    A word that the venue did not document is a halt: its book might be one that nobody can trade.
    """
    if status == usual:
        return TRADING
    return Trading(halted=status not in restricted, word=status[:LONGEST_WORD])
