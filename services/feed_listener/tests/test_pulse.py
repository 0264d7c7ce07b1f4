from __future__ import annotations

import pytest
from feed_listener import pulse
from feed_listener.pulse import Pulse


@pytest.fixture(autouse=True)
def real_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "FROZEN_S", 1.0)


def test_a_beating_process_is_not_frozen() -> None:
    beating = Pulse(100.0)
    assert beating.frozen(100.9) is None
    assert beating.beat(100.9) is None
    assert beating.frozen(101.8) is None


def test_a_pause_is_seen_by_whoever_asks_first() -> None:
    beating = Pulse(100.0)
    assert str(beating.frozen(105.0)) == "this process stood still for 5.0 s"
    late = beating.beat(105.0)
    assert late is not None
    assert late.label == "frozen"
    assert beating.frozen(105.1) is None
