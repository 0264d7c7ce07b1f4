"""dragonfly.v1 messages to what a bot receives. Pure: the time of arrival is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TypedDict, TypeVar

from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import DecodeError, Message

from dragonfly_client._printable import LONGEST_SENTENCE, printable
from dragonfly_client.errors import ProtocolError
from dragonfly_client.messages import (
    Bbo,
    Book,
    Conversion,
    Executable,
    ExecutablePrice,
    FeedStanding,
    FeeSource,
    Instrument,
    Instruments,
    LeftOut,
    Level,
    Liquidity,
    Market,
    MergedLevel,
    Share,
    State,
    Venue,
    VenueFeed,
    VenuePart,
    View,
)

__all__ = [
    "decode_bbo",
    "decode_book",
    "decode_executable",
    "decode_instruments",
    "decode_liquidity",
    "decode_update",
    "decode_venues",
    "parse",
]

M = TypeVar("M", bound=Message)


def parse(kind: type[M], payload: bytes) -> M:
    """Return the message that `payload` encodes.

    Raises:
        ProtocolError: it encodes none.
    """
    try:
        return kind.FromString(payload)
    except DecodeError:
        raise ProtocolError(
            f"the gateway sent {len(payload)} bytes that are no {kind.__name__}"
        ) from None


def decode_book(message: pb.Book, ts_in: int) -> Book:
    return Book(
        **_view(message, ts_in),
        bids=tuple(map(_level, message.bids)),
        asks=tuple(map(_level, message.asks)),
    )


def decode_bbo(message: pb.Bbo, ts_in: int) -> Bbo:
    return Bbo(
        **_view(message, ts_in),
        bid=_level(message.bid) if message.HasField("bid") else None,
        ask=_level(message.ask) if message.HasField("ask") else None,
    )


def decode_liquidity(message: pb.Liquidity, ts_in: int) -> Liquidity:
    return Liquidity(
        **_view(message, ts_in),
        bids=tuple(map(_merged, message.bids)),
        asks=tuple(map(_merged, message.asks)),
    )


def decode_executable(message: pb.Executable, ts_in: int) -> Executable:
    return Executable(
        **_view(message, ts_in),
        side="sell" if message.side == pb.SIDE_SELL else "buy",
        in_quote=message.in_quote,
        prices=tuple(map(_price, message.prices)),
        left_out=tuple(
            LeftOut(
                printable(one.venue),
                printable(one.reason, LONGEST_SENTENCE),
                printable(one.instrument),
            )
            for one in message.left_out
        ),
        mid=message.mid if message.HasField("mid") else None,
        fee_source=FeeSource(message.fee_source),
    )


class _ViewFields(TypedDict):
    """The fields of a `View`."""

    instrument: str
    spread: float
    venues: tuple[VenueFeed, ...]
    was_live: bool
    epoch: int
    seq: int
    ts_agg: int
    replaced: int
    ts_out: int
    ts_in: int
    conversions: tuple[Conversion, ...]


def _view(message: pb.Book | pb.Bbo | pb.Liquidity | pb.Executable, ts_in: int) -> _ViewFields:
    return {
        "instrument": printable(message.instrument),
        "spread": message.spread,
        "venues": _feeds(message.venues),
        "was_live": message.live,
        "epoch": message.epoch,
        "seq": message.seq,
        "ts_agg": message.ts_agg,
        "replaced": message.replaced,
        "ts_out": message.ts_out,
        "ts_in": ts_in,
        "conversions": tuple(map(_conversion, message.conversions)),
    }


def decode_update(update: pb.SessionUpdate, ts_in: int) -> View | None:
    """Return the view of a session's update; None for a kind that this version does not know."""
    match update.WhichOneof("update"):
        case "book":
            return decode_book(update.book, ts_in)
        case "bbo":
            return decode_bbo(update.bbo, ts_in)
        case "liquidity":
            return decode_liquidity(update.liquidity, ts_in)
        case _:
            return None


def decode_venues(message: pb.Venues) -> tuple[Venue, ...]:
    return tuple(
        Venue(
            venue=printable(venue.venue),
            state=State(venue.state),
            reason=printable(venue.reason, LONGEST_SENTENCE),
            listener=printable(venue.listener),
            connections=venue.connections,
            instruments=venue.instruments,
            instruments_live=venue.instruments_live,
            ts_pub=venue.ts_pub,
            since=venue.since or None,
        )
        for venue in message.venues
    )


def decode_instruments(message: pb.ListInstrumentsResponse) -> Instruments:
    return Instruments(
        (
            Instrument(
                printable(one.instrument),
                tuple(map(printable, one.venues)),
                tuple(map(_market, one.markets)),
                tuple(map(_standing, one.feeds)),
            )
            for one in message.instruments
        ),
        {printable(venue): count for venue, count in message.left_out.items()},
    )


def _market(market: pb.Market) -> Market:
    return Market(
        venue=printable(market.venue),
        symbol=printable(market.symbol),
        halted=market.halted,
        status=printable(market.status),
        tick=_decimal(market.tick),
        lot=_decimal(market.lot),
        min_amount=_decimal(market.min_amount),
        min_notional=_decimal(market.min_notional),
    )


def _standing(feed: pb.FeedStanding) -> FeedStanding:
    audited = feed.HasField("audited_at")
    return FeedStanding(
        venue=printable(feed.venue),
        state=State(feed.state),
        since=feed.since,
        audited_at=feed.audited_at if audited else None,
        audit_agreed=feed.audit_agreed if audited else None,
    )


def _decimal(text: str) -> Decimal | None:
    if not text:
        return None
    with suppress(InvalidOperation):
        number = Decimal(text)
        if number.is_finite():
            return number
    raise ProtocolError(f"the gateway sent {printable(text)!r}, which is no number")


def _level(level: pb.Level) -> Level:
    if not level.instrument:
        return Level(printable(level.venue), level.price, level.amount)
    origin = printable(level.instrument), level.original_price
    return Level(printable(level.venue), level.price, level.amount, *origin)


def _merged(level: pb.MergedLevel) -> MergedLevel:
    return MergedLevel(level.price, level.amount, tuple(map(_share, level.shares)))


def _share(share: pb.Share) -> Share:
    if not share.instrument:
        return Share(printable(share.venue), share.amount)
    origin = printable(share.instrument), share.original_price
    return Share(printable(share.venue), share.amount, *origin)


def _price(price: pb.ExecutablePrice) -> ExecutablePrice:
    return ExecutablePrice(
        size=price.size,
        complete=price.complete,
        filled=price.filled,
        money=price.money,
        gross_avg=price.gross_avg if price.HasField("gross_avg") else None,
        net_avg=price.net_avg if price.HasField("net_avg") else None,
        worst=price.worst if price.HasField("worst") else None,
        fee_total=price.fee_total,
        cost_bps=price.cost_bps if price.HasField("cost_bps") else None,
        parts=tuple(
            VenuePart(
                venue=printable(part.venue),
                amount=part.amount,
                gross_avg=part.gross_avg,
                worst=part.worst,
                fee=part.fee,
                fee_bps=part.fee_bps,
                exhausted=part.exhausted,
                instrument=printable(part.instrument),
            )
            for part in price.parts
        ),
    )


def _conversion(by: pb.Conversion) -> Conversion:
    return Conversion(
        instrument=printable(by.instrument),
        bid=by.bid if by.HasField("bid") else None,
        ask=by.ask if by.HasField("ask") else None,
        venues=_feeds(by.venues),
    )


def _feeds(feeds: Iterable[pb.VenueFeed]) -> tuple[VenueFeed, ...]:
    return tuple(
        VenueFeed(
            venue=printable(feed.venue),
            state=State(feed.state),
            reason=printable(feed.reason, LONGEST_SENTENCE),
            age_ns=feed.age_ns,
            venue_seq=feed.venue_seq,
            ts_event=feed.ts_event if feed.HasField("ts_event") else None,
            ts_recv=feed.ts_recv or None,
            ts_pub=feed.ts_pub or None,
            score=feed.score if feed.HasField("score") else None,
            score_total=feed.score_total if feed.HasField("score_total") else None,
            depth=feed.depth,
            book_seq=feed.book_seq,
            instrument=printable(feed.instrument),
        )
        for feed in feeds
    )
