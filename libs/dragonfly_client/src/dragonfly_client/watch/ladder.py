"""The ladder: one picture of one moment. Pure: a `Frame` in, something that rich can draw out.

header      what is watched, where, how fast
ladder      bids and asks back to back, a bar per level in its venue's colour
venues      state, age, rate, latency, and the reason where a venue is not live
footer      latency by hop, other instruments, notices
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from dragonfly_client.messages import Book, Hops, Level, State, VenueFeed
from dragonfly_client.watch.statistics import Percentiles
from dragonfly_client.watch.text import (
    amount_text,
    basis_points,
    decimals_of,
    duration_text,
    price_text,
    share_text,
)

__all__ = ["Frame", "VenueRow", "draw", "venue_style"]

RIGHTWARDS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
LEFTWARDS: Final = ("", "▕", "▕", "▐", "▐", "▐", "▐", "█")
"""The end of a bar by eighths of a cell: Unicode has fewer blocks that begin at the right."""

VENUE_WIDTH: Final = 12
USUAL_DEPTH: Final = 10
NARROWEST: Final = 60

BID: Final = "#2ebd85"
ASK: Final = "#f6465d"
WARN: Final = "#f0b90b"
BRIGHT: Final = "#e6edf3"
FAINT: Final = "#7d8590"
LINE: Final = "#30363d"
ACCENT: Final = "#39c5cf"

VENUE_COLOURS: Final = {"binance": "#f0b90b", "bitstamp": "#3fa796", "kraken": "#8b7cf6"}
OTHER_COLOURS: Final = ("#58a6ff", "#ff7b72", "#d2a8ff", "#7ee787", "#ffa657", "#79c0ff")

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
    outage: str | None = None
    decimals: int = 2


def venue_style(venue: str) -> str:
    """Return the venue's colour: its own, or one that its name decides."""
    known = VENUE_COLOURS.get(venue)
    return known or OTHER_COLOURS[zlib.crc32(venue.encode()) % len(OTHER_COLOURS)]


def draw(frame: Frame, width: int, height: int) -> RenderableType:
    """Return the picture of `frame` for a terminal of `width` by `height` cells."""
    width = max(NARROWEST, width)
    footer = _footer(frame, width)
    # Header, the ladder's borders, the venues' headings and rows, the footer.
    levels = max(1, height - (1 + 2 + 1 + len(frame.venues)) - len(footer))
    body = _rows(frame, width - 4, levels)
    return Group(_header(frame, width), _panel(frame, body), *_venues(frame, width), *footer)


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
    return left.append_text(right)


def _panel(frame: Frame, body: RenderableType) -> Panel:
    book = frame.book
    crossed = book is not None and book.crossed and frame.outage is None
    return Panel(
        body,
        box=box.ROUNDED,
        border_style=WARN if crossed else LINE,
        title=Text.assemble(("bids", BID), ("  ·  ", FAINT), ("asks", ASK)),
        subtitle=_spread(frame),
        padding=(0, 1),
    )


def _spread(frame: Frame) -> Text:
    book = frame.book
    if book is None or book.mid is None or frame.outage is not None:
        return Text("")
    mid = price_text(book.mid, min(10, frame.decimals + 1))
    points = basis_points(book.spread, book.mid) or 0.0
    spread = f"spread {price_text(book.spread, frame.decimals)} ({points:.2f} bp)"
    text = Text.assemble((spread, f"bold {WARN if book.crossed else BRIGHT}"))
    if book.crossed:
        text.append(" CROSSED", f"bold {WARN}")
    elif book.spread == 0:
        text.append(" LOCKED", "bold #58a6ff")
    return text.append(f"  mid {mid}", FAINT)


def _rows(frame: Frame, width: int, levels: int) -> Text:
    book = frame.book
    if book is None:
        words = Text().append(f"waiting for the first book of {frame.instrument} …", FAINT)
    elif frame.outage is not None:
        words = Text().append("what was shown here holds no more", f"bold {ASK}")
    elif not (book.bids or book.asks):
        words = Text().append("no venue is live: the reasons are below", f"bold {ASK}")
    else:
        return _levels(book, frame, width, levels)
    # As high as a ladder, so that nothing jumps when one comes.
    return words.append("\n" * (min(levels, USUAL_DEPTH) - 1))


def _levels(book: Book, frame: Frame, width: int, levels: int) -> Text:
    bids, asks = book.bids[:levels], book.asks[:levels]
    side = _Side.fitting((*bids, *asks), (width - 3) // 2, frame.decimals)
    rows = Text(no_wrap=True, overflow="crop")
    for place, (bid, ask) in enumerate(zip_longest(bids, asks)):
        if place:
            rows.append("\n")
        rows.append_text(side.bid(bid, best=place == 0))
        rows.append(" │ ", LINE)
        rows.append_text(side.ask(ask, best=place == 0))
    return rows


@dataclass(frozen=True, slots=True)
class _Side:
    """Half a row: venue, amount, bar and price, mirrored for asks."""

    width: int
    venue_width: int
    amount_width: int
    price_width: int
    largest: float
    decimals: int

    @classmethod
    def fitting(cls, levels: Sequence[Level], width: int, decimals: int) -> _Side:
        """Return the widths that hold every one of `levels`; the bars have the rest."""
        return cls(
            width,
            venue_width=min(VENUE_WIDTH, max(len(one.venue) for one in levels)) + 1,
            amount_width=max(len(amount_text(one.amount)) for one in levels),
            price_width=max(len(price_text(one.price, decimals)) for one in levels),
            largest=max(one.amount for one in levels),
            decimals=decimals,
        )

    def bid(self, level: Level | None, *, best: bool) -> Text:
        if level is None:
            return Text(" " * self.width)
        name = level.venue[: self.venue_width - 1]
        text = Text().append(f"{name:<{self.venue_width}}", venue_style(level.venue))
        text.append(f"{amount_text(level.amount):>{self.amount_width}} ")
        bar = self._bar(level, LEFTWARDS)
        # Blanks apart: some who draw SVG drop those that begin a coloured text.
        text.append(" " * (self._bar_width - len(bar)))
        text.append(bar[::-1], venue_style(level.venue))
        return text.append(f" {self._price(level):>{self.price_width}}", _price_style(BID, best))

    def ask(self, level: Level | None, *, best: bool) -> Text:
        if level is None:
            return Text("")
        text = Text().append(f"{self._price(level):>{self.price_width}} ", _price_style(ASK, best))
        bar = self._bar(level, RIGHTWARDS)
        text.append(bar, venue_style(level.venue))
        text.append(" " * (self._bar_width - len(bar)))
        text.append(f" {amount_text(level.amount):>{self.amount_width}}")
        name = level.venue[: self.venue_width - 1]
        return text.append(f" {name}", venue_style(level.venue))

    def _price(self, level: Level) -> str:
        return price_text(level.price, self.decimals)

    @property
    def _bar_width(self) -> int:
        texts = self.venue_width + self.amount_width + self.price_width
        return max(0, self.width - texts - 2)

    def _bar(self, level: Level, ends: Sequence[str]) -> str:
        # The smallest level still shows: an eighth of a cell.
        eighths = max(1, round(level.amount / self.largest * self._bar_width * 8))
        full, part = divmod(eighths, 8)
        return f"{'█' * full}{ends[part]}"[: self._bar_width]


def _price_style(colour: str, best: bool) -> str:
    return f"bold {colour}" if best else colour


def _venues(frame: Frame, width: int) -> list[Text]:
    heading = f"   {'venue':<{VENUE_WIDTH}}{'state':<8}{'age':>9}{'upd/s':>8}{'p50':>10}{'p99':>10}"
    lines = [Text().append(heading, FAINT)]
    lines += [_venue(row, frame) for row in frame.venues]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _venue(row: VenueRow, frame: Frame) -> Text:
    feed = row.feed
    name = f"{feed.venue:<{VENUE_WIDTH}.{VENUE_WIDTH}}"
    if frame.outage is not None:
        return Text().append(f" ○ {name}—", FAINT)
    text = Text.assemble((f" ● {name}", venue_style(feed.venue)))
    style = STATE_STYLES[feed.state]
    text.append(f"{feed.state.name:<8}", style)
    text.append(f"{duration_text(row.age_ns) if feed.ts_recv is not None else '—':>9}")
    if feed.state is not State.LIVE:
        return text.append(f"  {feed.reason}", style)
    p50, p99 = _percentiles(row.latency)
    text.append(f"{row.updates_per_s:>8.0f}{p50:>10}{p99:>10}")
    if feed.score is not None and feed.score < 1.0:
        text.append(f"  score {share_text(feed.score)}", WARN)
    return text


def _percentiles(latency: Percentiles | None) -> tuple[str, str]:
    if latency is None:
        return "—", "—"
    return duration_text(latency.p50_ns), duration_text(latency.p99_ns)


def _footer(frame: Frame, width: int) -> list[Text]:
    lines = [_latency(frame)] if frame.hops is None else [_latency(frame), _hops(frame.hops)]
    lines += [_other(book) for book in frame.others]
    lines += [Text(f" {notice}", WARN) for notice in frame.notices[-3:]]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _latency(frame: Frame) -> Text:
    p50, p99 = _percentiles(frame.latency)
    return Text.assemble((" latency ", FAINT), f"p50 {p50}", (" · ", FAINT), f"p99 {p99}")


def _hops(hops: Hops) -> Text:
    text = Text().append(" hops    ", FAINT)
    for name, hop_ns in (
        ("listener", hops.listener_ns),
        ("aggregator", hops.aggregator_ns),
        ("gateway", hops.gateway_ns),
        ("bot", hops.bot_ns),
    ):
        arrow = " → " if name != "listener" else ""
        text.append(f"{arrow}{name} ", FAINT).append(duration_text(hop_ns))
    return text


def _other(book: Book) -> Text:
    text = Text().append(f" {book.instrument:<12}", "bold")
    if book.best_bid is None or book.best_ask is None:
        return text.append("no venue is live" if not book.live else "one side only", ASK)
    prices = (book.best_bid.price, book.best_ask.price)
    decimals = decimals_of(prices)
    text.append(price_text(prices[0], decimals), BID)
    text.append(f" {book.best_bid.venue}", venue_style(book.best_bid.venue)).append(" │ ", FAINT)
    text.append(price_text(prices[1], decimals), ASK)
    text.append(f" {book.best_ask.venue}", venue_style(book.best_ask.venue))
    return text.append(f"   spread {price_text(book.spread, decimals)}", FAINT)
