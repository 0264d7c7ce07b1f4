"""An order as its customer knows it, and the messages that tell of it: 8 and 9. Pure.

The engine's reports move it on, one after the other; nothing else does, but a refusal. So what a
customer is told is what the engine's journal holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from typing import Final

import msgspec
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_fix.codec import Field, FixMessage, encode_fields
from dragonfly_fix.timestamps import format_timestamp
from dragonfly_orders.messages import FINAL_STATES, FillNews, OrderState, Report, ReportKind

from fix_gateway.requests import FixBody

__all__ = [
    "PRICED",
    "ExecType",
    "FixOrder",
    "PendingChange",
    "UnchangedFor",
    "execution",
    "refusal_of_change",
    "refusal_of_order",
    "take_report",
    "unknown_order",
]

PRICED: Final = "2"
"""OrdType (40): limit."""
NO_ORDER: Final = b"NONE"
ZERO: Final = Decimal(0)
PRECISION: Final = Context(prec=18)
"""Digits that a number is told with."""
EXCHANGE_FEE: Final = b"4"
"""MiscFeeType (139)."""
REMOVED_LIQUIDITY: Final = b"2"
"""LastLiquidityInd (851): all children are immediate or cancel."""


class ExecType:
    """ExecType (150), and where they have the same values OrdStatus (39)."""

    NEW: Final = b"0"
    PARTLY: Final = b"1"
    FILLED: Final = b"2"
    CANCELLED: Final = b"4"
    REPLACED: Final = b"5"
    PENDING_CANCEL: Final = b"6"
    REFUSED: Final = b"8"
    SUSPENDED: Final = b"9"
    PENDING_NEW: Final = b"A"
    EXPIRED: Final = b"C"
    RESTATED: Final = b"D"
    PENDING_REPLACE: Final = b"E"
    TRADE: Final = b"F"
    STATUS: Final = b"I"


class UnchangedFor:
    """CxlRejReason (102)."""

    TOO_LATE: Final = 0
    UNKNOWN_ORDER: Final = 1
    ALREADY_PENDING: Final = 3
    DUPLICATE: Final = 6
    OTHER: Final = 99


class PendingChange(msgspec.Struct, frozen=True):
    """An F or G that the engine has not carried out so far."""

    cl_ord_id: str
    orig: str
    cancels: bool
    command: str = ""
    """The id under which the engine was asked."""
    price: Decimal | None = None
    resumes: bool = False
    """It lets a suspended order go on, and changes nothing else."""


class FixOrder(msgspec.Struct):
    """One order."""

    comp_id: str
    order_id: str
    cl_ord_id: str
    """The newest ClOrdID (11): of the order, or of the last change that was carried out."""
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal | None
    strategy: str
    cancels: bool
    """When the customer's line breaks."""
    leaves: Decimal
    words: bytes
    """What it was asked for with."""
    day: str = ""
    """On which it was asked for."""
    cum: Decimal = ZERO
    average: Decimal | None = None
    state: OrderState | None = None
    """None: the engine has not taken it."""
    refused: bool = False
    seq: int = 0
    """Of the last report that was told."""
    pending: PendingChange | None = None
    why: str = ""
    """Who cancels it, where that is not the customer by F."""

    @property
    def open(self) -> bool:
        return not self.refused and self.state not in FINAL_STATES

    @property
    def status(self) -> bytes:
        """OrdStatus (39)."""
        if self.refused:
            return ExecType.REFUSED
        if self.state is None:
            return ExecType.PENDING_NEW
        if self.cum >= self.quantity:
            return ExecType.FILLED
        return _STATUSES.get(self.state) or (ExecType.PARTLY if self.cum else ExecType.NEW)


_STATUSES: Final = {
    OrderState.CANCELLED: ExecType.CANCELLED,
    OrderState.EXPIRED: ExecType.EXPIRED,
    OrderState.DONE: ExecType.EXPIRED,
    OrderState.CANCELLING: ExecType.PENDING_CANCEL,
    OrderState.PAUSED: ExecType.SUSPENDED,
}


def take_report(order: FixOrder, report: Report) -> Iterator[FixBody]:
    """Move an order on by the engine's next report, and yield what its customer is told."""
    before = order.state
    order.state, order.seq = report.state, report.seq
    order.cum, order.average, order.leaves = report.cum, report.average, report.leaves
    exec_id, pending = f"{order.order_id}-{report.seq}", order.pending
    match report.kind:
        case ReportKind.NEW:
            line = "is cancelled" if order.cancels else "goes on"
            text = f"where your line breaks this order {line}"
            yield execution(order, ExecType.NEW, exec_id, report.ts, text)
        case ReportKind.FILL:
            yield execution(order, ExecType.TRADE, exec_id, report.ts, fill=report.fill)
        case ReportKind.REPLACED if pending is not None:
            order.quantity, order.price = report.cum + report.leaves, pending.price
            order.cl_ord_id, order.pending = pending.cl_ord_id, None
            yield execution(order, ExecType.REPLACED, exec_id, report.ts, names=pending)
        case ReportKind.STATE:
            yield from _take_state(order, report, exec_id, resumes=before is OrderState.PAUSED)


def _take_state(
    order: FixOrder, report: Report, exec_id: str, *, resumes: bool
) -> Iterator[FixBody]:
    pending, reason = order.pending, report.reason
    status = order.status
    by_customer = pending is not None and pending.cancels
    names = pending if by_customer else None
    if status in {ExecType.PENDING_CANCEL, ExecType.CANCELLED}:
        reason = order.why or ("" if by_customer else reason)
    if report.state is OrderState.RUNNING:
        if resumes and pending is not None and pending.resumes:
            order.cl_ord_id, order.pending = pending.cl_ord_id, None
            yield execution(order, ExecType.REPLACED, exec_id, report.ts, reason, names=pending)
        elif resumes:
            extra = ((378, b"99"),)
            yield execution(order, ExecType.RESTATED, exec_id, report.ts, reason, extra=extra)
        return
    if report.state in FINAL_STATES:
        order.pending = None
        if status == ExecType.CANCELLED and names is not None:
            order.cl_ord_id = names.cl_ord_id
        elif pending is not None:
            yield refusal_of_change(
                order, pending, UnchangedFor.TOO_LATE, "the order is over", report.ts
            )
            names = None
        if status == ExecType.FILLED:
            return  # its last fill has said so
        if status == ExecType.EXPIRED:
            reason = f"{order.quantity - order.cum:f} is left: {reason}"
    yield execution(order, status, exec_id, report.ts, reason, names=names)


def execution(
    order: FixOrder,
    exec_type: bytes,
    exec_id: str,
    ts: int,
    text: str = "",
    *,
    fill: FillNews | None = None,
    names: PendingChange | None = None,
    status: bytes | None = None,
    extra: Sequence[Field] = (),
) -> FixBody:
    """Return an ExecutionReport (8) of an order as it stands.

    `names` says to which change it belongs; `status` is where the order stands otherwise.
    """
    cl_ord_id = order.cl_ord_id if names is None else names.cl_ord_id
    fields: list[Field] = [
        (6, _number(order.average or ZERO)),
        (11, cl_ord_id.encode()),
        (14, _number(order.cum)),
        (17, exec_id.encode()),
        (37, order.order_id.encode()),
        (38, _number(order.quantity)),
        (39, status or order.status),
        (40, order.order_type.encode()),
        (54, order.side.encode()),
        (55, order.symbol.encode()),
        (60, format_timestamp(ts)),
        (150, exec_type),
        (151, _number(order.leaves if order.open else ZERO)),
        (848, order.strategy.encode()),
        *extra,
    ]
    if names is not None:
        fields.append((41, names.orig.encode()))
    if order.price is not None:
        fields.append((44, _number(order.price)))
    if order.time_in_force:
        fields.append((59, order.time_in_force.encode()))
    if text:
        fields.append((58, _sentence(text)))
    if fill is not None:
        venue = fill.venue.upper()
        fields += [
            (30, venue.encode()),
            (31, _number(fill.price)),
            (32, _number(fill.amount)),
            (136, b"1"),
            (137, _number(fill.fee)),
            (138, fill.fee_asset.encode()),
            (139, EXCHANGE_FEE),
            (527, f"{venue}:{fill.trade_id}".encode()),
            (851, REMOVED_LIQUIDITY),
        ]
    return b"8", encode_fields(sorted(fields))


def refusal_of_order(
    message: FixMessage, order_id: str, exec_id: str, reason: int, text: str, ts: int
) -> FixBody:
    """Return the ExecutionReport (8) that refuses a NewOrderSingle: OrdRejReason (103)."""
    fields = [(tag, value) for tag in (11, 38, 40, 44, 54, 55) if (value := message.get(tag))]
    return b"8", encode_fields(
        sorted(
            [
                *fields,
                (6, b"0"),
                (14, b"0"),
                (17, exec_id.encode()),
                (37, order_id.encode() or NO_ORDER),
                (39, ExecType.REFUSED),
                (58, _sentence(text)),
                (60, format_timestamp(ts)),
                (103, b"%d" % reason),
                (150, ExecType.REFUSED),
                (151, b"0"),
            ]
        )
    )


def unknown_order(message: FixMessage, text: str, ts: int, extra: Sequence[Field]) -> FixBody:
    """Return the answer to who asks for an order that is not there."""
    fields = [(tag, value) for tag in (11, 54, 55) if (value := message.get(tag))]
    missing = {tag for tag, _ in fields}
    fields += [one for one in ((54, b"1"), (55, b"NONE")) if one[0] not in missing]
    fields += [(6, b"0"), (14, b"0"), (17, b"0"), (37, NO_ORDER), (39, ExecType.REFUSED)]
    fields += [(58, _sentence(text)), (60, format_timestamp(ts)), (103, b"5")]
    fields += [(150, ExecType.STATUS), (151, b"0"), *extra]
    return b"8", encode_fields(sorted(fields))


def refusal_of_change(
    order: FixOrder | None, change: PendingChange, reason: int, text: str, ts: int
) -> FixBody:
    """Return an OrderCancelReject (9): CxlRejReason (102)."""
    return b"9", encode_fields(
        [
            (11, change.cl_ord_id.encode()),
            (37, order.order_id.encode() if order else NO_ORDER),
            (39, order.status if order else ExecType.REFUSED),
            (41, change.orig.encode()),
            (58, _sentence(text)),
            (60, format_timestamp(ts)),
            (102, b"%d" % reason),
            (434, b"1" if change.cancels else b"2"),
        ]
    )


def _number(number: Decimal) -> bytes:
    text = f"{PRECISION.plus(number):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


def _sentence(text: str) -> bytes:
    return printable(text, LONGEST_SENTENCE).encode()
