"""The best prices of many instruments: a table that redraws itself, or a record a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from dragonfly_client.events import Disconnected, Event, Reconnected, Refused
from dragonfly_client.messages import Book, Level, State
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from terminal.colours import ASK, BRIGHT, FAINT, WARN
from terminal.lines import summary_lines
from terminal.screens import PICTURE_PERIOD_S
from terminal.state import WatchState
from terminal.text import (
    UNTOLD,
    aligned,
    amount_text,
    basis_points,
    decimals_of,
    duration_text,
    fitting,
    price_text,
    whose,
)

__all__ = ["CSV_COLUMNS", "BoardScreen", "RecordScreen", "board", "csv_record"]

COLUMNS: Final = (
    *("instrument", "bid amount", "bid at", "bid", "ask", "ask at", "ask amount"),
    *("spread", "bps", "live", "changed"),
)
NUMBERS: Final = (1, 3, 4, 6, 7, 8, 9, 10)
SACRIFICES: Final = (
    *("ask amount", "bid amount", "spread", "changed", "ask at", "bid at", "bps", "live"),
)
"""Which columns give way first where not all fit."""

CSV_COLUMNS: Final = (
    *("ts_event", "ts_recv", "ts_pub", "ts_agg", "ts_out", "ts_in"),
    *("instrument", "live", "spread", "epoch", "seq", "replaced"),
    *("bid_px_00", "bid_sz_00", "bid_venue_00", "ask_px_00", "ask_sz_00", "ask_venue_00"),
)
"""The first line of `watch --csv`; the times of the venue are those of the one heard last."""


class BoardScreen:
    """A row for each instrument, eight times a second."""

    period_s = PICTURE_PERIOD_S

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._decimals: dict[str, int] = {}

    def __enter__(self) -> object:
        return self._live.__enter__()

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def observe(self, book: Book) -> None:
        # Once shown to a decimal, always: columns that come and go are hard to read.
        best = (level.price for level in (book.best_bid, book.best_ask) if level is not None)
        shown = self._decimals.get(book.instrument, 2)
        self._decimals[book.instrument] = decimals_of(best, at_least=shown)

    def on_event(self, event: Event) -> None:
        """Do nothing: the next picture says it."""

    def show(self, watch: WatchState) -> None:
        self._live.update(self._picture(watch), refresh=True)

    def end(self, watch: WatchState) -> None:
        summary = map(Text, summary_lines(watch.summary()))
        self._console.print(self._picture(watch), *summary, sep="\n")

    def _picture(self, watch: WatchState) -> Group:
        width, height = self._console.size
        frame = watch.frame()
        head = frame.outage or (
            f"{len(watch.instruments)} instruments of {watch.target}"
            f" · {frame.books_per_s:.0f} books/s · {datetime.now(UTC):%H:%M:%S} UTC"
        )
        told = [Text(head, ASK if frame.outage else FAINT), *map(Text, frame.notices)]
        rows = board(watch.instruments, watch.books, self._decimals, watch.since_ns, width)
        hidden = len(rows) + len(told) - height + 1
        if hidden > 0:
            rows = [*rows[: -hidden - 1], Text(f"no room for {hidden + 1} more lines", WARN)]
        return Group(*told, *rows)


class RecordScreen:
    """Each book as a line of text; what else is to be said goes to `beside`."""

    period_s = 0.1

    def __init__(
        self, console: Console, beside: Console, record: Callable[[Book], str], head: str = ""
    ) -> None:
        self._console = console
        self._beside = beside
        self._record = record
        self._head = head

    def __enter__(self) -> object:
        if self._head:
            self._console.out(self._head, highlight=False)
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: lines stay as they are."""

    def observe(self, book: Book) -> None:
        self._console.out(self._record(book), highlight=False)

    def on_event(self, event: Event) -> None:
        match event:
            case Disconnected(_, reason):
                self._beside.out(f"disconnected: {reason}", highlight=False)
            case Reconnected(_, downtime_s):
                self._beside.out(f"reconnected after {downtime_s:.2f} s", highlight=False)
            case Refused(_, _, reason):
                self._beside.out(reason, highlight=False)

    def show(self, watch: WatchState) -> None:
        """Do nothing: each book was said as it came."""

    def end(self, watch: WatchState) -> None:
        """Do nothing: a summary is no record."""


def board(
    instruments: Sequence[str],
    books: Mapping[str, Book],
    decimals: Mapping[str, int],
    since_ns: Callable[[Book], int],
    width: int | None,
) -> list[Text]:
    """Return headings and a row for each of `instruments`; no price is cut.

    `decimals` are those of prices; `since_ns` tells how long ago a venue last changed a book.
    Columns that do not fit in `width` cells go.
    """
    rows = [_row(name, books.get(name), decimals.get(name, 2), since_ns) for name in instruments]
    shown, _ = fitting([COLUMNS, *rows], SACRIFICES, width)
    lines = [[row[place] for place in shown] for row in (COLUMNS, *rows)]
    head, *told = aligned(lines, [at for at, place in enumerate(shown) if place in NUMBERS])
    styles = [_style(books.get(name)) for name in instruments]
    return [Text(head, FAINT, no_wrap=True)] + [
        Text(line, style, no_wrap=True) for line, style in zip(told, styles, strict=True)
    ]


def csv_record(book: Book) -> str:
    """Return `book`'s best prices as the fields of `CSV_COLUMNS`; empty where there is none."""
    moved = book.moved
    times = (moved.ts_event, moved.ts_recv, moved.ts_pub) if moved else (None, None, None)
    fields = (
        *(*times, book.ts_agg, book.ts_out, book.ts_in),
        *(book.instrument, str(book.was_live).lower(), None if book.mid is None else book.spread),
        *(book.epoch, book.seq, book.replaced),
        *(*_side(book.best_bid), *_side(book.best_ask)),
    )
    return ",".join("" if field is None else str(field) for field in fields)


def _side(level: Level | None) -> tuple[object, ...]:
    return (None, None, None) if level is None else (level.price, level.amount, whose(level))


def _row(
    name: str, book: Book | None, decimals: int, since_ns: Callable[[Book], int]
) -> tuple[str, ...]:
    if book is None:
        return (name, *[""] * (len(COLUMNS) - 2), "awaited")
    bid, ask = book.best_bid, book.best_ask
    bps = basis_points(book.spread, book.mid)
    live = sum(feed.state is State.LIVE for feed in book.venues)
    return (
        name,
        amount_text(bid.amount) if bid else UNTOLD,
        whose(bid) if bid else UNTOLD,
        price_text(bid.price, decimals) if bid else UNTOLD,
        price_text(ask.price, decimals) if ask else UNTOLD,
        whose(ask) if ask else UNTOLD,
        amount_text(ask.amount) if ask else UNTOLD,
        price_text(book.spread, decimals) if bid and ask else UNTOLD,
        f"{bps:.1f}" if bps is not None else UNTOLD,
        f"{live}/{len(book.venues)}",
        duration_text(since_ns(book)),
    )


def _style(book: Book | None) -> str:
    if book is None or not book.was_live:
        return FAINT
    return WARN if book.crossed else BRIGHT
