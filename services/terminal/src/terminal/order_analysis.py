"""What an order cost against what it might have: the analysis after the trade. Pure.

All are ten-thousandths of the arrival mid, the mid of the first live book when the order was taken;
positive is worse.

    shortfall = half spread + impact + timing + fees
    half spread, impact   of the book that the order met: from the mid to the best price, and from
                          there on, if all had been taken at once, by price before fees
    timing                what is left: the market moved, waited for or missed
    fees                  as they were paid

Two more stand beside these. The average after fees is held against the interval's mid, in
ten-thousandths of that one; what was not filled against the mid at the end: its opportunity cost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from dragonfly_client.orders import WorkedOrder
from dragonfly_common.types import OrderSide
from dragonfly_pricing.offers import Offer, to_decimal
from dragonfly_pricing.walking import Execution, walk

from terminal.order_progress import BPS, OrderProgress, worse_bps

__all__ = ["Alternative", "OrderAnalysis", "analyse", "analysis_as_json"]


@dataclass(frozen=True)
class Alternative:
    """Another way to take the whole amount when the order was taken."""

    name: str
    net: Decimal
    worse_bps: Decimal | None
    """Than the arrival mid."""
    complete: bool
    """The book that the order met had it all."""


@dataclass(frozen=True)
class OrderAnalysis:
    """What an order came to."""

    order_id: str
    instrument: str
    side: str
    algorithm: str
    state: str
    quantity: Decimal
    filled: Decimal
    seconds: float
    fills: int
    arrival_mid: Decimal | None
    interval_mid: Decimal | None
    """Of the merged live book from arrival to end, or so far, weighted by time."""
    interval_s: float
    interval_seen_s: float
    """How long of it there was such a book: the engine was not down, and some venue live."""
    end_mid: Decimal | None
    gross: Decimal | None
    net: Decimal | None
    fees: Mapping[str, Decimal]
    shortfall_bps: Decimal | None
    half_spread_bps: Decimal | None
    impact_bps: Decimal | None
    timing_bps: Decimal | None
    fees_bps: Decimal | None
    interval_bps: Decimal | None
    """After fees, against `interval_mid`."""
    opportunity: Decimal | None
    """In the quote, of what was not filled; positive is worse."""
    venues: Mapping[str, Mapping[str, Any]]
    alternatives: tuple[Alternative, ...]


def analyse(progress: OrderProgress, end_mid: Decimal | None) -> OrderAnalysis:
    """Return what an order cost, and what else it might have, by the book that it met."""
    order, totals = progress.order, progress.totals
    side, arrival = order.side, order.arrival_mid
    gross, net = totals.gross, progress.net
    whole = worse_bps(side, net, arrival)
    before_fees = worse_bps(side, gross, arrival)
    half = impact = timing = None
    offers = _offers(order)
    if arrival is not None and offers:
        best = min if side == "buy" else max
        touch = best(to_decimal(price) for one in offers for price, _ in one.levels)
        half = worse_bps(side, touch, arrival)
        to_the_end = worse_bps(side, _raw(order, offers).gross_avg, arrival)
        impact = None if half is None or to_the_end is None else to_the_end - half
        if before_fees is not None and half is not None and impact is not None:
            timing = before_fees - half - impact
    unfilled = order.quantity - totals.amount
    lost = None
    if arrival is not None and end_mid is not None:
        lost = (end_mid - arrival if side == "buy" else arrival - end_mid) * unfilled
    interval = order.interval
    interval_mid = None if interval is None else interval.mid
    began, ended = progress.began_ns, progress.ended_ns
    return OrderAnalysis(
        order_id=order.order_id,
        instrument=order.instrument,
        side=side,
        algorithm=order.algorithm,
        state=progress.state,
        quantity=order.quantity,
        filled=totals.amount,
        seconds=0.0 if began is None or ended is None else (ended - began) / 1e9,
        fills=len(progress.fills),
        arrival_mid=arrival,
        interval_mid=interval_mid,
        interval_s=interval.whole_ns / 1e9 if interval else 0.0,
        interval_seen_s=interval.seen_ns / 1e9 if interval else 0.0,
        end_mid=end_mid,
        gross=gross,
        net=net,
        fees=totals.fees,
        shortfall_bps=whole,
        half_spread_bps=half,
        impact_bps=impact,
        timing_bps=timing,
        fees_bps=None if whole is None or before_fees is None else whole - before_fees,
        interval_bps=worse_bps(side, net, interval_mid),
        opportunity=lost,
        venues={
            venue: {
                "orders": one.orders,
                "filled": one.totals.amount,
                "gross": one.totals.gross,
                "net": one.totals.net(order.instrument, side),
                "fees": one.totals.fees,
            }
            for venue, one in progress.venues().items()
        },
        alternatives=tuple(_alternatives(order, offers)),
    )


def analysis_as_json(analysis: OrderAnalysis, indent: int | None = None) -> str:
    """Return one JSON object; money is decimal text."""
    return json.dumps(asdict(analysis), indent=indent, default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _offers(order: WorkedOrder) -> list[Offer]:
    """Return what the order met at each venue that showed something, and whose fee was known."""
    return [
        Offer(one.venue, one.levels, one.fee_bps)
        for one in order.arrival
        if one.levels and one.fee_bps is not None
    ]


def _walked(order: WorkedOrder, offers: Sequence[Offer]) -> Execution:
    (found,) = walk(OrderSide(order.side), offers, [order.quantity])
    return found


def _raw(order: WorkedOrder, offers: Sequence[Offer]) -> Execution:
    """Return what all of it costs without fees, by price alone."""
    return _walked(order, [Offer(one.venue, one.levels) for one in offers])


def _alternatives(order: WorkedOrder, offers: Sequence[Offer]) -> Iterator[Alternative]:
    if not offers:
        return

    def told(name: str, net: Decimal | None, *, complete: bool) -> Iterator[Alternative]:
        if net is not None:
            worse = worse_bps(order.side, net, order.arrival_mid)
            yield Alternative(name, net, worse, complete)

    best, raw = _walked(order, offers), _raw(order, offers)
    yield from told("best split, at once", best.net_avg, complete=best.complete)
    sign, fees = OrderSide(order.side).sign, {one.venue: one.fee_bps for one in offers}
    money = sum(
        (part.amount * part.gross_avg * (1 + sign * fees[part.venue] / BPS) for part in raw.fills),
        Decimal(0),
    )
    with_fees = money / raw.filled if raw.filled else None
    yield from told("by price before fees", with_fees, complete=raw.complete)
    venue, alone = min(
        ((one.venue, _walked(order, [one])) for one in offers),
        key=lambda found: (not found[1].complete, sign * (found[1].net_avg or 0)),
    )
    yield from told(f"{venue} alone", alone.net_avg, complete=alone.complete)
