from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STATE_SYNCING: _ClassVar[State]
    STATE_LIVE: _ClassVar[State]
    STATE_STALE: _ClassVar[State]
    STATE_DOWN: _ClassVar[State]
    STATE_UNKNOWN: _ClassVar[State]
    STATE_HALTED: _ClassVar[State]

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BUY: _ClassVar[Side]
    SIDE_SELL: _ClassVar[Side]

class FeeSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEE_SOURCE_UNSPECIFIED: _ClassVar[FeeSource]
    FEE_SOURCE_NONE: _ClassVar[FeeSource]
    FEE_SOURCE_GATEWAY: _ClassVar[FeeSource]
    FEE_SOURCE_BOT: _ClassVar[FeeSource]
    FEE_SOURCE_REQUEST: _ClassVar[FeeSource]

class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIEW_UNSPECIFIED: _ClassVar[View]
    VIEW_BOOK: _ClassVar[View]
    VIEW_BBO: _ClassVar[View]
    VIEW_LIQUIDITY: _ClassVar[View]
STATE_UNSPECIFIED: State
STATE_SYNCING: State
STATE_LIVE: State
STATE_STALE: State
STATE_DOWN: State
STATE_UNKNOWN: State
STATE_HALTED: State
SIDE_UNSPECIFIED: Side
SIDE_BUY: Side
SIDE_SELL: Side
FEE_SOURCE_UNSPECIFIED: FeeSource
FEE_SOURCE_NONE: FeeSource
FEE_SOURCE_GATEWAY: FeeSource
FEE_SOURCE_BOT: FeeSource
FEE_SOURCE_REQUEST: FeeSource
VIEW_UNSPECIFIED: View
VIEW_BOOK: View
VIEW_BBO: View
VIEW_LIQUIDITY: View

class Level(_message.Message):
    __slots__ = ("venue", "price", "amount", "instrument", "original_price")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PRICE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    price: float
    amount: float
    instrument: str
    original_price: float
    def __init__(self, venue: _Optional[str] = ..., price: _Optional[float] = ..., amount: _Optional[float] = ..., instrument: _Optional[str] = ..., original_price: _Optional[float] = ...) -> None: ...

class VenueFeed(_message.Message):
    __slots__ = ("venue", "state", "reason", "age_ns", "venue_seq", "ts_event", "ts_recv", "ts_pub", "score", "score_total", "depth", "book_seq", "instrument")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AGE_NS_FIELD_NUMBER: _ClassVar[int]
    VENUE_SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_EVENT_FIELD_NUMBER: _ClassVar[int]
    TS_RECV_FIELD_NUMBER: _ClassVar[int]
    TS_PUB_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    BOOK_SEQ_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    venue: str
    state: State
    reason: str
    age_ns: int
    venue_seq: int
    ts_event: int
    ts_recv: int
    ts_pub: int
    score: float
    score_total: float
    depth: int
    book_seq: int
    instrument: str
    def __init__(self, venue: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., reason: _Optional[str] = ..., age_ns: _Optional[int] = ..., venue_seq: _Optional[int] = ..., ts_event: _Optional[int] = ..., ts_recv: _Optional[int] = ..., ts_pub: _Optional[int] = ..., score: _Optional[float] = ..., score_total: _Optional[float] = ..., depth: _Optional[int] = ..., book_seq: _Optional[int] = ..., instrument: _Optional[str] = ...) -> None: ...

class Conversion(_message.Message):
    __slots__ = ("bid", "ask", "instrument", "venues")
    BID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    bid: float
    ask: float
    instrument: str
    venues: _containers.RepeatedCompositeFieldContainer[VenueFeed]
    def __init__(self, bid: _Optional[float] = ..., ask: _Optional[float] = ..., instrument: _Optional[str] = ..., venues: _Optional[_Iterable[_Union[VenueFeed, _Mapping[str, object]]]] = ...) -> None: ...

class Book(_message.Message):
    __slots__ = ("spread", "bids", "asks", "instrument", "venues", "live", "epoch", "seq", "ts_agg", "conversions", "replaced", "ts_out")
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_AGG_FIELD_NUMBER: _ClassVar[int]
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    TS_OUT_FIELD_NUMBER: _ClassVar[int]
    spread: float
    bids: _containers.RepeatedCompositeFieldContainer[Level]
    asks: _containers.RepeatedCompositeFieldContainer[Level]
    instrument: str
    venues: _containers.RepeatedCompositeFieldContainer[VenueFeed]
    live: bool
    epoch: int
    seq: int
    ts_agg: int
    conversions: _containers.RepeatedCompositeFieldContainer[Conversion]
    replaced: int
    ts_out: int
    def __init__(self, spread: _Optional[float] = ..., bids: _Optional[_Iterable[_Union[Level, _Mapping[str, object]]]] = ..., asks: _Optional[_Iterable[_Union[Level, _Mapping[str, object]]]] = ..., instrument: _Optional[str] = ..., venues: _Optional[_Iterable[_Union[VenueFeed, _Mapping[str, object]]]] = ..., live: _Optional[bool] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., ts_agg: _Optional[int] = ..., conversions: _Optional[_Iterable[_Union[Conversion, _Mapping[str, object]]]] = ..., replaced: _Optional[int] = ..., ts_out: _Optional[int] = ...) -> None: ...

class Bbo(_message.Message):
    __slots__ = ("spread", "bid", "ask", "instrument", "venues", "live", "epoch", "seq", "ts_agg", "conversions", "replaced", "ts_out")
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_AGG_FIELD_NUMBER: _ClassVar[int]
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    TS_OUT_FIELD_NUMBER: _ClassVar[int]
    spread: float
    bid: Level
    ask: Level
    instrument: str
    venues: _containers.RepeatedCompositeFieldContainer[VenueFeed]
    live: bool
    epoch: int
    seq: int
    ts_agg: int
    conversions: _containers.RepeatedCompositeFieldContainer[Conversion]
    replaced: int
    ts_out: int
    def __init__(self, spread: _Optional[float] = ..., bid: _Optional[_Union[Level, _Mapping[str, object]]] = ..., ask: _Optional[_Union[Level, _Mapping[str, object]]] = ..., instrument: _Optional[str] = ..., venues: _Optional[_Iterable[_Union[VenueFeed, _Mapping[str, object]]]] = ..., live: _Optional[bool] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., ts_agg: _Optional[int] = ..., conversions: _Optional[_Iterable[_Union[Conversion, _Mapping[str, object]]]] = ..., replaced: _Optional[int] = ..., ts_out: _Optional[int] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("venue", "amount", "instrument", "original_price")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PRICE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    amount: float
    instrument: str
    original_price: float
    def __init__(self, venue: _Optional[str] = ..., amount: _Optional[float] = ..., instrument: _Optional[str] = ..., original_price: _Optional[float] = ...) -> None: ...

class MergedLevel(_message.Message):
    __slots__ = ("price", "amount", "shares")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    price: float
    amount: float
    shares: _containers.RepeatedCompositeFieldContainer[Share]
    def __init__(self, price: _Optional[float] = ..., amount: _Optional[float] = ..., shares: _Optional[_Iterable[_Union[Share, _Mapping[str, object]]]] = ...) -> None: ...

class Liquidity(_message.Message):
    __slots__ = ("spread", "bids", "asks", "instrument", "venues", "live", "epoch", "seq", "ts_agg", "conversions", "replaced", "ts_out")
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_AGG_FIELD_NUMBER: _ClassVar[int]
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    TS_OUT_FIELD_NUMBER: _ClassVar[int]
    spread: float
    bids: _containers.RepeatedCompositeFieldContainer[MergedLevel]
    asks: _containers.RepeatedCompositeFieldContainer[MergedLevel]
    instrument: str
    venues: _containers.RepeatedCompositeFieldContainer[VenueFeed]
    live: bool
    epoch: int
    seq: int
    ts_agg: int
    conversions: _containers.RepeatedCompositeFieldContainer[Conversion]
    replaced: int
    ts_out: int
    def __init__(self, spread: _Optional[float] = ..., bids: _Optional[_Iterable[_Union[MergedLevel, _Mapping[str, object]]]] = ..., asks: _Optional[_Iterable[_Union[MergedLevel, _Mapping[str, object]]]] = ..., instrument: _Optional[str] = ..., venues: _Optional[_Iterable[_Union[VenueFeed, _Mapping[str, object]]]] = ..., live: _Optional[bool] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., ts_agg: _Optional[int] = ..., conversions: _Optional[_Iterable[_Union[Conversion, _Mapping[str, object]]]] = ..., replaced: _Optional[int] = ..., ts_out: _Optional[int] = ...) -> None: ...

class Executable(_message.Message):
    __slots__ = ("spread", "instrument", "venues", "live", "epoch", "seq", "ts_agg", "conversions", "side", "in_quote", "prices", "left_out", "mid", "fee_source", "replaced", "ts_out")
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_AGG_FIELD_NUMBER: _ClassVar[int]
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    IN_QUOTE_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    MID_FIELD_NUMBER: _ClassVar[int]
    FEE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    TS_OUT_FIELD_NUMBER: _ClassVar[int]
    spread: float
    instrument: str
    venues: _containers.RepeatedCompositeFieldContainer[VenueFeed]
    live: bool
    epoch: int
    seq: int
    ts_agg: int
    conversions: _containers.RepeatedCompositeFieldContainer[Conversion]
    side: Side
    in_quote: bool
    prices: _containers.RepeatedCompositeFieldContainer[ExecutablePrice]
    left_out: _containers.RepeatedCompositeFieldContainer[LeftOut]
    mid: float
    fee_source: FeeSource
    replaced: int
    ts_out: int
    def __init__(self, spread: _Optional[float] = ..., instrument: _Optional[str] = ..., venues: _Optional[_Iterable[_Union[VenueFeed, _Mapping[str, object]]]] = ..., live: _Optional[bool] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., ts_agg: _Optional[int] = ..., conversions: _Optional[_Iterable[_Union[Conversion, _Mapping[str, object]]]] = ..., side: _Optional[_Union[Side, str]] = ..., in_quote: _Optional[bool] = ..., prices: _Optional[_Iterable[_Union[ExecutablePrice, _Mapping[str, object]]]] = ..., left_out: _Optional[_Iterable[_Union[LeftOut, _Mapping[str, object]]]] = ..., mid: _Optional[float] = ..., fee_source: _Optional[_Union[FeeSource, str]] = ..., replaced: _Optional[int] = ..., ts_out: _Optional[int] = ...) -> None: ...

class ExecutablePrice(_message.Message):
    __slots__ = ("size", "complete", "filled", "money", "gross_avg", "net_avg", "worst", "fee_total", "cost_bps", "parts")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    GROSS_AVG_FIELD_NUMBER: _ClassVar[int]
    NET_AVG_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    FEE_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COST_BPS_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    size: float
    complete: bool
    filled: float
    money: float
    gross_avg: float
    net_avg: float
    worst: float
    fee_total: float
    cost_bps: float
    parts: _containers.RepeatedCompositeFieldContainer[VenuePart]
    def __init__(self, size: _Optional[float] = ..., complete: _Optional[bool] = ..., filled: _Optional[float] = ..., money: _Optional[float] = ..., gross_avg: _Optional[float] = ..., net_avg: _Optional[float] = ..., worst: _Optional[float] = ..., fee_total: _Optional[float] = ..., cost_bps: _Optional[float] = ..., parts: _Optional[_Iterable[_Union[VenuePart, _Mapping[str, object]]]] = ...) -> None: ...

class VenuePart(_message.Message):
    __slots__ = ("venue", "amount", "gross_avg", "worst", "fee", "fee_bps", "exhausted", "instrument")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    GROSS_AVG_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    FEE_BPS_FIELD_NUMBER: _ClassVar[int]
    EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    venue: str
    amount: float
    gross_avg: float
    worst: float
    fee: float
    fee_bps: float
    exhausted: bool
    instrument: str
    def __init__(self, venue: _Optional[str] = ..., amount: _Optional[float] = ..., gross_avg: _Optional[float] = ..., worst: _Optional[float] = ..., fee: _Optional[float] = ..., fee_bps: _Optional[float] = ..., exhausted: _Optional[bool] = ..., instrument: _Optional[str] = ...) -> None: ...

class LeftOut(_message.Message):
    __slots__ = ("venue", "reason", "instrument")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    venue: str
    reason: str
    instrument: str
    def __init__(self, venue: _Optional[str] = ..., reason: _Optional[str] = ..., instrument: _Optional[str] = ...) -> None: ...

class Venue(_message.Message):
    __slots__ = ("venue", "state", "reason", "listener", "connections", "instruments", "instruments_live", "ts_pub", "since")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LISTENER_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENTS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENTS_LIVE_FIELD_NUMBER: _ClassVar[int]
    TS_PUB_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    state: State
    reason: str
    listener: str
    connections: int
    instruments: int
    instruments_live: int
    ts_pub: int
    since: int
    def __init__(self, venue: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., reason: _Optional[str] = ..., listener: _Optional[str] = ..., connections: _Optional[int] = ..., instruments: _Optional[int] = ..., instruments_live: _Optional[int] = ..., ts_pub: _Optional[int] = ..., since: _Optional[int] = ...) -> None: ...

class Venues(_message.Message):
    __slots__ = ("venues", "ts_out")
    VENUES_FIELD_NUMBER: _ClassVar[int]
    TS_OUT_FIELD_NUMBER: _ClassVar[int]
    venues: _containers.RepeatedCompositeFieldContainer[Venue]
    ts_out: int
    def __init__(self, venues: _Optional[_Iterable[_Union[Venue, _Mapping[str, object]]]] = ..., ts_out: _Optional[int] = ...) -> None: ...

class Instrument(_message.Message):
    __slots__ = ("instrument", "venues", "markets", "feeds")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    MARKETS_FIELD_NUMBER: _ClassVar[int]
    FEEDS_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    venues: _containers.RepeatedScalarFieldContainer[str]
    markets: _containers.RepeatedCompositeFieldContainer[Market]
    feeds: _containers.RepeatedCompositeFieldContainer[FeedStanding]
    def __init__(self, instrument: _Optional[str] = ..., venues: _Optional[_Iterable[str]] = ..., markets: _Optional[_Iterable[_Union[Market, _Mapping[str, object]]]] = ..., feeds: _Optional[_Iterable[_Union[FeedStanding, _Mapping[str, object]]]] = ...) -> None: ...

class FeedStanding(_message.Message):
    __slots__ = ("venue", "state", "since", "audited_at", "audit_agreed")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    AUDITED_AT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_AGREED_FIELD_NUMBER: _ClassVar[int]
    venue: str
    state: State
    since: int
    audited_at: int
    audit_agreed: bool
    def __init__(self, venue: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., since: _Optional[int] = ..., audited_at: _Optional[int] = ..., audit_agreed: _Optional[bool] = ...) -> None: ...

class Market(_message.Message):
    __slots__ = ("venue", "symbol", "halted", "status", "tick", "lot", "min_amount", "min_notional")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    HALTED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    LOT_FIELD_NUMBER: _ClassVar[int]
    MIN_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MIN_NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    halted: bool
    status: str
    tick: str
    lot: str
    min_amount: str
    min_notional: str
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., halted: _Optional[bool] = ..., status: _Optional[str] = ..., tick: _Optional[str] = ..., lot: _Optional[str] = ..., min_amount: _Optional[str] = ..., min_notional: _Optional[str] = ...) -> None: ...

class BookRequest(_message.Message):
    __slots__ = ("instrument", "depth", "min_interval_ms")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    depth: int
    min_interval_ms: int
    def __init__(self, instrument: _Optional[str] = ..., depth: _Optional[int] = ..., min_interval_ms: _Optional[int] = ...) -> None: ...

class BboRequest(_message.Message):
    __slots__ = ("instruments", "min_interval_ms")
    INSTRUMENTS_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    instruments: _containers.RepeatedScalarFieldContainer[str]
    min_interval_ms: int
    def __init__(self, instruments: _Optional[_Iterable[str]] = ..., min_interval_ms: _Optional[int] = ...) -> None: ...

class GetBboRequest(_message.Message):
    __slots__ = ("instrument",)
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    def __init__(self, instrument: _Optional[str] = ...) -> None: ...

class LiquidityRequest(_message.Message):
    __slots__ = ("instrument", "depth", "min_interval_ms")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    depth: int
    min_interval_ms: int
    def __init__(self, instrument: _Optional[str] = ..., depth: _Optional[int] = ..., min_interval_ms: _Optional[int] = ...) -> None: ...

class ExecutableRequest(_message.Message):
    __slots__ = ("instrument", "side", "sizes", "in_quote", "venues", "fees", "min_interval_ms")
    class FeesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    IN_QUOTE_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    side: Side
    sizes: _containers.RepeatedScalarFieldContainer[float]
    in_quote: bool
    venues: _containers.RepeatedScalarFieldContainer[str]
    fees: _containers.ScalarMap[str, float]
    min_interval_ms: int
    def __init__(self, instrument: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., sizes: _Optional[_Iterable[float]] = ..., in_quote: _Optional[bool] = ..., venues: _Optional[_Iterable[str]] = ..., fees: _Optional[_Mapping[str, float]] = ..., min_interval_ms: _Optional[int] = ...) -> None: ...

class VenuesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListInstrumentsRequest(_message.Message):
    __slots__ = ("venue", "instrument")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    venue: str
    instrument: str
    def __init__(self, venue: _Optional[str] = ..., instrument: _Optional[str] = ...) -> None: ...

class ListInstrumentsResponse(_message.Message):
    __slots__ = ("instruments", "left_out")
    class LeftOutEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    INSTRUMENTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    instruments: _containers.RepeatedCompositeFieldContainer[Instrument]
    left_out: _containers.ScalarMap[str, int]
    def __init__(self, instruments: _Optional[_Iterable[_Union[Instrument, _Mapping[str, object]]]] = ..., left_out: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("view", "instrument", "depth")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    view: View
    instrument: str
    depth: int
    def __init__(self, view: _Optional[_Union[View, str]] = ..., instrument: _Optional[str] = ..., depth: _Optional[int] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("subscribe", "unsubscribe", "ack", "window")
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    subscribe: Subscription
    unsubscribe: Subscription
    ack: int
    window: int
    def __init__(self, subscribe: _Optional[_Union[Subscription, _Mapping[str, object]]] = ..., unsubscribe: _Optional[_Union[Subscription, _Mapping[str, object]]] = ..., ack: _Optional[int] = ..., window: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("subscription", "message", "code")
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    subscription: Subscription
    message: str
    code: int
    def __init__(self, subscription: _Optional[_Union[Subscription, _Mapping[str, object]]] = ..., message: _Optional[str] = ..., code: _Optional[int] = ...) -> None: ...

class SessionUpdate(_message.Message):
    __slots__ = ("book", "bbo", "liquidity", "refusal", "number")
    BOOK_FIELD_NUMBER: _ClassVar[int]
    BBO_FIELD_NUMBER: _ClassVar[int]
    LIQUIDITY_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    book: Book
    bbo: Bbo
    liquidity: Liquidity
    refusal: Refusal
    number: int
    def __init__(self, book: _Optional[_Union[Book, _Mapping[str, object]]] = ..., bbo: _Optional[_Union[Bbo, _Mapping[str, object]]] = ..., liquidity: _Optional[_Union[Liquidity, _Mapping[str, object]]] = ..., refusal: _Optional[_Union[Refusal, _Mapping[str, object]]] = ..., number: _Optional[int] = ...) -> None: ...
