"""Every message between a front end (gRPC, FIX, terminal) and the execution engine. Pure.

    front end ─▶ engine   FrontEndHello, Command, ReportAck
    engine ─▶ front end   EngineHello, CommandAnswer, Report

A command has an id that its front end made, and is sent again under the same id until it is
answered: the engine carries it out once, and gives the stored answer to each further copy. Reports
are numbered from 1 for each order and sent until they are acknowledged; a receiver drops what it
has. Money is decimal text on the wire and `Decimal` in the program, never a float.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, TypeVar
from uuid import UUID, uuid5

import msgspec
from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide

__all__ = [
    "FINAL_STATES",
    "NAMESPACE",
    "Algorithm",
    "AnswerCode",
    "ArrivalTop",
    "Cancel",
    "ChildNews",
    "ChildState",
    "Command",
    "CommandAnswer",
    "CommandBody",
    "EngineHello",
    "FillNews",
    "FinalStatusOf",
    "FromEngine",
    "FromFrontEnd",
    "FrontEndHello",
    "ImplementationShortfall",
    "IntervalMid",
    "Kill",
    "Liquidate",
    "ListOrders",
    "OrderState",
    "OrderStatus",
    "Participate",
    "Pause",
    "Replace",
    "Report",
    "ReportAck",
    "ReportKind",
    "Resolve",
    "Resume",
    "Revive",
    "StatusOf",
    "Sweep",
    "Twap",
    "Urgency",
    "decode_from_engine",
    "decode_from_front_end",
    "encode",
    "order_id",
    "owner_by_fix",
]

LONGEST_ID: Final = 64
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID, pattern=r"^[!-~]+$")]
Time = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Nanoseconds UTC."""
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


NAMESPACE: Final = UUID("6d1f0c5e-5d0b-5a53-9a4e-0d6f3c1b7a10")
"""Of all ids that are derived from others."""


def order_id(owner: str, client_id: str) -> str:
    """Return the id of an owner's order: the same for the same `client_id`, for ever."""
    return str(uuid5(NAMESPACE, f"{owner}\n{client_id}"))


def owner_by_fix(comp_id: str) -> str:
    """Return the owner of what a CompID orders by FIX; no token has such a name."""
    return f"fix:{comp_id}"


# Commands


class Sweep(msgspec.Struct, frozen=True, tag="sweep", forbid_unknown_fields=True):
    """All of it now, over all venues by fee-adjusted price, again and again as books refill."""

    rounds: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    """After so many the rest is left."""


class Twap(msgspec.Struct, frozen=True, tag="twap", forbid_unknown_fields=True):
    """Equal slices in time."""

    end_ns: Time
    start_ns: Time = 0
    """0: at acceptance."""
    interval_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30.0
    randomise: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.2
    """How much of an interval a slice may come sooner or later; the same after a restart."""
    catch_up: Annotated[float, msgspec.Meta(ge=1, le=10)] = 3.0
    """How many slices may go at once where earlier ones could not be filled."""


class Urgency(StrEnum):
    """How much of an implementation shortfall schedule comes early."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ImplementationShortfall(msgspec.Struct, frozen=True, tag="is", forbid_unknown_fields=True):
    """The Almgren-Chriss schedule: more at first, the more urgent the more so."""

    end_ns: Time
    start_ns: Time = 0
    urgency: Urgency = Urgency.MEDIUM
    interval_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30.0
    catch_up: Annotated[float, msgspec.Meta(ge=1, le=10)] = 3.0


class Participate(msgspec.Struct, frozen=True, tag="pov", forbid_unknown_fields=True):
    """A share of the traded volume. Refused as long as no venue's trades are followed."""

    rate: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    end_ns: Time


Algorithm = Sweep | Twap | ImplementationShortfall | Participate


class Liquidate(msgspec.Struct, frozen=True, tag="liquidate", forbid_unknown_fields=True):
    """Work an order. The same `client_id` with the same words is the same order, ever after."""

    client_id: Id
    """The customer's name of the order, which its owner gives once."""
    instrument: str
    side: OrderSide
    quantity: Decimal
    """In the base."""
    algorithm: Algorithm
    limit: Decimal | None = None
    """No fill is worse. None: the slippage bound and the engine's collar are all there is."""
    max_slippage_bps: Decimal | None = None
    """No child's limit is further from the mid of its decision."""
    venues: tuple[str, ...] = ()
    """Only these; none named: all that the engine may use."""
    min_child: Decimal | None = None
    max_child: Decimal | None = None
    dry_run: bool = False
    """Check it, and say in the answer what would be done first; nothing is journalled."""


class Cancel(msgspec.Struct, frozen=True, tag="cancel", forbid_unknown_fields=True):
    """End an order: nothing more is sent; it is CANCELLED when every child's fate is known."""

    order_id: Id


class Replace(msgspec.Struct, frozen=True, tag="replace", forbid_unknown_fields=True):
    """Change an order's total quantity or limit; what is None stays."""

    order_id: Id
    quantity: Decimal | None = None
    limit: Decimal | None = None


class Pause(msgspec.Struct, frozen=True, tag="pause", forbid_unknown_fields=True):
    """Send nothing more for now."""

    order_id: Id


class Resume(msgspec.Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Go on, also after a restart of the engine, which pauses all orders."""

    order_id: Id


class Resolve(msgspec.Struct, frozen=True, tag="resolve", forbid_unknown_fields=True):
    """End the doubt about a child by the word of a person, who looked at its venue's own lists."""

    order_id: Id
    child_id: Id
    filled: Decimal
    """What the venue shows as filled of it: it must be what is counted of it."""
    reason: str


class Kill(msgspec.Struct, frozen=True, tag="kill", forbid_unknown_fields=True):
    """Stop everything: all orders are cancelled, and none is taken until `Revive`."""

    reason: str = ""


class Revive(msgspec.Struct, frozen=True, tag="revive", forbid_unknown_fields=True):
    """Take orders again after a kill. What was cancelled stays so."""


class StatusOf(msgspec.Struct, frozen=True, tag="status", forbid_unknown_fields=True):
    """Ask for one order, by the engine's id or by the owner's `client_id`."""

    order_id: str = ""
    client_id: str = ""

    def wanted(self, owner: str) -> str:
        """Return the id of the order that `owner` asks for."""
        return self.order_id or order_id(owner, self.client_id)


class FinalStatusOf(msgspec.Struct, frozen=True, tag="final_status", forbid_unknown_fields=True):
    """Ask whether an order came, once and for all: after NOT_FOUND it is refused when it does."""

    client_id: Id

    def wanted(self, owner: str) -> str:
        """Return the id of the order that `owner` asks for."""
        return order_id(owner, self.client_id)


class ListOrders(msgspec.Struct, frozen=True, tag="list", forbid_unknown_fields=True):
    """Ask for all orders of the front end; of all owners with `everyone`."""

    everyone: bool = False
    open_only: bool = True


CommandBody = (
    Liquidate
    | Cancel
    | Replace
    | Pause
    | Resume
    | Resolve
    | Kill
    | Revive
    | StatusOf
    | FinalStatusOf
    | ListOrders
)


class Command(msgspec.Struct, frozen=True, tag="command"):
    """One wish, to be carried out once however often it arrives."""

    id: Id
    owner: Id
    """On whose behalf: whom the front end has authenticated. Orders belong to it."""
    body: CommandBody


# Answers and reports


class OrderState(StrEnum):
    """The state of an order."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    """Nothing more is sent; the fate of some child is not known yet."""
    DONE = "done"
    """All of it is filled, or what is left is too little for any venue."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Its time or its rounds are over, and something is left."""


FINAL_STATES: Final = frozenset({OrderState.DONE, OrderState.CANCELLED, OrderState.EXPIRED})


class ChildState(StrEnum):
    """The state of an order at a venue."""

    SENT = "sent"
    """Journalled and handed to the venue's client; no answer so far."""
    OPEN = "open"
    UNKNOWN = "unknown"
    """Its outcome is in doubt: its amount stays reserved until the venue's word resolves it."""
    CLOSED = "closed"
    REFUSED = "refused"
    NOT_ACCEPTED = "not_accepted"
    """It was UNKNOWN, and the venue has proven that it never had it."""
    RESOLVED = "resolved"
    """It was UNKNOWN, its venue has denied it, and a person said that no more of it is filled."""


class ArrivalTop(msgspec.Struct, frozen=True):
    """One venue's side of the book that an order met when it was taken."""

    venue: str
    levels: tuple[tuple[Decimal, Decimal], ...]
    """(price, amount), best first, of the side that the order takes."""
    fee: Decimal | None
    """Of a taker, as a share of the notional; None: not known."""


class IntervalMid(msgspec.Struct, frozen=True):
    """Where the market stood while an order was worked, from its arrival to its end, or so far."""

    mid: Decimal
    """Of the merged live book, weighted by time."""
    seen_ns: int
    """For how long there was one; it counts for nothing while the engine was down, or no venue
    was live."""
    whole_ns: int
    """How long the interval is."""


class OrderStatus(msgspec.Struct, frozen=True):
    """An order as it stands."""

    order_id: str
    owner: str
    client_id: str
    instrument: str
    side: OrderSide
    quantity: Decimal
    limit: Decimal | None
    algorithm: str
    state: OrderState
    reason: str
    filled: Decimal
    leaves: Decimal
    """What may still be filled; 0 once the state is final."""
    reserved: Decimal
    """Of children whose fate is open or unknown."""
    average: Decimal | None
    """Gross, of all fills."""
    fees: dict[str, Decimal]
    """By asset."""
    unknown: int
    """Children in doubt."""
    last_seq: int
    """Of its reports."""
    arrival_mid: Decimal | None = None
    interval: IntervalMid | None = None
    """None: not known, as no live book was seen so far."""
    arrival: tuple[ArrivalTop, ...] = ()
    """In the answers to `StatusOf` and `FinalStatusOf` alone."""


class AnswerCode(StrEnum):
    """What a program does about an answer."""

    ACCEPTED = "accepted"
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    FAILED_PRECONDITION = "failed_precondition"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    """A limit of the engine, which the text names."""
    OUT_OF_RANGE = "out_of_range"
    """Lot, tick or minimum."""


class CommandAnswer(msgspec.Struct, frozen=True, tag="answer"):
    """What became of a command, stored with it."""

    id: str
    code: AnswerCode
    text: str = ""
    order_id: str = ""
    orders: tuple[OrderStatus, ...] = ()


class ReportKind(StrEnum):
    """What a report tells."""

    NEW = "new"
    CHILD = "child"
    FILL = "fill"
    STATE = "state"
    REPLACED = "replaced"


class ChildNews(msgspec.Struct, frozen=True):
    """A child as it stands at a report."""

    child_id: str
    venue: str
    state: ChildState
    amount: Decimal
    limit: Decimal
    filled: Decimal
    text: str = ""


class FillNews(msgspec.Struct, frozen=True):
    """One fill, counted once."""

    venue: str
    trade_id: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    ts_event: int | None


class Report(msgspec.Struct, frozen=True, tag="report"):
    """One fact of an order, and how the order stands with it."""

    order_id: str
    owner: str
    seq: Seq
    kind: ReportKind
    state: OrderState
    cum: Decimal
    leaves: Decimal
    average: Decimal | None
    fees: dict[str, Decimal]
    ts: int
    reason: str = ""
    child: ChildNews | None = None
    fill: FillNews | None = None


class ReportAck(msgspec.Struct, frozen=True, tag="ack"):
    """The front end has handed on the report `seq` of an order, and all before it."""

    order_id: Id
    seq: Seq


class FrontEndHello(msgspec.Struct, frozen=True, tag="hello"):
    """The front end is there; said first, and again each second: a sign of life."""

    front_end: Id
    """Its name, the same after a restart: its acknowledgements are kept under it."""
    owners: tuple[Id, ...] = ()
    """Whose reports it wants; none named: everybody's."""
    restart: bool = False
    """It has nothing of before: reports begin after `seqs`, and where that names none, at 1."""
    seqs: dict[str, Seq] = {}
    """By order: the last report that it has."""


class EngineHello(msgspec.Struct, frozen=True, tag="welcome"):
    """The answer to `FrontEndHello`."""

    engine: str
    paper: bool
    """No venue of it is real."""
    killed: bool
    venues: tuple[str, ...]
    """Where it may trade now."""
    acked: dict[str, Seq] | None = None
    """Said once on each connection, before any report: by order, after which report its reports
    begin; of an order that is not named, at 1."""


FromFrontEnd = FrontEndHello | Command | ReportAck
FromEngine = EngineHello | CommandAnswer | Report

_encoder = msgspec.msgpack.Encoder()
_from_front_end: msgspec.msgpack.Decoder[FromFrontEnd] = msgspec.msgpack.Decoder(FromFrontEnd)
_from_engine: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)
_FAILURES: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MemoryError)

T = TypeVar("T")


def encode(message: FromFrontEnd | FromEngine) -> bytes:
    return _encoder.encode(message)


def decode_from_front_end(payload: bytes) -> FromFrontEnd:
    """Decode what a front end sent.

    Raises:
        DecodeError: `bad_order_message`.
    """
    return _decode(_from_front_end, payload)


def decode_from_engine(payload: bytes) -> FromEngine:
    """Decode what the engine sent.

    Raises:
        DecodeError: `bad_order_message`.
    """
    return _decode(_from_engine, payload)


def _decode(decoder: msgspec.msgpack.Decoder[T], payload: bytes) -> T:
    try:
        return decoder.decode(payload)
    except _FAILURES as error:
        raise DecodeError("bad_order_message", str(error)[:200]) from None
