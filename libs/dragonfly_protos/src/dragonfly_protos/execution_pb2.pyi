from dragonfly_protos import market_data_pb2 as _market_data_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Urgency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    URGENCY_UNSPECIFIED: _ClassVar[Urgency]
    URGENCY_LOW: _ClassVar[Urgency]
    URGENCY_MEDIUM: _ClassVar[Urgency]
    URGENCY_HIGH: _ClassVar[Urgency]

class OrderState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATE_UNSPECIFIED: _ClassVar[OrderState]
    ORDER_STATE_RUNNING: _ClassVar[OrderState]
    ORDER_STATE_PAUSED: _ClassVar[OrderState]
    ORDER_STATE_CANCELLING: _ClassVar[OrderState]
    ORDER_STATE_DONE: _ClassVar[OrderState]
    ORDER_STATE_CANCELLED: _ClassVar[OrderState]
    ORDER_STATE_EXPIRED: _ClassVar[OrderState]

class ReportKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPORT_KIND_UNSPECIFIED: _ClassVar[ReportKind]
    REPORT_KIND_NEW: _ClassVar[ReportKind]
    REPORT_KIND_CHILD: _ClassVar[ReportKind]
    REPORT_KIND_FILL: _ClassVar[ReportKind]
    REPORT_KIND_STATE: _ClassVar[ReportKind]
    REPORT_KIND_REPLACED: _ClassVar[ReportKind]

class ChildState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHILD_STATE_UNSPECIFIED: _ClassVar[ChildState]
    CHILD_STATE_SENT: _ClassVar[ChildState]
    CHILD_STATE_OPEN: _ClassVar[ChildState]
    CHILD_STATE_UNKNOWN: _ClassVar[ChildState]
    CHILD_STATE_CLOSED: _ClassVar[ChildState]
    CHILD_STATE_REFUSED: _ClassVar[ChildState]
    CHILD_STATE_NOT_ACCEPTED: _ClassVar[ChildState]
    CHILD_STATE_RESOLVED: _ClassVar[ChildState]
URGENCY_UNSPECIFIED: Urgency
URGENCY_LOW: Urgency
URGENCY_MEDIUM: Urgency
URGENCY_HIGH: Urgency
ORDER_STATE_UNSPECIFIED: OrderState
ORDER_STATE_RUNNING: OrderState
ORDER_STATE_PAUSED: OrderState
ORDER_STATE_CANCELLING: OrderState
ORDER_STATE_DONE: OrderState
ORDER_STATE_CANCELLED: OrderState
ORDER_STATE_EXPIRED: OrderState
REPORT_KIND_UNSPECIFIED: ReportKind
REPORT_KIND_NEW: ReportKind
REPORT_KIND_CHILD: ReportKind
REPORT_KIND_FILL: ReportKind
REPORT_KIND_STATE: ReportKind
REPORT_KIND_REPLACED: ReportKind
CHILD_STATE_UNSPECIFIED: ChildState
CHILD_STATE_SENT: ChildState
CHILD_STATE_OPEN: ChildState
CHILD_STATE_UNKNOWN: ChildState
CHILD_STATE_CLOSED: ChildState
CHILD_STATE_REFUSED: ChildState
CHILD_STATE_NOT_ACCEPTED: ChildState
CHILD_STATE_RESOLVED: ChildState

class Sweep(_message.Message):
    __slots__ = ("rounds",)
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    rounds: int
    def __init__(self, rounds: _Optional[int] = ...) -> None: ...

class Twap(_message.Message):
    __slots__ = ("end_ns", "start_ns", "interval_s", "randomise", "catch_up")
    END_NS_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    RANDOMISE_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    end_ns: int
    start_ns: int
    interval_s: float
    randomise: float
    catch_up: float
    def __init__(self, end_ns: _Optional[int] = ..., start_ns: _Optional[int] = ..., interval_s: _Optional[float] = ..., randomise: _Optional[float] = ..., catch_up: _Optional[float] = ...) -> None: ...

class ImplementationShortfall(_message.Message):
    __slots__ = ("end_ns", "start_ns", "urgency", "interval_s", "catch_up")
    END_NS_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    end_ns: int
    start_ns: int
    urgency: Urgency
    interval_s: float
    catch_up: float
    def __init__(self, end_ns: _Optional[int] = ..., start_ns: _Optional[int] = ..., urgency: _Optional[_Union[Urgency, str]] = ..., interval_s: _Optional[float] = ..., catch_up: _Optional[float] = ...) -> None: ...

class LiquidateRequest(_message.Message):
    __slots__ = ("client_id", "instrument", "side", "quantity", "limit", "max_slippage_bps", "sweep", "twap", "implementation_shortfall", "venues", "min_child", "max_child")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    TWAP_FIELD_NUMBER: _ClassVar[int]
    IMPLEMENTATION_SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    MIN_CHILD_FIELD_NUMBER: _ClassVar[int]
    MAX_CHILD_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    instrument: str
    side: _market_data_pb2.Side
    quantity: str
    limit: str
    max_slippage_bps: str
    sweep: Sweep
    twap: Twap
    implementation_shortfall: ImplementationShortfall
    venues: _containers.RepeatedScalarFieldContainer[str]
    min_child: str
    max_child: str
    def __init__(self, client_id: _Optional[str] = ..., instrument: _Optional[str] = ..., side: _Optional[_Union[_market_data_pb2.Side, str]] = ..., quantity: _Optional[str] = ..., limit: _Optional[str] = ..., max_slippage_bps: _Optional[str] = ..., sweep: _Optional[_Union[Sweep, _Mapping[str, object]]] = ..., twap: _Optional[_Union[Twap, _Mapping[str, object]]] = ..., implementation_shortfall: _Optional[_Union[ImplementationShortfall, _Mapping[str, object]]] = ..., venues: _Optional[_Iterable[str]] = ..., min_child: _Optional[str] = ..., max_child: _Optional[str] = ...) -> None: ...

class OrderRequest(_message.Message):
    __slots__ = ("order_id", "client_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    client_id: str
    def __init__(self, order_id: _Optional[str] = ..., client_id: _Optional[str] = ...) -> None: ...

class ReplaceRequest(_message.Message):
    __slots__ = ("order_id", "client_id", "quantity", "limit")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    client_id: str
    quantity: str
    limit: str
    def __init__(self, order_id: _Optional[str] = ..., client_id: _Optional[str] = ..., quantity: _Optional[str] = ..., limit: _Optional[str] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("order_id", "client_id", "child_id", "filled", "reason")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    client_id: str
    child_id: str
    filled: str
    reason: str
    def __init__(self, order_id: _Optional[str] = ..., client_id: _Optional[str] = ..., child_id: _Optional[str] = ..., filled: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: _Optional[bool] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, orders: _Optional[_Iterable[_Union[Order, _Mapping[str, object]]]] = ...) -> None: ...

class ReportsRequest(_message.Message):
    __slots__ = ("order_id", "after")
    class AfterEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    after: _containers.ScalarMap[str, int]
    def __init__(self, order_id: _Optional[str] = ..., after: _Optional[_Mapping[str, int]] = ...) -> None: ...

class KillRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ReviveRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetEngineRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Engine(_message.Message):
    __slots__ = ("engine", "paper", "killed", "venues")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PAPER_FIELD_NUMBER: _ClassVar[int]
    KILLED_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    engine: str
    paper: bool
    killed: bool
    venues: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, engine: _Optional[str] = ..., paper: _Optional[bool] = ..., killed: _Optional[bool] = ..., venues: _Optional[_Iterable[str]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("order_id", "client_id", "instrument", "side", "quantity", "limit", "algorithm", "state", "reason", "filled", "leaves", "reserved", "average", "fees", "unknown", "last_seq", "arrival_mid", "arrival", "interval")
    class FeesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_MID_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    client_id: str
    instrument: str
    side: _market_data_pb2.Side
    quantity: str
    limit: str
    algorithm: str
    state: OrderState
    reason: str
    filled: str
    leaves: str
    reserved: str
    average: str
    fees: _containers.ScalarMap[str, str]
    unknown: int
    last_seq: int
    arrival_mid: str
    arrival: _containers.RepeatedCompositeFieldContainer[ArrivalBook]
    interval: IntervalMid
    def __init__(self, order_id: _Optional[str] = ..., client_id: _Optional[str] = ..., instrument: _Optional[str] = ..., side: _Optional[_Union[_market_data_pb2.Side, str]] = ..., quantity: _Optional[str] = ..., limit: _Optional[str] = ..., algorithm: _Optional[str] = ..., state: _Optional[_Union[OrderState, str]] = ..., reason: _Optional[str] = ..., filled: _Optional[str] = ..., leaves: _Optional[str] = ..., reserved: _Optional[str] = ..., average: _Optional[str] = ..., fees: _Optional[_Mapping[str, str]] = ..., unknown: _Optional[int] = ..., last_seq: _Optional[int] = ..., arrival_mid: _Optional[str] = ..., arrival: _Optional[_Iterable[_Union[ArrivalBook, _Mapping[str, object]]]] = ..., interval: _Optional[_Union[IntervalMid, _Mapping[str, object]]] = ...) -> None: ...

class IntervalMid(_message.Message):
    __slots__ = ("mid", "seen_ns", "whole_ns")
    MID_FIELD_NUMBER: _ClassVar[int]
    SEEN_NS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_NS_FIELD_NUMBER: _ClassVar[int]
    mid: str
    seen_ns: int
    whole_ns: int
    def __init__(self, mid: _Optional[str] = ..., seen_ns: _Optional[int] = ..., whole_ns: _Optional[int] = ...) -> None: ...

class ArrivalBook(_message.Message):
    __slots__ = ("venue", "levels", "fee_bps")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    FEE_BPS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    levels: _containers.RepeatedCompositeFieldContainer[ArrivalLevel]
    fee_bps: str
    def __init__(self, venue: _Optional[str] = ..., levels: _Optional[_Iterable[_Union[ArrivalLevel, _Mapping[str, object]]]] = ..., fee_bps: _Optional[str] = ...) -> None: ...

class ArrivalLevel(_message.Message):
    __slots__ = ("price", "amount")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    price: str
    amount: str
    def __init__(self, price: _Optional[str] = ..., amount: _Optional[str] = ...) -> None: ...

class Estimate(_message.Message):
    __slots__ = ("first", "executable", "engine")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    EXECUTABLE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    first: str
    executable: _market_data_pb2.Executable
    engine: Engine
    def __init__(self, first: _Optional[str] = ..., executable: _Optional[_Union[_market_data_pb2.Executable, _Mapping[str, object]]] = ..., engine: _Optional[_Union[Engine, _Mapping[str, object]]] = ...) -> None: ...

class Child(_message.Message):
    __slots__ = ("child_id", "venue", "state", "amount", "limit", "filled", "text")
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    child_id: str
    venue: str
    state: ChildState
    amount: str
    limit: str
    filled: str
    text: str
    def __init__(self, child_id: _Optional[str] = ..., venue: _Optional[str] = ..., state: _Optional[_Union[ChildState, str]] = ..., amount: _Optional[str] = ..., limit: _Optional[str] = ..., filled: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("venue", "trade_id", "price", "amount", "fee", "fee_asset", "ts_event")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    FEE_ASSET_FIELD_NUMBER: _ClassVar[int]
    TS_EVENT_FIELD_NUMBER: _ClassVar[int]
    venue: str
    trade_id: str
    price: str
    amount: str
    fee: str
    fee_asset: str
    ts_event: int
    def __init__(self, venue: _Optional[str] = ..., trade_id: _Optional[str] = ..., price: _Optional[str] = ..., amount: _Optional[str] = ..., fee: _Optional[str] = ..., fee_asset: _Optional[str] = ..., ts_event: _Optional[int] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("order_id", "seq", "kind", "state", "cum", "leaves", "average", "fees", "ts", "reason", "child", "fill")
    class FeesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CUM_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    TS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CHILD_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    seq: int
    kind: ReportKind
    state: OrderState
    cum: str
    leaves: str
    average: str
    fees: _containers.ScalarMap[str, str]
    ts: int
    reason: str
    child: Child
    fill: Fill
    def __init__(self, order_id: _Optional[str] = ..., seq: _Optional[int] = ..., kind: _Optional[_Union[ReportKind, str]] = ..., state: _Optional[_Union[OrderState, str]] = ..., cum: _Optional[str] = ..., leaves: _Optional[str] = ..., average: _Optional[str] = ..., fees: _Optional[_Mapping[str, str]] = ..., ts: _Optional[int] = ..., reason: _Optional[str] = ..., child: _Optional[_Union[Child, _Mapping[str, object]]] = ..., fill: _Optional[_Union[Fill, _Mapping[str, object]]] = ...) -> None: ...
