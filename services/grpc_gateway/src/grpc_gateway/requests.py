"""The checks of a request's fields by the contracts: each its value or its refusal. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from dragonfly_common.topics import ViewKind
from dragonfly_common.types import OrderSide
from dragonfly_pricing.fees import FREE, FeeError, FeeTable
from dragonfly_pricing.offers import to_decimal
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.executable import PriceQuestion
from dragonfly_views.refusals import LONGEST_QUOTED, check_instrument, invalid
from google.protobuf.message import DecodeError, Message

__all__ = [
    "MAX_WINDOW",
    "check_interval",
    "check_no_interval",
    "check_question",
    "check_view",
    "check_window",
    "legacy_instrument",
    "legacy_interval",
    "parse",
]

MAX_WINDOW: Final = 1024
MAX_INTERVAL_MS: Final = 60_000
MAX_SIZES: Final = 16
MAX_SIZE: Final = 1e15
MIN_SIZE: Final = 1e-12
MAX_VENUES: Final = 64
INSTRUMENT_METADATA: Final = "instrument"
INTERVAL_METADATA: Final = "min-interval-ms"

M = TypeVar("M", bound=Message)

_VIEW_KINDS: Final[dict[int, ViewKind]] = {
    pb.VIEW_BOOK: ViewKind.BOOK,
    pb.VIEW_BBO: ViewKind.BBO,
    pb.VIEW_LIQUIDITY: ViewKind.LIQUIDITY,
}


def parse(kind: type[M], payload: bytes) -> M:
    """Return the request that `payload` encodes, which holds no field that is not known here."""
    name = kind.DESCRIPTOR.full_name
    try:
        request = kind.FromString(payload)
    except DecodeError:
        raise invalid(f"{len(payload)} bytes that are no {name}: see the contract") from None
    size = request.ByteSize()
    request.DiscardUnknownFields()
    if unknown := size - request.ByteSize():
        raise invalid(
            f"{unknown} bytes of this {name} are fields that this gateway does not know:"
            " leave them out, or ask a gateway of their version"
        )
    return request


def check_view(view: int) -> ViewKind:
    """Return the kind of view that a subscription names."""
    kind = _VIEW_KINDS.get(view)
    if kind is None:
        what = "no view" if view == pb.VIEW_UNSPECIFIED else f"view {view} is not known"
        raise invalid(f"{what}: give VIEW_BOOK, VIEW_BBO or VIEW_LIQUIDITY")
    return kind


def check_window(window: int, default: int) -> int:
    """Return how many updates a session may have in flight; 0 asks for the default."""
    if window > MAX_WINDOW:
        raise invalid(
            f"window {window} is out of range: give 1 to {MAX_WINDOW}, or 0 for {default}"
        )
    return window or default


def check_interval(interval_ms: int) -> float:
    """Return the least time between two messages of a stream, in seconds."""
    if interval_ms > MAX_INTERVAL_MS:
        raise invalid(
            f"min_interval_ms {interval_ms} is out of range: give 1 to {MAX_INTERVAL_MS}, or 0 for"
            " every change"
        )
    return interval_ms / 1000


def check_no_interval(interval_ms: int) -> None:
    """Refuse an interval where there is but one message."""
    if interval_ms:
        raise invalid(f"min_interval_ms {interval_ms} of a get, which is one message: leave it out")


_ORDER_SIDES: Final = {pb.SIDE_BUY: OrderSide.BUY, pb.SIDE_SELL: OrderSide.SELL}


def check_question(
    request: pb.ExecutableRequest, of_bot: FeeTable | None, of_gateway: FeeTable | None
) -> PriceQuestion:
    """Return what a request asks of an instrument, by the nearest table of fees that there is."""
    side = _ORDER_SIDES.get(request.side)
    if side is None:
        raise invalid("no side: give SIDE_BUY or SIDE_SELL")
    if not 1 <= len(request.sizes) <= MAX_SIZES:
        raise invalid(f"{len(request.sizes)} sizes: give 1 to {MAX_SIZES}")
    for size in request.sizes:
        if math.isnan(size) or not MIN_SIZE <= size <= MAX_SIZE:
            raise invalid(f"size {size:g} is out of range: give {MIN_SIZE:g} to {MAX_SIZE:g}")
    if max(len(request.venues), len(request.fees)) > MAX_VENUES:
        raise invalid(f"more than {MAX_VENUES} venues: name each once, or leave them out for all")
    fees, source = _fees(request.fees, of_bot, of_gateway)
    return PriceQuestion(
        side,
        tuple(map(to_decimal, request.sizes)),
        request.in_quote,
        tuple(sorted({*request.venues})),
        fees,
        source,
    )


def _fees(
    given: Mapping[str, float], of_bot: FeeTable | None, of_gateway: FeeTable | None
) -> tuple[FeeTable, pb.FeeSource]:
    if given:
        try:
            return FeeTable.of(given), pb.FEE_SOURCE_REQUEST
        except FeeError as error:
            raise invalid(str(error)) from None
    if of_bot is not None:
        return of_bot, pb.FEE_SOURCE_BOT
    if of_gateway is not None:
        return of_gateway, pb.FEE_SOURCE_GATEWAY
    return FREE, pb.FEE_SOURCE_NONE


def legacy_instrument(
    metadata: Iterable[tuple[str, str | bytes]], default: str | None, lists: Callable[[str], bool]
) -> str:
    """Return the instrument that the first generation's request is about."""
    named = _metadatum(metadata, INSTRUMENT_METADATA)
    if named is not None:
        return check_instrument(named, lists)
    if default is None:
        raise invalid(
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
        raise invalid(f"metadata {INTERVAL_METADATA!r} is {shown}: send whole milliseconds")
    return check_interval(int(text))


def _metadatum(metadata: Iterable[tuple[str, str | bytes]], name: str) -> str | None:
    values = [value for key, value in metadata if key == name]
    if len(values) > 1:
        raise invalid(f"metadata {name!r} is sent twice: send it once")
    for value in values:
        return value if isinstance(value, str) else value.decode(errors="replace")
    return None
