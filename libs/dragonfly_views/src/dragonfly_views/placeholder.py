"""The placeholder that stands for a view no aggregator has, and what a view says of venues. Pure.

The sequences of the live venues are read where two aggregators have a view. A view that rested has
its ages written anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import DecodeError

__all__ = ["live_sequences", "placeholder", "set_ages", "with_ages"]

_MESSAGES: Final[dict[ViewKind, type[pb.Book | pb.Bbo | pb.Liquidity]]] = {
    ViewKind.BOOK: pb.Book,
    ViewKind.BBO: pb.Bbo,
    ViewKind.LIQUIDITY: pb.Liquidity,
    ViewKind.LEVELS: pb.Book,
}


def placeholder(
    kind: ViewKind,
    instrument: str,
    *,
    last: bytes,
    venues: Iterable[str],
    reason: str,
    now_ns: int,
) -> bytes:
    """Encode a view without levels, of epoch 0, in which every venue is DOWN for `reason`.

    `last` is the encoded view of before, empty if there is none: its venues keep what else was said
    of them. `venues` are others that are known.
    """
    feeds = {("", venue): pb.VenueFeed(venue=venue) for venue in venues}
    feeds |= {(feed.instrument, feed.venue): feed for feed in _view_of(kind, last).venues}
    for feed in feeds.values():
        feed.state = pb.STATE_DOWN
        feed.reason = reason
        _set_age(feed, now_ns)
    in_order = [feeds[key] for key in sorted(feeds)]
    view = _MESSAGES[kind](instrument=instrument, venues=in_order, ts_agg=now_ns)
    return view.SerializeToString()


def live_sequences(kind: ViewKind, body: bytes) -> dict[tuple[str, str, str], int]:
    """Return how far each venue is that is live in an encoded view: its best prices, and its book.

    They are its `venue_seq`, and the `book_seq` of the levels below where that is less. The keys
    have its instrument too, empty where the view is of no other; conversions are among them.
    """
    view = _view_of(kind, body)
    feeds = [(feed.instrument, feed) for feed in view.venues]
    feeds += [(by.instrument, feed) for by in view.conversions for feed in by.venues]
    live = [((name, feed.venue), feed) for name, feed in feeds if feed.state == pb.STATE_LIVE]
    best = {(*key, "best"): feed.venue_seq for key, feed in live}
    return best | {(*key, "book"): feed.book_seq or feed.venue_seq for key, feed in live}


def with_ages(kind: ViewKind, body: bytes, now_ns: int) -> bytes:
    """Return an encoded view with each venue's age as of now; what is no view is left as it is."""
    try:
        view = _MESSAGES[kind].FromString(body)
    except DecodeError:
        return body
    set_ages(view, now_ns)
    return view.SerializeToString()


def set_ages(view: pb.Book | pb.Bbo | pb.Liquidity, now_ns: int) -> None:
    """Set each venue's age as of now."""
    for feed in chain(view.venues, *(by.venues for by in view.conversions)):
        _set_age(feed, now_ns)


def _set_age(feed: pb.VenueFeed, now_ns: int) -> None:
    feed.age_ns = max(0, now_ns - feed.ts_recv) if feed.ts_recv else 0


def _view_of(kind: ViewKind, body: bytes) -> pb.Book | pb.Bbo | pb.Liquidity:
    try:
        return _MESSAGES[kind].FromString(body)
    except DecodeError:
        return _MESSAGES[kind]()
