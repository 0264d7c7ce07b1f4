"""One venue's book of one instrument, judged and ready to merge. Pure."""

from __future__ import annotations

import math
from functools import lru_cache
from operator import gt, lt

import msgspec
from dragonfly_common.messages import Book
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_common.types import FeedState, Side
from msgspec.structs import replace

from aggregator.encoding import encode_feed

__all__ = [
    "Levels",
    "Status",
    "VenueBook",
    "absent_book",
    "behind_book",
    "converted_book",
    "counted_book",
    "lost_book",
    "take_book",
]

Levels = tuple[tuple[float, ...], ...]
"""A side, best first: (price, amount), and of a converted book the original price too."""

Status = tuple[str, FeedState, str, float | None, int]
"""(venue, state, reason, score, levels a side that are proven: 0 unless it is LIVE and says it)."""


class VenueBook(msgspec.Struct, frozen=True, gc=False):
    """A listener's last book, with levels only where they may enter a consolidated book."""

    venue: str
    state: FeedState
    venue_seq: int
    ts_event: int | None
    ts_recv: int
    ts_pub: int
    status: Status
    """The fields that bots are told even where no level changed."""
    bids: Levels = ()
    asks: Levels = ()
    score: float | None = None
    score_total: float | None = None
    book_seq: int | None = None
    """Of the levels below the best, where those are newer; see `messages.Book`."""
    encoded: bytes = b""
    """The VenueFeed of a view, up to its age."""
    fault: str | None = None
    """A counter label when the listener's book contradicts itself."""

    @property
    def reached(self) -> tuple[int, int]:
        """How far the best prices are, and the levels below them."""
        return self.venue_seq, self.venue_seq if self.book_seq is None else self.book_seq

    @property
    def reason(self) -> str:
        return self.status[2]


def take_book(venue: str, book: Book, ts_pub: int, depth: int) -> VenueBook:
    """Judge a listener's book and prepare it for merging.

    A book that contradicts itself (crossed, out of order, not a number) is STALE here whatever its
    listener says: no level of it is used, and its reason tells why.
    """
    state, reason, fault = book.state, book.reason, None
    bids: Levels = ()
    asks: Levels = ()
    proven = 0
    if state is FeedState.LIVE:
        if _is_sound(book.bids, book.asks):
            proven = min(depth, book.depth or 0)
            shown = depth if book.depth is None else proven
            bids, asks = book.bids[:shown], book.asks[:shown]
        else:
            state = FeedState.STALE
            fault, reason = _contradiction(book.bids, book.asks)
    if reason:
        reason = printable(reason, LONGEST_SENTENCE)  # a listener's key makes nobody trusted
    return _feed(venue, state, reason, book, ts_pub, bids, asks, fault, proven)


def lost_book(feed: VenueBook, reason: str) -> VenueBook:
    """Return `feed` as it stands once its listener is gone: DOWN, without levels."""
    return _feed(feed.venue, FeedState.DOWN, reason, feed, feed.ts_pub)


def behind_book(feed: VenueBook, reason: str) -> VenueBook:
    """Return `feed` as it stands while it is behind what was shown: SYNCING, without levels."""
    return _feed(feed.venue, FeedState.SYNCING, reason, feed, feed.ts_pub)


def counted_book(feed: VenueBook, newer: VenueBook) -> VenueBook:
    """Return `feed` counted as `newer`, a later state of the venue with the same levels."""
    return _feed(
        feed.venue,
        feed.state,
        feed.reason,
        replace(
            feed,
            venue_seq=newer.venue_seq,
            ts_event=newer.ts_event,
            ts_recv=newer.ts_recv,
            book_seq=newer.book_seq,
        ),
        feed.ts_pub,
        feed.bids,
        feed.asks,
        feed.fault,
        feed.status[4],
    )


def converted_book(
    feed: VenueBook,
    instrument: str,
    sides: tuple[Levels, Levels],
    without: tuple[FeedState, str] | None = None,
) -> VenueBook:
    """Return `feed`, of `instrument`, as it stands in an equivalence with its levels converted.

    With `without`, a state and its reason, it stands there so and without levels.
    """
    if without is not None:
        return _feed(feed.venue, *without, feed, feed.ts_pub, instrument=instrument)
    return _feed(
        feed.venue,
        feed.state,
        feed.reason,
        feed,
        feed.ts_pub,
        *sides,
        feed.fault,
        feed.status[4],
        instrument,
    )


@lru_cache(maxsize=1024)
def absent_book(venue: str, state: FeedState, reason: str) -> VenueBook:
    """Return what stands for a known venue that has said nothing of an instrument yet."""
    return _feed(venue, state, reason, _NOTHING, 0)


def _feed(
    venue: str,
    state: FeedState,
    reason: str,
    said: Book | VenueBook,
    ts_pub: int,
    bids: Levels = (),
    asks: Levels = (),
    fault: str | None = None,
    depth: int = 0,
    instrument: str = "",
) -> VenueBook:
    venue_seq, ts_event, ts_recv, score = said.venue_seq, said.ts_event, said.ts_recv, said.score
    encoded = encode_feed(
        venue,
        state=state,
        reason=reason,
        venue_seq=venue_seq,
        ts_event=ts_event,
        ts_recv=ts_recv,
        ts_pub=ts_pub,
        score=score,
        score_total=said.score_total,
        depth=depth,
        book_seq=said.book_seq,
        instrument=instrument,
    )
    status = (venue, state, reason, score, depth)
    return VenueBook(
        venue,
        state,
        venue_seq,
        ts_event,
        ts_recv,
        ts_pub,
        status,
        bids,
        asks,
        score,
        said.score_total,
        said.book_seq,
        encoded,
        fault,
    )


def _is_sound(bids: Side, asks: Side) -> bool:
    """Say whether the levels break no rule, as almost always."""
    last = math.inf
    for price, amount in bids:
        if not (0.0 < price < last and 0.0 < amount < math.inf):
            return False
        last = price
    last = 0.0
    for price, amount in asks:
        if not (last < price < math.inf and 0.0 < amount < math.inf):
            return False
        last = price
    return not (bids and asks) or bids[0][0] < asks[0][0]


def _contradiction(bids: Side, asks: Side) -> tuple[str, str]:
    """Return (counter label, sentence) of the first rule that the levels break."""
    for side, name, better in ((bids, "bids", gt), (asks, "asks", lt)):
        previous = math.inf if better is gt else 0.0
        for price, amount in side:
            if not (0 < price < math.inf and 0 < amount < math.inf):
                return "not_a_level", f"{name} hold the level {price} x {amount}"
            if not better(previous, price):
                return "out_of_order", f"{name} out of order: {price} follows {previous}"
            previous = price
    return "crossed", f"crossed in itself: bid {bids[0][0]} >= ask {asks[0][0]}"


_NOTHING = Book(FeedState.SYNCING, "", 0, 0, None, 0, (), ())
