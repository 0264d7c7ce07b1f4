"""The audits of one connection: its books, held against all else that its venue says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from dragonfly_venues.events import Bbo, BookTop, Broken
from dragonfly_venues.venue import Decoder

from feed_listener import counters
from feed_listener.audit.comparing import BEHIND_S, Audit, Audits, Result, Verdict, Watch
from feed_listener.connection.context import VenueContext
from feed_listener.feeds import Source

__all__ = ["Auditor"]

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
        self._by_bbo = context.audit
        self._by_checksum = context.venue.audits.checksum
        self._checksum_agreed = counters.AUDITS.labels(Audit.CHECKSUM, Result.AGREED)
        self._checksum_disagreed = counters.AUDITS.labels(Audit.CHECKSUM, Result.DISAGREED)
        self._watch: Watch | None = None

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

    def on_bbo(self, bbo: Bbo, now: float) -> None:
        """Hold the book of the symbol against the venue's best prices."""
        book = self._books.get(bbo.symbol)
        if self._by_bbo and book is not None:
            seq = self._decoder.seq(bbo.symbol)
            self.judged(bbo.symbol, Audit.BBO, self._audits.judge_bbo(bbo, seq, book, now), now)

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

    def judged(self, symbol: str, audit: Audit, verdict: Verdict, now: float) -> None:
        """Count a verdict, tell of a disagreement, and report a book that is at fault."""
        counters.AUDITS.labels(audit, verdict.result).count += 1
        if verdict.result is Result.NOT_COMPARABLE:
            return
        agreed = verdict.result is Result.AGREED
        self._feeds.audited(self._source, symbol, now, agreed=agreed)
        tell, at_fault = self._audits.note(symbol, audit, verdict, now)
        if tell:
            logger.warning("audit disagreed", symbol=symbol, audit=audit, detail=verdict.detail)
        if at_fault:
            self._on_fault(Broken(symbol, "audit", verdict.detail), now)

    def forget(self, symbol: str) -> None:
        """Drop all that is known of `symbol`: its next book is its first."""
        self._audits.forget(symbol)
        if self._watch is not None and self._watch.symbol == symbol:
            self._watch.void = True

    def _note_watched(self, symbol: str) -> None:
        book = self._books.get(symbol)
        if self._watch is not None and self._watch.symbol == symbol and book is not None:
            self._watch.note(self._decoder.seq(symbol), book)
