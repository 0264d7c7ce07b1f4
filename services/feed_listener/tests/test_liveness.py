from __future__ import annotations

from dragonfly_venues.venue import Liveness
from feed_listener.connection.liveness import PingLag, Silence, SilenceTimer, Slowness
from hypothesis import given
from hypothesis import strategies as st

RULE = Liveness(
    probe_after_s=1.0, stale_after_s=3.0, reconnect_after_s=10.0, first_book_timeout_s=5.0
)


def test_a_silence_grows_step_by_step_and_each_step_is_said_once() -> None:
    timer = SilenceTimer(RULE, 100.0)
    said = [timer.check(100.0 + tick / 2) for tick in range(25)]
    assert [silence for silence in said if silence is not None] == [
        Silence.PROBE,
        Silence.STALE,
        Silence.DEAD,
    ]
    assert said[1:3] == [None, Silence.PROBE]
    assert said[6] is Silence.STALE
    assert said[20] is Silence.DEAD


def test_a_frame_begins_it_again() -> None:
    timer = SilenceTimer(RULE, 100.0)
    assert timer.check(103.5) is Silence.STALE
    timer.heard_at = 104.0
    assert timer.check(104.5) is None
    assert timer.check(105.0) is Silence.PROBE


def test_steps_that_were_slept_through_are_not_said() -> None:
    timer = SilenceTimer(RULE, 100.0)
    assert timer.check(150.0) is Silence.DEAD
    assert timer.check(151.0) is None


@given(st.lists(st.floats(0.0, 4.0), min_size=1, max_size=30))
def test_it_is_always_due_when_the_next_step_is(pauses: list[float]) -> None:
    timer, now = SilenceTimer(RULE, 0.0), 0.0
    for number, pause in enumerate(pauses):
        now += pause
        if number % 3 == 0:
            timer.heard_at = now
        timer.check(now)
        due_s = timer.due_in(now)
        if due_s < 100.0:
            assert timer.check(now + due_s * 0.99 - 1e-6) is None
            assert timer.check(now + due_s + 1e-6) is not None
            now += due_s + 1e-6


def talk(lag: PingLag, since: float, until: float) -> list[tuple[float, Slowness]]:
    """Return what is to be done while frames come all the time."""
    moments = [since + tick / 4 for tick in range(int((until - since) * 4) + 1)]
    return [(at, what) for at in moments if (what := lag.check(at, at)) is not None]


def test_frames_are_pinged_among_at_once_and_each_second() -> None:
    lag = PingLag(3.0, 0.0)
    for second in (0.0, 1.0, 2.0, 3.0):
        assert talk(lag, second - 0.75, second) == [(second, Slowness.PROBE)]
        lag.asked(second)
        lag.answered()


def test_frames_without_the_answer_among_them_are_late() -> None:
    lag = PingLag(3.0, 0.0)
    assert talk(lag, 0.0, 0.0) == [(0.0, Slowness.PROBE)]
    lag.asked(0.0)
    lag.answered()
    assert talk(lag, 0.25, 1.0) == [(1.0, Slowness.PROBE)]
    lag.asked(1.0)
    assert talk(lag, 1.25, 3.75) == [(2.0, Slowness.PROBE), (3.0, Slowness.LATE)]


def test_a_ping_that_was_swallowed_is_no_lateness() -> None:
    lag = PingLag(3.0, 0.0)
    lag.asked(0.0)
    lag.answered()
    lag.asked(1.0)
    lag.asked(2.0)
    lag.answered()
    assert Slowness.LATE not in {what for _, what in talk(lag, 2.25, 3.75)}


def test_a_venue_that_never_answers_is_not_held_to_it() -> None:
    lag = PingLag(3.0, 0.0)
    lag.asked(1.0)
    assert Slowness.LATE not in {what for _, what in talk(lag, 1.25, 60.0)}


def test_a_silence_is_no_slowness() -> None:
    lag = PingLag(3.0, 0.0)
    lag.asked(0.5)
    lag.answered()
    lag.asked(1.0)
    assert [lag.check(1.0 + tick / 4, 1.0) for tick in range(4, 40)] == [None] * 36
