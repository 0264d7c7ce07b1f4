"""Several instruments that somebody takes for one market, and how that is written. Pure.

    BTC-USD+BTC-USDT*USDT-USD      by the live book of USDT-USD: a bid at its bid, an ask at its ask
    BTC-USD+BTC-USDT@1             at a fixed factor; 1 is par
    SHIB-USD+1000SHIB-USD/1000     of so many units: price ÷ 1000, amount × 1000

The first term names what prices and amounts are of, and is converted by nothing. A further one says
at least one of `/units`, `@factor` and `*conversion`, in this order. Such a text is a market's name
wherever bots ask for an instrument; venues and listeners never see one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from dragonfly_common.errors import InstrumentError
from dragonfly_common.types import is_instrument, normalise_instrument

__all__ = [
    "EXAMPLE",
    "MOST_TERMS",
    "Equivalence",
    "Equivalences",
    "Term",
    "is_market",
    "normalise_market",
    "parse_equivalence",
]

MOST_TERMS: Final = 8
LONGEST: Final = 255
"""Characters of an equivalence."""
EXAMPLE: Final = "BTC-USD+BTC-USDT*USDT-USD"

_NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_TERM: Final = re.compile(
    rf"(?P<instrument>[^/@*]+)(?:/(?P<units>{_NUMBER}))?(?:@(?P<factor>{_NUMBER}))?"
    r"(?:\*(?P<conversion>[^/@*]+))?"
)
_finite: Final = Context(prec=100, traps=[Inexact, DivisionByZero, InvalidOperation])


class Term(NamedTuple):
    """One instrument of a market, and how its levels become levels of that market."""

    instrument: str
    units: Decimal | None = None
    """How many of the market's base are one of the instrument's."""
    factor: Decimal | None = None
    """The factor of prices, as the user says."""
    conversion: str = ""
    """The instrument whose live book converts the quote: its best bid for bids, its ask for asks;
    empty where nothing does."""

    @property
    def scale(self) -> Decimal:
        """The factor of prices, but for the conversion."""
        return _finite.multiply(self.factor or 1, _finite.divide(1, self.units or 1))

    def __str__(self) -> str:
        units = "" if self.units is None else f"/{self.units:f}"
        factor = "" if self.factor is None else f"@{self.factor:f}"
        return f"{self.instrument}{units}{factor}{self.conversion and f'*{self.conversion}'}"


class Equivalence:
    """A market of one term or more; one alone is an instrument as it is listed."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms: Final = tuple(terms)

    @cached_property
    def conversions(self) -> tuple[str, ...]:
        """The instruments that convert, each once."""
        return tuple(dict.fromkeys(term.conversion for term in self.terms if term.conversion))

    @cached_property
    def instruments(self) -> tuple[str, ...]:
        """All instruments that it takes, each once."""
        return tuple(dict.fromkeys((*(term.instrument for term in self.terms), *self.conversions)))

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))


class Equivalences:
    """The instruments of each market: those that are configured, and all names that say it."""

    def __init__(self, declarations: Iterable[str] = ()) -> None:
        """Take `NAME=EQUIVALENCE`, each.

        Raises:
            InstrumentError: one is not of that form.
        """
        self._declared: Final = dict(map(_parse_declaration, declarations))

    def __iter__(self) -> Iterator[str]:
        """Yield each declaration as it was taken."""
        return (f"{name}={market}" for name, market in self._declared.items())

    def of(self, market: str) -> Equivalence:
        """Return what a market is made of, of a name in normal form."""
        return self._declared.get(market) or (
            parse_equivalence(market) if "+" in market else Equivalence((Term(market),))
        )

    def instruments(self, markets: Iterable[str]) -> tuple[str, ...]:
        """Return the instruments that some markets take, each once."""
        return tuple(
            dict.fromkeys(name for market in markets for name in self.of(market).instruments)
        )


def normalise_market(text: str) -> str:
    """Return an instrument or equivalence in normal form (`btc-usd+btc-usdt@1.0` → `…@1`).

    Raises:
        InstrumentError: it is neither.
    """
    return str(parse_equivalence(text)) if "+" in text else normalise_instrument(text)


def is_market(name: str) -> bool:
    """Say whether `name` is an instrument or an equivalence, in its normal form."""
    if "+" not in name:
        return is_instrument(name)
    try:
        return normalise_market(name) == name
    except InstrumentError:
        return False


@lru_cache(maxsize=1024)
def parse_equivalence(text: str) -> Equivalence:
    """Return the equivalence that `text` writes.

    Raises:
        InstrumentError: it breaks a rule; the sentence says which, and what to write.
    """
    if len(text) > LONGEST:
        raise _refused(text, f"it has {len(text)} characters, {LONGEST} are allowed")
    written = text.strip().upper().split("+")
    if not 2 <= len(written) <= MOST_TERMS:
        rule = f"write 2 to {MOST_TERMS} instruments joined by +, for example {EXAMPLE}"
        raise _refused(text, rule)
    terms = [_parse_term(text, term) for term in written]
    market, *others = terms
    if market != Term(market.instrument):
        raise _refused(text, f"the first is converted by nothing: write {market.instrument}+…")
    for term in others:
        if broken := _broken_rule(market.instrument, term):
            raise _refused(text, broken)
    names = [term.instrument for term in terms]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _refused(text, f"{twice} is in it twice: name each instrument once")
    return Equivalence(terms)


def _parse_term(text: str, written: str) -> Term:
    found = _TERM.fullmatch(written)
    names = [name for name in found.group("instrument", "conversion") if name] if found else []
    if found is None or not all(map(is_instrument, names)):
        shown = repr(written[:60])
        rule = "write BASE-QUOTE with /units, @factor or *INSTRUMENT, for example BTC-USDT*USDT-USD"
        raise _refused(text, f"{shown} is no term: {rule}")
    units, factor = (_number(text, found[kind]) for kind in ("units", "factor"))
    if units is not None:
        try:
            _finite.divide(1, units)
        except Inexact:
            rule = "write units whose reciprocal ends, such as 1000 or 0.01"
            raise _refused(text, f"1/{units:f} has no end in decimal: {rule}") from None
    return Term(names[0], None if units == 1 else units, factor, found["conversion"] or "")


def _number(text: str, digits: str | None) -> Decimal | None:
    if digits is None:
        return None
    number = Decimal(digits)
    if not number:
        raise _refused(text, "0 converts to nothing: write a number above 0, such as 1")
    return number.normalize()


def _broken_rule(market: str, term: Term) -> str | None:
    """Say which rule `term` breaks in the equivalence of `market`."""
    base, quote = market.split("-")
    own_base, own_quote = term.instrument.split("-")
    name = term.instrument
    if term.conversion:
        if term.conversion != f"{own_quote}-{quote}":
            return (
                f"{term.conversion} does not convert {name} to {quote}: write"
                f" {name}*{own_quote}-{quote}"
            )
    elif own_quote != quote and term.factor is None:
        return (
            f"{name} is not in {quote}: write {name}*{own_quote}-{quote} to convert by that book,"
            f" or {name}@1 for par"
        )
    if own_base != base and term.units is term.factor is None:
        return (
            f"{name} is not of {base}: write {name}/1000 if one is 1000 {base}, or {name}@1 for par"
        )
    return None


def _parse_declaration(declaration: str) -> tuple[str, Equivalence]:
    name, equals, text = declaration.partition("=")
    if not equals:
        raise InstrumentError(
            f"{declaration[:60]!r} declares nothing: write NAME=EQUIVALENCE, for example"
            f" BTC-ANYUSD={EXAMPLE}"
        )
    return normalise_instrument(name), parse_equivalence(text)


def _refused(text: str, rule: str) -> InstrumentError:
    return InstrumentError(f"{text[:60]!r} is not an equivalence: {rule}")
