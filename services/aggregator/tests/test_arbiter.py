from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from aggregator.arbiter import ReplicaArbiter
from aggregator.venue_books import VenueBook, take_book
from dragonfly_common.arbitration import HOLD_S, RECOUNT_S
from dragonfly_common.messages import Book
from dragonfly_common.types import FeedState
from hypothesis import given
from hypothesis import strategies as st

MakeBook = Callable[..., Book]
Say = Callable[..., VenueBook]


@pytest.fixture
def say(make_book: MakeBook) -> Say:
    """Return what makes a listener's word: its `venue_seq`, and its state if that is not LIVE.

    Each state has other levels, unless `bid` says which.
    """

    def make(
        venue_seq: int, state: FeedState = FeedState.LIVE, bid: float | None = None
    ) -> VenueBook:
        bids = ((1.0, bid or float(venue_seq)),)
        return take_book("kraken", make_book(bids, state=state, venue_seq=venue_seq), 1, 10)

    return make


def shown(arbiter: ReplicaArbiter) -> tuple[FeedState, object]:
    assert arbiter.chosen is not None
    return arbiter.chosen.state, arbiter.chosen.bids


def test_each_state_counts_once_whoever_brings_it_first(say: Say) -> None:
    arbiter = ReplicaArbiter()
    assert arbiter.on_book("a", say(1), 0.0)
    assert not arbiter.on_book("b", say(1), 0.0)
    assert arbiter.on_book("b", first := say(2), 0.0)
    assert not arbiter.on_book("a", say(2), 0.0)
    assert arbiter.chosen is first
    assert arbiter.on_book("a", say(3), 0.0)


def test_losing_one_of_two_that_are_level_changes_nothing(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(1), 0.0)
    arbiter.on_book("b", same := say(1), 0.0)
    assert arbiter.on_lost("a", "silent", 0.0)
    assert arbiter.chosen is same


def test_what_was_ahead_stands_until_the_other_has_caught_up(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", ahead := say(5), 0.0)
    arbiter.on_book("b", say(3), 0.0)
    assert not arbiter.on_lost("a", "silent", 1.0)
    assert not arbiter.on_book("b", say(4), 1.1)
    assert arbiter.chosen is ahead
    assert arbiter.look_at == 1.0 + HOLD_S
    assert arbiter.on_book("b", caught_up := say(5), 1.2)
    assert arbiter.chosen is caught_up
    assert arbiter.look_at is None


def test_one_that_is_behind_by_the_count_alone_takes_over_at_once(say: Say) -> None:
    """A listener publishes nothing of a change below its levels; one that comes later has it."""
    arbiter = ReplicaArbiter()
    arbiter.on_book("b", say(3, bid=1.0), 0.0)
    arbiter.on_book("a", say(5, bid=1.0), 0.0)
    assert arbiter.on_lost("a", "silent", 1.0)
    assert arbiter.chosen == say(5, bid=1.0)
    assert not arbiter.look(60.0)
    # What it says again of the same state, such as another score, is shown.
    assert arbiter.on_book("b", say(3, bid=1.0), 61.0)
    assert arbiter.chosen == say(5, bid=1.0)
    assert not arbiter.on_book("c", say(4), 62.0)
    assert arbiter.on_book("b", ahead := say(6), 63.0)
    assert arbiter.chosen is ahead


def test_what_is_behind_for_longer_is_not_shown_until_it_has_caught_up(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    arbiter.on_book("b", say(3), 0.0)
    arbiter.on_released("a", 1.0)
    assert not arbiter.look(1.0 + HOLD_S / 2)
    assert arbiter.look(1.0 + HOLD_S)
    assert shown(arbiter) == (FeedState.SYNCING, ())
    arbiter.on_book("b", say(4), 2.0)
    assert shown(arbiter) == (FeedState.SYNCING, ())
    assert arbiter.on_book("b", caught_up := say(5), 3.0)
    assert arbiter.chosen is caught_up


def test_what_stays_behind_for_long_counts_anew(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    arbiter.on_book("a", anew := say(1), 1.0)
    assert shown(arbiter) == (FeedState.SYNCING, ())
    assert arbiter.look_at == 1.0 + RECOUNT_S
    assert arbiter.look(1.0 + RECOUNT_S)
    assert arbiter.chosen is anew
    assert arbiter.look_at is None


def test_it_does_not_stand_once_nobody_is_live(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    arbiter.on_book("b", say(3), 0.0)
    arbiter.on_lost("a", "silent", 1.0)
    assert arbiter.on_book("b", say(3, FeedState.STALE), 1.1)
    assert arbiter.chosen is not None
    assert arbiter.chosen.state is FeedState.STALE


def test_one_that_is_not_live_is_not_believed_while_another_is(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    arbiter.on_book("b", level := say(5), 0.0)
    arbiter.on_book("a", say(6, FeedState.STALE), 0.0)
    assert arbiter.chosen is level


def test_a_lone_one_is_believed_while_it_goes_forward_or_says_that_it_is_not_live(
    say: Say,
) -> None:
    arbiter = ReplicaArbiter()
    for feed in (say(5), say(3, FeedState.DOWN), say(5), say(6)):
        assert arbiter.on_book("a", feed, 0.0)
        assert arbiter.chosen is feed


def test_the_last_one_lost_is_remembered_as_down_until_somebody_speaks(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    assert arbiter.on_lost("a", "listener lost: silent", 1.0)
    assert arbiter.chosen is not None
    assert shown(arbiter) == (FeedState.DOWN, ())
    assert arbiter.on_book("b", fresh := say(5), 2.0)
    assert arbiter.chosen is fresh


def test_one_that_comes_back_only_to_say_that_others_carry_it(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    arbiter.on_lost("a", "listener lost: silent", 1.0)
    assert arbiter.on_released("a", 2.0)
    assert arbiter.on_book("b", fresh := say(5), 3.0)
    assert arbiter.chosen is fresh


def test_the_last_one_that_leaves_leaves_nothing(say: Say) -> None:
    arbiter = ReplicaArbiter()
    arbiter.on_book("a", say(5), 0.0)
    assert arbiter.on_released("a", 1.0)
    assert arbiter.chosen is None
    assert not arbiter.on_released("a", 1.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), max_size=30))
def test_no_step_back_while_anybody_live_is_there(steps: list[tuple[str, int]]) -> None:
    """Replicas that only go forward, dying now and then: the venue only goes forward."""
    arbiter = ReplicaArbiter()
    at = dict.fromkeys("abc", 0)
    shown = 0
    arbiter.on_book("z", _word(0), 0.0)  # somebody is always there
    for number, (name, step) in enumerate(steps):
        if step == 3:
            arbiter.on_lost(name, "silent", number * 1e-3)
        else:
            at[name] += step
            arbiter.on_book(name, _word(at[name]), number * 1e-3)
        assert arbiter.chosen is not None
        assert arbiter.chosen.venue_seq >= shown
        shown = arbiter.chosen.venue_seq


BOOK = Book(FeedState.LIVE, "", 1, 1, None, 1, ((1.0, 1.0),), ((2.0, 1.0),))


def _word(venue_seq: int) -> VenueBook:
    """Return a book that has the levels of one of its two neighbours."""
    bids, asks = ((1.0, 1.0 + venue_seq // 2),), ((2.0, 1.0),)
    return take_book("kraken", Book(FeedState.LIVE, "", 1, venue_seq, None, 1, bids, asks), 1, 10)


def test_of_two_that_are_ahead_by_half_the_one_that_goes_back_in_nothing_is_chosen() -> None:
    def ahead(venue_seq: int, book_seq: int | None) -> VenueBook:
        book = msgspec.structs.replace(BOOK, venue_seq=venue_seq, book_seq=book_seq)
        return take_book("kraken", book, 1, 10)

    arbiter = ReplicaArbiter()
    assert arbiter.on_book("a", chosen := ahead(12, 8), 0.0)
    # Its best prices are newer, the levels below them older.
    assert not arbiter.on_book("b", ahead(13, 5), 0.0)
    assert arbiter.chosen is chosen
    assert arbiter.on_book("b", ahead(13, 8), 0.0)
    assert arbiter.on_book("a", ahead(14, None), 0.0)
    assert not arbiter.on_book("b", ahead(15, 13), 0.0)
