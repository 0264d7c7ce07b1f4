"""The levels of a ladder: two sides back to back, or asks above bids; a bar per level. Pure.

Columns that have no room go one by one, and prices last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from dragonfly_client.messages import Book, Level
from rich.text import Text

from terminal.colours import ASK, BID, FAINT, LINE, venue_style
from terminal.text import amount_text, cut_name, price_text, whose

__all__ = ["VENUE_WIDTH", "LevelLayout", "level_layout"]

RIGHTWARDS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
LEFTWARDS: Final = ("", "▕", "▕", "▐", "▐", "▐", "▐", "█")
"""The end of a bar by eighths of a cell: Unicode has fewer blocks that begin at the right."""

VENUE_WIDTH: Final = 12
INSTRUMENT_WIDTH: Final = 10
"""Of a level's own instrument behind its venue, in an equivalence."""
LEAST_AMOUNT: Final = 6


@dataclass(frozen=True, slots=True)
class LevelLayout:
    """The layout of levels: two sides back to back, or asks above bids; and the columns."""

    width: int
    stacked: bool
    side: _SideLayout

    def rows_for(self, levels: int) -> int:
        return max(1, 2 * levels if self.stacked else levels)

    def levels_in(self, rows: int) -> int:
        return max(1, rows // 2 if self.stacked else rows)

    def rows_of(self, depth: int, most: int) -> int:
        """Return how many rows whole levels take, of up to `depth` levels and `most` rows."""
        return self.rows_for(min(max(1, depth), self.levels_in(most)))

    @property
    def without(self) -> str:
        """The columns that there is no room for."""
        side = self.side
        names = {"venues": side.venue_width, "amounts": side.amount_width}
        return " and ".join(name for name, width in names.items() if not width)

    def draw(self, bids: Sequence[Level], asks: Sequence[Level]) -> Text:
        side = self.side
        text = Text(no_wrap=True, overflow="crop")
        if self.stacked:
            rows = [
                Text("ask ", FAINT) + side.ask(level, best=level is asks[0])
                for level in reversed(asks)
            ]
            rows += [
                Text("bid ", FAINT) + side.ask(level, best=level is bids[0], colour=BID)
                for level in bids
            ]
        else:
            rows = [
                side.bid(bid, best=place == 0) + Text(" │ ", LINE) + side.ask(ask, best=place == 0)
                for place, (bid, ask) in enumerate(zip_longest(bids, asks))
            ]
        return text + Text("\n").join(rows)


def level_layout(book: Book | None, decimals: int, width: int) -> LevelLayout | None:
    """Return the first layout that has room; None where not even a price has."""
    levels = (*book.bids, *book.asks) if book is not None else ()
    venues = set(map(whose, book.venues)) if book is not None else set()
    price_width = max((len(price_text(one.price, decimals)) for one in levels), default=1)
    names = venues | set(map(whose, levels))
    converted = any(level.instrument for level in levels)
    most = VENUE_WIDTH + INSTRUMENT_WIDTH * converted
    venue_width = min(most, max(map(len, names), default=1))
    amount_width = max((len(amount_text(level.amount)) for level in levels), default=1)
    for stacked, venue, amount in (
        (False, venue_width, LEAST_AMOUNT),
        (True, venue_width, LEAST_AMOUNT),
        (True, 0, LEAST_AMOUNT),
        (False, 0, 0),
        (True, 0, 0),
    ):
        side_width = width - len("ask ") if stacked else (width - len(" │ ")) // 2
        room = side_width - price_width - (venue and venue + 1) - (amount and 1)
        if room >= amount:
            side = _SideLayout(
                side_width,
                venue_width=venue,
                amount_width=amount and min(amount_width, room),
                price_width=price_width,
                largest=max((level.amount for level in levels), default=1.0),
                decimals=decimals,
            )
            return LevelLayout(width, stacked, side)
    return None


@dataclass(frozen=True, slots=True)
class _SideLayout:
    """Half a row: venue, amount, bar and price, mirrored for asks; no width, no column."""

    width: int
    venue_width: int
    amount_width: int
    price_width: int
    largest: float
    decimals: int

    def bid(self, level: Level | None, *, best: bool) -> Text:
        if level is None:
            return Text(" " * self.width)
        text = Text()
        if self.venue_width:
            name = cut_name(whose(level), self.venue_width)
            text.append(f"{name:<{self.venue_width}} ", venue_style(level.venue))
        if self.amount_width:
            text.append(f"{self._amount(level)} ")
        bar = self._bar(level, LEFTWARDS)
        # Blanks apart: some who draw SVG drop those that begin a coloured text.
        text.append(" " * (self._bar_width - len(bar)))
        text.append(bar[::-1], venue_style(level.venue))
        price = price_text(level.price, self.decimals)
        return text.append(f"{price:>{self.width - text.cell_len}}", _price_style(BID, best))

    def ask(self, level: Level | None, *, best: bool, colour: str = ASK) -> Text:
        if level is None:
            return Text("")
        price = price_text(level.price, self.decimals)
        text = Text().append(f"{price:>{self.price_width}}", _price_style(colour, best))
        if self._bar_width:
            bar = self._bar(level, RIGHTWARDS)
            text.append(" ").append(bar, venue_style(level.venue))
            text.append(" " * (self._bar_width - len(bar)))
        if self.amount_width:
            text.append(f" {self._amount(level)}")
        if self.venue_width:
            name = cut_name(whose(level), self.venue_width)
            text.append(f" {name}", venue_style(level.venue))
        return text

    def _amount(self, level: Level) -> str:
        return f"{amount_text(level.amount, self.amount_width):>{self.amount_width}}"

    @property
    def _bar_width(self) -> int:
        texts = self.price_width + 1
        texts += self.venue_width and self.venue_width + 1
        texts += self.amount_width and self.amount_width + 1
        return max(0, self.width - texts)

    def _bar(self, level: Level, ends: Sequence[str]) -> str:
        # The smallest level still shows: an eighth of a cell.
        eighths = max(1, round(level.amount / self.largest * self._bar_width * 8))
        full, part = divmod(eighths, 8)
        return f"{'█' * full}{ends[part]}"[: self._bar_width]


def _price_style(colour: str, best: bool) -> str:
    return f"bold {colour}" if best else colour
