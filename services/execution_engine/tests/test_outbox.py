"""What front ends are owed: in order, until acknowledged, and not to who is away."""

from __future__ import annotations

from decimal import Decimal

from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    FrontEndHello,
    Liquidate,
    OrderState,
    Report,
    ReportKind,
    Sweep,
)
from execution_engine.orders import Orders
from execution_engine.outbox import AWAY_S, RESEND_S, WINDOW, Outbox
from execution_engine.rows import ParentOpened

ONE = Decimal(1)


class Post:
    """An outbox, and the reports of orders as a journal keeps them."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.kept: dict[str, list[Report]] = {}
        self.outbox = Outbox(self.orders, self._read)

    def _read(self, order_id: str, after: int, most: int) -> list[Report]:
        return self.kept.get(order_id, [])[after : after + most]

    def open(self, order_id: str, owner: str = "alice") -> None:
        order = Liquidate(order_id, "ETH-BTC", OrderSide.BUY, ONE, Sweep())
        self.orders.apply(ParentOpened(order_id, owner, order, 1, ONE, ONE, None))
        self.kept[order_id] = []

    def report(self, order_id: str, count: int = 1) -> None:
        parent = self.orders.parents[order_id]
        for _ in range(count):
            row = parent.report(ReportKind.STATE, 1)
            self.orders.apply(row)
            self.kept[order_id].append(row.report)
            self.outbox.on_report(row.report)

    def hello(
        self,
        now: float = 0.0,
        *,
        peer: bytes = b"p",
        owners: tuple[str, ...] = (),
        seqs: dict[str, int] | None = None,
        acked: dict[str, int] | None = None,
    ) -> dict[str, int] | None:
        hello = FrontEndHello("gateway", owners, seqs is not None, seqs or {})
        return self.outbox.on_hello(peer, hello, lambda: acked or {}, now)

    def due(self, now: float = 0.0) -> list[tuple[str, int]]:
        return [(report.order_id, report.seq) for _, report in self.outbox.due(now)]


def test_reports_come_in_order_and_once_until_they_are_acknowledged() -> None:
    post = Post()
    post.open("a")
    post.report("a", 2)
    assert post.hello() == {}
    assert post.due() == [("a", 1), ("a", 2)]
    assert post.due() == []
    post.report("a")
    assert post.due() == [("a", 3)]
    assert post.outbox.on_ack(b"p", "a", 2) == "gateway"
    assert post.due(RESEND_S * 1.1) == [("a", 3)]  # again, for want of an answer
    assert post.outbox.on_ack(b"p", "a", 3) == "gateway"
    assert post.due(RESEND_S * 9) == []


def test_an_acknowledgement_of_what_was_not_sent_or_is_old_changes_nothing() -> None:
    post = Post()
    post.open("a")
    post.report("a", 2)
    post.hello()
    post.due()
    assert post.outbox.on_ack(b"p", "a", 9) is None
    assert post.outbox.on_ack(b"p", "nobodys", 1) is None
    assert post.outbox.on_ack(b"stranger", "a", 1) is None
    assert post.outbox.on_ack(b"p", "a", 2) == "gateway"
    assert post.outbox.on_ack(b"p", "a", 1) is None


def test_no_more_than_the_window_is_on_its_way() -> None:
    post = Post()
    post.open("a")
    post.report("a", WINDOW + 5)
    post.hello()
    assert len(post.due()) == WINDOW
    assert post.due() == []
    post.outbox.on_ack(b"p", "a", 3)
    assert post.due() == [("a", WINDOW + n) for n in (1, 2, 3)]


def test_one_that_is_away_gets_nothing_and_all_of_it_when_it_is_back() -> None:
    post = Post()
    post.open("a")
    post.report("a", 2)
    post.hello()
    assert post.due(AWAY_S + 0.1) == []
    post.report("a")
    assert post.hello(AWAY_S + 1.0, acked={"a": 1}) == {"a": 1}
    assert post.due(AWAY_S + 1.0) == [("a", 2), ("a", 3)]


def test_one_that_says_where_it_is_begins_there_and_is_not_remembered() -> None:
    post = Post()
    post.open("a")
    post.open("b")
    post.report("a", 3)
    post.report("b", 1)
    assert post.hello(seqs={"a": 2}, acked={"a": 3, "b": 1}) == {"a": 2}
    assert sorted(post.due()) == [("a", 3), ("b", 1)]
    assert post.outbox.on_ack(b"p", "a", 3) is None


def test_a_front_end_gets_the_reports_of_its_owners_alone() -> None:
    post = Post()
    post.open("a", "alice")
    post.open("b", "bob")
    post.report("b")
    post.hello(owners=("alice",))
    post.report("a")
    post.report("b")
    assert post.due() == [("a", 1)]


def test_a_new_connection_of_the_same_name_takes_the_place_of_the_old_one() -> None:
    post = Post()
    post.open("a")
    post.report("a")
    post.hello()
    assert post.due() == [("a", 1)]
    assert post.hello(peer=b"q") == {}
    assert [peer for peer, _ in post.outbox.due(0.0)] == [b"q"]
    assert post.orders.parents["a"].state is OrderState.RUNNING
