"""What is sent as JSON, and how it is made of what the client brings.

64-bit integers are text, as in protobuf's JSON: a browser's numbers end at 2^53. Prices and amounts
are doubles, increments decimal text. Times are nanoseconds UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, TypeAlias, TypeVar

import msgspec
from dragonfly_client.explaining import Explanation
from dragonfly_client.messages import (
    Bbo,
    Book,
    Executable,
    Instrument,
    Liquidity,
    Market,
    MergedLevel,
    Venue,
    VenueFeed,
    View,
)

from web_gateway.past import Past

__all__ = [
    "BboForm",
    "BookForm",
    "ExecutableForm",
    "ExplanationForm",
    "FeedForm",
    "FormedView",
    "InstrumentForm",
    "LevelForm",
    "LiquidityForm",
    "MergedForm",
    "VenueForm",
    "ViewForm",
    "decimal_text",
    "explanation_form",
    "form_of",
    "instrument_form",
    "int_text",
    "money",
    "venue_form",
]

T = TypeVar("T")


class LevelForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price of one venue; the last two are of an equivalence."""

    venue: str
    price: float
    amount: float
    instrument: str = ""
    original_price: float | None = None


class ShareForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """One venue's part of a merged level."""

    venue: str
    amount: float
    instrument: str = ""
    original_price: float | None = None


class MergedForm(msgspec.Struct, frozen=True):
    """All that is on offer at one price, or within one step of a grouping."""

    price: float
    amount: float
    shares: list[ShareForm]


class FeedForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one venue contributed; `age_ns` is since its last change."""

    venue: str
    state: str
    age_ns: str
    venue_seq: str
    reason: str = ""
    ts_event: str | None = None
    ts_recv: str | None = None
    ts_pub: str | None = None
    score: float | None = None
    score_total: float | None = None
    depth: int = 0
    book_seq: str = "0"
    instrument: str = ""


FormedView: TypeAlias = Book | Bbo | Liquidity | Executable
"""The views that have a form."""


class HopsForm(msgspec.Struct, frozen=True):
    """Where the time of the venue heard last went."""

    venue: str
    listener_ns: str
    aggregator_ns: str
    gateway_ns: str
    web_ns: str


class ViewForm(msgspec.Struct, frozen=True, kw_only=True):
    """What every view says. Where `live` is false the sides are empty, and `reason` says why.

    `mid` and `spread` are null where a side is empty.
    """

    instrument: str
    live: bool
    reason: str
    mid: float | None
    spread: float | None
    epoch: str
    seq: str
    ts_agg: str
    ts_out: str
    ts_in: str
    venues: list[FeedForm]
    hops: HopsForm | None


class BookForm(ViewForm, frozen=True, kw_only=True):
    """Bids by price falling, asks by price rising, each level its venue's."""

    crossed: bool
    bids: list[LevelForm]
    asks: list[LevelForm]


class BboForm(ViewForm, frozen=True, kw_only=True):
    """The best prices across venues."""

    crossed: bool
    bid: LevelForm | None
    ask: LevelForm | None


class LiquidityForm(ViewForm, frozen=True, kw_only=True):
    """A book whose equal prices are merged."""

    crossed: bool
    bids: list[MergedForm]
    asks: list[MergedForm]


class PartForm(msgspec.Struct, frozen=True):
    """One venue's part of an order."""

    venue: str
    amount: float
    gross_avg: float
    worst: float
    fee: float
    fee_bps: float
    exhausted: bool
    instrument: str


class PriceForm(msgspec.Struct, frozen=True):
    """What one size costs."""

    size: float
    complete: bool
    filled: float
    money: float
    gross_avg: float | None
    net_avg: float | None
    worst: float | None
    fee_total: float
    cost_bps: float | None
    parts: list[PartForm]


class LeftOutForm(msgspec.Struct, frozen=True):
    """A venue that nothing could be taken of."""

    venue: str
    reason: str
    instrument: str


class ExecutableForm(ViewForm, frozen=True, kw_only=True):
    """What sizes cost now, after fees."""

    side: str
    in_quote: bool
    fee_source: str
    prices: list[PriceForm]
    left_out: list[LeftOutForm]


class VenueForm(msgspec.Struct, frozen=True):
    """A venue as its listener sees it."""

    venue: str
    state: str
    reason: str
    listener: str
    connections: int
    instruments: int
    instruments_live: int
    ts_pub: str
    since: str | None


class MarketForm(msgspec.Struct, frozen=True):
    """What one venue tells of an instrument that it lists."""

    venue: str
    symbol: str
    halted: bool
    status: str
    tick: str | None
    lot: str | None
    min_amount: str | None
    min_notional: str | None


class InstrumentForm(msgspec.Struct, frozen=True):
    """An instrument, and who lists it."""

    instrument: str
    venues: list[str]
    markets: list[MarketForm] = []


class ExplanationForm(msgspec.Struct, frozen=True):
    """Why a venue is in an instrument's book, or is not; `remedy` is what brings it back.

    `since` is when it entered the state by its listener's word; where that is not told, when this
    web gateway saw it, and null where that keeps no history of it.
    """

    instrument: str
    venue: str
    listed: bool
    symbol: str
    followed: bool
    state: str
    reason: str
    since: str | None
    age_ns: str | None
    score: float | None
    score_total: float | None
    audited_at: str | None
    audit_agreed: bool | None
    depth: int
    listener: str
    connections: int
    sentence: str
    remedy: str


def form_of(
    view: FormedView, *, reason: str | None = None, group: float = 0.0
) -> BookForm | BboForm | LiquidityForm | ExecutableForm:
    """Return the form of `view`; with a `reason` of one that holds no more.

    `group` merges the levels of a liquidity whose prices are in the same step.
    """
    live = view.was_live and reason is None
    if reason is None and not live:
        told = (f"{feed.venue} is {feed.state.name}: {feed.reason}" for feed in view.venues)
        reason = "; ".join(told) or "no venue is known"
    mid = view.mid if live else None
    common = {
        "instrument": view.instrument,
        "live": live,
        "reason": reason or "",
        "mid": mid,
        "spread": None if mid is None else view.spread,
        "epoch": str(view.epoch),
        "seq": str(view.seq),
        "ts_agg": str(view.ts_agg),
        "ts_out": str(view.ts_out),
        "ts_in": str(view.ts_in),
        "venues": [_feed(feed) for feed in view.venues],
        "hops": _hops(view),
    }
    match view:
        case Book():
            return BookForm(
                crossed=live and view.crossed,
                bids=_alike(view.bids if live else (), list[LevelForm]),
                asks=_alike(view.asks if live else (), list[LevelForm]),
                **common,  # type: ignore[arg-type]
            )
        case Bbo():
            return BboForm(
                crossed=live and view.crossed,
                bid=_alike(view.bid, LevelForm) if live and view.bid else None,
                ask=_alike(view.ask, LevelForm) if live and view.ask else None,
                **common,  # type: ignore[arg-type]
            )
        case Liquidity():
            return LiquidityForm(
                crossed=live and view.crossed,
                bids=_merged(view.bids if live else (), group, ROUND_FLOOR),
                asks=_merged(view.asks if live else (), group, ROUND_CEILING),
                **common,  # type: ignore[arg-type]
            )
        case Executable():
            return ExecutableForm(
                side=view.side,
                in_quote=view.in_quote,
                fee_source=view.fee_source.name,
                prices=_alike(view.prices if live else (), list[PriceForm]),
                left_out=_alike(view.left_out, list[LeftOutForm]),
                **common,  # type: ignore[arg-type]
            )


def venue_form(venue: Venue) -> VenueForm:
    return VenueForm(
        venue.venue,
        venue.state.name,
        venue.reason,
        venue.listener,
        venue.connections,
        venue.instruments,
        venue.instruments_live,
        str(venue.ts_pub),
        int_text(venue.since),
    )


def instrument_form(one: Instrument) -> InstrumentForm:
    return InstrumentForm(one.instrument, [*one.venues], [_market(each) for each in one.markets])


def explanation_form(why: Explanation, past: Past | None = None) -> ExplanationForm:
    return ExplanationForm(
        why.instrument,
        why.venue,
        why.listed,
        why.symbol,
        why.followed,
        why.state.name,
        why.reason,
        int_text(why.since or (past.entered(why.venue, why.state.name) if past else None)),
        int_text(why.age_ns),
        why.score,
        why.score_total,
        int_text(why.audited_at),
        why.audit_agreed,
        why.depth,
        why.listener,
        why.connections,
        why.sentence,
        why.remedy,
    )


def int_text(number: int | None) -> str | None:
    return None if number is None else str(number)


def decimal_text(number: Decimal | None) -> str | None:
    return None if number is None else money(number)


def money(amount: Decimal) -> str:
    return f"{amount:f}"


def _alike(told: Any, form: type[T]) -> T:
    """Return the form of what has the same fields."""
    return msgspec.convert(told, form, from_attributes=True)


def _market(one: Market) -> MarketForm:
    return MarketForm(
        one.venue,
        one.symbol,
        one.halted,
        one.status,
        decimal_text(one.tick),
        decimal_text(one.lot),
        decimal_text(one.min_amount),
        decimal_text(one.min_notional),
    )


def _merged(levels: Iterable[MergedLevel], group: float, rounding: str) -> list[MergedForm]:
    if not group:
        return _alike(levels, list[MergedForm])
    step = Decimal(repr(group))
    steps: dict[Decimal, list[MergedLevel]] = {}
    for one in levels:
        number = (Decimal(repr(one.price)) / step).to_integral_value(rounding)
        steps.setdefault(number, []).append(one)
    grouped = []
    for number, within in steps.items():
        shares: dict[str, float] = {}
        for one in within:
            for share in one.shares:
                shares[share.venue] = shares.get(share.venue, 0.0) + share.amount
        parts = [ShareForm(venue, amount) for venue, amount in shares.items()]
        parts.sort(key=lambda part: -part.amount)
        grouped.append(MergedForm(float(number * step), sum(part.amount for part in parts), parts))
    return grouped


def _feed(feed: VenueFeed) -> FeedForm:
    return FeedForm(
        feed.venue,
        feed.state.name,
        str(feed.age_ns),
        str(feed.venue_seq),
        feed.reason,
        int_text(feed.ts_event),
        int_text(feed.ts_recv),
        int_text(feed.ts_pub),
        feed.score,
        feed.score_total,
        feed.depth,
        str(feed.book_seq),
        feed.instrument,
    )


def _hops(view: View) -> HopsForm | None:
    hops, moved = view.hops, view.moved
    if hops is None or moved is None:
        return None
    return HopsForm(
        moved.venue,
        str(hops.listener_ns),
        str(hops.aggregator_ns),
        str(hops.gateway_ns),
        str(hops.bot_ns),
    )
