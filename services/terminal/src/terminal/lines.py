"""The output without a terminal: prices that moved, states that changed, a summary. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from dragonfly_client.messages import Book, Level, State

from terminal.statistics import Percentiles, WatchSummary
from terminal.text import UNTOLD, amount_text, decimals_of, duration_text, price_text, whose

__all__ = ["BookChanges", "added", "price_line", "summary_lines"]

WORTH_SAYING_NS: Final = 1_000_000
"""The summary tells the waits for the watcher itself where their p99 is longer than this."""

MOST_NAMED: Final = 5
"""Instruments that a summary names, before it counts the others."""


class BookChanges:
    """The instruments whose best prices moved, and the venues whose states did, until taken."""

    def __init__(self) -> None:
        self._best: dict[str, object] = {}
        self._moved: dict[str, Book] = {}
        self._states: dict[tuple[str, str], State] = {}
        self._changed: dict[tuple[str, str], str] = {}
        self._decimals: dict[str, int] = {}

    def observe(self, book: Book) -> None:
        best = (_key(book.best_bid), _key(book.best_ask), book.was_live)
        if self._best.get(book.instrument) != best:
            self._best[book.instrument] = best
            self._moved[book.instrument] = book
        elif book.instrument in self._moved:
            self._moved[book.instrument] = book
        for feed in book.venues:
            key = (book.instrument, whose(feed))
            if self._states.get(key) is not feed.state:
                self._states[key] = feed.state
                reason = f": {feed.reason}" if feed.reason else ""
                self._changed[key] = f"{whose(feed)} {feed.state.name}{reason}"

    def take(self) -> list[str]:
        """Return the venues' changes since the last call, and at most one line of prices.

        The instrument that has waited longest comes first; called ten times a second, no more
        than ten lines of prices a second come out.
        """
        lines = [f"{key[0]:<10} {change}" for key, change in self._changed.items()]
        self._changed.clear()
        if self._moved:
            book = self._moved.pop(next(iter(self._moved)))
            lines.append(price_line(book, self._decimals_of(book)))
        return lines

    def _decimals_of(self, book: Book) -> int:
        # Once shown to a decimal, always: columns that come and go are hard to read.
        prices = [level.price for level in (book.best_bid, book.best_ask) if level is not None]
        decimals = decimals_of(prices, at_least=self._decimals.get(book.instrument, 2))
        self._decimals[book.instrument] = decimals
        return decimals


def added(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Return what came to the end of a list of lines that may have lost some at its beginning."""
    for lost in range(len(before)):
        kept = len(before) - lost
        if before[lost:] == now[:kept]:
            return now[kept:]
    return now


def price_line(book: Book, decimals: int) -> str:
    """Return the book's best prices in one line."""
    seconds, rest = divmod(book.ts_in, 1_000_000_000)
    clock = f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{rest // 1_000_000:03}"
    live = sum(feed.state is State.LIVE for feed in book.venues)
    if not book.was_live:
        return f"{book.instrument:<10} {clock}  no venue is live"
    spread = UNTOLD if book.mid is None else price_text(book.spread, decimals)
    crossed = " CROSSED" if book.crossed else ""
    return (
        f"{book.instrument:<10} {clock}"
        f"  bid {_side(book.best_bid, decimals)}  ask {_side(book.best_ask, decimals)}"
        f"  spread {spread}{crossed}  {live}/{len(book.venues)} live"
    )


def summary_lines(summary: WatchSummary) -> Iterable[str]:
    """Yield the summary of a run, line by line."""
    others = len(summary.instruments) - MOST_NAMED
    what = " ".join(summary.instruments[:MOST_NAMED]) + (f" and {others} more" * (others > 0))
    yield f"{what}: {summary.books} books in {summary.seconds:.1f} s"
    for venue, updates in summary.updates.items():
        rate = updates / summary.seconds if summary.seconds else 0.0
        yield f"  {venue:<10} {updates:>7} updates  {rate:7.1f}/s"
    yield f"  latency    {_latency(summary.latency)}"
    if summary.waited is not None and summary.waited.p99_ns >= WORTH_SAYING_NS:
        waited = _latency(summary.waited)
        yield f"  waited     {waited}  for this command itself, not in the latency"
    yield f"  reconnects {summary.reconnects}"
    if summary.counts_faults and not summary.faults:
        yield "  faults     none"
    for fault in summary.faults:
        reason = f" ({fault.reason})" if fault.reason else ""
        times = "once" if fault.times == 1 else f"{fault.times} times"
        yield f"  fault      {fault.venue} {fault.state.name}{reason}, {times}"


def _key(level: Level | None) -> tuple[str, float] | None:
    return None if level is None else (whose(level), level.price)


def _side(level: Level | None, decimals: int) -> str:
    if level is None:
        return "none"
    return f"{amount_text(level.amount)} @ {price_text(level.price, decimals)} {whose(level):<8}"


def _latency(latency: Percentiles | None) -> str:
    if latency is None:
        return "not measured"
    return f"p50 {duration_text(latency.p50_ns)}  p99 {duration_text(latency.p99_ns)}"
