from __future__ import annotations

from dragonfly_fix.session_state import TRANSITIONS, SessionEvent, SessionState, next_state


def test_every_event_has_its_row() -> None:
    assert TRANSITIONS.keys() == set(SessionEvent)


def test_an_ended_session_stays_ended() -> None:
    for event in SessionEvent:
        assert next_state(SessionState.ENDED, event) in {None, SessionState.ENDED}


def test_every_state_can_be_left_and_only_a_logon_makes_one_active() -> None:
    for state in SessionState:
        assert next_state(state, SessionEvent.END) is SessionState.ENDED
        for event in SessionEvent:
            active = next_state(state, event) is SessionState.ACTIVE
            assert not active or event is SessionEvent.LOGON


def test_a_logout_is_said_once() -> None:
    leaving, closing = SessionState.LEAVING, SessionState.CLOSING
    assert next_state(leaving, SessionEvent.BREACH) is SessionState.ENDED
    assert next_state(closing, SessionEvent.BREACH) is None
    assert next_state(closing, SessionEvent.LOGOUT) is SessionState.ENDED
