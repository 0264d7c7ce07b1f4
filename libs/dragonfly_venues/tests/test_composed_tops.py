"""A book with the best prices beside it: the newest of both, and nothing that goes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pytest
from dragonfly_common.types import Level, Side
from dragonfly_venues.decoding.composed_tops import ComposedTops, composed
from dragonfly_venues.events import Bbo, BookTop, Broken
from hypothesis import given
from hypothesis import strategies as st

DEPTH = 4
BIDS: Side = ((9.0, 1.0), (8.0, 1.0), (7.0, 1.0), (6.0, 1.0))
ASKS: Side = ((10.0, 1.0), (11.0, 1.0))
BOOK = BookTop("x", 5, 50, BIDS, ASKS)


def best(seq: int, bid: Level | None, ask: Level | None = (10.0, 1.0)) -> Bbo:
    return Bbo("x", seq, bid, ask, seq * 10)


@pytest.mark.parametrize(
    ("bid", "bids", "depth"),
    [
        ((9.0, 1.0), BIDS, None),
        ((9.0, 2.0), ((9.0, 2.0), *BIDS[1:]), None),
        ((9.5, 2.0), ((9.5, 2.0), *BIDS[:3]), None),
        ((8.0, 1.0), BIDS[1:], 3),
        ((7.5, 2.0), ((7.5, 2.0), *BIDS[2:]), 3),
        ((5.0, 2.0), ((5.0, 2.0),), 1),
        (None, (), None),
    ],
)
def test_best_prices_ahead_replace_what_is_no_worse(
    bid: Level | None, bids: Side, depth: int | None
) -> None:
    top = composed(BOOK, best(6, bid), DEPTH)
    # Two asks are all there are: they are proven to any depth.
    assert top == BookTop("x", 6, 60, bids, ASKS[: depth or DEPTH], depth, 5)


def test_a_side_that_is_known_to_its_end_stays_so() -> None:
    top = composed(BOOK, best(6, (9.0, 1.0), (11.0, 3.0)), DEPTH)
    assert (top.asks, top.depth) == (((11.0, 3.0),), None)


def test_what_a_book_proves_itself_is_all_there_is() -> None:
    shallow = BookTop("x", 5, None, BIDS[:2], ASKS, 2)
    top = composed(shallow, best(6, (8.5, 1.0)), DEPTH)
    assert (top.bids, top.asks, top.depth) == (((8.5, 1.0), BIDS[1]), ASKS, 2)


def test_a_book_that_catches_up_stands_for_itself_also_where_it_is_as_it_was() -> None:
    tops = ComposedTops(DEPTH, DEPTH)
    assert tops.on_book(BOOK) is BOOK
    assert tops.on_best(best(5, (8.0, 1.0)), 5) is None  # not newer
    ahead = tops.on_best(best(7, (9.5, 1.0)), 5)
    assert isinstance(ahead, BookTop)
    assert (ahead.venue_seq, ahead.book_seq, ahead.bids[0]) == (7, 5, (9.5, 1.0))
    assert tops.on_same("x", 6) is None  # still ahead, and shown
    again = tops.on_same("x", 8)
    assert isinstance(again, BookTop)
    assert (again.venue_seq, again.book_seq, again.bids) == (8, None, BIDS)
    assert tops.on_same("x", 9) is None
    assert tops.on_best(best(8, (9.5, 1.0)), 9) is None


def test_a_book_that_shows_what_was_shown_is_no_news() -> None:
    tops = ComposedTops(DEPTH, DEPTH)
    tops.on_book(BOOK)
    tops.on_best(best(7, (9.0, 2.0)), 5)
    assert tops.on_book(BookTop("x", 7, None, ((9.0, 2.0), *BIDS[1:]), ASKS)) is None
    assert tops.books["x"].venue_seq == 7


def test_best_prices_wait_for_a_book() -> None:
    tops = ComposedTops(DEPTH, DEPTH)
    assert tops.on_best(best(7, (9.5, 1.0)), -1) is None
    tops.on_book(BOOK)
    tops.on_best(best(7, (9.5, 1.0)), 5)
    tops.forget("x")
    assert tops.on_best(best(8, (9.5, 1.0)), -1) is None
    assert tops.on_book(BOOK) is BOOK


@pytest.mark.parametrize(
    "late",
    [
        lambda tops, seq: tops.on_same("x", seq),
        lambda tops, seq: tops.on_book(BookTop("x", seq, None, BIDS, ASKS)),
        lambda tops, seq: tops.on_best(best(seq, (9.0, 1.0)), 5),
    ],
)
def test_best_prices_that_nothing_reaches_are_not_believed(
    late: Callable[[ComposedTops, int], BookTop | Broken | None],
) -> None:
    tops = ComposedTops(DEPTH, DEPTH)
    tops.on_book(BOOK)
    tops.on_best(best(1000, (9.5, 1.0)), 5)
    said = [late(tops, seq) for seq in range(6, 14)]
    assert isinstance(said[-1], Broken)
    assert not any(isinstance(one, Broken) for one in said[:-1])
    assert "1000" in said[-1].detail


def test_a_book_is_shown_whole_though_the_price_moved_through_levels() -> None:
    tops = ComposedTops(DEPTH, 2)
    shown = BookTop("x", 5, 50, BIDS[:2], ASKS)
    assert tops.on_book(BOOK) == shown
    top = tops.on_best(best(6, (7.5, 2.0)), 5)
    assert top == BookTop("x", 6, 60, ((7.5, 2.0), BIDS[2]), ASKS, None, 5)
    top = tops.on_best(best(7, (6.0, 2.0)), 5)
    assert top == BookTop("x", 7, 70, ((6.0, 2.0),), ASKS[:1], 1, 5)
    assert tops.on_book(BookTop("x", 8, 80, BIDS, ASKS)) == BookTop("x", 8, 80, BIDS[:2], ASKS)


def test_what_changes_below_the_levels_that_are_shown_is_no_news() -> None:
    tops = ComposedTops(DEPTH, 2)
    tops.on_book(BOOK)
    assert tops.on_book(BookTop("x", 6, 60, (*BIDS[:3], (6.0, 2.0)), ASKS)) is None
    # Where the venue counts anew it is told, whatever it shows.
    assert tops.on_book(BookTop("x", 1, 70, BIDS, ASKS)) is not None


class Truth(NamedTuple):
    """A state of a venue's book, with all its levels."""

    bids: Side
    asks: Side


prices = st.sets(st.integers(1, 20), max_size=8)
amounts = st.sampled_from((1.0, 2.0))


@st.composite
def truths(draw: st.DrawFn) -> list[Truth]:
    """States of which each keeps much of the one before."""
    states = []
    for _ in range(draw(st.integers(2, 12))):
        middle = draw(st.integers(9, 12))
        bids = sorted((p for p in draw(prices) if p < middle), reverse=True)
        asks = sorted(p for p in draw(prices) if p >= middle)
        sides = [tuple((float(p), draw(amounts)) for p in side) for side in (bids, asks)]
        states.append(Truth(*sides))
        if draw(st.booleans()):
            states.append(states[-1])
    return states


def model(best_of: Truth, book_of: Truth, depth: int) -> tuple[Side, Side]:
    """Return what is shown of two states, computed from all of their levels."""
    bid, ask = best_of.bids[:1], best_of.asks[:1]
    bids = [level for level in book_of.bids if bid and level[0] < bid[0][0]]
    asks = [level for level in book_of.asks if ask and level[0] > ask[0][0]]
    return (*bid, *bids)[:depth], (*ask, *asks)[:depth]


def played(
    states: Sequence[Truth], order: Sequence[tuple[bool, int]], most: int
) -> Iterator[tuple[int, int, BookTop | None]]:
    """Send states by both channels; yield how far each is, and the top that is shown then.

    `most` levels are shown.
    """
    tops = ComposedTops(DEPTH, most)
    said: tuple[Side, Side] | None = None
    shown: BookTop | None = None
    book_at = best_at = -1
    for is_book, seq in order:
        state = states[seq]
        if is_book:
            if seq <= book_at:
                continue
            book_at = seq
            cut = state.bids[:DEPTH], state.asks[:DEPTH]
            top = (
                tops.on_same("x", seq)
                if cut == said
                else tops.on_book(BookTop("x", seq, None, *cut))
            )
            said = cut
        else:
            if book_at >= 0:
                best_at = max(best_at, seq)
            bid, ask = (next(iter(side), None) for side in state)
            top = tops.on_best(Bbo("x", seq, bid, ask), book_at)
        assert not isinstance(top, Broken)
        shown = top or shown
        yield book_at, best_at, shown


@given(truths(), st.integers(1, DEPTH), st.data())
def test_any_order_of_both_channels_shows_the_newest_of_each(
    states: list[Truth], most: int, data: st.DataObject
) -> None:
    step = st.tuples(st.booleans(), st.integers(0, len(states) - 1))
    order = data.draw(st.lists(step, max_size=30).map(_seldom_late))
    before = (-1, -1)
    for book_at, best_at, shown in played(states, order, most):
        if book_at < 0:
            assert shown is None
            continue
        assert shown is not None
        depth = most if shown.depth is None else shown.depth
        newest = max(book_at, best_at)
        # What is shown may have been shown before already, under an older number.
        assert (shown.bids, shown.asks) == model(states[newest], states[book_at], depth)
        below = shown.venue_seq if shown.book_seq is None else shown.book_seq
        assert (shown.bids, shown.asks) == model(states[shown.venue_seq], states[below], depth)
        assert shown.book_seq is None or shown.book_seq < shown.venue_seq
        assert before[0] <= shown.venue_seq <= newest
        assert before[1] <= below <= newest
        before = shown.venue_seq, below


def _seldom_late(steps: list[tuple[bool, int]]) -> list[tuple[bool, int]]:
    """Put most of them in their order, so that each channel goes on."""
    half = len(steps) // 2
    return sorted(steps[:half], key=lambda step: step[1]) + steps[half : half + 7]


def test_a_venue_that_counts_anew_has_nothing_ahead() -> None:
    tops = ComposedTops(DEPTH, DEPTH)
    tops.on_book(BOOK)
    tops.on_best(best(7, (9.5, 1.0)), 5)
    anew = BookTop("x", 1, None, BIDS, ASKS)
    assert tops.on_book(anew) is anew
    assert not tops.is_ahead("x")
