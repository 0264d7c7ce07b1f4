"""The engine in simulated worlds: seeds, a crash at every point, planted mistakes.

With `--long` a hundred seeds, and a crash at every moment of one; otherwise a part of both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
import structlog
from dragonfly_orders.messages import ChildState, IntervalMid, OrderState
from engine_simulation import World, quieten
from execution_engine import deciding, fates
from execution_engine.deciding import Decisions
from execution_engine.engine import Engine
from execution_engine.fates import Fates
from execution_engine.interval import IntervalWatch
from execution_engine.journal import Journal
from execution_engine.ledger import Ledger
from execution_engine.orders import IN_FLIGHT, Child, Orders, Parent
from execution_engine.rows import FillCounted, OrderDenied
from msgspec.structs import replace

SEEDS = 100
SHARE = 5
"""Without `--long`, one in so many."""
EXHAUSTIVE = (8,)
"""Seeds whose every moment is crashed at: one after another, with faults."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    quieten()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_no_seed_is_violated(first: int, *, long: bool) -> None:
    for seed in range(first, first + 25, 1 if long else SHARE):
        verdict = World(seed).run()
        assert not verdict.violations, f"seed {seed}: {verdict.violations}"


def test_a_seed_is_the_same_run_each_time() -> None:
    one, other = World(11).run(), World(11).run()
    assert one.counts == other.counts


@pytest.mark.parametrize("seed", EXHAUSTIVE)
def test_a_crash_at_every_commit_and_send_leaves_nothing_wrong(seed: int, *, long: bool) -> None:
    whole = World(seed, crash_at=sys.maxsize)
    assert not whole.run().violations
    for moment in range(1, min(whole.moments, 250) + 1, 1 if long else SHARE):
        verdict = World(seed, crash_at=moment).run()
        assert not verdict.violations, f"seed {seed} at {moment}: {verdict.violations}"


def test_without_faults_every_sweep_takes_what_it_may() -> None:
    verdict = World(2, faulty=False).run()
    assert not verdict.violations
    assert verdict.counts["child not_accepted"] == 0


def _forget_what_is_reserved(patch: pytest.MonkeyPatch) -> None:
    def reserved(child: Child) -> Decimal:
        return child.intent.amount - child.filled if child.state in IN_FLIGHT else Decimal(0)

    patch.setattr(Child, "reserved", property(reserved))
    patch.setattr(Child, "settled", property(lambda child: child.state not in IN_FLIGHT))


def _count_fills_twice(patch: pytest.MonkeyPatch) -> None:
    class Forgetful(dict[tuple[str, str, str], FillCounted]):
        def get(self, *_: object) -> None:  # type: ignore[override]
            return None

    begin = Orders.__init__

    def forgetful(orders: Orders) -> None:
        begin(orders)
        orders.fills = Forgetful()

    patch.setattr(Orders, "__init__", forgetful)


def _send_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    decide, commit = Decisions.decide, Ledger.commit

    def late(decisions: Decisions, parent: Parent) -> None:
        patch.setattr(Ledger, "commit", lambda _: None)
        try:
            decide(decisions, parent)
        finally:
            patch.setattr(Ledger, "commit", commit)

    patch.setattr(Decisions, "decide", late)


def _take_silence_for_a_refusal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fates, "PROOFS_NEEDED", 1)
    patch.setattr("reference_exchange.ReferenceExchange.settles_after_s", -1.0)


def _forget_the_children_of_a_crash(patch: pytest.MonkeyPatch) -> None:
    recover = Engine._recover

    def careless(engine: Engine, *, resume: bool) -> None:
        for child in list(engine.orders.unsettled.values()):
            if child.state is ChildState.SENT:
                engine.ledger.end(child, ChildState.REFUSED, Decimal(0), "surely it was not sent")
        recover(engine, resume=resume)

    patch.setattr(Engine, "_recover", careless)


def _send_after_a_cancel(patch: pytest.MonkeyPatch) -> None:
    decide = Decisions.decide

    def stubborn(decisions: Decisions, parent: Parent) -> None:
        if parent.state is OrderState.CANCELLING and not parent.unsettled:
            parent.state = OrderState.RUNNING
        decide(decisions, parent)

    patch.setattr(Decisions, "decide", stubborn)


def _pass_over_the_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deciding, "check", lambda *_: None)
    patch.setattr(
        deciding,
        "worst_price",
        lambda side, mid, *_: mid * 2 if side == "buy" else mid / 2,
    )
    patch.setattr(deciding, "standing", lambda *_: None)


def _send_an_unknown_child_again(patch: pytest.MonkeyPatch) -> None:
    doubt = Fates.doubt

    def again(all_fates: Fates, child: str, reason: str) -> None:
        doubt(all_fates, child, reason)
        found = all_fates._ledger.orders.children.get(child)
        if found is not None and found.state is ChildState.UNKNOWN:
            all_fates._desks[found.intent.venue].entry.place(found.intent.order(2**62))

    patch.setattr(Fates, "doubt", again)


def _lose_reports(patch: pytest.MonkeyPatch) -> None:
    reports = Journal.reports
    patch.setattr(
        Journal, "reports", lambda journal, *words: [r for r in reports(journal, *words) if r.child]
    )


def _take_what_was_denied(patch: pytest.MonkeyPatch) -> None:
    nothing = property(lambda _: set(), lambda *_: None)
    patch.setattr(Orders, "denied", nothing, raising=False)


def _forget_the_denials_of_a_crash(patch: pytest.MonkeyPatch) -> None:
    append = Journal.append
    patch.setattr(
        Journal,
        "append",
        lambda journal, rows: append(journal, [r for r in rows if not isinstance(r, OrderDenied)]),
    )


def _count_what_was_not_seen(patch: pytest.MonkeyPatch) -> None:
    due = IntervalWatch.due

    def careless(watch: IntervalWatch, now_ns: int, *, over: bool) -> IntervalMid | None:
        seen = due(watch, now_ns, over=over)
        return seen and replace(seen, seen_ns=seen.whole_ns)

    patch.setattr(IntervalWatch, "due", careless)


def _forget_the_interval_of_a_crash(patch: pytest.MonkeyPatch) -> None:
    begin = IntervalWatch.__init__

    def anew(watch: IntervalWatch, parent: Parent) -> None:
        parent.interval = None
        begin(watch, parent)

    patch.setattr(IntervalWatch, "__init__", anew)


@pytest.mark.parametrize(
    ("mistake", "verdict"),
    [
        (_forget_what_is_reserved, "is filled of"),
        (_count_fills_twice, "the engine failed: IntegrityError"),  # the journal has it once
        (_send_before_the_commit, "is not in the journal"),
        (_take_silence_for_a_refusal, "is filled of"),
        (_forget_the_children_of_a_crash, "is filled of"),
        (_send_after_a_cancel, "is placed after the end of its order"),
        (_pass_over_the_limits, "is worse than the limit"),
        (_send_an_unknown_child_again, "is placed twice"),
        (_lose_reports, "does not say how it ended"),
        (_take_what_was_denied, "was denied, and was taken"),
        (_forget_the_denials_of_a_crash, "was denied, and was taken"),
        (_count_what_was_not_seen, "is seen for longer than the engine lived"),
        (_forget_the_interval_of_a_crash, "an interval is seen for"),
    ],
)
def test_a_planted_mistake_is_found_for_what_it_is(
    mistake: Callable[[pytest.MonkeyPatch], None], verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    for seed in range(200):
        if any(verdict in one for one in World(seed).run().violations):
            return
    pytest.fail("200 seeds did not find it")
