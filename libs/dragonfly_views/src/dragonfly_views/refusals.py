"""Refusals of callers, in words of no protocol, and the checks that every gateway makes. Pure.

A refusal is one sentence that names the input, the rule and the remedy, and a code. Each gateway
says the code in its own protocol: as a gRPC status, an HTTP status, a reject of FIX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final

from dragonfly_common.equivalence import normalise_market
from dragonfly_common.errors import DragonflyError, InstrumentError
from dragonfly_common.spelling import meant
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import MAX_DEPTH, is_instrument

__all__ = [
    "LONGEST_QUOTED",
    "CallRefusedError",
    "RefusalCode",
    "check_depth",
    "check_instrument",
    "check_instruments",
    "check_market",
    "check_room",
    "check_view_depth",
    "invalid",
]

LONGEST_QUOTED: Final = 60
"""How much of a caller's own words a sentence repeats."""


class RefusalCode(Enum):
    """Every kind of refusal: what a program does about it."""

    INVALID = "invalid"
    """The request breaks a rule: mend it."""
    NOT_FOUND = "not_found"
    """No venue lists it, or it is not there: ask for something else."""
    DUPLICATE = "duplicate"
    """It is subscribed already."""
    OVER_LIMIT = "over_limit"
    """A quota or a limit is reached: give something up first."""
    UNKNOWN_CALLER = "unknown_caller"
    """The gateway does not know who asks: show a token or a certificate that it knows."""
    UNAVAILABLE = "unavailable"
    """The gateway cannot say now: try again, or another gateway."""
    OVERDUE = "overdue"
    """The caller did not send in time what it was to send."""
    PRECONDITION = "precondition"
    """The object of the call does not allow it as it stands."""
    OUT_OF_RANGE = "out_of_range"
    """An amount or a price that no venue takes."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """It may have been done, or may be yet: ask how things stand."""
    STALLED = "stalled"
    """The caller does not take what it is sent."""


class CallRefusedError(DragonflyError):
    """A request that is refused, or a stream that is ended; the caller gets both values."""

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def invalid(sentence: str) -> CallRefusedError:
    """Return the refusal of a request that breaks a rule."""
    return CallRefusedError(RefusalCode.INVALID, sentence)


def check_instrument(text: str, lists: Callable[[str], bool]) -> str:
    """Return `text` if it is an instrument's normalised name.

    The refusal of another spelling names what of that `lists` knows.
    """
    if is_instrument(text):
        return text
    shown = repr(text[:LONGEST_QUOTED])
    rule = "write BASE-QUOTE in upper case, for example ETH-BTC"
    if (name := meant(text, lists)) is not None:
        rule = f"did you mean {name}? Write BASE-QUOTE in upper case"
    raise invalid(f"{shown} is not an instrument: {rule}" if text else f"no instrument: {rule}")


def check_market(text: str, lists: Callable[[str], bool]) -> str:
    """Return `text` if it is the normalised name of an instrument, or an equivalence."""
    if "+" not in text:
        return check_instrument(text, lists)
    try:
        name = normalise_market(text)
    except InstrumentError as error:
        raise invalid(str(error)) from None
    if name != text:
        raise invalid(f"{text[:LONGEST_QUOTED]!r} is not in its normal form: write {name}")
    return name


def check_instruments(
    names: Sequence[str], most: int, lists: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return `names` if they are one to `most` different instruments or equivalences."""
    if not names:
        raise invalid("no instruments: name at least one, for example ETH-BTC")
    if len(names) > most:
        raise _too_many_instruments(len(names), most)
    seen: set[str] = set()
    for name in names:
        if check_market(name, lists) in seen:
            raise invalid(f"{name} is named twice: name each instrument once")
        seen.add(name)
    return tuple(names)


def check_room(instruments: Iterable[str], wanted: str, most: int) -> None:
    """Refuse one more instrument in a session that holds `most` others."""
    others = {*instruments} - {wanted}
    if len(others) >= most:
        raise _too_many_instruments(len(others) + 1, most)


def check_depth(depth: int, most: int) -> int:
    """Return the levels a side that `depth` asks for; 0 asks for all."""
    if depth > most:
        raise invalid(f"depth {depth} is out of range: give 1 to {most}, or 0 for all {most}")
    return depth or most


def check_view_depth(kind: ViewKind, depth: int, most: int) -> int:
    """Return the levels a side that a subscription asks for; a BBO has one."""
    if kind is not ViewKind.BBO:
        return check_depth(depth, most)
    if depth > 1:
        raise invalid(f"depth {depth} of a BBO, which is one level a side: give 0 or 1")
    return MAX_DEPTH


def _too_many_instruments(count: int, most: int) -> CallRefusedError:
    return CallRefusedError(
        RefusalCode.OVER_LIMIT,
        f"{count} instruments in one stream: at most {most}; open another stream for the rest",
    )
