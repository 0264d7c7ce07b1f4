"""Orders, trades and refusals of the simulated venues. Pure; all money is decimal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

__all__ = [
    "OPEN_STAGES",
    "Lifetime",
    "OrderEvent",
    "OrderEventKind",
    "OrderRefusal",
    "OrderStage",
    "OrderTicket",
    "OrderTrade",
    "PlacedOrder",
    "RefusalReason",
    "TicketSide",
]


class TicketSide(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"


class Lifetime(StrEnum):
    """How long an order stays in force."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class OrderStage(StrEnum):
    """The stage of an order; the last three are final."""

    NEW = "new"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"


OPEN_STAGES: Final = frozenset({OrderStage.NEW, OrderStage.PARTIAL})


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """An order as a client asks for it."""

    symbol: str
    side: TicketSide
    amount: Decimal
    """In the base."""
    price: Decimal | None
    """In the quote; None: at the market, and then never resting."""
    lifetime: Lifetime = Lifetime.GTC
    post_only: bool = False
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class OrderTrade:
    """One fill of one order at one price."""

    number: int
    """The venue's trade id; two accounts that trade with each other share it."""
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    ts_ns: int


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """One state of an order that the venue has taken."""

    number: int
    """The venue's order id."""
    account: str
    ticket: OrderTicket
    placed_ns: int
    updated_ns: int
    stage: OrderStage = OrderStage.NEW
    trades: tuple[OrderTrade, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN_STAGES

    @property
    def filled(self) -> Decimal:
        return sum((trade.amount for trade in self.trades), Decimal(0))

    @property
    def left(self) -> Decimal:
        return self.ticket.amount - self.filled

    @property
    def cost(self) -> Decimal:
        """Return Σ price · amount of its trades, in the quote."""
        return sum((trade.price * trade.amount for trade in self.trades), Decimal(0))

    @property
    def fee(self) -> Decimal:
        return sum((trade.fee for trade in self.trades), Decimal(0))

    @property
    def average(self) -> Decimal:
        """Return the average price of its trades, 0 where it has none."""
        return self.cost / self.filled if self.trades else Decimal(0)


class OrderEventKind(StrEnum):
    """The kinds of what befalls an order."""

    NEW = "new"
    TRADE = "trade"
    CANCELED = "canceled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One thing that befell an order, as the venue's private streams tell it."""

    kind: OrderEventKind
    order: PlacedOrder
    """As it stands after it."""
    trade: OrderTrade | None = None
    cancel_id: str = ""
    """The client's id of the cancel request, where the venue has one."""


class RefusalReason(StrEnum):
    """Why a venue refuses an order or a cancel; each protocol has its own code and text for it."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    HALTED = "halted"
    POST_ONLY_MODE = "post_only_mode"
    PRICE_STEP = "price_step"
    AMOUNT_STEP = "amount_step"
    TOO_SMALL = "too_small"
    NOTIONAL = "notional"
    INSUFFICIENT = "insufficient"
    DUPLICATE_ID = "duplicate_id"
    WOULD_TAKE = "would_take"
    NO_LIQUIDITY = "no_liquidity"
    UNKNOWN_ORDER = "unknown_order"


class OrderRefusal(Exception):  # noqa: N818 - a venue's answer, no error of ours
    """The venue does not take an order, or finds none to cancel."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason.value)
        self.reason = reason
