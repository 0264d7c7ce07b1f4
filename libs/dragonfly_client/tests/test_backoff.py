from __future__ import annotations

from dragonfly_client._backoff import FIRST_S, LONGEST_S, Backoff


def test_the_ceiling_doubles_up_to_the_longest() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next_s() for _ in range(8)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_the_jitter_is_full() -> None:
    assert Backoff(lambda: 0.0).next_s() == 0
    assert Backoff(lambda: 0.5).next_s() == FIRST_S / 2


def test_a_reset_begins_again() -> None:
    backoff = Backoff(lambda: 1.0)
    while backoff.next_s() < LONGEST_S:
        pass
    backoff.reset()
    assert backoff.next_s() == FIRST_S
