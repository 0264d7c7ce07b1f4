"""The one function before every intent: each rule alone, and its file."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import OrderState
from execution_engine.limits import (
    RULES,
    InstrumentLimits,
    Intent,
    OrderFacts,
    OrderLimits,
    check,
    standing,
    worst_price,
)
from execution_engine.market import MarketRules

D = Decimal
LIMITS = OrderLimits({"ETH-BTC": InstrumentLimits(D(1), D(5), D(20))})
INTENT = Intent("ETH-BTC", "kraken", OrderSide.BUY, D(10), D("0.05"))
FACTS = OrderFacts(
    killed=False,
    paper=False,
    parent_state=OrderState.RUNNING,
    parent_limit=D("0.05"),
    max_slippage_bps=D(10),
    remaining=D(10),
    parent_notional=D("4.5"),
    day_notional=D("19.5"),
    open_children=15,
    venue_ready=True,
    rules=MarketRules("ETH/XBT", D("0.0001"), D("0.1"), D(10), D("0.5")),
    mid=D("0.04996"),
    book_age_s=D(1),
    visible=D(20),
    balance=D("0.5005"),
    fee=D("0.001"),
    tokens=D(1),
    unknown_at_venue=0,
    refused_in_a_row=4,
)
"""At the very bound of each rule."""


def test_at_every_bound_it_may_be_sent() -> None:
    assert check(INTENT, FACTS, LIMITS) is None


BROKEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("kill_switch", {"killed": True}, {}),
    *(
        ("parent_state", {"parent_state": state}, {})
        for state in OrderState
        if state is not OrderState.RUNNING
    ),
    ("instrument", {}, {"instrument": "BTC-USD"}),
    ("venue", {"venue_ready": False}, {}),
    ("venue", {"rules": None}, {}),
    ("venue", {"rules": replace(FACTS.rules or MarketRules("", D(1), D(1)), halted=True)}, {}),
    ("venue", {"fee": None}, {}),
    ("book", {"book_age_s": None}, {}),
    ("book", {"book_age_s": D("1.001")}, {}),
    ("open_children", {"open_children": 16}, {}),
    ("rate", {"tokens": D("0.99")}, {}),
    ("unknown_at_venue", {"unknown_at_venue": 1}, {}),
    ("error_streak", {"refused_in_a_row": 5}, {}),
    ("amount", {}, {"amount": D(0)}),
    ("amount", {}, {"amount": D(-10)}),
    ("amount", {}, {"amount": D("NaN")}),
    ("amount", {}, {"limit": D("Infinity")}),
    ("tick_and_lot", {}, {"amount": D("10.05")}),
    ("tick_and_lot", {}, {"limit": D("0.04999")}),
    ("minimum", {}, {"amount": D("9.9")}),
    ("minimum", {}, {"limit": D("0.0499")}),
    ("remaining", {"remaining": D("9.9")}, {}),
    ("parent_limit", {"parent_limit": D("0.0499")}, {}),
    ("slippage", {"max_slippage_bps": D(8)}, {}),
    ("slippage", {"mid": None}, {}),
    ("collar", {"mid": D("0.049"), "max_slippage_bps": None}, {}),
    ("collar", {"mid": None, "max_slippage_bps": None}, {}),
    ("depth_share", {"visible": D("19.9")}, {}),
    ("balance", {"balance": D("0.5004")}, {}),
    ("balance", {"balance": None}, {}),
    ("parent_notional", {"parent_notional": D("4.51")}, {}),
    ("day_notional", {"day_notional": D("19.51")}, {}),
]


@pytest.mark.parametrize(("rule", "facts", "intent"), BROKEN)
def test_beyond_a_bound_the_rule_is_named(
    rule: str, facts: dict[str, Any], intent: dict[str, Any]
) -> None:
    refusal = check(replace(INTENT, **intent), replace(FACTS, **facts), LIMITS)
    assert refusal is not None
    assert refusal.rule == rule
    assert refusal.text.startswith("kraken ")


def test_a_child_over_its_notional_is_held_back() -> None:
    low = OrderLimits({"ETH-BTC": InstrumentLimits(D("0.499"), D(5), D(20))})
    refusal = check(INTENT, FACTS, low)
    assert refusal is not None
    assert refusal.rule == "child_notional"


def test_every_rule_is_tried_here() -> None:
    assert {rule for rule, _, _ in BROKEN} | {"child_notional"} == set(RULES)


def test_standing_rules_look_at_no_amount_and_no_price() -> None:
    unsound = replace(INTENT, amount=D("NaN"), limit=D("NaN"))
    assert standing(unsound, FACTS, LIMITS) is None


def test_a_sale_is_bounded_from_below() -> None:
    sale = replace(INTENT, side=OrderSide.SELL)
    facts = replace(FACTS, parent_limit=D("0.05"), mid=D("0.05"), balance=D(10))
    assert check(sale, facts, LIMITS) is None
    worse = check(sale, replace(facts, parent_limit=D("0.0501")), LIMITS)
    assert worse is not None
    assert worse.rule == "parent_limit"
    poor = check(sale, replace(facts, balance=D("9.9")), LIMITS)
    assert poor is not None
    assert poor.rule == "balance"


def test_the_worst_price_is_the_tightest_bound() -> None:
    buy, sell = OrderSide.BUY, OrderSide.SELL
    assert worst_price(buy, D(100), None, None, LIMITS) == 102
    assert worst_price(buy, D(100), D(101), D(50), LIMITS) == D("100.5")
    assert worst_price(sell, D(100), D(99), D(200), LIMITS) == 99
    assert worst_price(sell, D(100), None, D(50), LIMITS) == D("99.5")


GOOD = '[instruments.ETH-BTC]\nchild_notional = "1"\nparent_notional = 5\nday_notional = 20.5\n'


def test_a_limits_file_is_read_in_decimals() -> None:
    limits = OrderLimits.parse("collar_bps = 50\n" + GOOD, "limits.toml")
    assert limits.collar_bps == 50
    known = limits.of("ETH-BTC", paper=True)
    assert known is not None
    assert known.day_notional == D("20.5")
    assert limits.of("BTC-USD", paper=True) is None
    assert OrderLimits.for_paper().of("BTC-USD", paper=True) is not None
    assert OrderLimits.for_paper().of("BTC-USD", paper=False) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "instruments"),
        ("[instruments]\n", "without one nothing can be traded"),
        ("colar_bps = 3\n" + GOOD, "colar_bps"),
        ("collar_bps = -3\n" + GOOD, "collar_bps must be a positive number"),
        ("collar_bps = nan\n" + GOOD, "collar_bps must be a positive number"),
        ("depth_share = 2\n" + GOOD, "depth_share must be 1 at most"),
        ("open_children = 0\n" + GOOD, "must be 1 at least"),
        (GOOD.replace("ETH-BTC", "eth-btc"), "named BASE-QUOTE"),
        (GOOD.replace('"1"', '"-1"'), "child_notional of ETH-BTC"),
        (GOOD.replace('"1"', '"much"'), "limits.toml is not a limits file"),
        ("= 3", "limits.toml is not a limits file"),
    ],
)
def test_a_bad_limits_file_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=r"limits\.toml is not a limits file") as caught:
        OrderLimits.parse(text, "limits.toml")
    assert says in str(caught.value)
