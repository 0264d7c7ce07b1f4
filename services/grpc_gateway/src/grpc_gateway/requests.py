"""What a bot may ask for, field by field. Pure: each function returns the value or refuses it.

A refusal is one sentence that names the input, the rule and the remedy, and a gRPC status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from dragonfly_common.errors import DragonflyError
from dragonfly_common.spelling import meant
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import MAX_DEPTH, is_instrument
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

__all__ = [
    "LONGEST_QUOTED",
    "MAX_WINDOW",
    "RefusedError",
    "check_depth",
    "check_instrument",
    "check_instruments",
    "check_interval",
    "check_no_interval",
    "check_room",
    "check_view",
    "check_view_depth",
    "check_window",
    "legacy_instrument",
    "legacy_interval",
    "parse",
]

MAX_WINDOW: Final = 1024
MAX_INTERVAL_MS: Final = 60_000
INSTRUMENT_METADATA: Final = "instrument"
INTERVAL_METADATA: Final = "min-interval-ms"
LONGEST_QUOTED: Final = 60
"""How much of a bot's own words a sentence repeats."""

M = TypeVar("M", bound=Message)

_VIEW_KINDS: Final[dict[int, ViewKind]] = {
    pb.VIEW_BOOK: ViewKind.BOOK,
    pb.VIEW_BBO: ViewKind.BBO,
    pb.VIEW_LIQUIDITY: ViewKind.LIQUIDITY,
}


class RefusedError(DragonflyError):
    """A request that is refused, or a stream that is ended; the bot gets both values."""

    def __init__(self, code: StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def parse(kind: type[M], payload: bytes) -> M:
    """Return the request that `payload` encodes, which holds no field that is not known here."""
    name = kind.DESCRIPTOR.full_name
    try:
        request = kind.FromString(payload)
    except DecodeError:
        raise _invalid(f"{len(payload)} bytes that are no {name}: see the contract") from None
    size = request.ByteSize()
    request.DiscardUnknownFields()
    if unknown := size - request.ByteSize():
        raise _invalid(
            f"{unknown} bytes of this {name} are fields that this gateway does not know:"
            " leave them out, or ask a gateway of their version"
        )
    return request


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
    raise _invalid(f"{shown} is not an instrument: {rule}" if text else f"no instrument: {rule}")


def check_instruments(
    names: Sequence[str], most: int, lists: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return `names` if they are one to `most` different instruments."""
    if not names:
        raise _invalid("no instruments: name at least one, for example ETH-BTC")
    if len(names) > most:
        raise _too_many_instruments(len(names), most)
    seen: set[str] = set()
    for name in names:
        if check_instrument(name, lists) in seen:
            raise _invalid(f"{name} is named twice: name each instrument once")
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
        raise _invalid(f"depth {depth} is out of range: give 1 to {most}, or 0 for all {most}")
    return depth or most


def check_view_depth(kind: ViewKind, depth: int, most: int) -> int:
    """Return the levels a side that a subscription asks for; a BBO has one."""
    if kind is not ViewKind.BBO:
        return check_depth(depth, most)
    if depth > 1:
        raise _invalid(f"depth {depth} of a BBO, which is one level a side: give 0 or 1")
    return MAX_DEPTH


def check_view(view: int) -> ViewKind:
    """Return the kind of view that a subscription names."""
    kind = _VIEW_KINDS.get(view)
    if kind is None:
        what = "no view" if view == pb.VIEW_UNSPECIFIED else f"view {view} is not known"
        raise _invalid(f"{what}: give VIEW_BOOK, VIEW_BBO or VIEW_LIQUIDITY")
    return kind


def check_window(window: int, default: int) -> int:
    """Return how many updates a session may have in flight; 0 asks for the default."""
    if window > MAX_WINDOW:
        raise _invalid(
            f"window {window} is out of range: give 1 to {MAX_WINDOW}, or 0 for {default}"
        )
    return window or default


def check_interval(interval_ms: int) -> float:
    """Return the least time between two messages of a stream, in seconds."""
    if interval_ms > MAX_INTERVAL_MS:
        raise _invalid(
            f"min_interval_ms {interval_ms} is out of range: give 1 to {MAX_INTERVAL_MS}, or 0 for"
            " every change"
        )
    return interval_ms / 1000


def check_no_interval(interval_ms: int) -> None:
    """Refuse an interval where there is but one message."""
    if interval_ms:
        raise _invalid(
            f"min_interval_ms {interval_ms} of a get, which is one message: leave it out"
        )


def legacy_instrument(
    metadata: Iterable[tuple[str, str | bytes]], default: str | None, lists: Callable[[str], bool]
) -> str:
    """Return the instrument that the first generation's request is about."""
    named = _metadatum(metadata, INSTRUMENT_METADATA)
    if named is not None:
        return check_instrument(named, lists)
    if default is None:
        raise _invalid(
            "this gateway has no default instrument: send one as request metadata"
            f" {INSTRUMENT_METADATA!r}, for example ETH-BTC"
        )
    return default


def legacy_interval(metadata: Iterable[tuple[str, str | bytes]]) -> float:
    """Return the least time between two messages of the first generation's stream, in seconds."""
    text = _metadatum(metadata, INTERVAL_METADATA)
    if text is None:
        return 0.0
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_QUOTED):
        shown = repr(text[:LONGEST_QUOTED])
        raise _invalid(f"metadata {INTERVAL_METADATA!r} is {shown}: send whole milliseconds")
    return check_interval(int(text))


def _metadatum(metadata: Iterable[tuple[str, str | bytes]], name: str) -> str | None:
    values = [value for key, value in metadata if key == name]
    if len(values) > 1:
        raise _invalid(f"metadata {name!r} is sent twice: send it once")
    for value in values:
        return value if isinstance(value, str) else value.decode(errors="replace")
    return None


def _invalid(sentence: str) -> RefusedError:
    return RefusedError(StatusCode.INVALID_ARGUMENT, sentence)


def _too_many_instruments(count: int, most: int) -> RefusedError:
    return RefusedError(
        StatusCode.RESOURCE_EXHAUSTED,
        f"{count} instruments in one stream: at most {most}; open another stream for the rest",
    )
