"""The contract of execution and the order channel, one in the words of the other. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    LONGEST_ID,
    Algorithm,
    AnswerCode,
    ArrivalTop,
    ChildNews,
    Command,
    CommandBody,
    EngineHello,
    FillNews,
    ImplementationShortfall,
    IntervalMid,
    Liquidate,
    OrderStatus,
    Report,
    Sweep,
    Twap,
    Urgency,
    decode_from_front_end,
    encode,
)
from dragonfly_protos import execution_pb2 as pb
from dragonfly_protos import market_data_pb2
from dragonfly_views.refusals import LONGEST_QUOTED, RefusalCode, invalid

__all__ = [
    "REFUSALS",
    "check_sendable",
    "engine_of",
    "liquidate_of",
    "money_of",
    "order_of",
    "report_of",
]

REFUSALS: Final[Mapping[AnswerCode, RefusalCode]] = {
    AnswerCode.INVALID: RefusalCode.INVALID,
    AnswerCode.NOT_FOUND: RefusalCode.NOT_FOUND,
    AnswerCode.ALREADY_EXISTS: RefusalCode.DUPLICATE,
    AnswerCode.FAILED_PRECONDITION: RefusalCode.PRECONDITION,
    AnswerCode.RESOURCE_EXHAUSTED: RefusalCode.OVER_LIMIT,
    AnswerCode.OUT_OF_RANGE: RefusalCode.OUT_OF_RANGE,
}
"""The codes by which a caller hears the engine's refusals."""

_MONEY: Final = re.compile(r"[0-9]{1,28}(?:\.[0-9]{1,28})?")
_SIDES: Final = {market_data_pb2.SIDE_BUY: OrderSide.BUY, market_data_pb2.SIDE_SELL: OrderSide.SELL}
_SIDES_TOLD: Final = {side: number for number, side in _SIDES.items()}
_URGENCIES: Final = {
    pb.URGENCY_UNSPECIFIED: Urgency.MEDIUM,
    pb.URGENCY_LOW: Urgency.LOW,
    pb.URGENCY_MEDIUM: Urgency.MEDIUM,
    pb.URGENCY_HIGH: Urgency.HIGH,
}
_FIELD: Final = re.compile(r"(.*?) - at `\$\.(?:body\.)?(?:algorithm\.)?(\w+)")


def liquidate_of(request: pb.LiquidateRequest, *, dry_run: bool = False) -> Liquidate:
    """Return the order that a request describes.

    Raises:
        CallRefusedError: it breaks a rule of the contract.
    """
    if not request.client_id:
        raise invalid("no client_id: give each order a name of its own, the same when it is resent")
    side = _SIDES.get(request.side)
    if side is None:
        raise invalid("no side: give SIDE_BUY or SIDE_SELL")
    order = Liquidate(
        client_id=request.client_id,
        instrument=request.instrument,
        side=side,
        quantity=money_of("quantity", request.quantity),
        algorithm=_algorithm(request),
        limit=_optional(request, "limit"),
        max_slippage_bps=_optional(request, "max_slippage_bps"),
        venues=tuple(request.venues),
        min_child=_optional(request, "min_child"),
        max_child=_optional(request, "max_child"),
        dry_run=dry_run,
    )
    check_sendable(order)
    return order


def check_sendable(body: CommandBody) -> None:
    """Refuse what the channel does not carry: a number out of range, an id that is none."""
    try:
        decode_from_front_end(encode(Command("check", "check", body)))
    except DecodeError as error:
        _, _, reason = str(error).partition(": ")
        found = _FIELD.match(reason)
        told = f"{found[2]}: {found[1]}" if found else reason
        if found and found[2].endswith("_id"):
            told = f"{found[2]}: give 1 to {LONGEST_ID} printable characters without blanks"
        raise invalid(told) from None


def money_of(name: str, text: str) -> Decimal:
    """Return the number that decimal text stands for."""
    if not _MONEY.fullmatch(text):
        raise invalid(
            f"{name} {text[:LONGEST_QUOTED]!r} is no amount: write decimal text, for example 1.25"
        )
    return Decimal(text)


def _optional(request: pb.LiquidateRequest, name: str) -> Decimal | None:
    return money_of(name, getattr(request, name)) if request.HasField(name) else None


def _algorithm(request: pb.LiquidateRequest) -> Algorithm:
    match request.WhichOneof("algorithm"):
        case "sweep":
            return Sweep(request.sweep.rounds or 10)
        case "twap":
            twap = request.twap
            return Twap(
                end_ns=twap.end_ns,
                start_ns=twap.start_ns,
                interval_s=twap.interval_s or 30.0,
                randomise=twap.randomise if twap.HasField("randomise") else 0.2,
                catch_up=twap.catch_up or 3.0,
            )
        case "implementation_shortfall":
            schedule = request.implementation_shortfall
            urgency = _URGENCIES.get(schedule.urgency)
            if urgency is None:
                raise invalid(f"urgency {schedule.urgency} is not known: give URGENCY_LOW, …")
            return ImplementationShortfall(
                end_ns=schedule.end_ns,
                start_ns=schedule.start_ns,
                urgency=urgency,
                interval_s=schedule.interval_s or 30.0,
                catch_up=schedule.catch_up or 3.0,
            )
    raise invalid("no algorithm: give sweep, twap or implementation_shortfall")


def order_of(status: OrderStatus) -> pb.Order:
    """Tell how an order stands."""
    return pb.Order(
        order_id=status.order_id,
        client_id=status.client_id,
        instrument=status.instrument,
        side=_SIDES_TOLD[status.side],
        quantity=_text(status.quantity),
        limit=_text_if(status.limit),
        algorithm=status.algorithm,
        state=f"ORDER_STATE_{status.state.name}",
        reason=status.reason,
        filled=_text(status.filled),
        leaves=_text(status.leaves),
        reserved=_text(status.reserved),
        average=_text_if(status.average),
        fees={asset: _text(fee) for asset, fee in status.fees.items()},
        unknown=status.unknown,
        last_seq=status.last_seq,
        arrival_mid=_text_if(status.arrival_mid),
        arrival=map(_arrival, status.arrival),
        interval=None if status.interval is None else _interval(status.interval),
    )


def _arrival(top: ArrivalTop) -> pb.ArrivalBook:
    return pb.ArrivalBook(
        venue=top.venue,
        levels=[
            pb.ArrivalLevel(price=_text(price), amount=_text(amount))
            for price, amount in top.levels
        ],
        fee_bps=None if top.fee is None else _text(top.fee * 10_000),
    )


def _interval(interval: IntervalMid) -> pb.IntervalMid:
    return pb.IntervalMid(
        mid=_text(interval.mid), seen_ns=interval.seen_ns, whole_ns=interval.whole_ns
    )


def report_of(report: Report) -> pb.Report:
    """Tell a report."""
    return pb.Report(
        order_id=report.order_id,
        seq=report.seq,
        kind=f"REPORT_KIND_{report.kind.name}",
        state=f"ORDER_STATE_{report.state.name}",
        cum=_text(report.cum),
        leaves=_text(report.leaves),
        average=_text_if(report.average),
        fees={asset: _text(fee) for asset, fee in report.fees.items()},
        ts=report.ts,
        reason=report.reason,
        child=None if report.child is None else _child(report.child),
        fill=None if report.fill is None else _fill(report.fill),
    )


def _child(child: ChildNews) -> pb.Child:
    return pb.Child(
        child_id=child.child_id,
        venue=child.venue,
        state=f"CHILD_STATE_{child.state.name}",
        amount=_text(child.amount),
        limit=_text(child.limit),
        filled=_text(child.filled),
        text=child.text,
    )


def _fill(fill: FillNews) -> pb.Fill:
    return pb.Fill(
        venue=fill.venue,
        trade_id=fill.trade_id,
        price=_text(fill.price),
        amount=_text(fill.amount),
        fee=_text(fill.fee),
        fee_asset=fill.fee_asset,
        ts_event=fill.ts_event,
    )


def engine_of(hello: EngineHello) -> pb.Engine:
    """Tell what the engine said of itself."""
    return pb.Engine(
        engine=hello.engine, paper=hello.paper, killed=hello.killed, venues=hello.venues
    )


def _text(number: Decimal) -> str:
    """Write a number without an exponent, and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text_if(number: Decimal | None) -> str | None:
    return None if number is None else _text(number)
