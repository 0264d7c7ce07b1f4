"""What customers ask for: messages read, and refused where they break a rule. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dragonfly_common.topics import ViewKind
from dragonfly_common.types import MAX_DEPTH
from dragonfly_fix.codec import FixMessage, encode_fields
from dragonfly_views.refusals import CallRefusedError, RefusalCode, check_instruments

from fix_gateway.market_data import ASKS, BIDS

__all__ = [
    "LONGEST_ID",
    "SNAPSHOT",
    "UNSUBSCRIBE",
    "FixBody",
    "MarketDataRefusedError",
    "MarketDataWish",
    "read_market_data_request",
    "refusal",
    "request_id",
    "symbols_of",
]

FixBody = tuple[bytes, bytes]
"""The MsgType (35) and the body of a message of ours."""

SNAPSHOT: Final = b"0"
UNSUBSCRIBE: Final = b"2"
"""SubscriptionRequestType (263)."""

LONGEST_ID: Final = 64
"""Bytes of a request's id: it is said back with each answer."""

UNKNOWN_SYMBOL: Final = b"0"
BAD_DEPTH: Final = b"5"
BAD_AGGREGATION: Final = b"7"
BAD_ENTRY_TYPE: Final = b"8"
REASONS: Final[Mapping[RefusalCode, bytes]] = {
    RefusalCode.INVALID: UNKNOWN_SYMBOL,
    RefusalCode.NOT_FOUND: UNKNOWN_SYMBOL,
    RefusalCode.DUPLICATE: b"1",
    RefusalCode.OVER_LIMIT: b"2",
    RefusalCode.UNKNOWN_CALLER: b"3",
}
"""MDReqRejReason (281). What may go well later has none, and says so in its text."""


class MarketDataRefusedError(CallRefusedError):
    """A MarketDataRequest that breaks a rule with an MDReqRejReason (281) of its own."""

    def __init__(self, reason: bytes, sentence: str) -> None:
        super().__init__(RefusalCode.INVALID, sentence)
        self.reason = reason


@dataclass(frozen=True)
class MarketDataWish:
    """What a MarketDataRequest (V) asks for."""

    kind: ViewKind
    symbols: tuple[str, ...]
    depth: int
    sides: bytes
    incremental: bool


def request_id(message: FixMessage, tag: int) -> bytes:
    """Return a request's id.

    Raises:
        CallRefusedError: it is too long.
    """
    found = message.get(tag) or b""
    if len(found) > LONGEST_ID:
        raise CallRefusedError(
            RefusalCode.INVALID,
            f"the request's id ({tag}) has {len(found)} bytes: give at most {LONGEST_ID}",
        )
    return found


def read_market_data_request(
    message: FixMessage,
    *,
    depth: int,
    most_symbols: int,
    serves: Callable[[ViewKind], bool],
    lists: Callable[[str], bool],
) -> MarketDataWish:
    """Read a MarketDataRequest (V) that the dictionary has passed.

    Args:
        message: the request.
        depth: levels a side that may be asked for.
        most_symbols: how many symbols it may name.
        serves: whether there is an aggregator for a kind of view.
        lists: whether any venue lists an instrument.

    Raises:
        CallRefusedError: it breaks a rule.
    """
    sides = b"".join(side for side in (BIDS, ASKS) if (269, side) in message.fields)
    others = {value for tag, value in message.fields if tag == 269} - {BIDS, ASKS}
    if others:
        raise MarketDataRefusedError(
            BAD_ENTRY_TYPE,
            f"MDEntryType (269) {_shown(min(others))} is not served: ask for 0 (bids) and 1 (asks)",
        )
    wanted = int(message.get(264) or 0)
    if not 0 <= wanted <= depth:
        raise MarketDataRefusedError(
            BAD_DEPTH,
            f"MarketDepth (264) {wanted} is out of range: give 1 to {depth}, or 0 for all {depth}",
        )
    merged = message.get(266) == b"Y"
    kind = ViewKind.LIQUIDITY if merged else ViewKind.BBO if wanted == 1 else ViewKind.BOOK
    if not serves(kind):
        raise MarketDataRefusedError(
            BAD_AGGREGATION if merged else BAD_DEPTH,
            f"this gateway is not told of the {kind} of any instrument: ask for another"
            " MarketDepth (264) or AggregatedBook (266), or another gateway",
        )
    return MarketDataWish(
        kind,
        check_instruments(symbols_of(message), most_symbols, lists),
        MAX_DEPTH if kind is ViewKind.BBO else wanted or depth,
        sides,
        message.get(265) == b"1",
    )


def symbols_of(message: FixMessage) -> list[str]:
    """Return each Symbol (55) of a request for markets of all venues.

    Raises:
        CallRefusedError: one is asked for at one venue only.
    """
    if venue := message.get(207):
        raise CallRefusedError(
            RefusalCode.INVALID,
            f"SecurityExchange (207) {_shown(venue)}: books are of all venues, leave it out;"
            " each entry names its venue in 282",
        )
    return [value.decode(errors="replace") for tag, value in message.fields if tag == 55]


def refusal(request: bytes, error: CallRefusedError) -> bytes:
    """Return the body of a MarketDataRequestReject (Y) for a request's id (262)."""
    if isinstance(error, MarketDataRefusedError):
        reason: bytes | None = error.reason
    else:
        reason = REASONS.get(error.code)
    fields = [(262, request), *([(281, reason)] if reason else [])]
    return encode_fields([*fields, (58, error.sentence.encode())])


def _shown(value: bytes) -> str:
    return repr(value[:LONGEST_ID].decode(errors="replace"))
