"""Instrument lists: what every venue's list has in common."""

from __future__ import annotations

from collections.abc import Iterable

from dragonfly_common.errors import InstrumentError
from dragonfly_common.types import normalise_instrument

__all__ = ["by_instrument"]


def by_instrument(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return {instrument: venue symbol} of (BASE-QUOTE in any case, venue symbol).

    Names that are no instrument are left out, and so is a second market of the same instrument:
    venues list leveraged tokens and trials that nothing else could name.
    """
    found: dict[str, str] = {}
    for name, symbol in pairs:
        try:
            instrument = normalise_instrument(name)
        except InstrumentError:
            continue
        if symbol:
            found.setdefault(instrument, symbol)
    return found
