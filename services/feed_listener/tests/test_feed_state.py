from __future__ import annotations

import pytest
from dragonfly_common.types import FeedState
from feed_listener.feed_state import TRANSITIONS, FeedEvent, next_state

NO_BAD_NEWS = {FeedEvent.BOOK, FeedEvent.ASKED, FeedEvent.RESUMED}


def test_every_event_is_answered_in_every_state() -> None:
    assert set(TRANSITIONS) == set(FeedEvent)
    for event, by_state in TRANSITIONS.items():
        assert set(by_state) == set(FeedState), event


def test_only_a_book_makes_a_feed_live() -> None:
    for event in FeedEvent:
        for state in FeedState:
            if next_state(state, event) is FeedState.LIVE:
                assert event is FeedEvent.BOOK


@pytest.mark.parametrize(
    "event",
    [event for event in FeedEvent if event not in NO_BAD_NEWS],
)
@pytest.mark.parametrize("state", [FeedState.LIVE])
def test_all_else_takes_a_live_feed_out(event: FeedEvent, state: FeedState) -> None:
    after = next_state(state, event)
    assert after is not None
    assert after is not FeedState.LIVE


def test_a_successor_subscribes_unseen() -> None:
    assert next_state(FeedState.LIVE, FeedEvent.ASKED) is None


def test_a_lost_connection_tells_nothing_about_what_the_venue_lists() -> None:
    assert next_state(FeedState.UNKNOWN, FeedEvent.LOST) is None


def test_what_is_halted_stays_so_until_the_venue_says_otherwise() -> None:
    for event in FeedEvent:
        expected = {
            FeedEvent.HALT: FeedState.HALTED,
            FeedEvent.RESUMED: FeedState.SYNCING,
            FeedEvent.UNLISTED: FeedState.UNKNOWN,
        }.get(event)
        assert next_state(FeedState.HALTED, event) is expected


def test_a_halt_is_heard_in_every_state() -> None:
    assert {next_state(state, FeedEvent.HALT) for state in FeedState} == {FeedState.HALTED}
