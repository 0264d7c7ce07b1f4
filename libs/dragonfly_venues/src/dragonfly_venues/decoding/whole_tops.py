"""The change filter: finds the levels that would be published by their bytes, parses only news.

For venues whose every frame is a whole top of book. What decides is a *prefix* of each side's
text: the shortest run of whole levels that holds `depth` usable ones. A frame whose sides begin
with the same prefixes as the last one changes nothing, which costs two comparisons of memory and
no parsing; otherwise the side that differs is cut after its N-th level, and only that is parsed.

    "bids":[["0.07","1.5"],["0.06","2"],["0.05","9"], …
            └──────── prefix, N = 2 ──┘

A side whose text is laid out unexpectedly (white space, escapes) is no error: the caller reads
the whole frame with a JSON decoder instead, and gets the same result.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from math import inf, isfinite
from typing import Final

import msgspec
from dragonfly_common.types import Level, Side

from dragonfly_venues.decoding.shapes import MAX_SEQ
from dragonfly_venues.events import BookTop, Broken, Event, FrameError, Unchanged, WholeBook
from dragonfly_venues.venue import Decoder

__all__ = [
    "MAX_SYMBOLS",
    "SIDE_TEXT",
    "ChangeFilter",
    "ChangeFilters",
    "Layout",
    "UnfamiliarText",
    "WholeTopDecoder",
    "usable",
]

MAX_SYMBOLS: Final = 4096
"""Symbols whose state one connection keeps: far above any venue's streams per connection, so that
only nonsense names ever push a state out."""

OLDER_IN_A_ROW: Final = 8
"""So many older books running are no disorder: the venue's counter went back for good."""

SIDE_TEXT: Final = msgspec.json.Decoder(tuple[tuple[float, float], ...], strict=False)
"""Levels as the venues print them, numbers in strings; equals `float(text)` of each, in 1.6 µs for
ten levels where `float` over decoded strings takes 4.6."""

_MAX_SYMBOL_BYTES: Final = 64
_MAX_DIGITS: Final = 18
# JSON text never matches it, so a side compared with it always differs.
_NOTHING: Final = b"\x00"


class UnfamiliarText(Exception):  # noqa: N818 -- not an error: the JSON decoder judges the frame
    """The frame's text is not laid out as the byte filter expects it."""


def usable(levels: Side, depth: int, *, falling: bool) -> Side:
    """Return the best `depth` of `levels` that mean something.

    A level of amount 0, or of a price not above 0, says nothing and is left out: venues send both.

    Raises:
        FrameError: `bad_level` (not finite, negative amount) or `unsorted` (not strictly).
    """
    best = levels[:depth]
    last = inf
    for price, amount in best if falling else best[::-1]:
        # Single comparisons: Python has an instruction for each of them, and for no chain.
        if not (price < last and price > 0.0 and amount > 0.0 and amount < inf):
            return _sifted(levels, depth, falling=falling)
        last = price
    return best


def _sifted(levels: Side, depth: int, *, falling: bool) -> Side:
    """Do the work of `usable` where some level is to be left out, or refused."""
    kept: list[Level] = []
    for price, amount in levels:
        if not (isfinite(price) and isfinite(amount) and amount >= 0.0):
            raise FrameError("bad_level", f"{price} {amount}")
        if price <= 0.0 or amount == 0.0:
            continue
        if kept and (price >= kept[-1][0] if falling else price <= kept[-1][0]):
            raise FrameError("unsorted", f"{price} after {kept[-1][0]}")
        kept.append((price, amount))
        if len(kept) == depth:
            break
    return tuple(kept)


def _read_side(frame: bytes, start: int, depth: int, *, falling: bool) -> tuple[bytes, Side]:
    """Return the prefix of the side at `start` that decides its best `depth` levels, and those.

    The prefix ends in the bracket that ends the side, or in the comma before the next level.

    Raises:
        UnfamiliarText: the text is not laid out as this module expects it.
        FrameError: as in `usable`.
    """
    if frame.startswith(b"]", start):
        return b"]", ()
    count = depth
    while True:
        if first := _levels(count)(frame, start):
            end = first.end()
        elif (end := frame.find(b"]]", start) + 2) < 2:
            raise UnfamiliarText
        try:
            levels = SIDE_TEXT.decode(frame[start - 1 : end - 1] + b"]")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise UnfamiliarText from None
        side = usable(levels, depth, falling=falling)
        if len(side) == depth or first is None:
            return frame[start:end], side
        count *= 2  # some levels were unusable, so the ones behind them count


@cache
def _levels(count: int) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Return what finds so many levels, each with the comma before the next one."""
    return re.compile(rb"(?:[^\]]*+\],){%d}" % count).match


class ChangeFilter:
    """The last levels of one symbol, against which each of its frames is held.

    Order: a book that differs and is not newer than the last is refused as `out_of_order`, and
    the last one stays; one that does not differ is harmless whatever its stamp. When the venue's
    counter has plainly gone back, the book is declared broken, so that it is asked for anew.
    """

    __slots__ = (
        "_asks",
        "_asks_text",
        "_bids",
        "_bids_text",
        "_depth",
        "_older",
        "_same",
        "seeded",
        "seq",
        "symbol",
    )

    def __init__(self, symbol: str, depth: int) -> None:
        self.symbol = symbol
        """Whose frames these are."""
        self.seq = -1
        """The sequence of the last frame; -1 at first."""
        self.seeded = False
        """True while it stands as REST gave it: frames from before may still be on their way."""
        self._depth = depth
        self._same = (Unchanged(symbol),)
        self._older = 0
        self._bids: Side | None = None
        self._asks: Side | None = None
        self._bids_text = self._asks_text = _NOTHING

    def seed(self, book: BookTop) -> Sequence[Event]:
        """Take a book that REST gave; a frame of the same sequence or a newer one replaces it."""
        self.seq, self._bids, self._asks = book.venue_seq, book.bids, book.asks
        self.seeded = True
        return (book,)

    def compare(
        self, frame: bytes, bids_at: int, asks_at: int, seq: int, ts_event: int | None
    ) -> Sequence[Event]:
        """Return what a frame says whose sides' first levels begin at `bids_at` and `asks_at`.

        Raises:
            UnfamiliarText: `whole` must judge it.
            FrameError: as in `whole`.
        """
        bids, bids_text = self._bids, self._bids_text
        asks, asks_text = self._asks, self._asks_text
        bids_same = frame.startswith(bids_text, bids_at)
        asks_same = frame.startswith(asks_text, asks_at)
        if bids_same and asks_same:
            if seq > self.seq:
                self.seq = seq
                self._older = 0
            return self._same
        try:
            if bids is None or not bids_same:
                bids_text, bids = _read_side(frame, bids_at, self._depth, falling=True)
            if asks is None or not asks_same:
                asks_text, asks = _read_side(frame, asks_at, self._depth, falling=False)
            events = self._judge(bids, asks, seq, ts_event)
        except FrameError as error:
            error.symbol = self.symbol
            raise
        if bids == self._bids and asks == self._asks:
            self._bids_text, self._asks_text = bids_text, asks_text
        return events

    def whole(self, bids: Side, asks: Side, seq: int, ts_event: int | None) -> Sequence[Event]:
        """Return what a book says that was decoded in full.

        Raises:
            FrameError: `bad_level`, `unsorted`, `out_of_order`, or `bad_sequence` where `seq`
                cannot be one.
        """
        try:
            if not 0 <= seq <= MAX_SEQ:
                raise FrameError("bad_sequence", str(seq))  # noqa: TRY301 -- named below
            return self._judge(
                usable(bids, self._depth, falling=True),
                usable(asks, self._depth, falling=False),
                seq,
                ts_event,
            )
        except FrameError as error:
            error.symbol = self.symbol
            raise

    def _judge(self, bids: Side, asks: Side, seq: int, ts_event: int | None) -> Sequence[Event]:
        changed = bids != self._bids or asks != self._asks
        if seq < self.seq or (seq == self.seq and not self.seeded):
            return self._not_newer(seq) if changed else self._same
        self.seq = seq
        self._older = 0
        self.seeded = False
        if not changed:
            return self._same
        self._bids, self._asks = bids, asks
        self._bids_text = self._asks_text = _NOTHING
        return (BookTop(self.symbol, seq, ts_event, bids, asks),)

    def _not_newer(self, seq: int) -> Sequence[Event]:
        self._older += 1
        if self._older < OLDER_IN_A_ROW:
            if self.seeded:
                return self._same
            raise FrameError("out_of_order", f"{seq} after {self.seq}")
        self._older = 0
        return (Broken(self.symbol, "reset", f"its sequence fell from {self.seq} to {seq}"),)


class ChangeFilters:
    """The filters of one connection, by the channel's name: `prefix` symbol `suffix`."""

    def __init__(self, depth: int, *, prefix: str = "", suffix: str = "") -> None:
        self._depth = depth
        self._prefix = prefix
        self._suffix = suffix
        self._filters: dict[bytes, ChangeFilter] = {}

    def of(self, channel: bytes) -> ChangeFilter:
        """Return the filter of `channel`, new if need be.

        Raises:
            FrameError: `unknown_channel`: it names no book.
        """
        return self._filters.get(channel) or self._add(channel)

    def booked(self, channel: bytes) -> str | None:
        """Return the symbol of `channel` where it has a book by now."""
        known = self._filters.get(channel)
        return known.symbol if known is not None and known.seq >= 0 else None

    def seed(self, book: BookTop) -> Sequence[Event]:
        """Return what comes of a book that REST gave; see `ChangeFilter.seed`."""
        return self.of(self._channel(book.symbol)).seed(book)

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` stands as REST gave it."""
        known = self._filters.get(self._channel(symbol))
        return known is not None and known.seeded

    def forget(self, symbol: str) -> None:
        """Drop the filter of `symbol`."""
        self._filters.pop(self._channel(symbol), None)

    def seq(self, symbol: str) -> int:
        """Return the sequence of the last frame of `symbol`, -1 where there was none."""
        known = self._filters.get(self._channel(symbol))
        return -1 if known is None else known.seq

    def _channel(self, symbol: str) -> bytes:
        return f"{self._prefix}{symbol}{self._suffix}".encode()

    def _add(self, channel: bytes) -> ChangeFilter:
        name = channel.decode(errors="replace")
        symbol = name.removeprefix(self._prefix).removesuffix(self._suffix)
        if self._channel(symbol) != channel or not symbol or len(channel) > _MAX_SYMBOL_BYTES:
            raise FrameError("unknown_channel", name[:_MAX_SYMBOL_BYTES])
        if len(self._filters) >= MAX_SYMBOLS:
            del self._filters[next(iter(self._filters))]
        created = self._filters[channel] = ChangeFilter(symbol, self._depth)
        return created


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a venue prints whole tops of book: the texts between which the filter finds its parts."""

    seq: bytes
    """Before the digits of the sequence: its name, a colon, and what else is in front of them."""
    seq_end: bytes
    """Behind them."""
    channel: bytes
    """Before the channel's name, which a quote ends."""
    channel_last: bool = False
    """True where it stands behind the levels: it is looked for from the end."""
    certain: bytes = b""
    """Text that a frame of books holds besides, towards its end."""
    bids: bytes = b'"bids":['
    asks: bytes = b'"asks":['
    ns_per_seq: int | None = None
    """Where the sequence is a time: what makes nanoseconds UTC of it."""


class WholeTopDecoder(Decoder):
    """The decoder of a venue whose every frame of a channel is a whole top of book."""

    def __init__(
        self,
        depth: int,
        layout: Layout,
        other: Callable[[bytes], Sequence[Event]],
        *,
        prefix: str = "",
        suffix: str = "",
    ) -> None:
        """Channels are named `prefix` symbol `suffix`.

        `other` returns what a frame says that does not name the layout's sequence, or raises
        `FrameError`.
        """
        self._other = other
        self._seq_mark = layout.seq
        self._seq_name = layout.seq.partition(b":")[0]
        self._ns_per_seq = layout.ns_per_seq
        self._max_seq = MAX_SEQ // (layout.ns_per_seq or 1)
        self._filters = ChangeFilters(depth, prefix=prefix, suffix=suffix)
        self._places = _finder(layout, self._max_seq)

    @abstractmethod
    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return channel, sequence, bids and asks of a book that is printed otherwise.

        Raises:
            FrameError: it is none.
        """

    def decode(self, frame: bytes, book: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        try:
            if book is None:
                seq_at = frame.find(self._seq_mark)
                if seq_at < 0 and self._seq_name not in frame:
                    return self._other(frame)
                seq, channel, bids_at, asks_at = self._places(frame, seq_at)
            else:
                seq, channel, bids_at, asks_at = book.seq, book.channel, book.bids_at, book.asks_at
            ns_per_seq = self._ns_per_seq
            ts_event = None if ns_per_seq is None else seq * ns_per_seq
            return self._filters.of(channel).compare(frame, bids_at, asks_at, seq, ts_event)
        except UnfamiliarText:
            name, seq, bids, asks = self.in_full(frame)
            if not 0 <= seq <= self._max_seq:
                raise FrameError("bad_sequence", str(seq)) from None
            ts_event = None if self._ns_per_seq is None else seq * self._ns_per_seq
            return self._filters.of(name.encode()).whole(bids, asks, seq, ts_event)

    def whole_book(self, frame: bytes) -> WholeBook | None:
        """Return which book `frame` holds; see `Decoder`."""
        try:
            places = self._places(frame, frame.find(self._seq_mark))
        except (UnfamiliarText, FrameError):
            return None
        symbol = self._filters.booked(places[1])
        return WholeBook(symbol, *places) if symbol else None

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`."""
        self._filters.forget(symbol)

    def seq(self, symbol: str) -> int:
        """Return the sequence of the last frame of `symbol`; see `Decoder`."""
        return self._filters.seq(symbol)

    def seed(self, book: BookTop) -> Sequence[Event]:
        """Return what comes of a book that REST gave; see `Decoder`."""
        return self._filters.seed(book)

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` stands as REST gave it; see `Decoder`."""
        return self._filters.seeded(symbol)


def _finder(layout: Layout, max_seq: int) -> Callable[[bytes, int], tuple[int, bytes, int, int]]:
    """Return what finds (sequence, channel, where bids begin, where asks do) in a frame of books.

    It takes the frame, and where the layout's mark of a sequence was found in it. It raises
    `UnfamiliarText` where the text is not laid out as the venue does, and `FrameError`:
    `bad_sequence`. The marks are its own variables, which every frame looks at.
    """
    seq_bytes, seq_end, certain = len(layout.seq), layout.seq_end, layout.certain
    bids_mark, asks_mark, channel_mark = layout.bids, layout.asks, layout.channel
    bids_bytes, asks_bytes, channel_bytes = len(bids_mark), len(asks_mark), len(channel_mark)
    channel_last = layout.channel_last

    def places(frame: bytes, seq_at: int) -> tuple[int, bytes, int, int]:
        bids_at = frame.find(bids_mark)
        asks_at = frame.find(asks_mark)
        channel_at = frame.rfind(channel_mark) if channel_last else frame.find(channel_mark)
        number_at = seq_at + seq_bytes
        digits = frame[number_at : frame.find(seq_end, number_at)]
        if (
            seq_at < 0
            or channel_at < 0
            or bids_at < 0
            or asks_at < 0
            or not digits.isdigit()
            or len(digits) > _MAX_DIGITS
            or b"\\" in frame
            or not frame.endswith(b"}")
            or (certain and frame.rfind(certain) < 0)
        ):
            raise UnfamiliarText
        channel_at += channel_bytes
        channel = frame[channel_at : frame.find(b'"', channel_at)]
        seq = int(digits)
        if seq > max_seq:
            raise FrameError("bad_sequence", digits.decode())
        return seq, channel, bids_at + bids_bytes, asks_at + asks_bytes

    return places
