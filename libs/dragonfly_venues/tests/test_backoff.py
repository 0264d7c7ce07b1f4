from __future__ import annotations

from dragonfly_venues.transport.backoff import Backoff


def test_the_ceiling_doubles_from_50_ms_to_30_s() -> None:
    backoff = Backoff(lambda: 1.0)
    waits = [backoff.next_s() for _ in range(12)]
    assert waits[:4] == [0.05, 0.1, 0.2, 0.4]
    assert waits[-2:] == [30.0, 30.0]


def test_the_jitter_is_full() -> None:
    assert Backoff(lambda: 0.0).next_s() == 0.0
    backoff = Backoff(lambda: 0.5)
    assert [backoff.next_s(), backoff.next_s()] == [0.025, 0.05]


def test_success_begins_it_again() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 0.05


def test_what_the_venue_asked_for_is_waited_at_least() -> None:
    backoff = Backoff(lambda: 0.5)
    assert backoff.next_s(60.0) == 60.025
