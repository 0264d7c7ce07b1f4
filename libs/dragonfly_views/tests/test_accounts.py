from __future__ import annotations

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_views.accounts import SAY_AGAIN_AFTER_S, Denials
from dragonfly_views.counters import DENIED
from dragonfly_views.refusals import CallRefusedError
from dragonfly_views.tokens import Quota
from structlog.testing import capture_logs
from view_world import make_caller


def test_calls_are_let_through_at_the_quotas_pace() -> None:
    clock = ManualClock()
    account = make_caller("alpha", Quota(connections_per_s=2.0), clock).account
    for _ in range(3):
        for _ in range(2):
            account.count_call("peer")
        with pytest.raises(CallRefusedError, match="more than 2 calls a second"):
            account.count_call("peer")
        clock.advance(1.0)
    clock.advance(3600)
    for _ in range(2):
        account.count_call("peer")
    with pytest.raises(CallRefusedError):
        account.count_call("peer")


def test_all_streams_of_a_bot_may_come_back_at_once() -> None:
    account = make_caller("alpha", Quota(streams=5, connections_per_s=0.1)).account
    for _ in range(5):
        account.count_call("peer")
    with pytest.raises(CallRefusedError):
        account.count_call("peer")


def test_an_instrument_counts_once_however_often_it_is_held() -> None:
    account = make_caller("alpha", Quota(instruments=2)).account
    with (
        account.holding(["a", "b"], "peer"),
        account.holding(["a", "b"], "peer"),
        pytest.raises(CallRefusedError, match="leave one for c"),
    ):
        account.hold(["c"], "peer")
    with account.holding(["b", "c"], "peer"):
        pass


def test_a_refused_set_of_instruments_is_not_held_in_part() -> None:
    account = make_caller("alpha", Quota(instruments=2)).account
    for _ in range(3):
        with pytest.raises(CallRefusedError), account.holding("abc", "peer"):
            pass
    with account.holding("de", "peer"):
        pass


def test_a_denial_is_always_counted_and_said_now_and_then() -> None:
    clock = ManualClock()
    denials = Denials(clock)
    counter = DENIED.labels("quota_streams")._value
    before = counter.get()
    with capture_logs() as said:
        for _ in range(4):
            denials.note("quota_streams", bot="alpha", peer="one")
        denials.note("quota_streams", bot="beta", peer="two")
        clock.advance(SAY_AGAIN_AFTER_S)
        denials.note("quota_streams", bot="alpha", peer="three")
    assert counter.get() == before + 6
    assert [(line["bot"], line["peer"], line["unsaid"]) for line in said] == [
        ("alpha", "one", 0),
        ("beta", "two", 0),
        ("alpha", "three", 3),
    ]
