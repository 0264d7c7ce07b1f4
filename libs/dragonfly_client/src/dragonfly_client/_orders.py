"""Orders between a bot's words and the contract's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from dragonfly_protos import execution_pb2 as pb
from dragonfly_protos import market_data_pb2

from dragonfly_client._decode import decode_executable
from dragonfly_client._printable import LONGEST_SENTENCE, printable
from dragonfly_client._settings import check_instrument, check_side, check_whole
from dragonfly_client.errors import ProtocolError, SettingError
from dragonfly_client.messages import TakeSide
from dragonfly_client.orders import (
    ArrivalBook,
    CostEstimate,
    EngineState,
    IntervalMid,
    OrderNews,
    Ticket,
    VenueFill,
    VenueOrder,
    WorkedOrder,
)

__all__ = [
    "check_amount",
    "decode_engine",
    "decode_estimate",
    "decode_news",
    "decode_order",
    "encode_ticket",
]

_URGENCIES: Final = {
    "low": pb.URGENCY_LOW,
    "medium": pb.URGENCY_MEDIUM,
    "high": pb.URGENCY_HIGH,
}
_MONEY: Final = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?")


def encode_ticket(ticket: Ticket) -> pb.LiquidateRequest:
    """Return the request for a ticket.

    Raises:
        SettingError: a value of it can be no order's.
    """
    if not isinstance(ticket, Ticket):
        raise SettingError(f"{ticket!r:.80} is no ticket: give Ticket(client_id, instrument, …)")
    request = pb.LiquidateRequest(
        client_id=ticket.client_id,
        instrument=check_instrument(ticket.instrument),
        side=market_data_pb2.SIDE_BUY
        if check_side(ticket.side) == "buy"
        else market_data_pb2.SIDE_SELL,
        quantity=check_amount("quantity", ticket.quantity),
        limit=check_amount("limit", ticket.limit),
        max_slippage_bps=check_amount("max_slippage_bps", ticket.max_slippage_bps),
        venues=ticket.venues,
        min_child=check_amount("min_child", ticket.min_child),
        max_child=check_amount("max_child", ticket.max_child),
    )
    match ticket.algorithm:
        case "sweep":
            check_whole("rounds", ticket.rounds or 0, at_least=0)
            request.sweep.CopyFrom(pb.Sweep(rounds=ticket.rounds or 0))
        case "twap":
            request.twap.CopyFrom(
                pb.Twap(
                    end_ns=ticket.end_ns,
                    start_ns=ticket.start_ns,
                    interval_s=ticket.interval_s or 0.0,
                    randomise=ticket.randomise,
                    catch_up=ticket.catch_up or 0.0,
                )
            )
        case "is":
            urgency = _URGENCIES.get(ticket.urgency)
            if urgency is None:
                raise SettingError(f"urgency {ticket.urgency!r:.40}: give low, medium or high")
            request.implementation_shortfall.CopyFrom(
                pb.ImplementationShortfall(
                    end_ns=ticket.end_ns,
                    start_ns=ticket.start_ns,
                    urgency=urgency,
                    interval_s=ticket.interval_s or 0.0,
                    catch_up=ticket.catch_up or 0.0,
                )
            )
        case _:
            raise SettingError(f"algorithm {ticket.algorithm!r:.40}: give sweep, twap or is")
    return request


def check_amount(name: str, amount: Any) -> str | None:
    """Return decimal text; None for None. A float is refused: it is not what was written."""
    if amount is None:
        return None
    if isinstance(amount, str | int) and not isinstance(amount, bool):
        try:
            amount = Decimal(amount)
        except InvalidOperation:
            raise SettingError(f"{name} {amount!r:.60} is no number") from None
    if not isinstance(amount, Decimal) or not amount.is_finite() or abs(amount.adjusted()) > 60:
        raise SettingError(f"{name} {amount!r:.60}: give a Decimal, or decimal text")
    return f"{amount:f}"


def decode_order(message: pb.Order) -> WorkedOrder:
    return WorkedOrder(
        order_id=printable(message.order_id),
        client_id=printable(message.client_id),
        instrument=printable(message.instrument),
        side=_side(message.side),
        quantity=_money(message.quantity),
        limit=_money(message.limit) if message.HasField("limit") else None,
        algorithm=printable(message.algorithm),
        state=_word(pb.OrderState, message.state, "ORDER_STATE_"),
        reason=printable(message.reason, LONGEST_SENTENCE),
        filled=_money(message.filled),
        leaves=_money(message.leaves),
        reserved=_money(message.reserved),
        average=_money(message.average) if message.HasField("average") else None,
        fees=_fees(message.fees),
        unknown=message.unknown,
        last_seq=message.last_seq,
        arrival_mid=_money(message.arrival_mid) if message.HasField("arrival_mid") else None,
        arrival=tuple(map(_arrival, message.arrival)),
        interval=_interval(message.interval) if message.HasField("interval") else None,
    )


def _arrival(book: pb.ArrivalBook) -> ArrivalBook:
    return ArrivalBook(
        venue=printable(book.venue),
        levels=tuple((_money(level.price), _money(level.amount)) for level in book.levels),
        fee_bps=_money(book.fee_bps) if book.HasField("fee_bps") else None,
    )


def _interval(interval: pb.IntervalMid) -> IntervalMid:
    return IntervalMid(_money(interval.mid), interval.seen_ns, interval.whole_ns)


def decode_news(message: pb.Report) -> OrderNews:
    return OrderNews(
        order_id=printable(message.order_id),
        seq=message.seq,
        kind=_word(pb.ReportKind, message.kind, "REPORT_KIND_"),
        state=_word(pb.OrderState, message.state, "ORDER_STATE_"),
        filled=_money(message.cum),
        leaves=_money(message.leaves),
        average=_money(message.average) if message.HasField("average") else None,
        fees=_fees(message.fees),
        ts=message.ts,
        reason=printable(message.reason, LONGEST_SENTENCE),
        child=_child(message.child) if message.HasField("child") else None,
        fill=_fill(message.fill) if message.HasField("fill") else None,
    )


def decode_engine(message: pb.Engine) -> EngineState:
    return EngineState(
        printable(message.engine),
        message.paper,
        message.killed,
        tuple(map(printable, message.venues)),
    )


def decode_estimate(message: pb.Estimate, ts_in: int) -> CostEstimate:
    return CostEstimate(
        printable(message.first, LONGEST_SENTENCE),
        decode_executable(message.executable, ts_in),
        decode_engine(message.engine),
    )


def _child(child: pb.Child) -> VenueOrder:
    return VenueOrder(
        child_id=printable(child.child_id),
        venue=printable(child.venue),
        state=_word(pb.ChildState, child.state, "CHILD_STATE_"),
        amount=_money(child.amount),
        limit=_money(child.limit),
        filled=_money(child.filled),
        text=printable(child.text, LONGEST_SENTENCE),
    )


def _fill(fill: pb.Fill) -> VenueFill:
    return VenueFill(
        venue=printable(fill.venue),
        trade_id=printable(fill.trade_id),
        price=_money(fill.price),
        amount=_money(fill.amount),
        fee=_money(fill.fee),
        fee_asset=printable(fill.fee_asset),
        ts_event=fill.ts_event if fill.HasField("ts_event") else None,
    )


def _side(side: int) -> TakeSide:
    return "sell" if side == market_data_pb2.SIDE_SELL else "buy"


def _word(kind: Any, number: int, prefix: str) -> str:
    """Return an enum's value as the bot has it; of one that this version does not know, none."""
    name = kind.Name(number) if number in kind.values() else f"{prefix}UNSPECIFIED"
    return str(name).removeprefix(prefix).lower()


def _fees(fees: Mapping[str, str]) -> dict[str, Decimal]:
    return {printable(asset): _money(fee) for asset, fee in fees.items()}


def _money(text: str) -> Decimal:
    if not _MONEY.fullmatch(text):
        raise ProtocolError(f"the gateway sent {text[:60]!r} for an amount")
    return Decimal(text)
