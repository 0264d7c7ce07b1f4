"""The order desk of one venue: it checks, matches, books and remembers orders.

Pure. The book that orders meet is the venue's own: the levels that the market brought last, less
what takers took of them (`_Impact`), and the open orders of accounts. By price, then time: at equal
price the market's volume, which was there before, comes first, then accounts' orders by age.

A taker's fill takes volume away at its price; each update of the market gives a share ρ of it back,
rounded to lots. An order rests until the market's other side comes to its price or beyond: it then
fills at its own price, as maker, by no more than the market has there.

Every change of a balance has a counterpart with another account, the market or the venue's fees, so
that each asset's sum stays what was deposited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import Final, Protocol

from venue_simulator.book import Levels, Listing
from venue_simulator.faults import FaultKind
from venue_simulator.trading.accounts import AccountPlan, SessionTokens, TradingAccount
from venue_simulator.trading.orders import (
    Lifetime,
    OrderEvent,
    OrderEventKind,
    OrderRefusal,
    OrderStage,
    OrderTicket,
    OrderTrade,
    PlacedOrder,
    RefusalReason,
    TicketSide,
)

__all__ = ["DEFAULT_RESILIENCE", "MatchingDesk", "TradedMarket", "TradingRules"]

DEFAULT_RESILIENCE: Final = Decimal("0.2")
STALE_NS: Final = 1_000_000_000
"""How far behind a lagging query is."""
_FEE_STEP: Final = Decimal("0.00000001")
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class TradingRules:
    """How a venue takes orders."""

    maker: Decimal
    """Fee rate of its first tier."""
    taker: Decimal
    fee_in_received: bool
    """Fees are taken from what a trade brings; otherwise they are paid in the quote."""
    most_orders: tuple[int, float] = (1000, 1.0)
    """So many orders and cancels in any so many seconds are taken, by all accounts together."""
    ids_are_unique_for_ever: bool = False
    """A client's order id is never taken again; otherwise while its order is open."""


class TradedMarket(Protocol):
    """The venue around the desk."""

    @property
    def halted(self) -> bool: ...

    @property
    def post_only(self) -> bool: ...

    def listing(self, symbol: str) -> Listing | None: ...

    def market_levels(self, symbol: str) -> tuple[Levels, Levels] | None:
        """Return (bids, asks) that the market brought last, None where nothing is traded."""
        ...

    def show(self, symbol: str) -> None:
        """Publish the book, which orders have changed."""
        ...

    def befalls(self, kind: FaultKind, instrument: str) -> bool:
        """Return whether a fault befalls this, and spend it."""
        ...

    def lags(self, instrument: str) -> bool:
        """Return whether queries show orders as they were a second ago."""
        ...

    def schedule(self, at_ns: int, act: Callable[[int], None]) -> None:
        """Do something at a time of the venue's clock; it is told the time, ns."""
        ...

    def tell(self, event: OrderEvent, account: TradingAccount) -> None:
        """Note an event, and send it to those who follow the account."""
        ...


@dataclass(slots=True)
class _Resting:
    """An order that may still trade, and what is held for each unit of it."""

    order: PlacedOrder
    listing: Listing
    held_each: Decimal

    @property
    def held_asset(self) -> str:
        buys = self.order.ticket.side is TicketSide.BUY
        return self.listing.quote if buys else self.listing.base


@dataclass(slots=True)
class _Impact:
    """One symbol's book, as orders have changed it."""

    taken: dict[tuple[TicketSide, Decimal], Decimal] = field(default_factory=dict)
    """By side of the book and price: what takers took and the market has not given back."""
    resting: list[_Resting] = field(default_factory=list)
    """The oldest first."""

    def makers(self, side: TicketSide) -> list[_Resting]:
        """Return the orders of a side by price, then age."""
        sign = -1 if side is TicketSide.BUY else 1
        same = [one for one in self.resting if one.order.ticket.side is side]
        return sorted(same, key=lambda one: sign * _price(one.order))


@dataclass(slots=True)
class _Offer:
    """Volume that an order can meet: the market's, or an account's order."""

    price: Decimal
    amount: Decimal
    maker: _Resting | None = None


class MatchingDesk:
    """Takes, matches and cancels orders of all accounts at one venue.

    Args:
        rules: fees, and the uniqueness of ids.
        market: the venue around it.
        plans: its accounts.
        first_number: of orders and trades; one made from the time is not used again by a restart.
        resilience: the share of taken volume that an update of the market gives back, 0 to 1.
    """

    def __init__(
        self,
        rules: TradingRules,
        market: TradedMarket,
        plans: Iterable[AccountPlan],
        first_number: int,
        resilience: Decimal = DEFAULT_RESILIENCE,
    ) -> None:
        self.rules = rules
        self.accounts = {plan.key: TradingAccount(plan, rules.maker, rules.taker) for plan in plans}
        """By key."""
        self.tokens = SessionTokens()
        self.market_balances: dict[str, Decimal] = {}
        """The market's own balance against accounts: its sums may be negative."""
        self.fees: dict[str, Decimal] = {}
        """The fees that the venue has earned."""
        self._market = market
        self._resilience = resilience
        self._next_order = self._next_trade = first_number
        self._impacts: dict[str, _Impact] = {}
        self._histories: dict[str, dict[int, list[PlacedOrder]]] = defaultdict(dict)
        """Every state of every order, by its account and number."""
        self._by_client: dict[tuple[str, str], list[int]] = defaultdict(list)
        """Numbers of orders, by account and client id."""
        self._dead_men: dict[str, int] = {}

    @property
    def tokens_are_refused(self) -> bool:
        """No token is good, by a fault."""
        return self._market.befalls(FaultKind.TOKEN_EXPIRED, "")

    def place(self, account: TradingAccount, ticket: OrderTicket, now_ns: int) -> PlacedOrder:
        """Take an order and match it; return it as it stands then.

        Raises:
            OrderRefusal: it breaks a rule of the venue, and nothing has changed.
        """
        listing = self.check(account, ticket)
        offers = list(self._offers(ticket))
        reachable = sum((offer.amount for offer in offers), _ZERO)
        if ticket.post_only and offers:
            raise OrderRefusal(RefusalReason.WOULD_TAKE)
        if ticket.price is None and not offers:
            raise OrderRefusal(RefusalReason.NO_LIQUIDITY)
        order = PlacedOrder(self._next_order, account.key, ticket, now_ns, now_ns)
        resting = _Resting(order, listing, self._held_each(account, ticket, offers))
        held = resting.held_each * ticket.amount
        if account.free.get(resting.held_asset, _ZERO) < held:
            raise OrderRefusal(RefusalReason.INSUFFICIENT)
        account.hold(resting.held_asset, held)
        self._next_order += 1
        if ticket.client_id:
            self._by_client[account.key, ticket.client_id].append(order.number)
        self._tell(resting, OrderEventKind.NEW)
        killed = ticket.lifetime is Lifetime.FOK and reachable < ticket.amount
        if not killed:
            self._match(resting, offers, now_ns)
        if resting.order.left:
            if ticket.lifetime is Lifetime.GTC and ticket.price is not None:
                self._impact(ticket.symbol).resting.append(resting)
            else:
                self._end(resting, OrderStage.EXPIRED, now_ns)
        if resting.order.trades or resting.order.is_open:
            self._market.show(ticket.symbol)
        return resting.order

    def check(self, account: TradingAccount, ticket: OrderTicket) -> Listing:
        """Check an order against the venue's filters, without its balance and the book.

        Raises:
            OrderRefusal: it breaks one.
        """
        listing = self._market.listing(ticket.symbol)
        reason: RefusalReason | None = None
        if listing is None:
            raise OrderRefusal(RefusalReason.UNKNOWN_SYMBOL)
        if not listing.tradable or self._market.halted:
            reason = RefusalReason.HALTED
        elif (self._market.post_only or listing.post_only) and not ticket.post_only:
            reason = RefusalReason.POST_ONLY_MODE
        elif ticket.price is not None and (
            ticket.price <= 0 or ticket.price % Decimal(listing.tick)
        ):
            reason = RefusalReason.PRICE_STEP
        elif ticket.amount < Decimal(listing.lot):
            reason = RefusalReason.TOO_SMALL
        elif ticket.amount % Decimal(listing.lot):
            reason = RefusalReason.AMOUNT_STEP
        elif ticket.price is not None and ticket.price * ticket.amount < Decimal(
            listing.min_notional
        ):
            reason = RefusalReason.NOTIONAL
        elif ticket.client_id and self._is_taken(account, ticket.client_id):
            reason = RefusalReason.DUPLICATE_ID
        if reason is not None:
            raise OrderRefusal(reason)
        return listing

    def cancel(
        self, account: TradingAccount, order: PlacedOrder | None, now_ns: int, cancel_id: str = ""
    ) -> PlacedOrder:
        """End an open order; return it as it stands then.

        Raises:
            OrderRefusal: the account has no such order open.
        """
        resting = None if order is None else self._resting(account, order.number)
        if resting is not None:
            self._race(resting, now_ns)
        if resting is None or not resting.order.is_open:
            raise OrderRefusal(RefusalReason.UNKNOWN_ORDER)
        self._end(resting, OrderStage.CANCELED, now_ns, cancel_id)
        self._market.show(resting.order.ticket.symbol)
        return resting.order

    def cancel_all(
        self, account: TradingAccount, now_ns: int, symbol: str | None = None
    ) -> list[PlacedOrder]:
        """End all open orders of an account, or those of one symbol; return them."""
        found = [order for order in self.orders(account, now_ns) if order.is_open]
        chosen = [order for order in found if symbol in {None, order.ticket.symbol}]
        return [self.cancel(account, order, now_ns) for order in chosen]

    def arm_dead_man(self, account: TradingAccount, at_ns: int | None) -> None:
        """Let all orders of an account be cancelled at a time, or no more."""
        if at_ns is None:
            self._dead_men.pop(account.key, None)
        else:
            self._dead_men[account.key] = at_ns
            self._market.schedule(at_ns, partial(self.fire_dead_man, account))

    def fire_dead_man(self, account: TradingAccount, now_ns: int) -> None:
        """Cancel all orders of an account if that is due; its timer is then off."""
        if self._dead_men.get(account.key, now_ns + 1) <= now_ns:
            del self._dead_men[account.key]
            self.cancel_all(account, now_ns)

    def orders(self, account: TradingAccount, now_ns: int) -> list[PlacedOrder]:
        """Return the orders of an account, the oldest first; old states while queries lag."""
        told = (self._as_told(one, now_ns) for one in self._histories[account.key].values())
        return [order for order in told if order is not None]

    def order(self, account: TradingAccount, number: int, now_ns: int) -> PlacedOrder | None:
        """Return an order by the venue's id; an old state while queries lag."""
        history = self._histories[account.key].get(number)
        return None if history is None else self._as_told(history, now_ns)

    def order_of_client(
        self, account: TradingAccount, client_id: str, now_ns: int
    ) -> PlacedOrder | None:
        """Return the newest order of that client id; an old state while queries lag."""
        numbers = self._by_client.get((account.key, client_id), [])
        found = [self.order(account, number, now_ns) for number in numbers]
        return next((order for order in reversed(found) if order is not None), None)

    def has_changed(self, symbol: str) -> bool:
        """Return whether the book differs from what the market brought."""
        impact = self._impacts.get(symbol)
        return impact is not None and bool(impact.taken or impact.resting)

    def meet_market(self, symbol: str, now_ns: int) -> None:
        """Give back a share of what was taken, and let the market's new levels meet open orders."""
        impact = self._impacts[symbol]
        listing, levels = self._market.listing(symbol), self._market.market_levels(symbol)
        if listing is None or levels is None:
            return
        lot = Decimal(listing.lot)
        there = {
            (side, Decimal(price))
            for side, some in zip((TicketSide.BUY, TicketSide.SELL), levels, strict=True)
            for price, _ in some
        }
        for key, amount in list(impact.taken.items()):
            impact.taken[key] = amount * (1 - self._resilience) // lot * lot
            if key not in there or not impact.taken[key]:
                del impact.taken[key]
        for side in TicketSide:
            for maker in impact.makers(side):
                for offer in self._market_offers(symbol, maker.order.ticket):
                    self._make(maker, offer, now_ns)
        impact.resting = [one for one in impact.resting if one.order.is_open]

    def shown(self, symbol: str) -> tuple[Levels, Levels] | None:
        """Return the book as the venue publishes it: (bids, asks), best first."""
        listing, levels = self._market.listing(symbol), self._market.market_levels(symbol)
        if listing is None or levels is None:
            return levels
        bids, asks = levels
        return (
            self._shown_side(symbol, TicketSide.BUY, bids, listing),
            self._shown_side(symbol, TicketSide.SELL, asks, listing),
        )

    def _shown_side(
        self, symbol: str, side: TicketSide, levels: Levels, listing: Listing
    ) -> Levels:
        impact = self._impact(symbol)
        shown = {Decimal(price): (price, amount) for price, amount in levels}
        totals = {
            price: Decimal(shown[price][1]) - taken
            for (whose, price), taken in impact.taken.items()
            if whose is side and price in shown
        }
        for maker in impact.makers(side):
            price = _price(maker.order)
            before = totals.get(price, Decimal(shown[price][1]) if price in shown else _ZERO)
            totals[price] = max(before, _ZERO) + maker.order.left
        for price, total in totals.items():
            text = shown[price][0] if price in shown else f"{price:.{listing.price_decimals}f}"
            shown[price] = (text, f"{total:.{listing.amount_decimals}f}")
        kept = [one for one in shown.items() if one[0] not in totals or totals[one[0]] > 0]
        kept.sort(reverse=side is TicketSide.BUY)
        return tuple(level for _, level in kept)

    def _offers(self, ticket: OrderTicket) -> Iterator[_Offer]:
        """Yield what an order can meet, by price, then age, up to its amount and limit."""
        other = _other(ticket.side)
        makers = [
            _Offer(_price(one.order), one.order.left, one)
            for one in self._impact(ticket.symbol).makers(other)
            if _reaches(ticket, _price(one.order))
        ]
        sign = 1 if other is TicketSide.SELL else -1
        both = [*self._market_offers(ticket.symbol, ticket), *makers]
        left = ticket.amount
        for offer in sorted(both, key=lambda one: sign * one.price):
            if left > 0:
                yield replace(offer, amount=min(left, offer.amount))
                left -= offer.amount

    def _market_offers(self, symbol: str, ticket: OrderTicket) -> Iterator[_Offer]:
        """Yield the market's volume that the ticket's price reaches, best first."""
        levels = self._market.market_levels(symbol)
        if levels is None:
            return
        other = _other(ticket.side)
        taken = self._impact(symbol).taken
        for text, amount in levels[0 if other is TicketSide.BUY else 1]:
            price = Decimal(text)
            if not _reaches(ticket, price):
                return
            left = Decimal(amount) - taken.get((other, price), _ZERO)
            if left > 0:
                yield _Offer(price, left)

    def _held_each(
        self, account: TradingAccount, ticket: OrderTicket, offers: Sequence[_Offer]
    ) -> Decimal:
        """Return what an order holds for each unit of its amount: base, or quote with its fee."""
        if ticket.side is TicketSide.SELL:
            return Decimal(1)
        limit = offers[-1].price if ticket.price is None else ticket.price
        rate = _ZERO if self.rules.fee_in_received else max(account.taker, account.maker)
        return limit * (1 + rate)

    def _match(self, taker: _Resting, offers: Iterable[_Offer], now_ns: int) -> None:
        for offer in offers:
            number = self._number_trade()
            self._trade(taker, offer.price, offer.amount, number, now_ns, is_maker=False)
            if offer.maker is None:
                self._take(taker.order.ticket, offer)
            else:
                self._trade(offer.maker, offer.price, offer.amount, number, now_ns, is_maker=True)
        impact = self._impact(taker.order.ticket.symbol)
        impact.resting = [one for one in impact.resting if one.order.is_open]

    def _make(self, maker: _Resting, offer: _Offer, now_ns: int) -> None:
        """Let the market's volume meet an order that rests, at that order's price."""
        amount = min(offer.amount, maker.order.left)
        if amount <= 0:
            return
        price = _price(maker.order)
        self._trade(maker, price, amount, self._number_trade(), now_ns, is_maker=True)
        self._take(maker.order.ticket, replace(offer, amount=amount))

    def _take(self, ticket: OrderTicket, offer: _Offer) -> None:
        taken = self._impact(ticket.symbol).taken
        key = (_other(ticket.side), offer.price)
        taken[key] = taken.get(key, _ZERO) + offer.amount

    def _trade(
        self,
        whose: _Resting,
        price: Decimal,
        amount: Decimal,
        number: int,
        now_ns: int,
        *,
        is_maker: bool,
    ) -> None:
        """Book one fill of one order against the market; two accounts' fills even out there."""
        order = whose.order
        account = self.accounts[order.account]
        base, quote = whose.listing.base, whose.listing.quote
        cost = price * amount
        buys = order.ticket.side is TicketSide.BUY
        rate = account.maker if is_maker else account.taker
        received, brought = (base, amount) if buys else (quote, cost)
        fee_asset, fee_of = (received, brought) if self.rules.fee_in_received else (quote, cost)
        fee = (fee_of * rate).quantize(_FEE_STEP, ROUND_DOWN)
        account.hold(whose.held_asset, -whose.held_each * amount)
        for asset, change in ((base, amount), (quote, -cost)):
            signed = change if buys else -change
            account.add(asset, signed)
            self.market_balances[asset] = self.market_balances.get(asset, _ZERO) - signed
        account.add(fee_asset, -fee)
        self.fees[fee_asset] = self.fees.get(fee_asset, _ZERO) + fee
        trade = OrderTrade(number, price, amount, fee, fee_asset, is_maker, now_ns)
        stage = OrderStage.FILLED if amount == order.left else OrderStage.PARTIAL
        whose.order = replace(order, trades=(*order.trades, trade), stage=stage, updated_ns=now_ns)
        self._tell(whose, OrderEventKind.TRADE, trade)

    def _end(self, resting: _Resting, stage: OrderStage, now_ns: int, cancel_id: str = "") -> None:
        order = resting.order
        self.accounts[order.account].hold(resting.held_asset, -resting.held_each * order.left)
        resting.order = replace(order, stage=stage, updated_ns=now_ns)
        impact = self._impact(order.ticket.symbol)
        impact.resting = [one for one in impact.resting if one is not resting]
        self._tell(resting, OrderEventKind(stage.value), cancel_id=cancel_id)

    def _race(self, resting: _Resting, now_ns: int) -> None:
        """Fill half of an order, or all of it, before its cancel arrives, where a fault says so."""
        instrument, lot = resting.listing.instrument, Decimal(resting.listing.lot)
        left, amount = resting.order.left, _ZERO
        if self._market.befalls(FaultKind.CANCEL_TOO_LATE, instrument):
            amount = left
        elif self._market.befalls(FaultKind.CANCEL_RACE, instrument):
            amount = left / 2 // lot * lot
        if amount:
            price, number = _price(resting.order), self._number_trade()
            self._trade(resting, price, amount, number, now_ns, is_maker=True)
            impact = self._impact(resting.order.ticket.symbol)
            impact.resting = [one for one in impact.resting if one.order.is_open]

    def _tell(
        self,
        resting: _Resting,
        kind: OrderEventKind,
        trade: OrderTrade | None = None,
        cancel_id: str = "",
    ) -> None:
        order = resting.order
        self._histories[order.account].setdefault(order.number, []).append(order)
        event = OrderEvent(kind, order, trade, cancel_id)
        self._market.tell(event, self.accounts[order.account])

    def _as_told(self, history: list[PlacedOrder], now_ns: int) -> PlacedOrder | None:
        """Return the state of an order that queries show now; None: it is not there yet."""
        listing = self._market.listing(history[0].ticket.symbol)
        instrument = "" if listing is None else listing.instrument
        if self._market.lags(instrument):
            shown = [state for state in history if state.updated_ns <= now_ns - STALE_NS]
            return shown[-1] if shown else None
        return history[-1]

    def _is_taken(self, account: TradingAccount, client_id: str) -> bool:
        numbers = self._by_client.get((account.key, client_id), [])
        states = (self._histories[account.key][number][-1] for number in numbers)
        return any(state.is_open or self.rules.ids_are_unique_for_ever for state in states)

    def _resting(self, account: TradingAccount, number: int) -> _Resting | None:
        return next(
            (
                one
                for impact in self._impacts.values()
                for one in impact.resting
                if one.order.number == number and one.order.account == account.key
            ),
            None,
        )

    def _impact(self, symbol: str) -> _Impact:
        return self._impacts.setdefault(symbol, _Impact())

    def _number_trade(self) -> int:
        self._next_trade += 1
        return self._next_trade - 1


def _price(order: PlacedOrder) -> Decimal:
    assert order.ticket.price is not None, "an order at the market never rests"
    return order.ticket.price


def _other(side: TicketSide) -> TicketSide:
    return TicketSide.SELL if side is TicketSide.BUY else TicketSide.BUY


def _reaches(ticket: OrderTicket, price: Decimal) -> bool:
    """Return whether an order trades at `price` of the other side."""
    if ticket.price is None:
        return True
    return price <= ticket.price if ticket.side is TicketSide.BUY else price >= ticket.price
