"""The books of Binance's FIX streams, between a message's MsgType (35) and its trailer.

Source: fix-api.md, "MarketDataSnapshot <W>", "MarketDataIncrementalRefresh <X>". The fields are in
the order of its samples. `LastBookUpdateID (25044)` counts as `depthUpdate.u`. What the clients
of a stream share lacks MDReqID (262), which is each one's own: `address` puts it in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from venue_simulator.book import BookState, Levels, TextLevel
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream, Frame

__all__ = [
    "FIX_DEPTH",
    "FIX_TICKER",
    "KINDS",
    "address",
    "empty",
    "first_frame",
    "frame",
    "message",
]

FIX_DEPTH: Final = "fix depth"
FIX_TICKER: Final = "fix ticker"
KINDS: Final = frozenset({FIX_DEPTH, FIX_TICKER})

NEW, CHANGE, DELETE = "0", "1", "2"
BID, OFFER = "0", "1"

_Field = tuple[int, str | int]
_TYPE_LENGTH: Final = len(b"35=W\x01")


def message(kind: str, fields: Iterable[_Field]) -> bytes:
    """Return a message as sessions complete it: MsgType (35), then its body."""
    return "".join(f"{tag}={value}\x01" for tag, value in ((35, kind), *fields)).encode()


def address(request_id: str, shared: Frame) -> Sequence[Frame]:
    """Return what the client gets that named its subscription `request_id`."""
    assert isinstance(shared, bytes)
    named = f"262={request_id}\x01".encode()
    return [shared[:_TYPE_LENGTH] + named + shared[_TYPE_LENGTH:]]


def empty(symbol: str) -> bytes:
    """Return the first message of what is listed and not traded."""
    return message("W", [(55, symbol), (25044, 0), (268, 0)])


def first_frame(stream: BookStream, state: BookState) -> bytes:
    """Return the book as it stands, as deep as it was asked for."""
    sides = ((BID, state.bids), (OFFER, state.asks))
    levels = [(side, *level) for side, book in sides for level in book[: stream.depth]]
    fields: list[_Field] = [(55, stream.symbol), (25044, state.venue_seq), (268, len(levels))]
    for side, price, amount in levels:
        fields += [(269, side), (270, price), (271, amount)]
    return message("W", fields)


def frame(stream: BookStream, before: BookState, after: BookState) -> bytes | None:
    """Return the change, or None where the ticker's best prices are as they were."""
    sides = ((BID, before.bids, after.bids), (OFFER, before.asks, after.asks))
    if stream.kind == FIX_TICKER:
        changes = [entry for side, old, new in sides for entry in _best(side, old[:1], new[:1])]
        ids: list[_Field] = [(25044, after.venue_seq)]
        if not changes:
            return None
    else:
        changes = [entry for side, old, new in sides for entry in _changes(side, old, new)]
        ids = [(25043, before.venue_seq + 1), (25044, after.venue_seq)]
        if not changes:  # ids are those of entries: what is there is said again
            changes = [_entry(CHANGE, side, level) for side, _, new in sides for level in new[:1]]
    first, *others = changes
    entries = [*first, (55, stream.symbol), *ids, *(field for entry in others for field in entry)]
    return message("X", [(268, len(changes)), *entries])


def _best(side: str, old: Levels, new: Levels) -> Iterable[list[_Field]]:
    if old == new:
        return []
    if not new:
        return [_entry(DELETE, side, old[0])]
    return [_entry(CHANGE if old else NEW, side, new[0])]


def _changes(side: str, old: Levels, new: Levels) -> Iterable[list[_Field]]:
    known = dict(old)
    for level in changed_levels(old, new, zero=""):
        action = DELETE if not level[1] else CHANGE if level[0] in known else NEW
        yield _entry(action, side, level)


def _entry(action: str, side: str, level: TextLevel) -> list[_Field]:
    price, amount = level
    size: list[_Field] = [] if action == DELETE else [(271, amount)]
    return [(279, action), (270, price), *size, (269, side)]
