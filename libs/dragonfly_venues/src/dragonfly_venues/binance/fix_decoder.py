"""Messages of Binance by FIX: a whole book on subscribing (W), then changes of it (X).

    35=W|262=D7-BNBBTC|55=BNBBTC|25044=159|268=2|269=0|270=0.0024|271=10|269=1|270=0.0026|271=9
    35=X|262=D7-BNBBTC|268=2|279=1|270=0.0024|271=5|269=0|55=BNBBTC|25043=157|25044=160
                            |279=2|270=0.0026|269=1

An entry of an X without 55, 25043 or 25044 has those of the one before. A deletion (279=2) has no
amount. More than 10,000 entries come in parts, of which the last says 893=Y and the others 893=N.
Best prices come in the same way with 25044 alone: an entry replaces its side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

from dragonfly_common.types import Level
from dragonfly_fix.codec import Field, decode_fields
from dragonfly_fix.timestamps import parse_timestamp

from dragonfly_venues.binance.decoder import BinanceSequencer
from dragonfly_venues.binance.fix_control import DEPTH, Followed, refusal, stream_named
from dragonfly_venues.binance.seed import SEED_LEVELS
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Place, Seed
from dragonfly_venues.decoding.shapes import MAX_SEQ
from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS
from dragonfly_venues.events import Acked, Bbo, Closing, Event, FrameError, Heard, WholeBook

__all__ = ["BinanceFixDecoder", "BinanceFixSequencer"]

BID: Final = b"0"
OFFER: Final = b"1"
DELETE: Final = b"2"
MOST_HELD: Final = 2**17
"""Entries of a message in parts; Binance's longest side has a fraction of them."""
ALREADY_ACTIVE: Final = "Similar subscription is already active"

_HEARD: Final = (Heard(),)


class BinanceFixSequencer(BinanceSequencer):
    """Binance's rules by FIX. Source: fix-api.md, "Market Data Messages".

    1. The answer to a subscription (W) is a whole book of so many levels, at 25044.
    2. A change (X) covers the ids from 25043 to 25044; one whose 25044 is not above the book's is
       dropped.
    3. It continues the book where 25043 <= the book's id + 1 <= 25044; a higher one is a gap.
    """

    def place(self, seq: int, change: Change) -> Place:
        """Return NEXT where the range holds `seq` + 1: the rule of the first holds of all."""
        return self.joins(seq, change)


class _Entry(NamedTuple):
    side: bytes
    level: Level
    """Its amount is 0 where it is deleted."""


class _Sides:
    """The state of one symbol beside its book."""

    __slots__ = ("best", "depth_id", "held", "ticker_id")

    def __init__(self) -> None:
        self.depth_id = b""
        """The subscription that its book is by; another's changes are of one that has ended."""
        self.held: list[_Entry] = []
        """Of a change that comes in parts, those that are here."""
        self.ticker_id = b""
        self.best: dict[bytes, Level] = {}
        """By side; an empty one is not there."""


class BinanceFixDecoder(DeltaDecoder):
    """The decoder of one session with Binance."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, BinanceFixSequencer(), seed_levels=SEED_LEVELS)
        self._sides: dict[str, _Sides] = {}

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`; see `Decoder`."""
        super().forget(symbol)
        self._sides.pop(symbol, None)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        try:
            fields = decode_fields(frame)
        except ValueError as error:
            raise FrameError("bad_shape", str(error)) from None
        first = dict(fields[::-1])
        kind = first.get(35)
        if kind in {b"X", b"W"}:
            stream = stream_named(first.get(262, b""))
            try:
                return self._read(kind, stream, fields, first)
            except FrameError as error:
                error.symbol = stream.symbol
                raise
        if kind in {b"Y", b"3"}:
            refused = refusal(first)
            if ALREADY_ACTIVE in refused.reason:
                # The venue sends by a request that was given up here: a new connection has none.
                return (Closing(refused.reason),)
            return (refused,)
        if kind == b"B":
            return (Closing(first.get(148, b"News")[:200].decode(errors="replace")),)
        raise FrameError("unknown_channel", repr(kind))

    def _read(
        self, kind: bytes, stream: Followed, fields: Sequence[Field], first: Mapping[int, bytes]
    ) -> Sequence[Event]:
        if kind == b"W":
            return self._whole(stream, first, _entries(fields, 269, first, stream))
        sides = self._sides.get(stream.symbol)
        if sides is None or first[262] != (
            sides.depth_id if stream.kind == DEPTH else sides.ticker_id
        ):
            return _HEARD
        entries = _entries(fields, 279, first, stream)
        last = _id(dict(fields).get(25044))
        if stream.kind != DEPTH:
            return (_best(stream.symbol, last, sides, entries, first),)
        if first.get(893) == b"N":
            if len(sides.held) + len(entries) > MOST_HELD:
                sides.held.clear()
                raise FrameError("bad_shape", f"a change of more than {MOST_HELD} entries")
            sides.held += entries
            return _HEARD
        if sides.held:
            entries, sides.held = [*sides.held, *entries], []
        bids, asks = _split(entries)
        change = Change(_id(first.get(25043)), last, bids, asks, _stamp(first))
        return self.change(stream.symbol, change)

    def _whole(
        self, stream: Followed, first: Mapping[int, bytes], entries: Sequence[_Entry]
    ) -> Sequence[Event]:
        symbol, seq = stream.symbol, _id(first.get(25044))
        sides = self._sides_of(symbol)
        if stream.kind != DEPTH:
            sides.ticker_id = first[262]
            sides.best.clear()
            return (_best(symbol, seq, sides, entries, first),)
        sides.depth_id = first[262]
        sides.held.clear()
        acked = Acked(stream.request_id, (symbol,), handle=stream.request_id)
        seed = Seed(seq, *_split(entries), SEED_LEVELS)
        return (acked, *self.snapshot(symbol, seed, _stamp(first)))

    def _sides_of(self, symbol: str) -> _Sides:
        sides = self._sides.get(symbol)
        if sides is None:
            if len(self._sides) >= MAX_SYMBOLS:
                del self._sides[next(iter(self._sides))]
            sides = self._sides[symbol] = _Sides()
        return sides


def _entries(
    fields: Sequence[Field], lead: int, first: Mapping[int, bytes], stream: Followed
) -> list[_Entry]:
    """Return the entries, each of which begins with the tag `lead`."""
    starts = [at for at, (tag, _) in enumerate(fields) if tag == lead]
    if first.get(268) != b"%d" % len(starts):
        raise FrameError("bad_shape", f"{len(starts)} entries where 268 says another number")
    name = stream.symbol.upper().encode()
    sides, prices, amounts = [], [], []
    for start, end in pairwise([*starts, len(fields)]):
        entry = dict(fields[start:end])
        if entry.get(55, name) != name:
            raise FrameError("bad_shape", "an entry is of another symbol")
        sides.append(entry.get(269, b""))
        prices.append(entry.get(270, b""))
        amounts.append(b"0" if entry.get(279) == DELETE else entry.get(271, b""))
    if set(sides) - {BID, OFFER}:
        raise FrameError("bad_shape", "an entry is neither a bid nor an offer")
    levels = zip(_numbers(prices), _numbers(amounts), strict=True)
    return [_Entry(side, level) for side, level in zip(sides, levels, strict=True)]


def _numbers(texts: Sequence[bytes]) -> list[float]:
    try:
        numbers = [float(text) for text in texts]
        sound = not b"".join(texts).translate(None, b"0123456789.")
    except ValueError:
        sound = False
    if not sound or (numbers and max(numbers) == inf):
        raise FrameError("bad_level", b" ".join(texts)[:60].decode(errors="replace"))
    return numbers


def _split(entries: Sequence[_Entry]) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    for _, (price, _amount) in entries:
        if price == 0.0:
            raise FrameError("bad_level", "a price of 0")
    return (
        tuple(level for side, level in entries if side == BID),
        tuple(level for side, level in entries if side == OFFER),
    )


def _best(
    symbol: str, seq: int, sides: _Sides, entries: Sequence[_Entry], first: Mapping[int, bytes]
) -> Bbo:
    for side, level in entries:
        if all(level):
            sides.best[side] = level
        else:
            sides.best.pop(side, None)
    return Bbo(symbol, seq, sides.best.get(BID), sides.best.get(OFFER), _stamp(first))


def _id(text: bytes | None) -> int:
    number = int(text) if text is not None and len(text) <= 19 and text.isdigit() else -1
    if not 0 <= number <= MAX_SEQ:
        raise FrameError("bad_sequence", str(text)[:60])
    return number


def _stamp(first: Mapping[int, bytes]) -> int | None:
    try:
        return parse_timestamp(first.get(52, b""))
    except ValueError:
        return None
