"""The cost of sizes on a view's levels: computed once for all who ask the same. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide
from dragonfly_pricing.fees import FeeTable
from dragonfly_pricing.offers import EXACT, Offer, to_decimal
from dragonfly_pricing.walking import Execution, Fill, walk
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import DecodeError as ProtobufDecodeError

from dragonfly_views.placeholder import set_ages

__all__ = ["PriceQuestion", "PricedView"]

_SIDES: Final = {OrderSide.BUY: pb.SIDE_BUY, OrderSide.SELL: pb.SIDE_SELL}

_Levels = dict[tuple[str, str], list[tuple[float, float]]]
"""By (venue, instrument), best first."""


class PriceQuestion(NamedTuple):
    """A question about an instrument's levels."""

    side: OrderSide
    sizes: tuple[Decimal, ...]
    in_quote: bool
    venues: tuple[str, ...]
    """Only these; empty means all."""
    fees: FeeTable
    fee_source: pb.FeeSource


class PricedView:
    """One state of a view of LEVELS, and the answers that were made of it."""

    def __init__(self, body: bytes) -> None:
        """Take an encoded Book.

        Raises:
            DecodeError: `bad_view`, where it is none.
        """
        try:
            self._book = pb.Book.FromString(body)
        except ProtobufDecodeError:
            raise DecodeError("bad_view", "no book") from None
        self._levels: dict[OrderSide, _Levels] = {}
        self._answers: dict[PriceQuestion, bytes] = {}

    def answer(self, question: PriceQuestion, lots: Mapping[str, Decimal]) -> bytes:
        """Encode the fields of an Executable that follow from levels, states and question.

        `lots` are the venues'. Equal answers are equal bytes, whatever book they are of.

        Raises:
            DecodeError: `bad_view`, where a level is none.
        """
        said = self._answers.get(question)
        if said is None:
            said = self._answers[question] = self._answer(question, lots)
        return said

    def book(self, now_ns: int) -> bytes:
        """Encode which book it is of: a Book without levels, its ages as of now."""
        book = self._book
        told = pb.Book(
            spread=book.spread,
            instrument=book.instrument,
            venues=book.venues,
            live=book.live,
            epoch=book.epoch,
            seq=book.seq,
            ts_agg=book.ts_agg,
            conversions=book.conversions,
        )
        set_ages(told, now_ns)
        return told.SerializeToString()

    def _answer(self, question: PriceQuestion, lots: Mapping[str, Decimal]) -> bytes:
        levels = self._side(question.side)
        offers: list[Offer] = []
        left_out: list[pb.LeftOut] = []
        for feed in self._book.venues:
            offered = levels.get((feed.venue, feed.instrument), [])
            fee = question.fees.of_venue(feed.venue)
            reason = _reason(question, feed, offered=bool(offered), has_fee=fee is not None)
            if reason:
                left_out.append(
                    pb.LeftOut(venue=feed.venue, reason=reason, instrument=feed.instrument)
                )
            elif fee is not None:
                # An equivalence's amounts are in units of its own.
                lot = None if feed.instrument else lots.get(feed.venue)
                offers.append(Offer(feed.venue, offered, fee, feed.instrument, lot))
        known = {feed.venue for feed in self._book.venues}
        left_out += [
            pb.LeftOut(venue=venue, reason="no venue of this system")
            for venue in question.venues
            if venue not in known
        ]
        mid = self._mid()
        prices = walk(question.side, offers, question.sizes, in_quote=question.in_quote, mid=mid)
        return pb.Executable(
            side=_SIDES[question.side],
            in_quote=question.in_quote,
            prices=map(_price, prices),
            left_out=left_out,
            mid=None if mid is None else float(mid),
            fee_source=question.fee_source,
        ).SerializeToString()

    def _side(self, side: OrderSide) -> _Levels:
        found = self._levels.get(side)
        if found is None:
            found = defaultdict(list)
            for level in self._book.asks if side is OrderSide.BUY else self._book.bids:
                price, amount = level.price, level.amount
                if not (0.0 < price < math.inf and 0.0 < amount < math.inf):
                    raise DecodeError("bad_view", f"a level {price} x {amount}")
                found[level.venue, level.instrument].append((price, amount))
            self._levels[side] = found
        return found

    def _mid(self) -> Decimal | None:
        bids, asks = self._book.bids, self._book.asks
        if not (bids and asks):
            return None
        both = EXACT.add(to_decimal(bids[0].price), to_decimal(asks[0].price))
        return EXACT.divide(both, 2)


def _reason(question: PriceQuestion, feed: pb.VenueFeed, *, offered: bool, has_fee: bool) -> str:
    """Say why nothing can be taken of a venue; empty where something can."""
    if question.venues and feed.venue not in question.venues:
        return "not asked for"
    if feed.state != pb.STATE_LIVE:
        state = pb.State.Name(feed.state).removeprefix("STATE_")
        return f"{state}: {feed.reason}" if feed.reason else state
    if not has_fee:
        return "no fee of it in the table"
    return "" if offered else "nothing on this side"


def _price(of: Execution) -> pb.ExecutablePrice:
    return pb.ExecutablePrice(
        size=float(of.size),
        complete=of.complete,
        filled=float(of.filled),
        money=float(of.money),
        gross_avg=_float(of.gross_avg),
        net_avg=_float(of.net_avg),
        worst=_float(of.worst),
        fee_total=float(of.fee_total),
        cost_bps=_float(of.cost_bps),
        parts=map(_part, of.fills),
    )


def _part(of: Fill) -> pb.VenuePart:
    return pb.VenuePart(
        venue=of.venue,
        amount=float(of.amount),
        gross_avg=float(of.gross_avg),
        worst=float(of.worst),
        fee=float(of.fee),
        fee_bps=float(of.fee_bps),
        exhausted=of.exhausted,
        instrument=of.instrument,
    )


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)
