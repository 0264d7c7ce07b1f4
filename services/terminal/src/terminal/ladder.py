"""The ladder: one picture of one moment. Pure: a `Frame` in, something that rich can draw out.

header      what is watched, where, how fast
ladder      bids and asks, each a bar in its venue's colour (`levels.py`)
venues      state, age, rate, latency, and the reason where a venue is not live
footer      latency by hop, other instruments, notices, and what was told before where there is room

A price is shown whole or not at all. Columns that do not fit go one by one, and so do lines; of
levels, venues, instruments and notices it is said how many there are beyond those that are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dragonfly_client.messages import Book, Hops, State, VenueFeed
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from terminal.colours import ACCENT, ASK, BID, BRIGHT, FAINT, LINE, WARN, venue_style
from terminal.levels import VENUE_WIDTH, LevelLayout, level_layout
from terminal.statistics import Percentiles
from terminal.text import (
    basis_points,
    cut_name,
    decimals_of,
    duration_text,
    price_text,
    share_text,
    whose,
)

__all__ = ["LOWEST", "Frame", "VenueRow", "draw"]

LEAST_BESIDE_NAME: Final = 40
"""Cells that a venue's row needs beside a long name: mark, state, age, rate and a latency."""
USUAL_DEPTH: Final = 10
LEAST_ROWS: Final = 6
"""Of the ladder, before lines beneath it give way."""
LOWEST: Final = 6
NARROWEST: Final = 32
LEAST_TAPE: Final = 3

STATE_STYLES: Final = {
    State.LIVE: f"bold {BID}",
    State.SYNCING: "bold #58a6ff",
    State.STALE: f"bold {WARN}",
    State.DOWN: f"bold {ASK}",
    State.HALTED: f"bold {WARN}",
    State.UNKNOWN: FAINT,
    State.UNSPECIFIED: FAINT,
}


@dataclass(frozen=True, slots=True)
class VenueRow:
    """One venue beneath the ladder."""

    feed: VenueFeed
    age_ns: int
    updates_per_s: float
    latency: Percentiles | None


@dataclass(frozen=True, slots=True)
class Frame:
    """All that one picture shows. `others` are the newest books of further instruments."""

    target: str
    instrument: str
    book: Book | None
    venues: Sequence[VenueRow] = ()
    books_per_s: float = 0.0
    latency: Percentiles | None = None
    hops: Hops | None = None
    others: Sequence[Book] = ()
    notices: Sequence[str] = ()
    tape: Sequence[str] = ()
    """Earlier lines, newest last, shown where there is room."""
    outage: str | None = None
    decimals: int = 2


def draw(frame: Frame, width: int, height: int) -> RenderableType:
    """Return the picture of `frame` for a terminal of `width` by `height` cells."""
    layout = level_layout(frame.book, frame.decimals, width - 4)
    if layout is None or width < NARROWEST or height < LOWEST:
        return Text(f"{width} x {height} is too small for {frame.instrument}: make it larger", WARN)
    depth = USUAL_DEPTH if frame.book is None else _depth(frame.book)
    room = height - 3  # the header and the ladder's borders
    sections = _beneath(frame, width)
    free = room - sum(map(len, sections.values()))
    rows = layout.rows_of(depth, max(free, min(room - 1, max(LEAST_ROWS, room // 3))))
    beneath = _fitted(sections, room - rows)
    for line in beneath:
        line.truncate(width, overflow="ellipsis")
    tape = _tape(frame, width, room - rows - len(beneath))
    levels = layout.levels_in(rows)
    return Group(_header(frame, width), _panel(frame, layout, levels, width), *beneath, *tape)


def _header(frame: Frame, width: int) -> Text:
    left = Text.assemble(
        (" dragonfly ", f"bold #0d1117 on {ACCENT}"), " ", (frame.instrument, "bold")
    )
    if frame.outage is not None:
        right = Text(f"{frame.outage} ", style=f"bold {ASK}")
    elif frame.book is None:
        right = Text(f"{frame.target} ", style=FAINT)
    else:
        live = sum(row.feed.state is State.LIVE for row in frame.venues)
        right = Text.assemble(
            (f"{live}/{len(frame.venues)} venues live", BID if live else ASK),
            (f" · {frame.books_per_s:.0f} books/s · {frame.target} ", FAINT),
        )
    right.truncate(max(0, width - left.cell_len - 1), overflow="ellipsis")
    left.append(" " * max(1, width - left.cell_len - right.cell_len))
    left.append_text(right).truncate(width, overflow="ellipsis")
    return left


def _panel(frame: Frame, layout: LevelLayout, levels: int, width: int) -> Panel:
    book = frame.book
    crossed = book is not None and book.crossed and frame.outage is None
    title = Text.assemble(("bids", BID), ("  ·  ", FAINT), ("asks", ASK))
    if book is not None and frame.outage is None and _depth(book) > levels:
        title.append(f"  ·  {levels} of {_depth(book)} levels", FAINT)
    if layout.without:
        title.append(f"  ·  without {layout.without}", FAINT)
    return Panel(
        _rows(frame, layout, levels),
        box=box.ROUNDED,
        border_style=WARN if crossed else LINE,
        title=title,
        subtitle=_spread(frame, width - 6),
        padding=(0, 1),
        width=width,
    )


def _spread(frame: Frame, room: int) -> Text:
    book = frame.book
    if book is None or book.mid is None or frame.outage is not None:
        return Text("")
    mid = price_text(book.mid, min(10, frame.decimals + 1))
    points = basis_points(book.spread, book.mid) or 0.0
    bold = f"bold {WARN if book.crossed else BRIGHT}"
    spread = Text(f"spread {price_text(book.spread, frame.decimals)}", bold)
    known = Text()
    if book.crossed:
        known.append(" CROSSED", f"bold {WARN}")
    elif book.spread == 0:
        known.append(" LOCKED", "bold #58a6ff")
    in_points = Text(f" ({points:.2f} bp)", bold)
    in_the_middle = Text(f"  mid {mid}", FAINT)
    return _first_that_fits(
        room,
        spread + in_points + known + in_the_middle,
        spread + in_points + known,
        spread + known,
        spread,
    )


def _first_that_fits(room: int, *texts: Text) -> Text:
    """Return the first text that has room: what is shown of a price is the whole of it."""
    return next((text for text in texts if text.cell_len <= room), Text(""))


def _depth(book: Book) -> int:
    return max(len(book.bids), len(book.asks))


def _rows(frame: Frame, layout: LevelLayout, levels: int) -> Text:
    book = frame.book
    if book is None:
        words = (f"waiting for the first book of {frame.instrument} …", FAINT)
    elif frame.outage is not None:
        words = ("what was shown here holds no more", f"bold {ASK}")
    elif not (book.bids or book.asks):
        words = ("no venue is live: the reasons are below", f"bold {ASK}")
    else:
        return layout.draw(book.bids[:levels], book.asks[:levels])
    # As high as a ladder, so that nothing jumps when one comes.
    line = Text(words[0], style=words[1])
    line.truncate(layout.width, overflow="ellipsis")
    rows = levels if book and _depth(book) else min(levels, USUAL_DEPTH)
    return line.append("\n" * (layout.rows_for(rows) - 1))


_Sections = dict[str, list[Text]]

# What gives way first where not all lines fit, from its end; of notices the oldest.
_SACRIFICES: Final = ("hops", "latency", "heading", "instrument", "notice", "venue")
_COUNTED: Final = ("instrument", "venue", "notice")


def _beneath(frame: Frame, width: int) -> _Sections:
    """Return the lines beneath the ladder, in their order, by what they are."""
    names = max([VENUE_WIDTH, *(len(whose(row.feed)) + 1 for row in frame.venues)])
    if width < names + LEAST_BESIDE_NAME:
        names = VENUE_WIDTH
    columns = Text(f"   {'venue':<{names}}{'state':<8}", FAINT)
    for text, cells in (("age", 9), ("upd/s", 8), ("p50", 10), ("p99", 10)):
        if columns.cell_len + cells <= width:
            columns.append(f"{text:>{cells}}")
    return {
        "heading": [columns],
        "venue": [_venue(row, frame, names, width) for row in frame.venues],
        "latency": [_latency(frame)],
        "hops": [] if frame.hops is None else [_hops(frame.hops, width)],
        "instrument": [_other(book, width) for book in frame.others],
        "notice": [Text(f" {notice}", WARN) for notice in frame.notices[-3:]],
    }


def _fitted(sections: _Sections, room: int) -> list[Text]:
    """Return as many lines as there is room for, the last of which counts the others."""
    left_out: Counter[str] = Counter()
    for name in _SACRIFICES:
        lines = sections[name]
        while lines and sum(map(len, sections.values())) + any(map(left_out.get, _COUNTED)) > room:
            lines.pop(0 if name == "notice" else -1)
            left_out[name] += 1
    found = [line for lines in sections.values() for line in lines]
    counts = [
        f"{left_out[name]} {name}{'s' if left_out[name] > 1 else ''}"
        for name in _COUNTED
        if left_out[name]
    ]
    return [*found, Text(f" + {', '.join(counts)}", FAINT)] if counts else found


def _tape(frame: Frame, width: int, room: int) -> Iterator[Text]:
    """Yield the last lines that were told, each whole."""
    lines = [line for line in frame.tape if len(line) < width] if room >= LEAST_TAPE else []
    if lines:
        yield Text("")
    for line in lines[1 - room :]:
        yield Text(f" {line}", FAINT)


def _venue(row: VenueRow, frame: Frame, names: int, width: int) -> Text:
    feed = row.feed
    name = f"{cut_name(whose(feed), names - 1):<{names}}"
    if frame.outage is not None:
        return Text().append(f" ○ {name}—", FAINT)
    text = Text.assemble((f" ● {name}", venue_style(feed.venue)))
    style = STATE_STYLES[feed.state]
    text.append(f"{feed.state.name:<8}", style)
    age = f"{duration_text(row.age_ns) if feed.ts_recv is not None else '—':>9}"
    if feed.state is not State.LIVE:
        return text.append(age if text.cell_len + 20 <= width else "").append(
            f"  {feed.reason}", style
        )
    p50, p99 = _percentiles(row.latency)
    cells = [(age, ""), (f"{row.updates_per_s:>8.0f}", ""), (f"{p50:>10}", ""), (f"{p99:>10}", "")]
    if feed.score is not None and feed.score < 1.0:
        cells.append((f"  score {share_text(feed.score)}", WARN))
    for cell, its_style in cells:
        if text.cell_len + len(cell) > width:
            break
        text.append(cell, its_style or None)
    return text


def _percentiles(latency: Percentiles | None) -> tuple[str, str]:
    if latency is None:
        return "—", "—"
    return duration_text(latency.p50_ns), duration_text(latency.p99_ns)


def _latency(frame: Frame) -> Text:
    p50, p99 = _percentiles(frame.latency)
    return Text.assemble((" latency ", FAINT), f"p50 {p50}", (" · ", FAINT), f"p99 {p99}")


def _hops(hops: Hops, width: int) -> Text:
    named, bare = Text(" hops    ", FAINT), Text(" hops ", FAINT)
    for name, hop_ns in (
        ("listener", hops.listener_ns),
        ("aggregator", hops.aggregator_ns),
        ("gateway", hops.gateway_ns),
        ("bot", hops.bot_ns),
    ):
        arrow = " → " if name != "listener" else ""
        named.append(f"{arrow}{name} ", FAINT).append(duration_text(hop_ns), BRIGHT)
        bare.append(arrow, FAINT).append(duration_text(hop_ns), BRIGHT)
    return _first_that_fits(width, named, bare)


def _other(book: Book, width: int) -> Text:
    name = Text(f" {book.instrument:<11} ", "bold")
    if book.best_bid is None or book.best_ask is None:
        return name.append("no venue is live" if not book.was_live else "one side only", ASK)
    best = (book.best_bid, book.best_ask)
    decimals = decimals_of(level.price for level in best)
    prices = [price_text(level.price, decimals) for level in best]
    bid, ask = (Text(price, style) for price, style in zip(prices, (BID, ASK), strict=True))
    names = [Text(f" {whose(level)}", venue_style(level.venue)) for level in best]
    between = Text(" │ ", FAINT)
    spread = Text(f"   spread {price_text(book.spread, decimals)}", FAINT)
    return _first_that_fits(
        width,
        name + bid + names[0] + between + ask + names[1] + spread,
        name + bid + names[0] + between + ask + names[1],
        name + bid + between + ask,
        name + Text("too wide for this terminal", FAINT),
        name,
    )
