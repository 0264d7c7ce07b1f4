"""What is sent as JSON, and how it is made of what the client brings.

64-bit integers are text, as in protobuf's JSON: a browser's numbers end at 2^53. Prices and amounts
are doubles, increments decimal text. Times are nanoseconds UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TypeAlias

import msgspec
from dragonfly_client.explaining import Explanation
from dragonfly_client.messages import (
    Bbo,
    Book,
    Executable,
    ExecutablePrice,
    Instrument,
    Level,
    Liquidity,
    Market,
    MergedLevel,
    Share,
    Venue,
    VenueFeed,
    View,
)
from dragonfly_client.orders import EngineState, IntervalMid, VenueFill, VenueOrder, WorkedOrder

from web_gateway.orders import OrdersTold, WorkedDetail
from web_gateway.past import Past

__all__ = [
    "BboForm",
    "BookForm",
    "EngineForm",
    "ExecutableForm",
    "ExplanationForm",
    "FeedForm",
    "FormedView",
    "HistoryForm",
    "InstrumentForm",
    "IntervalForm",
    "LevelForm",
    "LiquidityForm",
    "MergedForm",
    "OrderDetailForm",
    "OrderForm",
    "OrdersForm",
    "VenueForm",
    "ViewForm",
    "detail_form",
    "engine_form",
    "explanation_form",
    "form_of",
    "history_form",
    "instrument_form",
    "order_form",
    "orders_form",
    "venue_form",
]


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


class SpanForm(msgspec.Struct, frozen=True):
    """A state since `ts`, until the next one's; LOST while no gateway told of it."""

    ts: str
    state: str
    reason: str


class VenuePastForm(msgspec.Struct, frozen=True):
    """What one venue went through."""

    venue: str
    states: list[SpanForm]


class PriceAtForm(msgspec.Struct, frozen=True):
    """The best prices at a moment."""

    ts: str
    bid: float | None
    ask: float | None


class CrossingForm(msgspec.Struct, frozen=True):
    """While one venue bid more than another asked; `until` is null while it lasts.

    Prices and amount are those of its best moment, at the best level alone.
    """

    ts: str
    until: str | None
    bid_venue: str
    ask_venue: str
    bid: float
    ask: float
    amount: float


class HistoryForm(msgspec.Struct, frozen=True):
    """The last quarter of an hour of states, and five minutes of prices; kept since `since`."""

    instrument: str
    since: str
    time_out: str
    venues: list[VenuePastForm]
    prices: list[PriceAtForm]
    crossings: list[CrossingForm]
    epochs: list[str]


class EngineForm(msgspec.Struct, frozen=True):
    """The execution engine: `paper` fills are assumed, `killed` takes no orders."""

    engine: str
    paper: bool
    killed: bool
    venues: list[str]


class IntervalForm(msgspec.Struct, frozen=True):
    """The mid while an order was worked, weighted by the time for which there was one."""

    mid: str
    seen_ns: str
    whole_ns: str


class OrderForm(msgspec.Struct, frozen=True):
    """An order as it stands; money is decimal text. `interval` is null while there was no mid."""

    order_id: str
    client_id: str
    instrument: str
    side: str
    quantity: str
    limit: str | None
    algorithm: str
    state: str
    reason: str
    over: bool
    filled: str
    leaves: str
    reserved: str
    average: str | None
    fees: dict[str, str]
    unknown: int
    last_seq: str
    arrival_mid: str | None
    interval: IntervalForm | None


class ChildForm(msgspec.Struct, frozen=True):
    """An order at one venue, part of a larger one."""

    child_id: str
    venue: str
    state: str
    amount: str
    limit: str
    filled: str
    text: str


class FillForm(msgspec.Struct, frozen=True):
    """One fill."""

    venue: str
    trade_id: str
    price: str
    amount: str
    fee: str
    fee_asset: str
    ts_event: str | None


class OrderDetailForm(msgspec.Struct, frozen=True):
    """An order with its newest orders at venues and fills."""

    order: OrderForm
    children: list[ChildForm]
    fills: list[FillForm]


class OrdersForm(msgspec.Struct, frozen=True):
    """The engine and its customer's orders, newest first; `reason` says why `live` is false."""

    live: bool
    reason: str
    engine: EngineForm | None
    orders: list[OrderForm]


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
                bids=_levels(view.bids, live=live),
                asks=_levels(view.asks, live=live),
                **common,  # type: ignore[arg-type]
            )
        case Bbo():
            return BboForm(
                crossed=live and view.crossed,
                bid=_level(view.bid) if live and view.bid else None,
                ask=_level(view.ask) if live and view.ask else None,
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
                prices=[_price(price) for price in view.prices] if live else [],
                left_out=[
                    LeftOutForm(one.venue, one.reason, one.instrument) for one in view.left_out
                ],
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
        _text(venue.since),
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
        _text(why.since or (past.entered(why.venue, why.state.name) if past else None)),
        _text(why.age_ns),
        why.score,
        why.score_total,
        _text(why.audited_at),
        why.audit_agreed,
        why.depth,
        why.listener,
        why.connections,
        why.sentence,
        why.remedy,
    )


def history_form(instrument: str, past: Past, now: int) -> HistoryForm:
    return HistoryForm(
        instrument,
        str(past.since),
        str(now),
        [
            VenuePastForm(venue, [SpanForm(str(one.ts), one.state, one.reason) for one in spans])
            for venue, spans in past.spans.items()
        ],
        [PriceAtForm(str(one.ts), one.bid, one.ask) for one in past.prices],
        [
            CrossingForm(
                str(one.ts),
                _text(one.until),
                one.bid_venue,
                one.ask_venue,
                one.bid,
                one.ask,
                one.amount,
            )
            for one in past.crossings
        ],
        [str(ts) for ts in past.epochs],
    )


def engine_form(engine: EngineState) -> EngineForm:
    return EngineForm(engine.engine, engine.paper, engine.killed, [*engine.venues])


def order_form(order: WorkedOrder) -> OrderForm:
    return OrderForm(
        order.order_id,
        order.client_id,
        order.instrument,
        order.side,
        _money(order.quantity),
        _money_if(order.limit),
        order.algorithm,
        order.state,
        order.reason,
        order.over,
        _money(order.filled),
        _money(order.leaves),
        _money(order.reserved),
        _money_if(order.average),
        {asset: _money(fee) for asset, fee in order.fees.items()},
        order.unknown,
        str(order.last_seq),
        _money_if(order.arrival_mid),
        _interval(order.interval) if order.interval else None,
    )


def _interval(one: IntervalMid) -> IntervalForm:
    return IntervalForm(_money(one.mid), str(one.seen_ns), str(one.whole_ns))


def orders_form(told: OrdersTold | None, lost: str = "") -> OrdersForm:
    return OrdersForm(
        told is not None and not lost,
        lost,
        engine_form(told.engine) if told else None,
        [order_form(one) for one in told.orders] if told else [],
    )


def detail_form(told: WorkedDetail) -> OrderDetailForm:
    return OrderDetailForm(
        order_form(told.order), [*map(_child, told.children)], [*map(_fill, told.fills)]
    )


def _child(one: VenueOrder) -> ChildForm:
    money = (_money(one.amount), _money(one.limit), _money(one.filled))
    return ChildForm(one.child_id, one.venue, one.state, *money, one.text)


def _fill(one: VenueFill) -> FillForm:
    money = (_money(one.price), _money(one.amount), _money(one.fee))
    return FillForm(one.venue, one.trade_id, *money, one.fee_asset, _text(one.ts_event))


def _money(amount: Decimal) -> str:
    return f"{amount:f}"


def _money_if(amount: Decimal | None) -> str | None:
    return None if amount is None else _money(amount)


def _market(one: Market) -> MarketForm:
    return MarketForm(
        one.venue,
        one.symbol,
        one.halted,
        one.status,
        *(None if each is None else f"{each:f}" for each in (one.tick, one.lot)),
        *(None if each is None else f"{each:f}" for each in (one.min_amount, one.min_notional)),
    )


def _levels(levels: Iterable[Level], *, live: bool) -> list[LevelForm]:
    return [_level(one) for one in levels] if live else []


def _level(one: Level) -> LevelForm:
    return LevelForm(one.venue, one.price, one.amount, one.instrument, one.original_price)


def _merged(levels: Iterable[MergedLevel], group: float, rounding: str) -> list[MergedForm]:
    if not group:
        return [
            MergedForm(one.price, one.amount, [_share(share) for share in one.shares])
            for one in levels
        ]
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


def _share(one: Share) -> ShareForm:
    return ShareForm(one.venue, one.amount, one.instrument, one.original_price)


def _feed(feed: VenueFeed) -> FeedForm:
    return FeedForm(
        feed.venue,
        feed.state.name,
        str(feed.age_ns),
        str(feed.venue_seq),
        feed.reason,
        _text(feed.ts_event),
        _text(feed.ts_recv),
        _text(feed.ts_pub),
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


def _price(price: ExecutablePrice) -> PriceForm:
    return PriceForm(
        price.size,
        price.complete,
        price.filled,
        price.money,
        price.gross_avg,
        price.net_avg,
        price.worst,
        price.fee_total,
        price.cost_bps,
        [
            PartForm(
                part.venue,
                part.amount,
                part.gross_avg,
                part.worst,
                part.fee,
                part.fee_bps,
                part.exhausted,
                part.instrument,
            )
            for part in price.parts
        ],
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
