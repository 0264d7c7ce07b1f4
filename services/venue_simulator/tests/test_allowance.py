"""How often a client may do something."""

from __future__ import annotations

from venue_simulator.allowance import Allowance


def test_any_window_holds_so_many() -> None:
    allowance = Allowance(3, 1.0)
    at_ms = [0, 400, 500, 999, 1000, 2500]
    assert [allowance.exceeded(ms * 1_000_000) for ms in at_ms] == [
        *(False, False, False),
        *(True, True, False),
    ]
