"""Executable prices as tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dragonfly_client.messages import Executable, ExecutablePrice, FeeSource, VenuePart

from terminal.text import aligned, whose

__all__ = ["priced_as_lines"]

COLUMNS: Final = ("venue", "amount", "share", "average", "worst", "fee bps", "fee", "")
NUMBERS: Final = range(1, len(COLUMNS) - 1)
SACRIFICES: Final = ("share", "fee bps", "fee")
ALL_TAKEN: Final = "all that it shows"

_FEES: Final = {
    FeeSource.NONE: "without fees: none are known, --fees gives them",
    FeeSource.GATEWAY: "fees as the gateway's table has them",
    FeeSource.BOT: "fees as this bot's table at the gateway has them",
    FeeSource.REQUEST: "fees as given",
    FeeSource.UNSPECIFIED: "fees of a table that this version does not know",
}


def priced_as_lines(told: Executable, width: int | None = None) -> Iterator[str]:
    """Yield what each size costs, with a row for each venue; then what is said of all.

    In `width` cells some columns may give way.
    """
    for price in told.prices:
        yield from _priced(told, price, width)
        yield ""
    for one in told.left_out:
        yield f"left out: {whose(one)}, {one.reason}"
    mid = "no mid: a side is empty" if told.mid is None else f"mid {told.mid!r}"
    at = "; ".join(f"{whose(feed)} {feed.venue_seq}" for feed in told.venues if feed.venue_seq)
    yield f"{mid}; {_FEES[told.fee_source]}"
    yield f"book {told.epoch}/{told.seq} of {at or 'no venue'}"


def _priced(told: Executable, price: ExecutablePrice, width: int | None) -> Iterator[str]:
    base, _, quote = told.instrument.partition("-")
    if "+" in told.instrument:  # an equivalence, whose units are in its own text
        base, quote = "", ""
    size = _text(price.size, quote if told.in_quote else base)
    yield f"{told.side} {size} on {told.instrument}"
    if price.net_avg is None:
        yield "nothing can be taken of any venue"
        return
    if not price.complete:
        yield (
            f"INCOMPLETE: the venues show {_text(price.filled, base)}, and all below is of that;"
            " a larger --depth of the services may show more"
        )
    cost = "" if price.cost_bps is None else f", {price.cost_bps:,.2f} bps from the mid"
    gross = f"gross {price.gross_avg!r}, worst {price.worst!r}"
    yield f"net {price.net_avg!r} after fees{cost}; {gross}"
    verb, fees = ("costs", "with") if told.side == "buy" else ("brings", "after")
    yield (
        f"{_text(price.filled, base)} {verb} {_text(price.money, quote)}"
        f" {fees} fees of {_text(price.fee_total, quote)}"
    )
    rows = (_row(part, price.filled) for part in price.parts)
    yield from aligned([COLUMNS, *rows], NUMBERS, SACRIFICES, width)


def _text(amount: float, unit: str) -> str:
    return f"{amount:,.12g} {unit}".rstrip()


def _row(part: VenuePart, whole: float) -> tuple[str, ...]:
    return (
        whose(part),
        f"{part.amount:,.12g}",
        f"{part.amount / whole:.1%}",
        f"{part.gross_avg:.8g}",
        repr(part.worst),
        f"{part.fee_bps:g}",
        f"{part.fee:,.8g}",
        ALL_TAKEN if part.exhausted else "",
    )
