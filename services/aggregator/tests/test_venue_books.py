from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import pytest
from aggregator.encoding import encode_feed_age
from aggregator.venue_books import lost_book, take_book
from dragonfly_common.messages import Book
from dragonfly_common.printable import LONGEST_SENTENCE
from dragonfly_common.types import FeedState, Side
from dragonfly_protos import market_data_pb2 as pb

MakeBook = Callable[..., Book]


def test_a_live_book_brings_its_levels(make_book: MakeBook) -> None:
    feed = take_book("kraken", make_book(((2.0, 1.0), (1.0, 3.0)), ((3.0, 4.0),)), 7, depth=10)
    assert feed.state is FeedState.LIVE
    assert feed.bids == ((2.0, 1.0), (1.0, 3.0))
    assert feed.asks == ((3.0, 4.0),)


def test_levels_beyond_the_depth_are_not_kept(make_book: MakeBook) -> None:
    side = tuple((10.0 - n, 1.0) for n in range(5))
    assert len(take_book("kraken", make_book(side, ()), 7, depth=3).bids) == 3


@pytest.mark.parametrize(
    ("said", "levels", "told"), [(None, 3, 0), (2, 2, 2), (3, 3, 3), (9, 3, 3)]
)
def test_nothing_beyond_what_is_proven_is_used(
    make_book: MakeBook, said: int | None, levels: int, told: int
) -> None:
    bids = tuple((10.0 - n, 1.0) for n in range(5))
    asks = tuple((11.0 + n, 1.0) for n in range(5))
    book = msgspec.structs.replace(make_book(bids, asks), depth=said)
    feed = take_book("kraken", book, 7, depth=3)
    assert (len(feed.bids), len(feed.asks)) == (levels, levels)
    assert feed.status[-1] == told
    (encoded,) = pb.Book.FromString(feed.encoded + encode_feed_age(0)).venues
    assert encoded.depth == told
    stale = msgspec.structs.replace(book, state=FeedState.STALE)
    assert take_book("kraken", stale, 7, depth=3).status[-1] == 0


def test_what_a_listener_gives_as_reason_moves_no_cursor_and_is_short(make_book: MakeBook) -> None:
    hostile = msgspec.structs.replace(make_book((), state=FeedState.DOWN), reason="\x1b]0;" * 1000)
    reason = take_book("kraken", hostile, 7, 1).reason
    assert reason.startswith("\\x1b]0;")
    assert len(reason) <= LONGEST_SENTENCE


@pytest.mark.parametrize("state", [state for state in FeedState if state is not FeedState.LIVE])
def test_only_live_levels_are_used(make_book: MakeBook, state: FeedState) -> None:
    feed = take_book("kraken", make_book(state=state, reason="why"), 7, depth=10)
    assert (feed.state, feed.reason, feed.bids, feed.asks) == (state, "why", (), ())


@pytest.mark.parametrize(
    ("bids", "asks", "fault"),
    [
        (((2.0, 1.0),), ((2.0, 1.0),), "crossed"),
        (((3.0, 1.0),), ((2.0, 1.0),), "crossed"),
        (((1.0, 1.0), (1.0, 2.0)), (), "out_of_order"),
        (((1.0, 1.0), (1.5, 2.0)), (), "out_of_order"),
        ((), ((2.0, 1.0), (1.9, 1.0)), "out_of_order"),
        (((math.nan, 1.0),), (), "not_a_level"),
        (((1.0, math.nan),), (), "not_a_level"),
        (((math.inf, 1.0),), (), "not_a_level"),
        ((), ((-1.0, 1.0),), "not_a_level"),
        ((), ((1.0, 0.0),), "not_a_level"),
    ],
)
def test_a_book_that_contradicts_itself_is_not_used_and_says_so(
    make_book: MakeBook, bids: Side, asks: Side, fault: str
) -> None:
    feed = take_book("kraken", make_book(bids, asks), 7, depth=10)
    assert (feed.state, feed.fault, feed.bids, feed.asks) == (FeedState.STALE, fault, (), ())
    assert feed.reason


def test_a_lost_feed_keeps_its_place_but_no_level(make_book: MakeBook) -> None:
    feed = lost_book(take_book("kraken", make_book(venue_seq=42), 7, depth=10), "silent")
    assert (feed.state, feed.reason, feed.venue_seq) == (FeedState.DOWN, "silent", 42)
    assert feed.bids == feed.asks == ()
