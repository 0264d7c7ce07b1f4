"""Whether an order can be taken: each refusal, its code, and what it says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    AnswerCode,
    ImplementationShortfall,
    Liquidate,
    Participate,
    Sweep,
    Twap,
)
from execution_engine.acceptance import CommandRefusedError, accept
from execution_engine.limits import InstrumentLimits
from execution_engine.market import MarketRules
from execution_engine.rows import ParentOpened
from msgspec.structs import replace

D = Decimal
MID = D(100)
NOW_NS = 10**18
DAY_NS = 86_400 * 10**9
RULES: dict[str, MarketRules | None] = {
    "kraken": MarketRules("ETH/XBT", D("0.01"), D("0.5"), D(2)),
    "binance": MarketRules("ETHBTC", D("0.01"), D("0.1"), min_notional=D(100)),
    "okx": None,
}
LIMITS = InstrumentLimits(D(100), D(1000), D(10_000))
ORDER = Liquidate("one", "ETH-BTC", OrderSide.SELL, D(5), Sweep())


def take(
    order: Liquidate, limits: InstrumentLimits | None = LIMITS, mid: Decimal | None = MID
) -> ParentOpened:
    return accept(order, "id", "alice", rules=RULES, limits=limits, mid=mid, now_ns=NOW_NS)


def test_what_is_taken_keeps_the_finest_lot_and_the_least_amount() -> None:
    opened = take(ORDER)
    assert (opened.lot, opened.least, opened.arrival_mid) == (D("0.1"), D("1.0"), D(100))
    alone = take(replace(ORDER, venues=("kraken",)))
    assert (alone.lot, alone.least) == (D("0.5"), D("2.0"))


def test_without_any_price_the_least_is_the_venues_amount() -> None:
    assert take(ORDER, mid=None).least == D("0.1")


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"instrument": "ETHBTC"}, AnswerCode.INVALID, "is not an instrument"),
        ({"instrument": "eth-btc"}, AnswerCode.INVALID, "is written ETH-BTC"),
        ({"quantity": D(0)}, AnswerCode.INVALID, "quantity must be a positive number"),
        ({"quantity": D(-1)}, AnswerCode.INVALID, "quantity must be a positive number"),
        ({"quantity": D("1E+29")}, AnswerCode.INVALID, "more digits"),
        ({"limit": D("0." + "1" * 29)}, AnswerCode.INVALID, "limit has more digits"),
        ({"max_slippage_bps": D(0)}, AnswerCode.INVALID, "max_slippage_bps must be a positive"),
        ({"min_child": D(3), "max_child": D(2)}, AnswerCode.INVALID, "more than max_child"),
        ({"max_child": D("0.05")}, AnswerCode.OUT_OF_RANGE, "max_child 0.05 is less than any"),
        ({"quantity": D("5.05")}, AnswerCode.OUT_OF_RANGE, "not a multiple of the lot 0.1"),
        ({"quantity": D("0.9")}, AnswerCode.OUT_OF_RANGE, "less than any venue takes (1.0)"),
        ({"quantity": D(11)}, AnswerCode.RESOURCE_EXHAUSTED, "parent_notional"),
        ({"venues": ("mtgox",)}, AnswerCode.INVALID, "'mtgox' is no venue of this engine"),
        ({"venues": ("okx",)}, AnswerCode.FAILED_PRECONDITION, "no venue is known so far to list"),
        ({"algorithm": Participate(0.1, NOW_NS + 1)}, AnswerCode.FAILED_PRECONDITION, "pov needs"),
        ({"algorithm": Twap(NOW_NS)}, AnswerCode.INVALID, "the end must be after now"),
        (
            {"algorithm": Twap(NOW_NS + 9, start_ns=NOW_NS + 9)},
            AnswerCode.INVALID,
            "the end must be after now and the start",
        ),
        (
            {"algorithm": ImplementationShortfall(NOW_NS + 31 * DAY_NS)},
            AnswerCode.INVALID,
            "within 30 days",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(
    change: dict[str, Any], code: AnswerCode, says: str
) -> None:
    with pytest.raises(CommandRefusedError) as refused:
        take(replace(ORDER, **change))
    assert refused.value.code is code
    assert says in str(refused.value)


def test_an_instrument_without_limits_is_not_traded() -> None:
    with pytest.raises(CommandRefusedError, match="is not in the limits file") as refused:
        take(ORDER, limits=None)
    assert refused.value.code is AnswerCode.RESOURCE_EXHAUSTED
