"""Tables of taker fees: a venue's basis points of what is traded, as an account pays them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Final

from dragonfly_common.errors import ExitCode, UserError

__all__ = ["FREE", "OTHERS", "FeeError", "FeeTable", "parse_fees"]

OTHERS: Final = "*"
"""Stands for every venue that a table does not name."""
LEAST_BPS: Final = -100
MOST_BPS: Final = 1000


class FeeError(UserError):
    """What is no table of fees."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class FeeTable:
    """Basis points by venue. Two tables of the same fees are equal."""

    bps: tuple[tuple[str, Decimal], ...]

    @classmethod
    def of(cls, given: Mapping[str, object]) -> FeeTable:
        """Return the table of {venue: basis points}, numbers or decimal text.

        Raises:
            FeeError: a fee is no number from -100 to 1000, or a venue has no name.
        """
        return cls(tuple(sorted((_venue(name), _bps(name, fee)) for name, fee in given.items())))

    def of_venue(self, venue: str) -> Decimal | None:
        """Return the venue's basis points, None where the table has none for it."""
        return self._by_venue.get(venue, self._by_venue.get(OTHERS))

    @cached_property
    def _by_venue(self) -> dict[str, Decimal]:
        return dict(self.bps)

    def __str__(self) -> str:
        return ",".join(f"{venue}={fee.normalize():f}" for venue, fee in self.bps)


FREE: Final = FeeTable(((OTHERS, Decimal(0)),))
"""The table of who pays nothing anywhere."""


def parse_fees(texts: Iterable[str]) -> FeeTable:
    """Return the table that `binance=10,kraken=26,*=30` says, in one text or several.

    Raises:
        FeeError: it says none, or names a venue twice.
    """
    given: dict[str, object] = {}
    for entry in ",".join(texts).split(","):
        venue, equals, fee = (part.strip() for part in entry.partition("="))
        if not equals:
            raise FeeError(
                f"{entry[:60]!r} is no fee: write VENUE=BASIS_POINTS, for example binance=10"
            )
        if venue in given:
            raise FeeError(f"the fee of {venue[:60]} is given twice: give it once")
        given[venue] = fee
    return FeeTable.of(given)


def _venue(name: str) -> str:
    if name != OTHERS and not (name.isascii() and name.replace("_", "").isalnum()):
        raise FeeError(f"{name[:60]!r} is no venue of a fee: name one, or * for all others")
    return name


def _bps(venue: str, fee: object) -> Decimal:
    try:
        number = Decimal("nan" if isinstance(fee, bool) else str(fee))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or not LEAST_BPS <= number <= MOST_BPS:
        raise FeeError(
            f"the fee of {venue} is {str(fee)[:60]!r}: give basis points, {LEAST_BPS} to"
            f" {MOST_BPS}; 10 is 0.1 %"
        )
    return number
