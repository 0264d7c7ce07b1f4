"""Accounts at simulated venues, traded at by the real venue clients: what their tests share."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from dragonfly_common.clock import SystemClock
from dragonfly_common.types import OrderSide
from dragonfly_venues.orders import (
    ChildClosed,
    ChildFill,
    ChildOrder,
    EntryConnected,
    EntrySettings,
    OrderEntry,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from dragonfly_venues.registry import find_order_entry
from patience import eventually
from venue_simulator.options import SimulatorOptions
from venue_simulator.private_side import TradingSetup
from venue_simulator.simulator import Simulator, running_simulator
from venue_simulator.trading.accounts import AccountPlan

__all__ = ["SECRETS", "SYMBOLS", "Account", "account_at", "accounts_file", "key_file", "trading"]

INSTRUMENT: Final = "BTC-USD"
SYMBOLS: Final = {"binance": "btcusd", "kraken": "BTC/USD", "bitstamp": "btcusd"}
KEY: Final = "DFKEY"
SECRETS: Final = {
    "binance": "dragonfly-test-secret",
    "kraken": "ZHJhZ29uZmx5LWtyYWtlbi1zZWNyZXQtMDEyMzQ1Njc4OQ==",
    "bitstamp": "dragonfly-test-secret",
}
BALANCES: Final = {"BTC": "100", "ETH": "1000", "USD": "5000000"}
S_NS: Final = 10**9

E = TypeVar("E")


def key_file(folder: Path, venue: str, tier: str = "") -> Path:
    """Write the keys of an account at a simulated venue, with the tier that it has there."""
    path = folder / f"{venue}.keys"
    path.touch(0o600)
    path.write_text(
        f'key = "{KEY}"\nsecret = "{SECRETS[venue]}"\n' + (f'tier = "{tier}"\n' if tier else "")
    )
    return path


def accounts_file(folder: Path, venues: Collection[str] = tuple(SECRETS)) -> Path:
    """Write the simulator's side of the same accounts."""
    path = folder / "accounts.toml"
    path.touch(0o600)
    balances = "\n".join(f'{asset} = "{amount}"' for asset, amount in BALANCES.items())
    path.write_text(
        "\n".join(
            f'[[account]]\nvenue = "{venue}"\nkey = "{KEY}"\nsecret = "{secret}"\n'
            f"[account.balances]\n{balances}\n"
            for venue, secret in SECRETS.items()
            if venue in venues
        )
    )
    return path


def trading(**options: Any) -> TradingSetup:
    """Return the simulator's side, in-process."""
    balances = tuple((asset, Decimal(amount)) for asset, amount in BALANCES.items())
    plans = (
        AccountPlan(venue, KEY, secret, balances=balances) for venue, secret in SECRETS.items()
    )
    return TradingSetup(tuple(plans), **options)


class Account:
    """An account with its venue, and all events that its client told."""

    def __init__(self, venue: str, simulator: Simulator, events: list[OrderEvent]) -> None:
        self.venue = venue
        self.simulator = simulator
        self.events = events
        self.entry: OrderEntry
        self._numbers = itertools.count(1)

    def best(self) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
        """Return the best bid and the best ask, each as (price, amount)."""
        levels = self.simulator.desk(self.venue).shown(SYMBOLS_THERE[self.venue])
        assert levels is not None
        bid, ask = levels[0][0], levels[1][0]
        return (Decimal(bid[0]), Decimal(bid[1])), (Decimal(ask[0]), Decimal(ask[1]))

    def child(self, amount: str | Decimal, limit: str | Decimal, **changes: Any) -> ChildOrder:
        told: dict[str, Any] = {
            "child_id": str(uuid5(UUID(int=1), f"{self.venue} {next(self._numbers)}")),
            "instrument": INSTRUMENT,
            "venue_symbol": SYMBOLS[self.venue],
            "side": OrderSide.BUY,
            "amount": Decimal(amount),
            "limit": Decimal(limit),
            "send_by_ns": time.time_ns() + 60 * S_NS,
        }
        return ChildOrder(**{**told, **changes})

    def of(self, kind: type[E], child: ChildOrder | None = None) -> list[E]:
        """Return the events of a kind, of one child where it is given."""
        return [
            event
            for event in self.events
            if isinstance(event, kind)
            and child in {None, child and child}
            and (child is None or getattr(event, "child_id", None) == child.child_id)
        ]

    async def until(self, kind: type[E], child: ChildOrder | None = None, count: int = 1) -> E:
        """Return the last event of a kind, once there are so many."""
        await eventually(
            lambda: len(self.of(kind, child)) >= count,
            f"{count} {kind.__name__}; there are {self.events[-5:]}",
        )
        return self.of(kind, child)[-1]

    async def ask(self, kind: type[E], question: Callable[[], None]) -> E:
        """Return the event that answers a question; it is asked again until it does."""
        before = len(self.of(kind))

        def answered() -> bool:
            if len(self.of(kind)) > before:
                return True
            question()
            return False

        await eventually(answered, f"{kind.__name__}; there are {self.events[-5:]}")
        return self.of(kind)[-1]

    async def report(self, child: ChildOrder) -> OrderReport:
        return await self.ask(OrderReport, lambda: self.entry.query(child))

    async def trades(self, trade_id: str = "") -> TradesSince:
        since_ns = time.time_ns() - 3600 * S_NS
        symbol = SYMBOLS[self.venue]
        return await self.ask(
            TradesSince, lambda: self.entry.ask_trades(symbol, trade_id, since_ns)
        )

    def fills(self, child: ChildOrder) -> dict[str, ChildFill]:
        """Return what was told of fills, each trade once."""
        return {fill.trade_id: fill for fill in self.of(ChildFill, child)}

    def placed(self, child: ChildOrder) -> int:
        """Return how many orders the venue has got of a child: one at most."""
        told = self.simulator.truth.orders.get(self.venue, [])
        numbers = {one.order.number for one in told if one.order.ticket.client_id == child.child_id}
        return len(numbers)

    def filled(self, child: ChildOrder) -> Decimal:
        """Return what the venue filled of a child, by its own truth."""
        told = self.simulator.truth.orders.get(self.venue, [])
        amounts = [
            one.trade.amount
            for one in told
            if one.trade is not None and one.order.ticket.client_id == child.child_id
        ]
        return sum(amounts, Decimal(0))

    async def followed(self) -> None:
        """Return once the stream tells of orders, where that begins with the first of a market."""

        await self.bought()
        await eventually(lambda: not vars(self.entry)["_asked"], "nothing is under way")

    async def bought(self, amount: str | Decimal = "0.01") -> ChildOrder:
        """Buy at the best ask, and return the child once it is over."""
        child = self.child(amount, self.best()[1][0])
        self.entry.place(child)
        await self.until(ChildClosed, child)
        return child


SYMBOLS_THERE: Final = {"binance": "BTCUSD", "kraken": "BTC/USD", "bitstamp": "btcusd"}
"""As the simulator spells them."""


@asynccontextmanager
async def account_at(
    venue: str, folder: Path, *, connected: bool = True, **options: Any
) -> AsyncIterator[Account]:
    """Run a simulated venue, and trade there."""
    told: dict[str, Any] = {"venues": (venue,), "keep_truth": True, "trading": trading()}
    async with running_simulator(SimulatorOptions(**{**told, **options})) as simulator:
        account = Account(venue, simulator, [])
        settings = EntrySettings(
            key_file=key_file(folder, venue),
            ws_url=simulator.ws_url(venue),
            rest_url=simulator.rest_url(venue),
        )
        account.entry = find_order_entry(venue)(settings, SystemClock(), account.events.append)
        async with account.entry:
            if connected:
                await account.until(EntryConnected)
            yield account
