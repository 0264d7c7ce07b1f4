"""The instruments that venues list, as a table or as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Final, TypeAlias

from dragonfly_client.messages import Instrument, Instruments, Market

from terminal.text import UNTOLD, aligned, count_text

__all__ = ["Row", "joined", "listed_as_json", "rows_of", "summary", "table"]

COLUMNS: Final = (
    "venue",
    "instrument",
    "symbol",
    "tick",
    "lot",
    "min amount",
    "min notional",
    "status",
)
NUMBERS: Final = range(3, 7)
SACRIFICES: Final = ("min notional", "min amount", "symbol", "lot", "tick")
"""Which columns give way first where not all fit."""


Row: TypeAlias = tuple[str, ...]
"""The cells of one instrument at one venue."""


def joined(lists: Iterable[Instruments]) -> Instruments:
    """Return several venues' lists as one, by instrument."""
    found: dict[str, Instrument] = {}
    left_out: dict[str, int] = {}
    for listed in lists:
        left_out |= listed.left_out
        for one in listed:
            before = found.get(one.instrument, Instrument(one.instrument, ()))
            found[one.instrument] = Instrument(
                one.instrument, before.venues + one.venues, before.markets + one.markets
            )
    return Instruments((found[name] for name in sorted(found)), left_out)


def rows_of(listed: Iterable[Instrument]) -> list[Row]:
    """Return a row for each instrument and venue, also where a venue tells no more of it."""
    rows: list[Row] = []
    for one in listed:
        markets = {market.venue: market for market in one.markets}
        rows += [_row(one.instrument, venue, markets.get(venue)) for venue in one.venues]
    return rows


def table(rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """Return the headings and `rows`, line by line: see `aligned`."""
    return aligned([COLUMNS, *rows], NUMBERS, SACRIFICES, width)


def summary(rows: Sequence[Row], left_out: Mapping[str, int]) -> Iterator[str]:
    """Yield how many there are, and how many entries of the venues' lists are not among them."""
    venues = {row[0] for row in rows}
    yield f"{count_text(len(rows), 'market')} at {count_text(len(venues), 'venue')}"
    for venue, count in sorted(left_out.items()):
        if count:
            yield (
                f"left out of the list of {venue}: {count_text(count, 'market')} that could not be"
                " read or named"
            )


def listed_as_json(listed: Instruments) -> str:
    """Return one JSON object: the instruments with their markets, numbers as decimal text."""
    told = {"instruments": [asdict(one) for one in listed], "left_out": dict(listed.left_out)}
    return json.dumps(told, indent=2, default=_number, ensure_ascii=False)


def _row(instrument: str, venue: str, market: Market | None) -> Row:
    if market is None:
        return (venue, instrument, *[UNTOLD] * (len(COLUMNS) - 2))
    numbers = (market.tick, market.lot, market.min_amount, market.min_notional)
    status = market.status or ("" if market.halted else "trading")
    if market.halted:
        status = f"halted: {status}" if status else "halted"
    return (venue, instrument, market.symbol, *map(_number, numbers), status)


def _number(number: Decimal | None) -> str:
    return UNTOLD if number is None else format(number, "f")
