"""Paper: what is assumed to fill, at which time, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dragonfly_common.types import OrderSide
from dragonfly_venues.orders import (
    AccountState,
    ChildOrder,
    OpenOrders,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from engine_rig import levels
from execution_engine.market import VenueTop
from execution_engine.paper import BALANCE, PaperVenue

D = Decimal
FEE = D("0.001")


class Floor:
    """A paper venue, its book, and the calls that wait."""

    def __init__(self) -> None:
        self.top: VenueTop | None = VenueTop(
            levels(("99", "1"), ("98", "2")), levels(("101", "1"), ("102", "2")), 1
        )
        self.events: list[OrderEvent] = []
        self.waiting: list[tuple[float, Callable[[], None]]] = []
        self.venue = PaperVenue(
            "kraken",
            FEE,
            0.05,
            top_of=lambda _: self.top,
            assets=lambda: ["ETH", "BTC"],
            later=lambda seconds, call: self.waiting.append((seconds, call)),
            now_ns=lambda: 7,
            on_event=self.events.append,
        )

    def pass_time(self) -> list[OrderEvent]:
        """Let all that waits happen; return what was told."""
        waiting, self.waiting = self.waiting, []
        self.events.clear()
        for _, call in waiting:
            call()
        return list(self.events)

    def place(self, name: str, side: OrderSide, amount: str, limit: str) -> list[OrderEvent]:
        self.venue.place(ChildOrder(name, "ETH-BTC", "ETHBTC", side, D(amount), D(limit)))
        return self.pass_time()

    def balances(self) -> dict[str, Decimal]:
        self.venue.ask_account()
        (told,) = self.pass_time()
        assert isinstance(told, AccountState)
        return dict(told.balances)


def report(events: list[OrderEvent]) -> OrderReport:
    """Return all that is told of an order: it comes in one piece."""
    (told,) = events
    assert isinstance(told, OrderReport)
    return told


def fills(events: list[OrderEvent]) -> list[tuple[Decimal, Decimal]]:
    return [(one.price, one.amount) for one in report(events).fills]


def test_an_order_takes_what_is_shown_within_its_limit_when_it_arrives() -> None:
    floor = Floor()
    order = ChildOrder("a", "ETH-BTC", "ETHBTC", OrderSide.BUY, D(5), D(102))
    floor.venue.place(order)
    assert (floor.events, floor.waiting[0][0]) == ([], 0.05)
    floor.top = VenueTop((), levels(("101.5", "1"), ("102", "1"), ("103", "9")), 2)
    told = floor.pass_time()
    assert fills(told) == [(D("101.5"), D(1)), (D(102), D(1))]
    assert report(told) == OrderReport(
        "a",
        known=True,
        filled=D(2),
        fills=report(told).fills,
        venue_order_id="paper-a",
        text="the book shows no more within the limit",
    )


def test_what_paper_took_is_gone_until_the_venue_is_heard_again() -> None:
    floor = Floor()
    assert fills(floor.place("a", OrderSide.SELL, "0.6", "99")) == [(D(99), D("0.6"))]
    assert fills(floor.place("b", OrderSide.SELL, "1", "98.5")) == [(D(99), D("0.4"))]
    assert fills(floor.place("c", OrderSide.SELL, "1", "99")) == []
    assert floor.top is not None
    floor.top = VenueTop(floor.top.bids, floor.top.asks, 2)
    assert fills(floor.place("d", OrderSide.SELL, "1", "99")) == [(D(99), D(1))]


def test_money_is_moved_with_fees_in_the_quote() -> None:
    floor = Floor()
    floor.place("a", OrderSide.BUY, "1", "101")
    floor.place("b", OrderSide.SELL, "2", "98")
    assert floor.balances() == {
        "ETH": BALANCE - 1,
        "BTC": BALANCE - 101 * (1 + FEE) + (99 + 98) * (1 - FEE),
    }


def test_where_the_venue_is_not_live_nothing_is_filled() -> None:
    floor = Floor()
    floor.top = None
    told = report(floor.place("a", OrderSide.BUY, "1", "200"))
    assert told.known
    assert not told.open
    assert (told.filled, told.fills) == (D(0), ())
    assert told.text == "the book shows no more within the limit"


def test_it_answers_what_it_is_asked() -> None:
    floor = Floor()
    told = report(floor.place("a", OrderSide.BUY, "1", "101"))
    order = ChildOrder("a", "ETH-BTC", "ETHBTC", OrderSide.BUY, D(1), D(101))
    floor.venue.query(order)
    floor.venue.query(ChildOrder("b", "ETH-BTC", "ETHBTC", OrderSide.BUY, D(1), D(101)))
    floor.venue.ask_trades("ETHBTC", "", 0)
    floor.venue.ask_open_orders()
    floor.venue.cancel(order)
    assert floor.pass_time() == [
        told,
        OrderReport("b", known=False),
        TradesSince("ETHBTC", told.fills),
        OpenOrders(()),
    ]
