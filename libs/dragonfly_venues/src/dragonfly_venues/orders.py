"""A venue's private side: what an execution engine asks of it, and what it tells of orders. Pure.

`OrderEntry` is one account at one venue. A venue's own is in its folder, and is found by the entry
point `dragonfly.orders` (`registry.find_order_entry`); paper venues are others. The contract, which
the engine relies upon and any implementation is tested against:

1.  **A call begins something and returns.** It never waits, and raises nothing for what a venue or
    a line did. What came of it is an event, given to `on_event` on the same thread, never from
    within the call itself.
2.  **A placement is sent once.** No layer retries it: no HTTP library, no reconnect, no queue. One
    that has not left by `ChildOrder.send_by_ns` is `Refused` (`NOT_SENT`), never sent late.
3.  **Silence is not a refusal.** `Refused` says that the venue surely never had, nor will have, the
    order. Whatever leaves a doubt is `Unresolved`: a reply that did not come in time, a line that
    closed after the write, HTTP 5XX, Binance's -1006 and -1007, Kraken's EService:Unavailable, and
    "duplicate id", which does not prove an open order.
4.  **Fills are the venue's own.** Each has the venue's trade id, which is the same in a reply, on
    the stream and in a query, and is unique in a symbol. None is inferred from a cumulative amount.
    The same fill may be told many times, in any order, also before `Accepted` and after `Closed`.
5.  **`Closed` carries the venue's cumulative amount.** Where its fills do not add up to it, the
    rest of them follows, or is asked for by `query`.
6.  **`query` asks for everything**: open orders, closed ones and trades, by the client's id, as the
    venue's own id may be missing. `OrderReport.known` is False only where all of them answered.
    Where one did not, there is no report: `Trouble` says why, and the engine asks again.
7.  **Money is decimal text** from the venue's bytes to `Decimal` and back; no float is between.
8.  **Keys and secrets are in no event, error, log line or representation.**
9.  **Reconnecting is the implementation's**: `Connected` says each time that events flow from now
    on; what was missed until then is the engine's to ask for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from dragonfly_common.types import OrderSide

if TYPE_CHECKING:
    from dragonfly_common.clock import Clock

__all__ = [
    "NOT_SENT",
    "AccountState",
    "ChildAccepted",
    "ChildClosed",
    "ChildFill",
    "ChildOrder",
    "ChildRefused",
    "ChildUnresolved",
    "EntryConnected",
    "EntryDisconnected",
    "EntrySettings",
    "EntryTrouble",
    "OpenOrder",
    "OpenOrders",
    "OrderEntry",
    "OrderEntryFactory",
    "OrderEvent",
    "OrderReport",
    "TradesSince",
]

NOT_SENT: Final = "not_sent"
"""The `ChildRefused.code` of a placement that never left this process."""


class ChildOrder(msgspec.Struct, frozen=True):
    """One limit order, immediate or cancel: it never rests."""

    child_id: str
    """A UUID, 36 characters: the client's id at the venue, used for this order only."""
    instrument: str
    venue_symbol: str
    side: OrderSide
    amount: Decimal
    """In the base, a multiple of the lot."""
    limit: Decimal
    """In the quote, a multiple of the tick."""
    send_by_ns: int = 0
    """It must not leave after this time (UTC), by `OrderEntry.time_ns` where that is known; 0 in a
    query or a cancel."""


class ChildAccepted(msgspec.Struct, frozen=True):
    """The venue has the order."""

    child_id: str
    venue_order_id: str


class ChildFill(msgspec.Struct, frozen=True):
    """One trade of an order."""

    child_id: str
    venue_symbol: str
    trade_id: str
    """Unique in the venue and symbol."""
    price: Decimal
    amount: Decimal
    fee: Decimal
    """Negative where it is a rebate."""
    fee_asset: str
    ts_event: int | None
    """The venue's stamp, ns UTC."""


class ChildClosed(msgspec.Struct, frozen=True):
    """The order is done at the venue: filled, or its rest cancelled or expired."""

    child_id: str
    filled: Decimal
    """The venue's own cumulative amount."""
    text: str = ""
    """The venue's word for why."""


class ChildRefused(msgspec.Struct, frozen=True):
    """The order was surely never accepted, and will not be."""

    child_id: str
    code: str
    """The venue's, or `NOT_SENT`."""
    text: str


class ChildUnresolved(msgspec.Struct, frozen=True):
    """What became of a placement is unknown: to be resolved by query, never to be sent again."""

    child_id: str
    text: str


class OrderReport(msgspec.Struct, frozen=True):
    """The answer to `OrderEntry.query`."""

    child_id: str
    known: bool
    """Whether the venue has the order, or ever had it, as far as it tells now."""
    open: bool = False
    filled: Decimal = Decimal(0)
    fills: tuple[ChildFill, ...] = ()
    """All of it that the venue told; they may still add up to less than `filled`."""
    venue_order_id: str = ""
    text: str = ""


class TradesSince(msgspec.Struct, frozen=True):
    """The answer to `OrderEntry.ask_trades`: the account's trades, also those of other clients.

    A trade that names no client's id has an empty `child_id`.
    """

    venue_symbol: str
    fills: tuple[ChildFill, ...]


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that rests at the venue, whoever placed it."""

    client_id: str
    """Empty where it has none."""
    venue_order_id: str


class OpenOrders(msgspec.Struct, frozen=True):
    """The answer to `OrderEntry.ask_open_orders`: all of the account."""

    orders: tuple[OpenOrder, ...]


class AccountState(msgspec.Struct, frozen=True):
    """The answer to `OrderEntry.ask_account`; a venue's stream may tell it unasked."""

    balances: Mapping[str, Decimal]
    """What can be spent, by asset; an asset that is not named has nothing."""
    taker_fees: Mapping[str, Decimal] = {}
    """As a share of the notional (0.001 is 10 bps), by venue symbol; "" holds for all others."""


class EntryConnected(msgspec.Struct, frozen=True):
    """Orders can be placed, and events flow."""


class EntryDisconnected(msgspec.Struct, frozen=True):
    """Events no longer flow. Placements without an answer are told `ChildUnresolved` besides."""

    text: str


class EntryTrouble(msgspec.Struct, frozen=True):
    """The venue asks for patience, or could not answer a question."""

    text: str
    retry_after_s: float = 0.0
    """Nothing may be sent to it for so long."""


OrderEvent = (
    ChildAccepted
    | ChildFill
    | ChildClosed
    | ChildRefused
    | ChildUnresolved
    | OrderReport
    | TradesSince
    | OpenOrders
    | AccountState
    | EntryConnected
    | EntryDisconnected
    | EntryTrouble
)


class OrderEntry(ABC):
    """One account at one venue; see the module for the contract.

    As an asynchronous context manager it connects, stays connected, and hangs up; where it is paper
    without lines of its own, that is nothing.
    """

    venue: str
    settles_after_s: float
    """How long after its sending a placement may still be accepted: until then, that the venue
    knows nothing of it proves nothing. From the venue's documents, clock differences included."""
    places_per_second: float
    """What the engine may use of the venue's allowance for placements."""
    dead_man_s: float | None = None
    """After how long without `arm_dead_man` the venue cancels everything; None: it cannot."""

    async def __aenter__(self) -> OrderEntry:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def time_ns(self) -> int | None:
        """Return the venue's time, ns UTC, by which it dates what it takes; None: it is not known.

        It is known where it was measured not long ago and is near this machine's, and is off by
        1.5 s at most.
        """
        return None

    @abstractmethod
    def place(self, child: ChildOrder) -> None:
        """Send it, once: accepted, refused or unresolved, and what it fills, comes as events."""

    @abstractmethod
    def cancel(self, child: ChildOrder) -> None:
        """Ask for its end: `ChildClosed` comes where it succeeds; otherwise nothing, or trouble."""

    @abstractmethod
    def query(self, child: ChildOrder) -> None:
        """Ask what became of it: `OrderReport`, where all that the venue can be asked answered."""

    @abstractmethod
    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        """Ask for the trades after `trade_id`, or since a time where it is empty: `TradesSince`."""

    @abstractmethod
    def ask_open_orders(self) -> None:
        """Ask what rests: `OpenOrders`."""

    @abstractmethod
    def ask_account(self) -> None:
        """Ask for balances and fees: `AccountState`."""

    def arm_dead_man(self) -> None:  # noqa: B027 - most venues have none
        """Have the venue cancel everything `dead_man_s` from now, unless it is armed again."""


class EntrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account is, as options name it."""

    key_file: Path | None = None
    """Of the account's keys, mode 0600; None: what needs none is all that works."""
    ws_url: str | None = None
    """Instead of the real venue's."""
    rest_url: str | None = None
    ca_file: Path | None = None
    paper: bool = False
    """No money may be at stake: the venue's own addresses are refused."""


class OrderEntryFactory(Protocol):
    """What the entry point `dragonfly.orders` names: the venue's class of `OrderEntry`."""

    def __call__(
        self, settings: EntrySettings, clock: Clock, on_event: Callable[[OrderEvent], None]
    ) -> OrderEntry:
        """Read the keys and prepare; connect to nothing yet.

        Raises:
            ConfigError: the settings cannot be used; says which, and the remedy, and no secret.
        """
        ...
