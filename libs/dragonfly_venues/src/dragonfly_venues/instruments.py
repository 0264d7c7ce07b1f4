"""Instrument lists: what every venue's list has in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias, TypeVar

import msgspec
from dragonfly_common.errors import InstrumentError
from dragonfly_common.types import normalise_instrument

from dragonfly_venues.decoding.frames import Decodes, read
from dragonfly_venues.events import TRADING, FrameError, Trading
from dragonfly_venues.venue import InstrumentSource, Market

__all__ = [
    "Entry",
    "Markets",
    "Number",
    "increment",
    "plain_decimal",
    "read_list",
    "source",
    "trading",
]

T = TypeVar("T")

Number: TypeAlias = str | int | float | None
"""A number of a list, of which venues write some as text; None or "" where there is none."""

LONGEST_WORD: Final = 40
"""Of a venue's status: what it says is repeated to bots."""

LONGEST_NUMBER: Final = 60
"""Characters, as the venue writes it and as plain decimal text."""

_BARE: Final = msgspec.json.Decoder(list[msgspec.Raw])
_POSITIVE = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?", re.ASCII)


class Entry(msgspec.Struct, kw_only=True):
    """One market of a list. A venue's own entry says how the list spells what it tells."""

    usual: ClassVar[str] = ""
    """The `status` of a market that anybody can trade."""
    restricted: ClassVar[Collection[str]] = ()
    """Those of markets that only some orders can trade; any other is a halt."""
    counts_decimals: ClassVar[bool] = False
    """True where `tick` and `lot` are numbers of decimals."""

    symbol: str
    """As the venue's streams spell it."""
    base: str
    quote: str
    status: str = ""
    tick: Number = None
    lot: Number = None
    min_amount: Number = None
    min_notional: Number = None

    @property
    def name(self) -> str:
        """BASE-QUOTE in any case."""
        return f"{self.base}-{self.quote}"

    @property
    def is_spot(self) -> bool:
        """True for a market of this product."""
        return True

    @property
    def trading(self) -> Trading:
        """The state of trading in it."""
        return trading(self.status, self.usual, self.restricted)


class Markets(dict[str, Market]):
    """Markets by instrument (BASE-QUOTE), as they are read from one venue's list.

    No entry of a list spoils the others: one that is odd is left out, and counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out: Counter[str] = Counter()
        """Entries by reason: `malformed` (not of the venue's shape), `unnamed` (no instrument, such
        as leveraged tokens and trials, or without a symbol), `twin` (another market has the
        instrument)."""
        self.bad_numbers = 0
        """Increments and minimums that are none, and left out of their markets."""

    def read(self, decoder: Decodes[T], entries: Iterable[msgspec.Raw]) -> Iterator[T]:
        """Yield each entry decoded, without those that are not of its shape.

        Raises:
            FrameError: `not_instruments`: none is.
        """
        odd, sound = "", False
        for entry in entries:
            try:
                yield read(decoder, entry)
                sound = True
            except FrameError as error:
                odd = str(error)
                self.left_out["malformed"] += 1
        if odd and not sound:
            raise FrameError("not_instruments", odd)

    def add(
        self,
        name: str,
        symbol: str,
        trading: Trading = TRADING,
        *,
        tick: Number = None,
        lot: Number = None,
        min_amount: Number = None,
        min_notional: Number = None,
    ) -> None:
        """Add a market, unless its name is no instrument.

        Of two markets of one instrument the first that can be traded stands.

        Args:
            name: BASE-QUOTE in any case.
            symbol: As the venue's streams spell it.
            trading: Whether it can be traded; see `trading` of this module.
            tick: Prices are multiples of it, as the venue writes it.
            lot: Amounts are multiples of it.
            min_amount: Least amount of an order.
            min_notional: Least price times amount.
        """
        try:
            instrument = normalise_instrument(name)
        except InstrumentError:
            instrument = ""
        if not (instrument and symbol):
            self.left_out["unnamed"] += 1
            return
        known = self.get(instrument)
        if known is not None:
            self.left_out["twin"] += 1
            if known.trading.halted <= trading.halted:
                return
        self[instrument] = Market(
            symbol,
            trading,
            self._plain(tick),
            self._plain(lot),
            self._plain(min_amount),
            self._plain(min_notional),
        )

    def _plain(self, number: Number) -> str | None:
        try:
            return plain_decimal(number)
        except ValueError:
            self.bad_numbers += 1
            return None


def read_list(decoder: Decodes[T], reply: bytes) -> T:
    """Return a venue's list decoded.

    Raises:
        FrameError: `not_instruments`: `reply` is none.
    """
    try:
        return read(decoder, reply)
    except FrameError as error:
        raise FrameError("not_instruments", str(error)) from None


def trading(status: str, usual: str, restricted: Collection[str] = ()) -> Trading:
    """Return what a venue's `status` means: a halt, unless it is `usual` or a known restriction.

    A word that the venue did not document is a halt: its book might be one that nobody can trade.
    """
    if status == usual:
        return TRADING
    return Trading(halted=status not in restricted, word=status[:LONGEST_WORD])


def source(
    entry: type[Entry],
    rest_path: str,
    lists: Decodes[Sequence[msgspec.Raw]] = _BARE,
    *,
    other_rest_path: str | None = None,
    part_path: Callable[[Sequence[str]], str] | None = None,
) -> InstrumentSource:
    """Return where a venue lists entries like `entry`; `lists` decodes a reply to them.

    The paths are those of `InstrumentSource`.
    """
    return InstrumentSource(
        parse=_parser(entry, lists),
        rest_path=rest_path,
        other_rest_path=other_rest_path,
        part_path=part_path,
    )


def _parser(
    entry: type[Entry], lists: Decodes[Sequence[msgspec.Raw]]
) -> Callable[[bytes], Markets]:
    entries = msgspec.json.Decoder(entry)

    def parse(reply: bytes) -> Markets:
        markets = Markets()
        for market in markets.read(entries, read_list(lists, reply)):
            if market.is_spot:
                steps = (market.tick, market.lot)
                tick, lot = map(increment, steps) if market.counts_decimals else steps
                markets.add(
                    market.name,
                    market.symbol,
                    market.trading,
                    tick=tick,
                    lot=lot,
                    min_amount=market.min_amount,
                    min_notional=market.min_notional,
                )
        return markets

    return parse


def increment(decimals: Number) -> Number:
    """Return the increment of numbers with so many decimals (2 → "1e-2")."""
    return None if decimals is None else f"1e-{decimals}"


@lru_cache(maxsize=1024)
def plain_decimal(number: Number) -> str | None:
    """Return a venue's number as plain decimal text, exactly ("0.0100" → "0.01", 1e-3 → "0.001").

    None where there is none, or it is zero: so venues say that nothing is asked.

    Raises:
        ValueError: it is no number, negative, or too long to be meant.
    """
    if number is None or number == "":
        return None
    text = str(number)
    value = Decimal(text if len(text) <= LONGEST_NUMBER and _POSITIVE.fullmatch(text) else "NaN")
    written = format(value, "f")
    if value.is_nan() or len(written) > LONGEST_NUMBER:
        raise ValueError(f"{text[:LONGEST_NUMBER]!r} is not a positive number")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written if value else None
