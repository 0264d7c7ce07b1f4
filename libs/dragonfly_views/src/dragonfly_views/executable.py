"""The cost of sizes on a view's levels: computed once for all who ask the same. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Final, NamedTuple

from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide
from dragonfly_pricing.fees import FeeTable
from dragonfly_pricing.offers import EXACT, Offer, to_decimal
from dragonfly_pricing.walking import Execution, walk
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import DecodeError as ProtobufDecodeError

from dragonfly_views.placeholder import set_ages

__all__ = ["PriceQuestion", "PricedView"]

_Level = tuple[float, float]

READ_AT_ONCE: Final = 32
"""So many levels are read off a message when one is asked for."""


class PriceQuestion(NamedTuple):
    """A question about an instrument's levels."""

    side: OrderSide
    sizes: tuple[Decimal, ...]
    in_quote: bool
    venues: tuple[str, ...]
    """Only these; empty means all."""
    fees: FeeTable
    fee_source: pb.FeeSource


class _Side:
    """One side's levels, read off the message no further than somebody goes."""

    def __init__(self, levels: Sequence[pb.Level]) -> None:
        self._levels = levels
        self._read: defaultdict[tuple[str, str], list[_Level]] = defaultdict(list)
        self._count = 0

    def of(self, venue: str, instrument: str) -> list[_Level] | Iterator[_Level]:
        """Return what a venue offers, best first: an empty list where that is nothing.

        Raises:
            DecodeError: `bad_view`, where a level is none; to go through them raises it too.
        """
        read = self._read[venue, instrument]
        while not read and self._count < len(self._levels):
            self._read_on()
        return read if self._count == len(self._levels) else self._go_on(read)

    def _go_on(self, read: list[_Level]) -> Iterator[_Level]:
        for at in count():
            while at == len(read):
                if self._count == len(self._levels):
                    return
                self._read_on()
            yield read[at]

    def _read_on(self) -> None:
        """Read more levels, of whatever venues."""
        read, most = self._read, math.inf
        for level in self._levels[self._count : self._count + READ_AT_ONCE]:
            price, amount = level.price, level.amount
            if not (0.0 < price < most and 0.0 < amount < most):
                raise DecodeError("bad_view", f"a level {price} x {amount}")
            read[level.venue, level.instrument].append((price, amount))
            self._count += 1


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
        self._asks, self._bids = _Side(self._book.asks), _Side(self._book.bids)
        self._answers: dict[PriceQuestion, bytes] = {}

    def answer(self, question: PriceQuestion, lots: Mapping[str, Decimal]) -> bytes:
        """Encode the fields of an Executable that follow from levels, states and question.

        `lots` are the venues'. Equal answers are equal bytes, whatever book they are of.

        Raises:
            DecodeError: `bad_view`, where a level that it looks at is none.
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
        side, in_quote = question.side, question.in_quote
        buys = side is OrderSide.BUY
        told = pb.Executable(
            side=pb.SIDE_BUY if buys else pb.SIDE_SELL,
            in_quote=in_quote,
            fee_source=question.fee_source,
        )
        levels = self._asks if buys else self._bids
        offers: list[Offer] = []
        for feed in self._book.venues:
            venue, instrument = feed.venue, feed.instrument
            fee = question.fees.of_venue(venue)
            reason = _reason(question, feed, has_fee=fee is not None)
            offered = None if reason else levels.of(venue, instrument)
            if offered and fee is not None:
                # An equivalence's amounts are in units of its own.
                lot = None if instrument else lots.get(venue)
                offers.append(Offer(venue, offered, fee, instrument, lot))
            else:
                reason = reason or "nothing on this side"
                told.left_out.add(venue=venue, reason=reason, instrument=instrument)
        for venue in question.venues:
            if all(venue != feed.venue for feed in self._book.venues):
                told.left_out.add(venue=venue, reason="no venue of this system")
        mid = self._mid()
        if mid is not None:
            told.mid = float(mid)
        for price in walk(side, offers, question.sizes, in_quote=in_quote, mid=mid):
            _add(told, price)
        return told.SerializeToString()

    def _mid(self) -> Decimal | None:
        bids, asks = self._book.bids, self._book.asks
        if not (bids and asks):
            return None
        both = EXACT.add(to_decimal(bids[0].price), to_decimal(asks[0].price))
        return EXACT.divide(both, 2)


def _reason(question: PriceQuestion, feed: pb.VenueFeed, *, has_fee: bool) -> str:
    """Say why nothing may be taken of a venue; empty where something may."""
    if question.venues and feed.venue not in question.venues:
        return "not asked for"
    if feed.state != pb.STATE_LIVE:
        state = pb.State.Name(feed.state).removeprefix("STATE_")
        return f"{state}: {feed.reason}" if feed.reason else state
    return "" if has_fee else "no fee of it in the table"


def _add(told: pb.Executable, of: Execution) -> None:
    size, complete, filled, money, gross_avg, net_avg, worst, fee_total, cost_bps, fills = of
    price = told.prices.add(
        size=float(size),
        complete=complete,
        filled=float(filled),
        money=float(money),
        gross_avg=None if gross_avg is None else float(gross_avg),
        net_avg=None if net_avg is None else float(net_avg),
        worst=None if worst is None else float(worst),
        fee_total=float(fee_total),
        cost_bps=None if cost_bps is None else float(cost_bps),
    )
    for venue, instrument, amount, average, limit, fee, fee_bps, exhausted in fills:
        price.parts.add(
            venue=venue,
            amount=float(amount),
            gross_avg=float(average),
            worst=float(limit),
            fee=float(fee),
            fee_bps=float(fee_bps),
            exhausted=exhausted,
            instrument=instrument,
        )
