"""A paper venue: orders meet the live book, after a latency, and fills are assumed. No money moves.

An order takes what the venue's live levels show at its limit when it would have arrived, less what
paper took of them since they changed last. There is no queue of others before it, and nobody
reacts to it: real fills are worse. Its truth lives as long as the process: what the engine had not
journalled when it ended did not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from dragonfly_common.types import OrderSide
from dragonfly_venues.orders import (
    AccountState,
    ChildFill,
    ChildOrder,
    OpenOrders,
    OrderEntry,
    OrderEvent,
    OrderReport,
    TradesSince,
)

from execution_engine.market import VenueTop

__all__ = ["BALANCE", "PaperVenue"]

BALANCE: Final = Decimal(1_000_000)
"""Of each asset, at first."""
ZERO: Final = Decimal(0)

Later = Callable[[float, Callable[[], None]], object]
"""Calls something back after so many seconds."""


class PaperVenue(OrderEntry):
    """One venue on paper."""

    settles_after_s = 1.0
    places_per_second = 20.0

    def __init__(
        self,
        venue: str,
        fee: Decimal,
        latency_s: float,
        *,
        top_of: Callable[[str], VenueTop | None],
        assets: Callable[[], Iterable[str]],
        later: Later,
        now_ns: Callable[[], int],
        on_event: Callable[[OrderEvent], None],
    ) -> None:
        """Make an account of `BALANCE` of each asset.

        Args:
            venue: whose books it trades on.
            fee: as a share of the notional, in the quote.
            latency_s: from the engine to the book.
            top_of: returns the venue's live levels of an instrument.
            assets: returns the assets that there are.
            later: see `Later`.
            now_ns: the time.
            on_event: the engine's.
        """
        self.venue = venue
        self._fee = fee
        self._latency_s = latency_s
        self._top_of = top_of
        self._assets = assets
        self._later = later
        self._now_ns = now_ns
        self._on_event = on_event
        self._moved: dict[str, Decimal] = {}
        self._taken: dict[tuple[str, Decimal], tuple[int, Decimal]] = {}
        self._reports: dict[str, OrderReport] = {}

    def place(self, child: ChildOrder) -> None:
        self._later(self._latency_s, lambda: self._arrive(child))

    def cancel(self, child: ChildOrder) -> None:
        """Do nothing: nothing rests here."""

    def query(self, child: ChildOrder) -> None:
        known = self._reports.get(child.child_id, OrderReport(child.child_id, known=False))
        self._later(self._latency_s, lambda: self._on_event(known))

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        del trade_id, since_ns
        fills = tuple(fill for report in self._reports.values() for fill in report.fills)
        self._later(0.0, lambda: self._on_event(TradesSince(venue_symbol, fills)))

    def ask_open_orders(self) -> None:
        self._later(0.0, lambda: self._on_event(OpenOrders(())))

    def ask_account(self) -> None:
        def tell() -> None:
            free = {name: BALANCE + self._moved.get(name, ZERO) for name in self._assets()}
            self._on_event(AccountState(free, {"": self._fee}))

        self._later(0.0, tell)

    def _arrive(self, child: ChildOrder) -> None:
        fills = tuple(self._fills(child))
        filled = sum((fill.amount for fill in fills), ZERO)
        why = "filled" if filled == child.amount else "the book shows no more within the limit"
        # In one piece, of which the journal has all or nothing: a killed engine's paper forgets.
        report = OrderReport(
            child.child_id,
            known=True,
            filled=filled,
            fills=fills,
            venue_order_id=f"paper-{child.child_id}",
            text=why,
        )
        self._reports[child.child_id] = report
        base, quote = child.instrument.split("-")
        sign = child.side.sign
        for fill in fills:
            self._move(base, sign * fill.amount)
            self._move(quote, -sign * fill.amount * fill.price - fill.fee)
        self._on_event(report)

    def _fills(self, child: ChildOrder) -> Iterable[ChildFill]:
        top = self._top_of(child.instrument)
        if top is None:
            return
        buys = child.side is OrderSide.BUY
        left = child.amount
        for number, (price, amount) in enumerate(top.taken_by(child.side), 1):
            if left <= 0 or (price > child.limit if buys else price < child.limit):
                return
            key = (f"{child.instrument} {child.side}", price)
            heard_ns, taken = self._taken.get(key, (0, ZERO))
            gone = taken if heard_ns == top.heard_ns else ZERO
            part = min(left, amount - gone)
            if part > 0:
                self._taken[key] = (top.heard_ns, gone + part)
                left -= part
                yield ChildFill(
                    child.child_id,
                    child.venue_symbol,
                    f"{child.child_id}-{number}",
                    price,
                    part,
                    part * price * self._fee,
                    child.instrument.partition("-")[2],
                    self._now_ns(),
                )

    def _move(self, asset: str, amount: Decimal) -> None:
        self._moved[asset] = self._moved.get(asset, ZERO) + amount
