"""The audits of one connection: its books, held against all else that its venue says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from dragonfly_common.hot_counters import Count
from dragonfly_venues.events import Bbo, BookTop, Broken
from dragonfly_venues.venue import Decoder

from feed_listener import counters
from feed_listener.audit.comparing import (
    BEHIND_S,
    NOT_COMPARABLE,
    Audit,
    Audits,
    Result,
    Verdict,
    Watch,
    judge_silent,
)
from feed_listener.connection.context import VenueContext
from feed_listener.feeds import Feed, Source

__all__ = ["Auditor"]

UNDER_WAY_S: Final = 0.3
"""By then the state of a reply is in the venue's stream: channels wait 0.1 s at most for the next
frame."""

logger = structlog.get_logger()


class Auditor:
    """Collects what is compared, counts the verdicts, and finds the book that is at fault."""

    def __init__(
        self,
        context: VenueContext,
        source: Source,
        decoder: Decoder,
        books: Mapping[str, BookTop],
        on_fault: Callable[[Broken, float], None],
    ) -> None:
        """Audit the `books` that `decoder` makes; call `on_fault` for one that is wrong."""
        self._feeds = context.feeds
        self._clock = context.clock
        self._source = source
        self._decoder = decoder
        self._books = books
        self._on_fault = on_fault
        self._audits = Audits()
        self._by_bbo = context.audit and context.venue.audits.bbo
        self._by_checksum = context.venue.audits.checksum
        self._venue = context.venue.name
        self._checksum_agreed = self._count(Audit.CHECKSUM, Result.AGREED)
        self._checksum_disagreed = self._count(Audit.CHECKSUM, Result.DISAGREED)
        self._watch: Watch | None = None
        cached_s = context.venue.snapshots and context.venue.snapshots.cached_s
        self._numbered = cached_s is None
        # What REST had first may have been on its way, or out of a cache.
        self._questions = (max(UNDER_WAY_S, cached_s or 0.0), UNDER_WAY_S)
        """How long each is given that a silent book disagrees with: as many must."""

    def watches(self, symbol: str) -> bool:
        """Say whether each state of the book of `symbol` is wanted."""
        return self._watch is not None and self._watch.symbol == symbol

    def on_book(self, symbol: str, now: float) -> None:
        """Take note of a sound book frame: its checksum held, and its state may be compared."""
        if self._by_checksum:
            self.on_checksum(symbol, now, agreed=True)
        if self._watch is not None:
            self._note_watched(symbol)

    def on_checksum(self, symbol: str, now: float, *, agreed: bool) -> None:
        """Take note that a checksum was the book's, or another's."""
        counted = self._checksum_agreed if agreed else self._checksum_disagreed
        counted.count += 1
        self._feeds.audited(self._source, symbol, now, agreed=agreed)

    def on_bbo(self, bbo: Bbo, seq: int, now: float) -> None:
        """Hold the book of the symbol, which is at `seq`, against the venue's best prices."""
        book = self._books.get(bbo.symbol)
        if self._by_bbo and book is not None:
            feed = self._feeds.of(bbo.symbol)
            behind_s = BEHIND_S if feed is None else min(BEHIND_S, feed.rhythm.patience_s)
            verdict = self._audits.judge_bbo(bbo, seq, book, now, behind_s)
            self.judged(bbo.symbol, Audit.BBO, verdict, now)

    async def compare(self, symbol: str, fetch: Callable[[], Awaitable[BookTop]]) -> Result:
        """Hold the book of `symbol` against the whole book that `fetch` returns.

        One symbol at a time. Raises what `fetch` does.
        """
        self._watch = watch = Watch(symbol)
        try:
            self._note_watched(symbol)
            snapshot = await fetch()
            if not watch.has_reached(snapshot.venue_seq):
                await asyncio.sleep(BEHIND_S)
        finally:
            self._watch = None
        watch.void |= not self._source.trusted
        verdict = watch.judge(snapshot)
        self.judged(symbol, Audit.SNAPSHOT, verdict, self._clock.monotonic())
        return verdict.result

    async def question(self, feed: Feed, fetch: Callable[[], Awaitable[BookTop]]) -> None:
        """Hold the book of a silent feed against the whole books that `fetch` returns.

        It is at fault where it disagrees twice and no frame comes meanwhile. Raises what `fetch`
        does.
        """
        symbol, heard_at = feed.symbol or "", feed.rhythm.heard_at
        book, seq = self._books.get(symbol), self._decoder.seq(symbol)
        verdict = NOT_COMPARABLE
        if book is None:
            return
        for under_way_s in self._questions:
            snapshot = await fetch()
            verdict = judge_silent(book, seq, snapshot, numbered=self._numbered)
            if verdict.result is Result.DISAGREED:
                await asyncio.sleep(under_way_s)
            if feed.rhythm.heard_at != heard_at or self._books.get(symbol) is not book:
                return  # it speaks, or was dropped
            if verdict.result is not Result.DISAGREED:
                break
        if not self._source.trusted:
            return
        now = self._clock.monotonic()
        if verdict.result is not Result.DISAGREED or not self._numbered:
            # Where REST has another view of the book for good, it is asked ever more seldom.
            feed.rhythm.rested(now)
        self.judged(symbol, Audit.SILENCE, verdict, now)

    def _count(self, audit: Audit, result: Result) -> Count:
        return counters.AUDITS.labels(audit, result, self._venue)

    def judged(self, symbol: str, audit: Audit, verdict: Verdict, now: float) -> None:
        """Count a verdict, tell of a disagreement, and report a book that is at fault."""
        self._count(audit, verdict.result).count += 1
        if verdict.result is Result.NOT_COMPARABLE:
            return
        agreed = verdict.result is Result.AGREED
        self._feeds.audited(self._source, symbol, now, agreed=agreed)
        tell, at_fault = self._audits.note(symbol, audit, verdict, now)
        if tell:
            logger.warning("audit disagreed", symbol=symbol, audit=audit, detail=verdict.detail)
        if at_fault:
            cause = "silent" if audit is Audit.SILENCE else "audit"
            self._on_fault(Broken(symbol, cause, verdict.detail), now)

    def forget(self, symbol: str) -> None:
        """Drop all that is known of `symbol`: its next book is its first."""
        self._audits.forget(symbol)
        if self._watch is not None and self._watch.symbol == symbol:
            self._watch.void = True

    def _note_watched(self, symbol: str) -> None:
        book = self._books.get(symbol)
        if self._watch is not None and self._watch.symbol == symbol and book is not None:
            self._watch.note(self._decoder.seq(symbol), book)
