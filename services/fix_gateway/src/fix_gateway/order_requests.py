"""Orders that customers send, in the words of the order channel. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec
from dragonfly_common.errors import DecodeError, DragonflyError
from dragonfly_common.types import OrderSide
from dragonfly_fix.codec import Field, FixMessage, encode_fields
from dragonfly_fix.fix44 import FIX44
from dragonfly_fix.timestamps import parse_timestamp
from dragonfly_orders.messages import (
    Algorithm,
    Command,
    CommandBody,
    ImplementationShortfall,
    Liquidate,
    OrderState,
    Participate,
    Replace,
    Resume,
    Sweep,
    Twap,
    decode_from_front_end,
    encode,
)

from fix_gateway.order_reports import PRICED, FixOrder

__all__ = [
    "OrderRefusedError",
    "RejectedFor",
    "number_of",
    "read_change",
    "read_order",
    "words_of",
]


class RejectedFor:
    """OrdRejReason (103)."""

    BROKER: Final = 0
    SYMBOL: Final = 1
    LIMIT: Final = 3
    UNKNOWN: Final = 5
    DUPLICATE: Final = 6
    UNSUPPORTED: Final = 11
    QUANTITY: Final = 13
    OTHER: Final = 99


class OrderRefusedError(DragonflyError):
    """An order that is not passed on: OrdRejReason (103) and Text (58)."""

    def __init__(self, reason: int, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


READ: Final = frozenset(
    [11, 18, 38, 40, 44, 54, 55, 59, 60, 100, 110, 111, 126, 168, 847, 848, 849, 957, 958, 959, 960]
)
PASSED_OVER: Final = frozenset([1, 21, 58, 526, 528, 581, 582, 583, 660])
"""What changes nothing about how an order is worked."""
NAMES_OF_ONE: Final = frozenset([11, 37, 41, 60, *PASSED_OVER])
"""What another message about the same order may have otherwise."""
CHANGEABLE: Final = frozenset([38, 44])

MARKET: Final = "1"
IMMEDIATE: Final = b"3"
TIMES_IN_FORCE: Final = {b"0", b"1", IMMEDIATE, b"6"}
SIDES: Final = {b"1": OrderSide.BUY, b"2": OrderSide.SELL}
CANCEL_ON_DISCONNECT: Final = b"Q"
WORK_TO_STRATEGY: Final = b"e"

STRATEGIES: Final[Mapping[str, type[Algorithm]]] = {
    "sweep": Sweep,
    "twap": Twap,
    "participate": Participate,
    "is": ImplementationShortfall,
}
NUMBERS: Final = {b"1000": "sweep", b"1001": "twap", b"2": "participate", b"1003": "is"}
"""TargetStrategy (847)."""
FIELDS: Final = {
    "end_ns": "ExpireTime (126)",
    "start_ns": "EffectiveTime (168)",
    "rate": "ParticipationRate (849)",
}
"""What a strategy is told by fields of their own, not in 848."""
LONGEST_SHOWN: Final = 40


def read_order(
    message: FixMessage, comp_id: str, order_id: str, client_id: str, *, cancels: bool
) -> tuple[FixOrder, Liquidate]:
    """Read a NewOrderSingle (D) that the dictionary has passed.

    Args:
        message: the order.
        comp_id: whose it is.
        order_id: its id (37).
        client_id: its name on the order channel.
        cancels: whether orders of `comp_id` are cancelled when its line breaks.

    Raises:
        OrderRefusedError: it cannot be passed on.
    """
    body = _body(message)
    strange = next((tag for tag, _ in body if tag not in READ | PASSED_OVER), None)
    if strange is not None:
        raise _unsupported(f"the field {strange} is not served: leave it out")
    side = SIDES.get(message.get(54) or b"")
    if side is None:
        raise _unsupported("Side (54) must be 1 (buy) or 2 (sell)")
    quantity = number_of(message, 38)
    if quantity is None:
        raise OrderRefusedError(
            RejectedFor.QUANTITY, "no quantity: give OrderQty (38), in the base"
        )
    order_type = _text(message, 40)
    if order_type not in {MARKET, PRICED}:
        raise _unsupported("OrdType (40) must be 1 (market) or 2 (limit)")
    price = number_of(message, 44)
    if (price is not None) is not (order_type == PRICED):
        raise _bad("Price (44) is for limit orders (40=2), which must have one")
    time_in_force = message.get(59) or b""
    if time_in_force and time_in_force not in TIMES_IN_FORCE:
        raise _unsupported("TimeInForce (59) must be 0, 1, 3 or 6, or left out")
    instructions = set((message.get(18) or b"").split())
    if instructions - {CANCEL_ON_DISCONNECT, WORK_TO_STRATEGY}:
        raise _unsupported(
            "ExecInst (18) may have e (work to strategy) and Q (cancel where the line breaks)"
        )
    strategy, options = _strategy(message)
    slippage = options.pop("max_slippage_bps", None)
    if order_type == MARKET and slippage is None:
        raise _bad(
            "a market order (40=1) needs a bound: give 848=max_slippage_bps=N, or a limit (40=2)"
        )
    order = FixOrder(
        comp_id=comp_id,
        order_id=order_id,
        cl_ord_id=_text(message, 11),
        symbol=_text(message, 55),
        side=_text(message, 54),
        order_type=order_type,
        time_in_force=_text(message, 59),
        quantity=quantity,
        price=price,
        strategy=_shown(strategy, options, slippage),
        cancels=cancels or CANCEL_ON_DISCONNECT in instructions,
        leaves=quantity,
        words=words_of(message),
    )
    wish = Liquidate(
        client_id=client_id,
        instrument=order.symbol,
        side=side,
        quantity=quantity,
        algorithm=_algorithm(message, strategy, options),
        limit=price,
        max_slippage_bps=None if slippage is None else _amount("max_slippage_bps", slippage),
        venues=tuple(_text(message, 100).lower().replace(",", " ").split()),
        min_child=number_of(message, 110),
        max_child=number_of(message, 111),
    )
    _check_sendable(wish)
    return order, wish


def read_change(message: FixMessage, order: FixOrder) -> Replace | Resume:
    """Read an OrderCancelReplaceRequest (G) of an order.

    One that changes nothing lets a suspended order go on: what is replaced is not suspended, as
    the request does not say so (ExecInst (18) S).

    Raises:
        OrderRefusedError: it cannot be passed on.
    """
    was = dict(_pairs(order.words))
    for tag, value in _body(message):
        if tag not in NAMES_OF_ONE | CHANGEABLE and was.get(tag) != value:
            raise _bad(
                f"the field {tag} cannot be changed: OrderQty (38) and Price (44) can, all else"
                " must be as it was, or be left out"
            )
    quantity, price = number_of(message, 38), number_of(message, 44)
    if (price is None) is (order.order_type == PRICED):
        raise _bad("Price (44) is for limit orders (40=2), which must have one")
    change = Replace(
        order.order_id,
        quantity if quantity != order.quantity else None,
        price if price != order.price else None,
    )
    if order.state is OrderState.PAUSED and change == Replace(order.order_id):
        return Resume(order.order_id)
    _check_sendable(change)
    return change


def words_of(message: FixMessage) -> bytes:
    """Return what a message asks for, to hold a repetition against."""
    return encode_fields(sorted(field for field in _body(message) if field[0] != 60))


def _check_sendable(body: CommandBody) -> None:
    """Refuse what the channel does not carry: a number out of range, an id that is none."""
    try:
        decode_from_front_end(encode(Command("check", "check", body)))
    except DecodeError as error:
        raise _bad(str(error).partition(": ")[2]) from None


def _strategy(message: FixMessage) -> tuple[str, dict[str, str]]:
    text = _text(message, 848)
    parts = [part.partition("=") for part in text.split(";") if part]
    names = [value.decode() for tag, value in message.fields if tag == 958]
    values = [value.decode() for tag, value in message.fields if tag == 960]
    given = [(name.strip(), value.strip()) for name, _, value in parts]
    given += zip(names, values, strict=False)
    options = dict(given)
    if len(options) < len(given) or len(names) != len(values):
        raise _bad(
            "a strategy parameter (848, 958) is given twice, or has no value: give each once"
        )
    number = message.get(847)
    if number is not None and number not in NUMBERS:
        raise _unsupported(
            "TargetStrategy (847) must be 1000 (sweep), 1001 (twap), 2 (participate) or"
            " 1003 (implementation shortfall)"
        )
    named = options.pop("strategy", None)
    strategy = NUMBERS[number] if number is not None else named or "sweep"
    if strategy not in STRATEGIES or named not in {None, strategy}:
        raise _bad(
            "strategy (848) must be sweep, twap, participate or is, and the one of 847 where that"
            " is given"
        )
    return strategy, options


def _algorithm(message: FixMessage, strategy: str, options: dict[str, str]) -> Algorithm:
    given: dict[str, object] = dict(options)
    for tag, name in ((168, "start_ns"), (126, "end_ns")):
        value = message.get(tag)
        if value is not None:
            given[name] = parse_timestamp(value)
    if message.get(849) is not None:
        given["rate"] = _text(message, 849)
    if message.get(59) == IMMEDIATE:
        if strategy != "sweep" or "rounds" in given:
            raise _bad("TimeInForce (59) 3 is a sweep of one round: leave 59, or the strategy, out")
        given["rounds"] = 1
    fields = {field.name: field for field in msgspec.structs.fields(STRATEGIES[strategy])}
    for name in given:
        if name not in fields:
            shown = FIELDS.get(name, repr(name[:LONGEST_SHOWN]))
            raise _bad(f"strategy {strategy} has no {shown}: leave it out")
    for name, field in fields.items():
        if field.required and name not in given:
            raise _bad(f"strategy {strategy} needs {FIELDS.get(name, name)}: give it")
    try:
        return msgspec.convert(given, STRATEGIES[strategy], strict=False)
    except msgspec.ValidationError as error:
        rule, _, name = str(error).replace("`", "").partition(" - at $.")
        shown = f"{FIELDS.get(name, name)} {str(given[name])[:LONGEST_SHOWN]!r}"
        raise _bad(f"{shown} of strategy {strategy} cannot be: {rule.lower()}") from None


def _shown(strategy: str, options: Mapping[str, str], slippage: str | None) -> str:
    bound = {} if slippage is None else {"max_slippage_bps": slippage}
    said = {"strategy": strategy, **options, **bound}
    return ";".join(f"{name}={value}" for name, value in said.items())


def number_of(message: FixMessage, tag: int) -> Decimal | None:
    """Return a field that the dictionary has as a number; None where it is not there."""
    value = message.get(tag)
    return None if value is None else Decimal(value.decode())


def _amount(name: str, text: str) -> Decimal:
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        raise _bad(f"{name} {text[:20]!r} is no amount: write decimal text, for example 12.5")
    return Decimal(text)


def _text(message: FixMessage, tag: int) -> str:
    return (message.get(tag) or b"").decode(errors="replace")


def _body(message: FixMessage) -> list[Field]:
    header = FIX44.header.members
    return [field for field in message.fields if field[0] not in header]


def _pairs(words: bytes) -> list[Field]:
    parts = (part.partition(b"=") for part in words.split(b"\x01") if part)
    return [(int(tag), value) for tag, _, value in parts]


def _bad(sentence: str) -> OrderRefusedError:
    return OrderRefusedError(RejectedFor.OTHER, sentence)


def _unsupported(sentence: str) -> OrderRefusedError:
    return OrderRefusedError(RejectedFor.UNSUPPORTED, sentence)
