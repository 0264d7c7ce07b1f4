"""Figures as text of fixed widths, so that nothing jumps when it changes. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from enum import Enum
from textwrap import wrap
from typing import TYPE_CHECKING, Final, Protocol

from rich.cells import cell_len

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "GAP",
    "UNTOLD",
    "aligned",
    "amount_text",
    "basis_points",
    "count_text",
    "cut_name",
    "decimals_of",
    "duration_text",
    "fitting",
    "price_text",
    "share_text",
    "told_as_json",
    "whose",
    "wrapped",
]

MAX_DECIMALS: Final = 10
GAP: Final = "  "
"""Between two columns of a table."""
INDENT: Final = "    "
"""Of what a line goes on with where it is wrapped."""
UNTOLD: Final = "-"
"""The cell of what nobody tells."""


def decimals_of(prices: Iterable[float], at_least: int = 2) -> int:
    """Return how many decimals it takes to write every price in full, at most ten."""
    needed = [-int(Decimal(repr(price)).normalize().as_tuple().exponent) for price in prices]
    return min(MAX_DECIMALS, max([at_least, *needed]))


def price_text(price: float, decimals: int) -> str:
    return f"{price:,.{decimals}f}"


def amount_text(amount: float, most: int = 10) -> str:
    """Return at most ten characters: as many decimals as there is room and need for.

    Where there is less room, down to six characters, it is rounded.
    """
    if amount >= 100_000:
        text = f"{amount:,.0f}"
    elif amount >= 1000:
        text = f"{amount:,.2f}"
    else:
        text = f"{amount:.4f}" if amount >= 0.001 or amount == 0 else f"{amount:.8f}"
    if len(text) <= most or most >= 10:
        return text
    for decimals in range(4, -1, -1):
        shorter = f"{amount:.{decimals}f}"
        if len(shorter) <= most and float(shorter):
            return shorter
    return f"{amount:.0e}"


def duration_text(nanoseconds: float) -> str:
    """Return at most seven characters: `812 µs`, `1.24 ms`, `86 ms`, `3.1 s`, `12 min`."""
    size = abs(nanoseconds)
    if size < 999_500:
        return f"{nanoseconds / 1e3:.0f} µs"
    if size < 9_995_000:
        return f"{nanoseconds / 1e6:.2f} ms"
    if size < 999_500_000:
        return f"{nanoseconds / 1e6:.0f} ms"
    if size < 99.95e9:
        return f"{nanoseconds / 1e9:.1f} s"
    if size < 5_970e9:
        return f"{nanoseconds / 60e9:.0f} min"
    return f"{nanoseconds / 3600e9:.0f} h"


def share_text(share: float) -> str:
    """Return at most eight characters, rounded down: only the whole is `100.00 %`."""
    return f"{math.floor(share * 10_000) / 100:.2f} %"


def count_text(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


class OfVenue(Protocol):
    """A level or feed."""

    @property
    def venue(self) -> str: ...
    @property
    def instrument(self) -> str: ...


def whose(one: OfVenue) -> str:
    """Return the venue; in an equivalence with its own instrument."""
    return f"{one.venue} {one.instrument}" if one.instrument else one.venue


def cut_name(venue: str, width: int) -> str:
    """Return the venue's name, with a sign where it is cut."""
    return venue if len(venue) <= width else f"{venue[: width - 1]}…"


def basis_points(spread: float, mid: float | None) -> float | None:
    """Return the spread in ten-thousandths of the mid price; None without one."""
    return spread / mid * 10_000 if mid else None


def told_as_json(told: DataclassInstance, indent: int | None = None) -> str:
    """Return one JSON object: the message as the client has it."""
    return json.dumps(asdict(told, dict_factory=_named), indent=indent, ensure_ascii=False)


def _named(fields: Iterable[tuple[str, object]]) -> dict[str, object]:
    return {name: one.name if isinstance(one, Enum) else one for name, one in fields}


def aligned(
    lines: Sequence[Sequence[str]],
    numbers: Container[int],
    sacrifices: Iterable[str] = (),
    width: int | None = None,
) -> Iterator[str]:
    """Yield a table's headings and rows; the columns at `numbers` end flush, and no cell is cut.

    Columns that `fitting` leaves out are named at the end.
    """
    shown, left_out = fitting(lines, sacrifices, width)
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = []
        for place in shown:
            blank = " " * (widths[place] - cell_len(line[place]))
            cells.append(blank + line[place] if place in numbers else line[place] + blank)
        yield GAP.join(cells).rstrip()
    if left_out:
        yield f"no room for {', '.join(left_out)}"


def fitting(
    lines: Sequence[Sequence[str]], sacrifices: Iterable[str], width: int | None
) -> tuple[list[int], list[str]]:
    """Return the places of a table's columns that there is room for, and the names of the others.

    `lines` are its headings and rows; `sacrifices` are the headings that give way first. All of
    them fit where `width` is None.
    """
    widths = [max(map(cell_len, column)) + len(GAP) for column in zip(*lines, strict=True)]
    shown, left_out = [*range(len(widths))], []
    for name in sacrifices:
        if width is None or sum(widths[place] for place in shown) <= width:
            break
        shown.remove(lines[0].index(name))
        left_out.append(name)
    return shown, left_out


def wrapped(line: str, width: int | None) -> list[str]:
    """Return `line` as what fits in `width` cells, broken between words: no price is cut."""
    if width is None or len(line) <= width:
        return [line]
    return wrap(
        line, width, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
    )
