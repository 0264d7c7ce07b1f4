"""A connection's life, whatever befalls it in whatever order."""

from __future__ import annotations

import pytest
from feed_listener.connection.life import (
    TRANSITIONS,
    ConnectionEvent,
    ConnectionLife,
    ConnectionState,
    next_state,
)
from hypothesis import given
from hypothesis import strategies as st

SERVING, ENDED = ConnectionState.SERVING, ConnectionState.ENDED

happenings = st.lists(
    st.tuples(st.sampled_from(ConnectionEvent), st.floats(0.0, 10.0)), max_size=40
)


def test_every_event_means_something_somewhere_and_nothing_is_left_after_the_end() -> None:
    assert set(TRANSITIONS) == set(ConnectionEvent)
    assert all(TRANSITIONS.values())
    assert all(next_state(ENDED, event) is None for event in ConnectionEvent)


@pytest.mark.parametrize("state", set(ConnectionState) - {ENDED})
def test_it_can_end_in_every_state(state: ConnectionState) -> None:
    assert next_state(state, ConnectionEvent.ENDED) is ENDED


@given(st.booleans(), happenings)
def test_it_serves_only_as_long_as_it_is_heard(
    welcomes: bool, events: list[tuple[ConnectionEvent, float]]
) -> None:
    """A model of three facts (it may speak, it is behind a fence, it is over) agrees throughout."""
    life, now = ConnectionLife(0.0, welcomes=welcomes), 0.0
    welcomed, greeted, silent, fenced, ended = not welcomes, False, False, False, False
    for event, pause in events:
        now += pause
        before, since = life.state, life.since
        changed = life.take(event, now)
        if not ended:
            match event:
                case ConnectionEvent.WELCOMED:
                    welcomed = True
                case ConnectionEvent.GREETED:
                    greeted |= welcomed
                case ConnectionEvent.SILENT:
                    silent |= greeted
                case ConnectionEvent.HEARD:
                    fenced |= silent
                case ConnectionEvent.ANSWERED:
                    silent &= not fenced
                    fenced = False
                case ConnectionEvent.ENDED:
                    ended = True
        assert (life.state is SERVING) is (greeted and not silent and not ended)
        assert (life.state is ENDED) is ended
        assert changed is (life.state is not before)
        assert life.since == (now if changed else since)


@given(happenings)
def test_a_stale_connection_serves_again_only_by_an_answer_to_a_ping_sent_since(
    events: list[tuple[ConnectionEvent, float]],
) -> None:
    life, now, told = ConnectionLife(0.0, welcomes=False), 0.0, []
    for event, pause in [(ConnectionEvent.GREETED, 0.0), (ConnectionEvent.SILENT, 0.0), *events]:
        now += pause
        if life.take(event, now):
            told.append(event)
        if life.state is SERVING and ConnectionEvent.SILENT in told:
            assert told[-3:] == [
                ConnectionEvent.SILENT,
                ConnectionEvent.HEARD,
                ConnectionEvent.ANSWERED,
            ]
