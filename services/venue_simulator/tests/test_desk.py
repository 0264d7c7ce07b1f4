"""The order desk: filters, matching, impact, and that nothing is made or lost."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_simulator.book import Levels, Listing
from venue_simulator.faults import FaultKind
from venue_simulator.trading.accounts import AccountPlan, TradingAccount
from venue_simulator.trading.desk import MatchingDesk, TradingRules
from venue_simulator.trading.orders import (
    Lifetime,
    OrderEvent,
    OrderEventKind,
    OrderRefusal,
    OrderStage,
    OrderTicket,
    PlacedOrder,
    RefusalReason,
    TicketSide,
)

D = Decimal
BUY, SELL = TicketSide.BUY, TicketSide.SELL
BTC_USD = Listing("BTC-USD", "BTCUSD", 2, 8, 2, 3)
BIDS: Levels = (("99.00", "1.000"), ("98.00", "2.000"), ("97.00", "3.000"))
ASKS: Levels = (("101.00", "1.000"), ("102.00", "2.000"), ("103.00", "3.000"))
RECEIVED = TradingRules(D("0.001"), D("0.002"), fee_in_received=True)
IN_QUOTE = TradingRules(D("0.001"), D("0.002"), fee_in_received=False)
DEPOSITS = (("BTC", D(10)), ("USD", D(1000)))


class Venue:
    """A venue of one market, whose levels a test sets."""

    def __init__(self, rules: TradingRules = RECEIVED, resilience: str = "0.5") -> None:
        self.halted = self.post_only = self.lagging = False
        self.listed: Listing | None = BTC_USD
        self.levels: tuple[Levels, Levels] = (BIDS, ASKS)
        self.events: list[OrderEvent] = []
        self.armed: list[FaultKind] = []
        plans = [AccountPlan("kraken", key, "secret", balances=DEPOSITS) for key in ("a", "b")]
        self.desk = MatchingDesk(rules, self, plans, 1000, D(resilience))
        self.a, self.b = self.desk.accounts["a"], self.desk.accounts["b"]

    def listing(self, symbol: str) -> Listing | None:
        return self.listed

    def market_levels(self, symbol: str) -> tuple[Levels, Levels] | None:
        return self.levels

    def show(self, symbol: str) -> None:
        shown = self.desk.shown(symbol)
        assert shown is not None
        bids, asks = shown
        assert not bids or not asks or D(bids[0][0]) < D(asks[0][0]), "never crossed"
        assert all(D(amount) > 0 for _, amount in (*bids, *asks))

    def befalls(self, kind: FaultKind, instrument: str) -> bool:
        if kind in self.armed:
            self.armed.remove(kind)
            return True
        return False

    def lags(self, instrument: str) -> bool:
        return self.lagging

    def schedule(self, at_ns: int, act: Callable[[int], None]) -> None:
        """A test fires it by hand."""

    def tell(self, event: OrderEvent, account: TradingAccount) -> None:
        self.events.append(event)

    def shown(self) -> tuple[Levels, Levels]:
        shown = self.desk.shown("BTCUSD")
        assert shown is not None
        return shown

    def move(self, bids: Levels = BIDS, asks: Levels = ASKS, now_ns: int = 0) -> None:
        self.levels = (bids, asks)
        if self.desk.has_changed("BTCUSD"):
            self.desk.meet_market("BTCUSD", now_ns)
            self.show("BTCUSD")

    def place(
        self, side: TicketSide, amount: str, price: str | None = None, **options: object
    ) -> PlacedOrder:
        return self.desk.place(self.a, ticket(side, amount, price, **options), 5)

    def assert_conserved(self) -> None:
        """Each asset's sum over accounts, market and fees is what was deposited."""
        for asset, deposit in DEPOSITS:
            accounts = sum(account.total(asset) for account in (self.a, self.b))
            elsewhere = [
                book.get(asset, D(0)) for book in (self.desk.market_balances, self.desk.fees)
            ]
            assert accounts + sum(elsewhere) == 2 * deposit
        for account in (self.a, self.b):
            for asset in account.assets:
                assert account.free[asset] >= 0
                assert account.held.get(asset, D(0)) >= 0


def ticket(
    side: TicketSide, amount: str, price: str | None = None, **options: object
) -> OrderTicket:
    made = OrderTicket("BTCUSD", side, D(amount), None if price is None else D(price))
    return replace(made, **options)  # type: ignore[arg-type]


def refused(act: Callable[[], object]) -> RefusalReason:
    with pytest.raises(OrderRefusal) as raised:
        act()
    return raised.value.reason


def test_a_taker_fills_level_by_level_each_with_a_trade_id() -> None:
    venue = Venue()
    order = venue.place(BUY, "2.5", "102", lifetime=Lifetime.IOC)
    assert order.stage is OrderStage.FILLED
    assert [(t.price, t.amount) for t in order.trades] == [(D(101), D(1)), (D(102), D("1.5"))]
    assert len({trade.number for trade in order.trades}) == 2
    assert [event.kind.value for event in venue.events] == ["new", "trade", "trade"]
    assert order.cost == D(254)
    venue.assert_conserved()


def test_the_rest_of_an_ioc_expires_and_of_a_gtc_rests() -> None:
    venue = Venue()
    ioc = venue.place(BUY, "2", "101", lifetime=Lifetime.IOC)
    assert (ioc.stage, ioc.filled) == (OrderStage.EXPIRED, D(1))
    assert venue.a.held["USD"] == 0
    gtc = venue.place(SELL, "2", "99")
    assert (gtc.stage, gtc.filled) == (OrderStage.PARTIAL, D(1))
    assert venue.shown()[1][0] == ("99.00", "1.00000000")
    venue.assert_conserved()


def test_a_fill_or_kill_that_cannot_be_filled_takes_nothing() -> None:
    venue = Venue()
    killed = venue.place(BUY, "1.5", "101", lifetime=Lifetime.FOK)
    assert (killed.stage, killed.trades) == (OrderStage.EXPIRED, ())
    assert venue.place(BUY, "1", "101", lifetime=Lifetime.FOK).stage is OrderStage.FILLED


def test_an_order_at_the_market_takes_any_price_and_never_rests() -> None:
    venue = Venue()
    order = venue.place(SELL, "7", None)
    assert (order.stage, order.filled) == (OrderStage.EXPIRED, D(6))
    assert venue.shown()[0] == ()
    assert refused(lambda: venue.place(SELL, "1", None)) is RefusalReason.NO_LIQUIDITY


def test_what_was_taken_is_gone_until_the_market_gives_it_back() -> None:
    venue = Venue(resilience="0.5")
    venue.place(BUY, "1.5", "102", lifetime=Lifetime.IOC)
    assert venue.shown()[1][0] == ("102.00", "1.50000000")
    second = venue.place(BUY, "2", "102", lifetime=Lifetime.IOC)
    assert second.filled == D("1.5")
    venue.move()
    assert venue.shown()[1][:2] == (("101.00", "0.50000000"), ("102.00", "1.00000000"))
    for _ in range(12):
        venue.move()
    assert venue.shown() == (BIDS, ASKS)
    assert not venue.desk.has_changed("BTCUSD")


def test_a_resting_order_fills_at_its_own_price_when_the_market_comes() -> None:
    venue = Venue()
    order = venue.place(BUY, "3", "100")
    assert venue.shown()[0][0] == ("100.00", "3.00000000")
    venue.move(asks=(("99.50", "2.000"), ("101.00", "1.000")))
    told = venue.desk.order(venue.a, order.number, 9)
    assert told is not None
    assert [(t.price, t.amount, t.is_maker) for t in told.trades] == [(D(100), D(2), True)]
    assert told.trades[0].fee == D("0.002")  # 0.1 % of what it received
    assert venue.shown()[1][0] == ("101.00", "1.000")
    venue.assert_conserved()


def test_two_accounts_trade_with_each_other_under_one_trade_id() -> None:
    venue = Venue()
    maker = venue.desk.place(venue.b, ticket(SELL, "1", "100"), 5)
    taker = venue.place(BUY, "1", "100", lifetime=Lifetime.IOC)
    told = venue.desk.order(venue.b, maker.number, 9)
    assert told is not None
    assert told.stage is taker.stage is OrderStage.FILLED
    assert told.trades[0].number == taker.trades[0].number
    assert venue.desk.market_balances == {"BTC": D(0), "USD": D(0)}
    venue.assert_conserved()


def test_price_goes_before_time_and_time_before_nothing() -> None:
    venue = Venue()
    first = venue.desk.place(venue.b, ticket(SELL, "0.5", "100.50"), 5)
    better = venue.desk.place(venue.b, ticket(SELL, "0.5", "100.25"), 6)
    later = venue.desk.place(venue.b, ticket(SELL, "0.5", "100.50"), 7)
    taker = venue.place(BUY, "2.25", "101", lifetime=Lifetime.IOC)
    assert [trade.price for trade in taker.trades] == [D("100.25"), D("100.5"), D("100.5"), D(101)]
    order_of_makers = [e.order.number for e in venue.events if e.trade and e.trade.is_maker]
    assert order_of_makers == [better.number, first.number, later.number]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (ticket(BUY, "1", "100.001"), RefusalReason.PRICE_STEP),
        (ticket(BUY, "1.0005", "100"), RefusalReason.AMOUNT_STEP),
        (ticket(BUY, "0.0005", "100"), RefusalReason.TOO_SMALL),
        (ticket(BUY, "0.001", "100"), RefusalReason.NOTIONAL),
        (ticket(BUY, "11", "100"), RefusalReason.INSUFFICIENT),
        (ticket(SELL, "11", "100"), RefusalReason.INSUFFICIENT),
        (ticket(BUY, "1", "101", post_only=True), RefusalReason.WOULD_TAKE),
    ],
)
def test_filters(asked: OrderTicket, reason: RefusalReason) -> None:
    venue = Venue()
    assert refused(lambda: venue.desk.place(venue.a, asked, 5)) is reason
    assert venue.events == []
    assert venue.a.held == {}


def test_a_halted_market_takes_no_orders_but_cancels_them() -> None:
    venue = Venue()
    order = venue.place(BUY, "1", "90")
    venue.listed = replace(BTC_USD, tradable=False)
    assert refused(lambda: venue.place(BUY, "1", "90")) is RefusalReason.HALTED
    assert venue.desk.cancel(venue.a, order, 9).stage is OrderStage.CANCELED
    venue.listed = None
    assert refused(lambda: venue.place(BUY, "1", "90")) is RefusalReason.UNKNOWN_SYMBOL


def test_ids_of_open_orders_are_unique_or_of_all_orders() -> None:
    venue = Venue()
    order = venue.place(BUY, "1", "90", client_id="x")
    assert refused(lambda: venue.place(BUY, "1", "90", client_id="x")) is RefusalReason.DUPLICATE_ID
    venue.desk.place(venue.b, ticket(BUY, "1", "90", client_id="x"), 5)
    venue.desk.cancel(venue.a, order, 9)
    again = venue.place(BUY, "1", "90", client_id="x")
    told = venue.desk.order_of_client(venue.a, "x", 9)
    assert told is not None
    assert told.number == again.number
    strict = Venue(replace(RECEIVED, ids_are_unique_for_ever=True))
    strict.desk.cancel(strict.a, strict.place(BUY, "1", "90", client_id="x"), 9)
    assert (
        refused(lambda: strict.place(BUY, "1", "90", client_id="x")) is RefusalReason.DUPLICATE_ID
    )


def test_nobody_cancels_what_is_done_or_anothers() -> None:
    venue = Venue()
    done = venue.place(BUY, "1", "101")
    open_ = venue.place(BUY, "1", "90")
    for account, order in ((venue.a, done), (venue.b, open_), (venue.a, None)):
        act = lambda account=account, order=order: venue.desk.cancel(account, order, 9)  # noqa: E731
        assert refused(act) is RefusalReason.UNKNOWN_ORDER


@pytest.mark.parametrize(
    ("fault", "filled"), [(FaultKind.CANCEL_RACE, D(2)), (FaultKind.CANCEL_TOO_LATE, D(4))]
)
def test_a_cancel_races_a_fill(fault: FaultKind, filled: Decimal) -> None:
    venue = Venue()
    order = venue.place(BUY, "4", "90")
    venue.armed.append(fault)
    if fault is FaultKind.CANCEL_RACE:
        assert venue.desk.cancel(venue.a, order, 9).stage is OrderStage.CANCELED
    else:
        act = lambda: venue.desk.cancel(venue.a, order, 9)  # noqa: E731
        assert refused(act) is RefusalReason.UNKNOWN_ORDER
    told = venue.desk.order(venue.a, order.number, 9)
    assert told is not None
    assert told.filled == filled
    assert venue.a.held["USD"] == 0
    venue.assert_conserved()


def test_a_lagging_query_shows_the_order_of_a_second_ago() -> None:
    venue = Venue()
    second = 1_000_000_000
    order = venue.desk.place(venue.a, ticket(BUY, "1", "90"), 5 * second)
    venue.desk.cancel(venue.a, order, 7 * second)
    venue.lagging = True
    assert venue.desk.order(venue.a, order.number, 5 * second) is None
    told = venue.desk.order(venue.a, order.number, 7 * second)
    assert told is not None
    assert told.stage is OrderStage.NEW
    assert venue.desk.orders(venue.a, 8 * second)[0].stage is OrderStage.CANCELED


def test_a_dead_mans_switch_cancels_all_once() -> None:
    venue = Venue()
    venue.place(BUY, "1", "90")
    venue.desk.arm_dead_man(venue.a, 100)
    venue.desk.fire_dead_man(venue.a, 99)
    assert venue.desk.orders(venue.a, 99)[0].is_open
    venue.desk.fire_dead_man(venue.a, 100)
    assert not venue.desk.orders(venue.a, 100)[0].is_open
    venue.place(BUY, "1", "90")
    venue.desk.fire_dead_man(venue.a, 200)
    assert venue.desk.orders(venue.a, 200)[1].is_open, "it is off after it fired"


def test_fees_are_paid_where_the_venue_takes_them() -> None:
    received, in_quote = Venue(RECEIVED), Venue(IN_QUOTE)
    bought = received.place(BUY, "1", "101", lifetime=Lifetime.IOC)
    assert (bought.fee, bought.trades[0].fee_asset) == (D("0.002"), "BTC")
    bought = in_quote.place(BUY, "1", "101", lifetime=Lifetime.IOC)
    assert (bought.fee, bought.trades[0].fee_asset) == (D("0.202"), "USD")
    assert in_quote.a.free == {"BTC": D(11), "USD": D(1000) - D("101.202")}
    assert in_quote.a.held["USD"] == 0


def levels(best: int, step: int) -> st.SearchStrategy[Levels]:
    amounts = st.lists(st.integers(1, 3000), min_size=0, max_size=4)
    return amounts.map(
        lambda lots: tuple(
            (f"{best + n * step}.00", f"{lot / 1000:.3f}") for n, lot in enumerate(lots)
        )
    )


deeds = st.one_of(
    st.tuples(
        st.just("place"),
        st.sampled_from("ab"),
        st.sampled_from(TicketSide),
        st.integers(1, 4000),
        st.one_of(st.none(), st.integers(95, 105)),
        st.sampled_from(Lifetime),
        st.booleans(),
    ),
    st.tuples(st.just("cancel"), st.sampled_from("ab"), st.integers(0, 30)),
    st.tuples(st.just("race"), st.sampled_from([FaultKind.CANCEL_RACE, FaultKind.CANCEL_TOO_LATE])),
    st.tuples(
        st.just("move"),
        st.integers(97, 103).flatmap(
            lambda middle: st.tuples(levels(middle - 1, -1), levels(middle + 1, 1))
        ),
    ),
)


@given(st.sampled_from([RECEIVED, IN_QUOTE]), st.lists(deeds, max_size=40))
def test_nothing_is_made_or_lost(rules: TradingRules, todo: list[tuple[object, ...]]) -> None:
    """Each asset is conserved, no order over-fills or trades through its limit, ids are unique."""
    venue = Venue(rules)
    for deed in todo:
        match deed:
            case ("place", str(who), TicketSide() as side, int(lots), price, lifetime, bool(post)):
                asked = OrderTicket(
                    "BTCUSD",
                    side,
                    D(lots) / 1000,
                    None if price is None else D(str(price)),
                    lifetime,  # type: ignore[arg-type]
                    post_only=post and price is not None,
                )
                with contextlib.suppress(OrderRefusal):
                    venue.desk.place(venue.desk.accounts[who], asked, 5)
            case ("cancel", str(who), int(index)):
                account = venue.desk.accounts[who]
                orders = venue.desk.orders(account, 6)
                if orders:
                    with contextlib.suppress(OrderRefusal):
                        venue.desk.cancel(account, orders[index % len(orders)], 6)
            case ("race", FaultKind() as kind):
                venue.armed.append(kind)
            case ("move", (bids, asks)):
                venue.move(bids, asks)  # type: ignore[arg-type]
        venue.assert_conserved()
    fills: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    for event in venue.events:
        order = event.order
        assert order.filled <= order.ticket.amount
        if event.kind is OrderEventKind.TRADE:
            assert event.trade is not None
            fills[event.trade.number].append((order.number, event.trade.is_maker))
            limit = order.ticket.price
            if limit is not None:
                better = event.trade.price <= limit
                assert better if order.ticket.side is BUY else event.trade.price >= limit
    assert all(len(sides) == len(set(sides)) <= 2 for sides in fills.values())
    assert all(sorted(maker for _, maker in sides) != [True, True] for sides in fills.values())
    for account in (venue.a, venue.b):
        open_ = [order for order in venue.desk.orders(account, 9) if order.is_open]
        sold = sum((o.left for o in open_ if o.ticket.side is SELL), D(0))
        assert account.held.get("BTC", D(0)) == sold
        if not open_:
            assert account.held.get("USD", D(0)) == 0
