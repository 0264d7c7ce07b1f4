"""One venue's book of one instrument, judged and ready to merge. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from operator import gt, lt

import msgspec
from dragonfly_common.messages import Book
from dragonfly_common.types import FeedState, Side
from msgspec.structs import replace

from aggregator.encoding import ASKS, BIDS, encode_feed, level_encoder

__all__ = ["Entry", "Feed", "absent_feed", "lost_feed", "take_book"]

Entry = tuple[float, float, str, bytes]
"""A level as it sorts: (±price, -amount, venue, its encoding). Bids have -price: best is least."""


class Feed(msgspec.Struct, frozen=True, gc=False):
    """What a listener last said, with levels only where they may enter a consolidated book."""

    venue: str
    state: FeedState
    reason: str
    venue_seq: int
    ts_event: int | None
    ts_recv: int
    ts_pub: int
    bids: tuple[Entry, ...] = ()
    asks: tuple[Entry, ...] = ()
    score: float | None = None
    score_total: float | None = None
    encoded: bytes = b""
    """The VenueFeed of a view, up to its age."""
    fault: str | None = None
    """A counter label when the listener's book contradicts itself."""


def take_book(venue: str, book: Book, ts_pub: int, depth: int) -> Feed:
    """Judge a listener's book and prepare it for merging.

    A book that contradicts itself (crossed, out of order, not a number) is STALE here whatever its
    listener says: no level of it is used, and its reason tells why.
    """
    feed = Feed(
        venue,
        book.state,
        book.reason,
        book.venue_seq,
        book.ts_event,
        book.ts_recv,
        ts_pub,
        score=book.score,
        score_total=book.score_total,
    )
    if book.state is not FeedState.LIVE:
        return _encoded(feed)
    fault, why = _contradiction(book.bids, book.asks)
    if fault:
        return _encoded(replace(feed, state=FeedState.STALE, reason=why, fault=fault))
    encode_bid, encode_ask = _encoders(venue)
    return _encoded(
        replace(
            feed,
            bids=tuple([(-p, -a, venue, encode_bid(p, a)) for p, a in book.bids[:depth]]),
            asks=tuple([(p, -a, venue, encode_ask(p, a)) for p, a in book.asks[:depth]]),
        )
    )


def lost_feed(feed: Feed, reason: str) -> Feed:
    """Return `feed` as it stands once its listener is gone: DOWN, without levels."""
    return _encoded(replace(feed, state=FeedState.DOWN, reason=reason, bids=(), asks=()))


def absent_feed(venue: str, state: FeedState, reason: str) -> Feed:
    """Return what stands for a known venue that has said nothing of an instrument yet."""
    return _encoded(Feed(venue, state, reason, 0, None, 0, 0))


def _encoded(feed: Feed) -> Feed:
    encoded = encode_feed(
        feed.venue,
        state=feed.state,
        reason=feed.reason,
        venue_seq=feed.venue_seq,
        ts_event=feed.ts_event,
        ts_recv=feed.ts_recv,
        ts_pub=feed.ts_pub,
        score=feed.score,
        score_total=feed.score_total,
    )
    return replace(feed, encoded=encoded)


@lru_cache
def _encoders(
    venue: str,
) -> tuple[Callable[[float, float], bytes], Callable[[float, float], bytes]]:
    return level_encoder(BIDS, venue), level_encoder(ASKS, venue)


def _contradiction(bids: Side, asks: Side) -> tuple[str | None, str]:
    """Return (counter label, sentence) of the first rule that the levels break, or (None, "")."""
    for side, name, better in ((bids, "bids", gt), (asks, "asks", lt)):
        previous = math.inf if better is gt else 0.0
        for price, amount in side:
            if not (0 < price < math.inf and 0 < amount < math.inf):
                return "not_a_level", f"{name} hold the level {price} x {amount}"
            if not better(previous, price):
                return "out_of_order", f"{name} out of order: {price} follows {previous}"
            previous = price
    if bids and asks and bids[0][0] >= asks[0][0]:
        return "crossed", f"crossed in itself: bid {bids[0][0]} >= ask {asks[0][0]}"
    return None, ""
