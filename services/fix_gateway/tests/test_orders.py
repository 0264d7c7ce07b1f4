"""What customers' orders become, and what reports of the engine become. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from dragonfly_fix.codec import FixMessage, decode_fields
from dragonfly_fix.fix44 import FIX44
from dragonfly_orders.messages import (
    FINAL_STATES,
    FillNews,
    ImplementationShortfall,
    Liquidate,
    OrderState,
    Replace,
    Report,
    ReportKind,
    Resume,
    Sweep,
    Twap,
)
from fix_gateway.order_reports import FixOrder, PendingChange, take_report
from fix_gateway.order_requests import OrderRefusedError, read_change, read_order
from hypothesis import given
from hypothesis import strategies as st

BASE = "11=c1|55=ETH-BTC|54=1|60=20261001-12:00:00"
PRICED = f"{BASE}|38=10|40=2|44=1.5"
HEADER = "49=ME|56=YOU|34=2|52=20261001-12:00:00"


def message(text: str, kind: bytes = b"D") -> FixMessage:
    found = FixMessage(
        kind, decode_fields(f"{HEADER}|{text}".replace("|", "\x01").encode() + b"\x01")
    )
    FIX44.check(found)
    return found


def read(text: str, *, cancels: bool = False) -> tuple[FixOrder, Liquidate]:
    return read_order(message(text), "ME", "p1", "20261001:c1", cancels=cancels)


@pytest.mark.parametrize(
    ("text", "algorithm", "said"),
    [
        (PRICED, Sweep(), "strategy=sweep"),
        (f"{PRICED}|59=3", Sweep(rounds=1), "strategy=sweep"),
        (f"{PRICED}|847=1000|848=rounds=3", Sweep(rounds=3), "strategy=sweep;rounds=3"),
        (
            f"{PRICED}|847=1001|126=19700101-00:01:00|168=19700101-00:00:01|848=interval_s=5",
            Twap(60 * 10**9, 10**9, 5.0),
            "strategy=twap;interval_s=5",
        ),
        (
            f"{PRICED}|126=19700101-00:01:00|848=strategy=is",
            ImplementationShortfall(60 * 10**9),
            "strategy=is",
        ),
        (
            f"{PRICED}|126=19700101-00:01:00|847=1003|957=1|958=urgency|959=14|960=high",
            ImplementationShortfall(60 * 10**9, urgency="high"),  # type: ignore[arg-type]
            "strategy=is;urgency=high",
        ),
    ],
)
def test_the_strategy_is_in_847_and_848(text: str, algorithm: object, said: str) -> None:
    order, wish = read(text)
    assert (wish.algorithm, order.strategy) == (algorithm, said)


def test_bounds_and_venues_are_passed_on() -> None:
    text = f"{BASE}|38=10|40=1|848=max_slippage_bps=12.5|110=0.5|111=2|100=KRAKEN,BINANCE|18=Q"
    order, wish = read(text)
    assert wish.max_slippage_bps == Decimal("12.5")
    assert (wish.min_child, wish.max_child) == (Decimal("0.5"), Decimal(2))
    assert wish.venues == ("kraken", "binance")
    assert order.cancels
    assert not read(PRICED)[0].cancels
    assert read(PRICED, cancels=True)[0].cancels


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        (f"{BASE}|38=1|40=1", 99, "needs a bound"),
        (f"{BASE}|38=1|40=2", 99, r"Price \(44\) is for limit"),
        (f"{BASE}|38=1|40=3|99=1", 11, "the field 99 is not served"),
        (f"{BASE}|152=1|40=2|44=1", 11, "the field 152 is not served"),
        (f"{BASE}|40=2|44=1", 13, r"give OrderQty \(38\)"),
        (f"{PRICED}|59=4", 11, "TimeInForce"),
        (f"{PRICED}|18=G", 11, "ExecInst"),
        (f"{PRICED}|847=1", 11, "TargetStrategy"),
        (f"{PRICED}|847=1001", 99, r"needs ExpireTime \(126\): give it"),
        (f"{PRICED}|847=2|126=20360101-00:00:00", 99, r"needs ParticipationRate \(849\)"),
        (f"{PRICED}|847=1001|848=strategy=is|126=20360101-00:00:00", 99, "the one of 847"),
        (f"{PRICED}|848=speed=9", 99, "strategy sweep has no 'speed': leave it out"),
        (f"{PRICED}|848=rounds=2;rounds=3", 99, "given twice"),
        (f"{PRICED}|848=rounds=0", 99, "rounds '0' of strategy sweep cannot be: expected int >= 1"),
        (
            f"{PRICED}|847=1001|126=20360101-00:00:00|848=interval_s=x",
            99,
            "interval_s 'x' of strategy twap cannot be: expected float",
        ),
        (f"{PRICED}|849=9|847=2|126=20360101-00:00:00", 99, r"\(849\) '9' .* < 1"),
        (f"{PRICED}|848=max_slippage_bps=lots", 99, "is no amount"),
        (f"{PRICED}|126=20360101-00:00:00", 99, r"sweep has no ExpireTime \(126\)"),
        (PRICED.replace("54=1", "54=5"), 11, "Side"),
    ],
)
def test_what_cannot_be_passed_on_is_refused(text: str, reason: int, says: str) -> None:
    with pytest.raises(OrderRefusedError, match=says) as refused:
        read(text)
    assert refused.value.reason == reason


def test_quantity_and_price_can_be_changed_and_nothing_else() -> None:
    order, _ = read(PRICED)
    change = message("41=c1|11=c2|55=ETH-BTC|54=1|60=20261001-12:00:01|38=8|40=2|44=1.5", b"G")
    wish = read_change(change, order)
    assert wish == Replace("p1", Decimal(8))
    order.state = OrderState.PAUSED
    assert read_change(change, order) == wish
    more = FixMessage(b"G", [*change.fields, (111, b"3")])
    with pytest.raises(OrderRefusedError, match="the field 111 cannot be changed"):
        read_change(more, order)


def test_a_change_of_nothing_lets_a_suspended_order_go_on() -> None:
    order, _ = read(PRICED)
    text = "41=c1|11=c2|55=ETH-BTC|54=1|60=20261001-12:00:01|38=10|40=2|44=1.5"
    assert read_change(message(text, b"G"), order) == Replace("p1")
    order.state = OrderState.PAUSED
    assert read_change(message(text, b"G"), order) == Resume("p1")


@dataclass
class Engine:
    """A model of the engine's side of one order, and what its customer was told."""

    order: FixOrder
    quantity: Decimal
    cum: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    state: OrderState = OrderState.RUNNING
    seq: int = 0
    told: list[FixMessage] = field(default_factory=list)

    def report(self, kind: ReportKind, fill: FillNews | None = None) -> None:
        self.seq += 1
        final = self.state in FINAL_STATES
        leaves = Decimal(0) if final else self.quantity - self.cum
        average = self.paid / self.cum if self.cum else None
        report = Report(
            "p1", "fix:ME", self.seq, kind, self.state, self.cum, leaves, average, {}, 0, "why",
            None, fill,
        )  # fmt: skip
        for msg_type, body in take_report(self.order, report):
            head = decode_fields(HEADER.replace("|", "\x01").encode() + b"\x01")
            found = FixMessage(msg_type, [*head, *decode_fields(body)])
            FIX44.check(found, strict=True)
            self.told.append(found)

    def do(self, step: tuple[str, int]) -> None:
        what, size = step
        if self.state in FINAL_STATES:
            return
        match what:
            case "fill":
                amount = min(Decimal(size), self.quantity - self.cum)
                if amount:
                    price = Decimal(size + 7) / 3
                    self.cum, self.paid = self.cum + amount, self.paid + amount * price
                    news = FillNews("kraken", f"T{self.seq}", price, amount, Decimal(0), "BTC", 0)
                    self.report(ReportKind.FILL, news)
                if self.cum == self.quantity:
                    self.move(OrderState.DONE)
            case "pause" if self.state is OrderState.RUNNING:
                self.move(OrderState.PAUSED)
            case "resume" if self.state is OrderState.PAUSED and not self.order.pending:
                change = PendingChange(f"g{self.seq}", self.order.cl_ord_id, False, resumes=True)
                self.order.pending = change if size % 2 else None
                self.move(OrderState.RUNNING)
            case "cancel" if self.state is not OrderState.CANCELLING and not self.order.pending:
                if size % 2:
                    self.order.pending = PendingChange(f"f{self.seq}", self.order.cl_ord_id, True)
                self.move(OrderState.CANCELLING)
            case "cancelled" if self.state is OrderState.CANCELLING:
                self.move(OrderState.CANCELLED)
            case "expire" if self.state is OrderState.RUNNING:
                self.move(OrderState.EXPIRED)
            case "less" if self.cum < self.quantity - 1 and not self.order.pending:
                self.quantity -= 1
                self.order.pending = PendingChange(f"g{self.seq}", self.order.cl_ord_id, False)
                self.report(ReportKind.REPLACED)
            case "child":
                self.report(ReportKind.CHILD)

    def move(self, state: OrderState) -> None:
        self.state = state
        self.report(ReportKind.STATE)


STEPS = st.tuples(
    st.sampled_from(
        [
            "fill",
            "fill",
            "fill",
            "pause",
            "resume",
            "cancel",
            "cancelled",
            "expire",
            "less",
            "child",
        ]
    ),
    st.integers(1, 9),
)


@given(st.lists(STEPS, max_size=40))
def test_what_a_customer_is_told_adds_up(steps: list[tuple[str, int]]) -> None:
    order, _ = read(PRICED.replace("38=10", "38=30"))
    engine = Engine(order, Decimal(30))
    engine.report(ReportKind.NEW)
    for step in steps:
        engine.do(step)
    reports = [one for one in engine.told if one.type == b"8"]
    ids = [one.get(17) for one in reports]
    assert len(ids) == len(set(ids))
    amount = paid = Decimal(0)
    for one in reports:
        number = {tag: Decimal((one.get(tag) or b"0").decode()) for tag in (6, 14, 31, 32, 38, 151)}
        if one.get(150) == b"F":
            amount += number[32]
            paid += number[32] * number[31]
        assert number[14] == amount
        if one.get(39) in {b"0", b"1", b"6", b"9"}:
            assert number[38] == number[14] + number[151]
        else:
            assert number[151] == 0
        assert not amount or abs(number[6] - paid / amount) < Decimal("1e-14")
    assert amount == engine.cum
    # The end is told once, and by the last word about the order.
    ends = [one for one in reports if one.get(39) in {b"2", b"4", b"C"}]
    assert len(ends) == (engine.state in FINAL_STATES)
    assert not ends or ends[0] is reports[-1]
