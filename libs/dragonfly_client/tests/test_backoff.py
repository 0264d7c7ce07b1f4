from __future__ import annotations

import pytest
from dragonfly_client._backoff import FIRST_S, LONGEST_S, GatewayBackoff


def test_the_ceiling_grows_by_half_up_to_the_longest() -> None:
    backoff = GatewayBackoff(lambda: 1.0)
    waits = [backoff.next_s() for _ in range(12)]
    assert waits[:4] == pytest.approx([0.05, 0.075, 0.1125, 0.16875])
    assert waits[-2:] == [LONGEST_S, LONGEST_S]


def test_the_jitter_is_full() -> None:
    assert GatewayBackoff(lambda: 0.0).next_s() == 0
    assert GatewayBackoff(lambda: 0.5).next_s() == FIRST_S / 2


def test_a_reset_begins_again() -> None:
    backoff = GatewayBackoff(lambda: 1.0)
    while backoff.next_s() < LONGEST_S:
        pass
    backoff.reset()
    assert backoff.next_s() == FIRST_S
