"""What a source that is gone said is held, then withheld, until the others count anew."""

from __future__ import annotations

from dragonfly_common.arbitration import HOLD_S, RECOUNT_S, Stage, Succession


def test_nothing_is_held_while_the_source_is_there() -> None:
    assert Succession().stage(1e9) is None


def test_the_stages_follow_each_other_from_when_the_source_went() -> None:
    succession = Succession()
    assert succession.begin(10.0) == 10.0
    assert succession.begin(10.4) == 10.0  # the first time counts
    held, withheld, recounted = (
        succession.stage(10.0 + HOLD_S - 0.01),
        succession.stage(10.0 + HOLD_S),
        succession.stage(10.0 + RECOUNT_S),
    )
    assert (held, withheld, recounted) == (Stage.HELD, Stage.WITHHELD, Stage.RECOUNTED)
    assert succession.stage(10.0 + RECOUNT_S - 0.01) is Stage.WITHHELD


def test_a_source_that_is_chosen_ends_it() -> None:
    succession = Succession()
    succession.begin(10.0)
    succession.left_at = None
    assert succession.stage(20.0) is None
    assert succession.begin(20.0) == 20.0
