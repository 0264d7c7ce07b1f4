"""The engine, one fault at a time: doubts, contradictions, commands, restarts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    AnswerCode,
    Cancel,
    ChildState,
    Command,
    FinalStatusOf,
    IntervalMid,
    Kill,
    Liquidate,
    OrderState,
    Pause,
    Replace,
    Resolve,
    Resume,
    Revive,
    StatusOf,
    Sweep,
    Twap,
)
from dragonfly_venues.orders import (
    ChildAccepted,
    ChildRefused,
    ChildUnresolved,
    EntryConnected,
    EntryDisconnected,
    OpenOrder,
    OpenOrders,
    OrderReport,
)
from engine_rig import ASKS, INSTRUMENT, Rig, levels
from execution_engine.limits import InstrumentLimits, OrderLimits
from execution_engine.rows import IntervalSeen
from msgspec.structs import replace as replace_fields

D = Decimal
S = 10**9


def test_a_sweep_of_a_resting_book_takes_all_that_the_limits_allow_at_once() -> None:
    rig = Rig()
    book = (levels(("100.00", "10"), ("99.99", "10")), levels(("100.01", "10"), ("100.02", "10")))
    rig.show({"kraken": book})
    rig.order("8")
    # 8 of the first level is more than half of it, and less than half of what the bounds allow.
    assert [(one.amount, one.limit) for one in rig.placed] == [(D(8), D("100.01"))]


def test_a_book_that_rests_is_as_good_as_it_is_proven() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    rig.close(rig.placed[0], "0")
    rig.clock.advance(1.5)
    rig.engine.tick()
    assert len(rig.placed) == 1  # nobody knows whether the venue is live still
    rig.engine.market.proven_at = rig.clock.monotonic()
    rig.engine.tick()
    assert len(rig.placed) == 2  # nothing has changed, and it is
    assert parent.state is OrderState.RUNNING


def test_an_order_waits_for_a_book_that_shows_what_another_one_left() -> None:
    rig = Rig()
    first = rig.order("5")
    rig.fill(rig.placed[0], "5")
    rig.close(rig.placed[0], "5")
    assert first.state is OrderState.DONE
    rig.order("5", client_id="two")
    assert len(rig.placed) == 1  # the book is of before
    rig.clock.advance(0.01)
    rig.show()
    assert len(rig.placed) == 2


def test_an_order_remembers_the_book_that_it_met() -> None:
    rig = Rig("kraken", "binance")
    parent = rig.order("5")
    assert parent.opened.arrival_mid == D("100.005")
    assert [one.venue for one in parent.opened.arrival] == ["kraken", "binance"]
    assert parent.opened.arrival[0].levels == ASKS
    assert parent.opened.arrival[0].fee == D("0.001")
    assert rig.again().engine.orders.parents[parent.id].opened == parent.opened


def test_an_order_that_met_no_book_says_so() -> None:
    rig = Rig()
    rig.engine.market.books.clear()
    parent = rig.order("5")
    told = rig.journal.reports(parent.id, 0)
    assert (parent.opened.arrival_mid, parent.opened.arrival) == (None, ())
    assert told[0].reason == "no live book at its arrival"


def test_all_children_of_a_plan_are_one_commit_before_any_is_sent() -> None:
    rig = Rig("kraken", "binance")
    sent_at_commit: list[int] = []
    rig.journal._at = lambda at: (
        sent_at_commit.append(len(rig.placed)) if at == "in commit" else None
    )
    rig.order("30")
    assert len(rig.placed) == 2
    assert sent_at_commit == [0, 0]  # of the order and its answer, and of the intents


# Doubts


def test_a_placement_in_doubt_reserves_its_amount_and_closes_its_venue() -> None:
    rig = Rig("kraken", "binance")
    parent = rig.order("30")
    assert len(rig.placed) == 2
    first, second = rig.placed
    rig.tell(ChildUnresolved(first.child_id, "timeout"))
    assert rig.engine.orders.parent_of(rig.child(first)).reserved == first.amount + second.amount
    rig.engine.on_order_event("binance", ChildRefused(second.child_id, "-1", "no"))
    rig.wait(2.0)
    assert len(rig.venues["kraken"].placed) == 1
    assert sum(one.amount for one in rig.venues["binance"].placed[1:]) <= parent.quantity - (
        first.amount
    )


def test_silence_proves_nothing_before_the_venues_time_and_only_the_third_time() -> None:
    rig = Rig()
    rig.order()
    (child,) = rig.placed
    rig.tell(ChildUnresolved(child.child_id, "timeout"))
    rig.wait(1.0)
    for _ in range(9):
        rig.tell(OrderReport(child.child_id, known=False))
    # Asked within the time in which it may still be accepted, answered after it.
    rig.clock.advance(3.5)
    for _ in range(9):
        rig.tell(OrderReport(child.child_id, known=False))
    assert rig.child(child).state is ChildState.UNKNOWN
    rig.deny(child, 2)
    assert rig.child(child).state is ChildState.UNKNOWN
    rig.deny(child)
    assert rig.child(child).state is ChildState.NOT_ACCEPTED
    rig.wait(0.1)
    assert len(rig.placed) == 2


def test_what_its_venue_once_had_is_never_taken_for_not_accepted() -> None:
    rig = Rig()
    parent = rig.order()
    (child,) = rig.placed
    rig.tell(ChildAccepted(child.child_id, "v1"))
    rig.tell(EntryDisconnected("cut"))
    rig.ready("kraken")
    rig.deny(child, 5)
    assert rig.child(child).state is ChildState.UNKNOWN
    assert parent.reserved == 5
    assert parent.state is OrderState.PAUSED
    assert "does not know it any more" in parent.reason
    rig.tell(OrderReport(child.child_id, known=True, filled=D(0)))
    assert rig.child(child).state is ChildState.CLOSED
    assert parent.reserved == 0


def test_what_its_venue_has_denied_is_resolved_by_a_persons_word_and_no_sooner() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    (child,) = rig.placed
    rig.fill(child, "2")
    rig.tell(EntryDisconnected("cut"))
    rig.ready("kraken")
    word = Resolve(parent.id, child.child_id, D(2), "not in its lists")
    early = rig.ask(word)
    assert (early.code, "may still say" in early.text) == (AnswerCode.FAILED_PRECONDITION, True)
    rig.deny(child, 3)
    assert parent.state is OrderState.PAUSED
    other = rig.ask(Resolve(parent.id, child.child_id, D(3), "more is there"))
    assert (other.code, "2 is counted" in other.text) == (AnswerCode.FAILED_PRECONDITION, True)
    assert parent.reserved == 3
    assert rig.ask(word).code is AnswerCode.ACCEPTED
    assert (rig.child(child).state, parent.reserved) == (ChildState.RESOLVED, D(0))
    assert rig.child(child).reason == "by the word of alice: not in its lists"
    found = rig.again().engine.orders.children[child.child_id]
    assert (found.state, found.reason) == (ChildState.RESOLVED, rig.child(child).reason)
    assert rig.ask(word).code is AnswerCode.FAILED_PRECONDITION


def test_what_its_venue_forgot_is_known_and_an_alarm_in_each_life() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    (child,) = rig.placed
    rig.tell(ChildAccepted(child.child_id, "v1"))
    rig.tell(EntryDisconnected("cut"))
    rig.ready("kraken")
    rig.deny(child, 5)
    again = rig.again(resume=True)
    assert again.ask(Resume(parent.id)).code is AnswerCode.ACCEPTED
    again.deny(child)
    assert again.child(child).denials == 3
    found = again.engine.orders.parents[parent.id]
    assert (found.state, "does not know it" in found.reason) == (OrderState.PAUSED, True)
    word = Resolve(parent.id, child.child_id, D(0), "not in its lists")
    assert again.again().ask(word).code is AnswerCode.ACCEPTED


def test_a_doubt_that_comes_anew_is_denied_anew() -> None:
    rig = Rig()
    rig.order()
    (child,) = rig.placed
    rig.tell(ChildUnresolved(child.child_id, "timeout"))
    rig.deny(child, 2)
    rig.tell(ChildAccepted(child.child_id, "v1"))
    rig.deny(child)
    assert rig.child(child).denials == 1


def test_what_its_venue_forgot_anew_is_an_alarm_anew() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    (child,) = rig.placed
    for _ in range(2):
        rig.tell(ChildAccepted(child.child_id, "v1"))
        rig.deny(child, 4)
        assert (parent.state, rig.child(child).denials) == (OrderState.PAUSED, 3)
        assert rig.ask(Resume(parent.id)).code is AnswerCode.ACCEPTED


def test_a_persons_word_that_was_wrong_is_taken_back() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    (child,) = rig.placed
    rig.tell(ChildAccepted(child.child_id, "v1"))
    rig.tell(EntryDisconnected("cut"))
    rig.ready("kraken")
    rig.deny(child, 3)
    rig.ask(Resolve(parent.id, child.child_id, D(0), "not there"))
    rig.fill(child, "2")
    assert (rig.child(child).state, parent.filled, parent.reserved) == (
        ChildState.UNKNOWN,
        D(2),
        D(3),
    )
    assert parent.state is OrderState.PAUSED


def test_an_open_child_that_its_venue_forgets_is_in_doubt() -> None:
    rig = Rig()
    rig.order()
    (child,) = rig.placed
    rig.tell(ChildAccepted(child.child_id, "v1"))
    rig.deny(child, 2)
    assert rig.child(child).state is ChildState.UNKNOWN


# What contradicts an end


def test_a_fill_of_a_refused_child_is_counted_and_reserves_the_rest_again() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    first = rig.placed[0]
    rig.ask(Pause(parent.id))
    rig.tell(ChildRefused(first.child_id, "-2010", "no funds"))
    rig.fill(first, "2")
    assert parent.filled == 2
    assert rig.child(first).state is ChildState.UNKNOWN
    assert (parent.reserved, parent.remaining) == (D(3), D(0))
    assert rig.ask(Resume(parent.id)).code is AnswerCode.ACCEPTED
    rig.wait(2.0)
    assert len(rig.placed) == 1
    rig.tell(OrderReport(first.child_id, known=True, filled=D(2)))
    assert (rig.child(first).state, parent.reserved) == (ChildState.CLOSED, D(0))


def test_a_refused_child_that_rests_at_its_venue_is_cancelled_and_reserved_again() -> None:
    rig = Rig()
    parent = rig.order("5")
    (first,) = rig.placed
    rig.ask(Pause(parent.id))
    rig.tell(ChildRefused(first.child_id, "-2010", "no funds"))
    rig.tell(OpenOrders((OpenOrder(first.child_id, "v1"),)))
    assert rig.child(first).state is ChildState.OPEN
    assert parent.reserved == 5
    assert rig.venues["kraken"].cancelled == [first.child_id]


def test_an_end_with_fills_that_are_not_here_reserves_them_also_after_a_refusal() -> None:
    rig = Rig()
    parent = rig.order("5")
    (first,) = rig.placed
    rig.ask(Pause(parent.id))
    rig.tell(ChildRefused(first.child_id, "-2010", "no funds"))
    rig.close(first, "5")
    assert (parent.filled, parent.reserved, parent.remaining) == (D(0), D(5), D(0))
    rig.fill(first, "5")
    assert (parent.reserved, parent.state) == (D(0), OrderState.DONE)


def test_more_fills_than_an_end_told_raise_an_alarm() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    first = rig.placed[0]
    rig.close(first, "0")
    rig.fill(first, "2")
    assert parent.state is OrderState.PAUSED
    assert "2 is filled of what was over with 0" in parent.reason


def test_a_fill_beyond_the_limit_is_counted_and_pauses_the_order() -> None:
    rig = Rig()
    parent = rig.order("5")
    (child,) = rig.placed
    rig.fill(child, "2", price="101")
    assert (parent.filled, parent.state) == (D(2), OrderState.PAUSED)
    assert "beyond its limit 100.01" in parent.reason


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_a_fill_that_cannot_be_is_not_counted(amount: str) -> None:
    rig = Rig()
    parent = rig.order("5")
    rig.fill(rig.placed[0], amount)
    assert (parent.filled, parent.state) == (D(0), OrderState.PAUSED)


def test_a_trade_counts_once_however_its_symbol_is_spelled() -> None:
    rig = Rig()
    parent = rig.order("5")
    (child,) = rig.placed
    told = rig.fill(child, "2")
    rig.tell(replace_fields(told, venue_symbol="ethbtc"))
    assert parent.filled == 2


# Commands


def test_a_command_has_one_answer_and_its_id_is_not_anothers() -> None:
    rig = Rig()
    parent = rig.order("5")
    cancel = rig.ask(Cancel(parent.id), "x")
    assert rig.ask(Cancel(parent.id), "x") == cancel
    other = rig.ask(Resume(parent.id), "x")
    assert (other.code, other.order_id) == (AnswerCode.ALREADY_EXISTS, "")


def test_an_order_that_was_denied_for_good_is_not_taken_when_it_comes() -> None:
    rig = Rig()
    question = FinalStatusOf("one")
    order = Liquidate("one", INSTRUMENT, OrderSide.BUY, D(5), Sweep())
    for _ in range(3):
        assert rig.ask(question).code is AnswerCode.NOT_FOUND
        late = rig.ask(order)
        assert (late.code, late.text) == (
            AnswerCode.FAILED_PRECONDITION,
            "client_id 'one' was denied for good before its order came: give a new one",
        )
        assert not rig.engine.orders.parents
        rig = rig.again()
    assert rig.ask(replace_fields(order, client_id="two")).code is AnswerCode.ACCEPTED


def test_an_order_that_came_is_told_and_runs_on_and_a_mere_question_denies_none() -> None:
    rig = Rig()
    assert rig.ask(StatusOf(client_id="one")).code is AnswerCode.NOT_FOUND
    parent = rig.order("5")
    answer = rig.ask(FinalStatusOf("one"))
    assert (answer.code, answer.order_id) == (AnswerCode.ACCEPTED, parent.id)
    assert [status.client_id for status in answer.orders] == ["one"]
    assert rig.order("5") is parent


def test_an_owner_denies_no_order_of_another() -> None:
    rig = Rig()
    rig.engine.on_command(Command("c", "bob", FinalStatusOf("one")))
    assert rig.order("5").opened.owner == "alice"


def test_the_answer_to_a_cancel_is_durable_with_it() -> None:
    rig = Rig()
    parent = rig.order("5")
    commits: list[str] = []
    rig.journal._at = commits.append
    cancel = rig.ask(Cancel(parent.id), "x")
    assert commits.count("before commit") == 1
    assert rig.again().ask(Cancel(parent.id), "x") == cancel


def test_a_kill_is_one_commit_of_all_orders() -> None:
    rig = Rig()
    end_ns = rig.clock.now_ns() + 10**12
    orders = [rig.order("5", Twap(end_ns), client_id=str(n)) for n in range(3)]
    commits: list[str] = []
    rig.journal._at = commits.append
    rig.ask(Kill("a drill"))
    assert commits.count("before commit") == 1
    assert {one.state for one in orders} == {OrderState.CANCELLING}


def test_an_order_that_is_there_is_told_also_while_the_kill_switch_is_thrown() -> None:
    rig = Rig()
    parent = rig.order("5")
    rig.ask(Kill("a drill"))
    assert rig.order("5") is parent
    refused = rig.ask(Liquidate("two", INSTRUMENT, OrderSide.BUY, D(5), Sweep()))
    assert refused.code is AnswerCode.FAILED_PRECONDITION


def test_a_cancelled_order_is_over_when_every_childs_fate_is_known() -> None:
    rig = Rig()
    parent = rig.order("5")
    (child,) = rig.placed
    rig.tell(ChildUnresolved(child.child_id, "timeout"))
    rig.ask(Cancel(parent.id))
    rig.wait(60.0)
    assert parent.state is OrderState.CANCELLING
    rig.close(child, "3")
    assert parent.state is OrderState.CANCELLING  # its fills are not here
    rig.fill(child, "3")
    assert parent.status().state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": D(2)}, AnswerCode.OUT_OF_RANGE),  # less than is filled
        ({"quantity": D(6)}, AnswerCode.OUT_OF_RANGE),
        ({"quantity": D("3.05")}, AnswerCode.OUT_OF_RANGE),  # not of the lot
        ({"quantity": D("NaN")}, AnswerCode.INVALID),
        ({"quantity": D("1E-900")}, AnswerCode.INVALID),
        ({"limit": D(0)}, AnswerCode.INVALID),
        ({"limit": D("sNaN")}, AnswerCode.INVALID),
        ({"quantity": D(4), "limit": D(99)}, AnswerCode.ACCEPTED),
    ],
)
def test_an_order_is_changed_within_what_it_may_be(
    change: dict[str, Decimal], code: AnswerCode
) -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    rig.fill(rig.placed[0], "3")
    rig.ask(Pause(parent.id))
    rig.close(rig.placed[0], "3")
    assert rig.ask(Replace(parent.id, **change)).code is code
    assert parent.quantity == (change["quantity"] if code is AnswerCode.ACCEPTED else D(5))


def test_a_number_that_cannot_be_compared_is_an_answer_also_beside_an_order_that_is_there() -> None:
    rig = Rig()
    parent = rig.order("5")
    order = replace_fields(parent.order, limit=D("sNaN"))
    for _ in range(2):
        answer = rig.ask(order, "x")
        assert (answer.code, answer.text) == (AnswerCode.INVALID, "limit must be a finite number")


def test_an_order_that_is_being_cancelled_is_not_changed() -> None:
    rig = Rig()
    parent = rig.order("5")
    rig.ask(Cancel(parent.id))
    answer = rig.ask(Replace(parent.id, limit=D(99)))
    assert answer.code is AnswerCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("quantity", "limit"),
    [("1E+28", None), ("5", "1E-28"), ("NaN", None), ("5", "sNaN"), ("1E+999999", None)],
)
def test_a_number_beyond_computing_is_an_answer_and_no_end(
    quantity: str, limit: str | None
) -> None:
    rig = Rig()
    rules = rig.engine.market.rules[INSTRUMENT, "kraken"]
    rig.engine.market.rules[INSTRUMENT, "kraken"] = replace(rules, min_notional=D(10))
    answer = rig.ask(
        Liquidate(
            "one", INSTRUMENT, OrderSide.SELL, D(quantity), Sweep(),
            limit=None if limit is None else D(limit),
        )
    )  # fmt: skip
    assert answer.code is not AnswerCode.ACCEPTED
    assert rig.order("5", client_id="two").state is OrderState.RUNNING


def test_a_dry_run_says_what_would_be_done_and_leaves_nothing() -> None:
    rig = Rig()
    order = Liquidate("one", INSTRUMENT, OrderSide.BUY, D(5), Sweep(), dry_run=True)
    before = list(rig.journal.rows())
    answer = rig.ask(order)
    assert (answer.code, answer.text, answer.order_id) == (
        AnswerCode.ACCEPTED,
        "kraken 5.0 at 100.01",
        "",
    )
    assert (list(rig.journal.rows()), rig.placed) == (before, [])
    twap = Twap(end_ns=rig.clock.now_ns() + 60 * S, interval_s=12.0)
    assert (
        rig.ask(replace_fields(order, algorithm=twap)).text == "slice 1 of 5: kraken 1.0 at 100.01"
    )
    again = Liquidate("one", INSTRUMENT, OrderSide.BUY, D(5), Sweep())
    assert rig.ask(again).code is AnswerCode.ACCEPTED


@pytest.mark.parametrize(
    ("least", "most", "amounts"),
    [(None, "2", ["2"]), ("3", None, ["5"]), ("5", "5", ["5"]), ("7", None, ["5"])],
)
def test_children_are_as_large_as_the_customer_wants(
    least: str | None, most: str | None, amounts: list[str]
) -> None:
    rig = Rig()
    rig.ask(
        Liquidate(
            "one", INSTRUMENT, OrderSide.BUY, D(5), Sweep(),
            min_child=None if least is None else D(least),
            max_child=None if most is None else D(most),
        )
    )  # fmt: skip
    assert [one.amount for one in rig.placed] == [D(amount) for amount in amounts]


def test_children_smaller_than_any_venue_takes_are_refused_at_once() -> None:
    rig = Rig()
    order = Liquidate("one", INSTRUMENT, OrderSide.BUY, D(5), Sweep(), max_child=D("0.05"))
    assert rig.ask(order).code is AnswerCode.OUT_OF_RANGE


# The schedule


def test_after_a_lull_no_more_is_sent_in_a_slices_time_than_catch_up_allows() -> None:
    rig = Rig()
    begin_ns = rig.clock.now_ns()
    twap = Twap(begin_ns + 100 * 10**9, interval_s=10.0, randomise=0.0, catch_up=2.0)
    parent = rig.order("10", twap)
    rig.close(rig.placed[-1], "0")
    rig.ask(Pause(parent.id))
    rig.wait(55.0)
    rig.ask(Resume(parent.id))
    for _ in range(5):
        for child in rig.placed[1:]:
            if rig.child(child).state is ChildState.SENT:
                rig.fill(child, str(child.amount), child.child_id)
                rig.close(child, str(child.amount))
        rig.wait(0.3)
    assert parent.filled == 2
    rig.wait(8.0)
    assert parent.filled + parent.reserved == 4


# The kill switch


def test_a_kill_between_the_commit_and_the_send_is_in_time() -> None:
    rig = Rig()

    def signal(moment: str) -> None:
        if moment == "after commit" and rig.engine.orders.children:
            rig.engine.kill_asked = "SIGUSR1"

    rig.journal._at = signal
    parent = rig.order("5")
    rig.wait(0.1)
    assert rig.placed == []
    assert parent.state is OrderState.CANCELLED
    assert [one.state for one in parent.children] == [ChildState.REFUSED]


def test_the_kill_file_kills_until_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "kill"
    rig = Rig(kill_file=path)
    parent = rig.order("5", Sweep(rounds=1000))
    path.touch()
    rig.close(rig.placed[0], "1")
    rig.fill(rig.placed[0], "1")
    assert parent.state is OrderState.CANCELLED
    assert str(path) in parent.reason
    held = rig.ask(Revive())
    assert (held.code, "remove it first" in held.text) == (AnswerCode.FAILED_PRECONDITION, True)
    path.unlink()
    assert rig.ask(Revive()).code is AnswerCode.ACCEPTED
    assert rig.order("5", client_id="two").state is OrderState.RUNNING


# After a restart


def test_orders_wait_after_a_restart_unless_they_are_to_go_on() -> None:
    rig = Rig()
    end_ns = rig.clock.now_ns() + 10**12
    parent = rig.order("5", Twap(end_ns))
    waiting = rig.again().engine.orders.parents[parent.id]
    assert waiting.state is OrderState.PAUSED
    rig = Rig()
    parent = rig.order("5", Twap(end_ns))
    assert rig.again(resume=True).engine.orders.parents[parent.id].state is OrderState.RUNNING


def test_what_was_sent_before_a_restart_is_asked_about_and_never_sent_again() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    (child,) = rig.placed
    rig = rig.again(resume=True)
    found = rig.engine.orders.parents[parent.id]
    assert found.reserved == 5
    rig.wait(1.0)
    assert rig.placed == []
    assert rig.venues["kraken"].queried == [child.child_id]


def test_a_venue_waits_until_all_of_it_is_known_again() -> None:
    rig = Rig()
    parent = rig.order("5", Sweep(rounds=1000))
    rig.fill(rig.placed[0], "1")
    rig.close(rig.placed[0], "1")
    sent = len(rig.placed)
    rig.close(rig.placed[-1], "0")
    rig.tell(EntryDisconnected("cut"))
    sent = len(rig.placed)
    rig.tell(EntryConnected())
    rig.wait(2.0)
    desk = rig.engine.desks["kraken"]
    assert (desk.account, desk.open_orders_known) == (None, False)
    assert rig.venues["kraken"].trades_asked == [("ETHBTC", "t1")]
    assert len(rig.placed) == sent
    rig.ready("kraken")
    rig.wait(2.0)
    assert len(rig.placed) == sent + 1
    assert parent.filled == 1


def test_an_account_that_tells_no_fee_gets_no_order() -> None:
    rig = Rig()
    desk = rig.engine.desks["kraken"]
    assert desk.account is not None
    rig.tell(type(desk.account)(desk.balances, {}))
    rig.order("5")
    assert rig.placed == []


def test_the_notional_of_a_day_is_counted_over_restarts() -> None:
    of_a_day = InstrumentLimits(D(10**6), D(10**7), D(600))
    low = OrderLimits({INSTRUMENT: of_a_day}, orders_per_second=D(1000))
    rig = Rig(limits=low)
    rig.order("5")
    rig.fill(rig.placed[0], "5")
    rig.close(rig.placed[0], "5")
    rig = Rig(limits=low, journal=rig.journal, clock=rig.clock)
    rig.order("5", client_id="two")
    assert rig.placed == []


# The interval


def slow(rig: Rig) -> Twap:
    return Twap(end_ns=rig.clock.now_ns() + 86_400 * S, interval_s=86_400.0)


def show_mid(rig: Rig, mid: str) -> None:
    bid, ask = str(D(mid) - D("0.01")), str(D(mid) + D("0.01"))
    rig.show({"kraken": (levels((bid, "10")), levels((ask, "10")))})


def test_the_mid_of_an_interval_is_weighted_by_time() -> None:
    rig = Rig()
    show_mid(rig, "100")
    parent = rig.order("5", slow(rig))
    for mid, tenths in (("104", 30), ("101", 60), ("107", 10)):
        show_mid(rig, mid)
        for _ in range(tenths):
            rig.clock.advance(0.1)
            rig.engine.tick()
    rig.ask(Cancel(parent.id))
    rig.close(rig.placed[0], "0")
    assert parent.state is OrderState.CANCELLED
    assert parent.interval == IntervalMid(D("102.5"), 10 * S, 10 * S)
    assert parent.status().interval == parent.interval
    rig.wait(5.0)
    assert rig.again().engine.orders.parents[parent.id].interval == parent.interval


def test_what_the_engine_did_not_see_of_an_interval_is_told_and_counts_for_nothing() -> None:
    rig = Rig()
    show_mid(rig, "100")
    parent = rig.order("5", slow(rig))
    rig.clock.advance(1.0)
    rig.engine.tick()  # seen, and in the journal
    rig.clock.advance(0.5)
    rig.engine.tick()  # seen, and lost with the engine
    rig.clock.advance(20.0)
    rig = Rig(clock=rig.clock, journal=rig.journal)
    rig.engine.market.books.clear()
    rig.engine.tick()
    rig.clock.advance(4.0)  # no venue is live
    show_mid(rig, "103")
    rig.clock.advance(9.0)  # the engine stands still: of that a second counts
    rig.engine.tick()
    assert rig.engine.orders.parents[parent.id].interval == IntervalMid(
        D("101.5"), 2 * S, round(34.5 * S)
    )


def test_an_interval_takes_few_rows_however_long_it_is() -> None:
    rig = Rig()
    rig.order("5", slow(rig))
    rig.close(rig.placed[0], "0")
    for _ in range(4 * 3600):
        rig.clock.advance(1.0)
        rig.engine.tick()
    rows = [row for row in rig.journal.rows() if isinstance(row, IntervalSeen)]
    assert 500 < len(rows) < 700
    assert rows[-1].interval.mid == D("100.005")
