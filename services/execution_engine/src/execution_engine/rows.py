"""The rows of the journal: every fact that matters, in the order in which it became one. Pure.

A row is JSON, so that a person can read a journal with `sqlite3` alone; money in it is decimal
text. A row with a `key` can be there once: the journal refuses a second one. Rows are only added.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
from dragonfly_common.errors import ConfigError
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    ArrivalTop,
    ChildState,
    CommandAnswer,
    CommandBody,
    IntervalMid,
    Liquidate,
    OrderState,
    Report,
)
from dragonfly_venues.orders import ChildOrder

__all__ = [
    "ChildAnswered",
    "ChildDenied",
    "ChildDoubted",
    "ChildEnded",
    "ChildIntended",
    "CommandAnswered",
    "FillCounted",
    "IntervalSeen",
    "KillSwitched",
    "OrderDenied",
    "ParentMoved",
    "ParentOpened",
    "ParentReplaced",
    "Reported",
    "Row",
    "decode_row",
    "encode_row",
    "key_of",
    "report_key",
]


class CommandAnswered(msgspec.Struct, frozen=True, tag="command"):
    """A command was carried out, and this is its answer for ever."""

    owner: str
    body: CommandBody
    answer: CommandAnswer
    ts: int


class ParentOpened(msgspec.Struct, frozen=True, tag="parent"):
    """An order was taken."""

    order_id: str
    owner: str
    order: Liquidate
    opened_ns: int
    lot: Decimal
    """The finest of its venues: slices are multiples of it."""
    least: Decimal
    """The least amount that some venue of it takes: no smaller rest is planned."""
    arrival_mid: Decimal | None
    arrival: tuple[ArrivalTop, ...] = ()
    """Of each live venue of the engine; empty where no book had come."""


class OrderDenied(msgspec.Struct, frozen=True, tag="denied"):
    """A front end was told for good that its order had not come: it is not taken any more."""

    order_id: str
    ts: int


class ParentMoved(msgspec.Struct, frozen=True, tag="moved"):
    """An order came into another state."""

    order_id: str
    state: OrderState
    reason: str
    ts: int


class ParentReplaced(msgspec.Struct, frozen=True, tag="replaced"):
    """An order has another quantity and limit."""

    order_id: str
    quantity: Decimal
    limit: Decimal | None
    ts: int


class ChildIntended(msgspec.Struct, frozen=True, tag="intent"):
    """A child is about to be sent: written before it is."""

    child_id: str
    order_id: str
    number: int
    """From 1, of its parent."""
    round: int
    """Children of one plan share it."""
    venue: str
    venue_symbol: str
    instrument: str
    side: OrderSide
    amount: Decimal
    limit: Decimal
    ts: int
    venue_ns: int | None = None
    """The venue's time then (`OrderEntry.time_ns`); None: it was not known."""

    def order(self, send_by_ns: int = 0) -> ChildOrder:
        """Return what its venue is told: to place it by then, or to cancel or find it."""
        return ChildOrder(
            self.child_id,
            self.instrument,
            self.venue_symbol,
            self.side,
            self.amount,
            self.limit,
            send_by_ns,
        )


class ChildAnswered(msgspec.Struct, frozen=True, tag="accepted"):
    """The venue has the child."""

    child_id: str
    venue_order_id: str
    ts: int


class ChildDoubted(msgspec.Struct, frozen=True, tag="doubted"):
    """What became of the child is unknown."""

    child_id: str
    reason: str
    ts: int


class ChildDenied(msgspec.Struct, frozen=True, tag="child_denied"):
    """The venue does not know the child, at a time when it could not be on its way any more."""

    child_id: str
    ts: int


class ChildEnded(msgspec.Struct, frozen=True, tag="ended"):
    """The child is over at its venue. Fills may still follow."""

    child_id: str
    state: ChildState
    """CLOSED, REFUSED, NOT_ACCEPTED or RESOLVED."""
    filled: Decimal
    """By the venue's own count."""
    reason: str
    ts: int


class FillCounted(msgspec.Struct, frozen=True, tag="fill"):
    """One trade of a child, by the venue's id."""

    child_id: str
    venue: str
    venue_symbol: str
    trade_id: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    ts_event: int | None
    ts: int


class IntervalSeen(msgspec.Struct, frozen=True, tag="interval"):
    """Where the market stood since an order's arrival, on average; the last one holds."""

    order_id: str
    interval: IntervalMid
    ts: int


class KillSwitched(msgspec.Struct, frozen=True, tag="kill"):
    """The kill switch was thrown, or released."""

    on: bool
    reason: str
    ts: int


class Reported(msgspec.Struct, frozen=True, tag="report"):
    """A report that front ends are owed."""

    report: Report


Row = (
    CommandAnswered
    | ParentOpened
    | OrderDenied
    | ParentMoved
    | ParentReplaced
    | ChildIntended
    | ChildAnswered
    | ChildDoubted
    | ChildDenied
    | ChildEnded
    | FillCounted
    | IntervalSeen
    | KillSwitched
    | Reported
)

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Row]] = msgspec.json.Decoder(Row)


def encode_row(row: Row) -> bytes:
    return _encoder.encode(row)


def decode_row(body: bytes) -> Row:
    """Decode a row of a journal.

    Raises:
        ConfigError: it is none that this version writes.
    """
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"the journal holds a row that this version cannot read ({error}): "
            "run the version that wrote it"
        ) from None


def key_of(row: Row) -> str | None:
    """Return under which key a row stands, of which there can be one; None: any number."""
    match row:
        case CommandAnswered():
            return f"command:{row.owner}:{row.answer.id}"
        case ParentOpened():
            return f"parent:{row.order_id}"
        case ChildIntended():
            return f"intent:{row.child_id}"
        case FillCounted():
            return f"fill:{row.venue}:{row.venue_symbol}:{row.trade_id}"
        case Reported():
            return report_key(row.report.order_id, row.report.seq)
        case _:
            return None


def report_key(order_id: str, seq: int) -> str:
    """Return a report's key; those of one order sort by their numbers."""
    return f"report:{order_id}:{seq:012d}"
