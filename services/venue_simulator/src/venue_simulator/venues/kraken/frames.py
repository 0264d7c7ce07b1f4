"""The frames of Kraken's book channel: a snapshot, then deltas of the subscriber's window.

Sources: docs.kraken.com/api/docs/websocket-v2/book, and the guide "Spot Websockets (v2) Book
Checksum". A window is the N best levels. A level that enters it, or changes in it, is sent; one
that leaves the book is sent with quantity 0; one that is merely pushed out is not mentioned,
because the client cuts to N levels by itself.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Final

from venue_simulator.book import BookState, Levels, TextLevel
from venue_simulator.times import rfc3339
from venue_simulator.venue import BookStream

__all__ = ["BOOK", "checksum", "first_frame", "frame", "spoil_checksum"]

BOOK = "book"
CHECKSUM_LEVELS: Final = 10
REPEAT_EVERY: Final = 32
"""One state in so many sends a price twice in one message, as Kraken does at times."""

_CHECKSUM: Final = re.compile(r'(?<="checksum":)\d+')


def first_frame(stream: BookStream, state: BookState) -> str:
    bids, asks = state.bids[: stream.depth], state.asks[: stream.depth]
    return _message("snapshot", stream, state, bids, asks)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    bids = _window_changes(before.bids, after.bids, stream.depth)
    asks = _window_changes(before.asks, after.asks, stream.depth)
    if not (bids or asks):
        return None
    if after.venue_seq % 2:
        bids.reverse()  # Kraken keeps no order among the levels of one message
    if after.venue_seq % REPEAT_EVERY == 0:
        bids = [*((price, "1.00000000") for price, _ in bids[-1:]), *bids]
    return _message("update", stream, after, bids, asks)


def spoil_checksum(frame: str) -> str:
    """Return `frame` with another checksum."""
    return _CHECKSUM.sub(lambda match: str(int(match[0]) ^ 1), frame, count=1)


def checksum(bids: Levels, asks: Levels) -> int:
    """Return the CRC32 of the ten best asks, then bids, as printed without points or leading 0s."""
    levels = (*asks[:CHECKSUM_LEVELS], *bids[:CHECKSUM_LEVELS])
    text = "".join([number.replace(".", "").lstrip("0") for level in levels for number in level])
    return zlib.crc32(text.encode())


def _window_changes(before: Levels, after: Levels, depth: int) -> list[TextLevel]:
    old, new = before[:depth], after[:depth]
    if old == new:
        return []
    amounts = dict(old)
    changes: list[TextLevel] = []
    vanished = amounts.keys() - dict(new).keys()
    if vanished:
        book = dict(after)
        changes += [(price, "0.00000000") for price, _ in old if price not in book]
    return [*changes, *(level for level in new if amounts.get(level[0]) != level[1])]


def _message(
    kind: str,
    stream: BookStream,
    state: BookState,
    bids: Iterable[TextLevel],
    asks: Iterable[TextLevel],
) -> str:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{stream.symbol}",'
        f'"bids":[{_text(bids)}],"asks":[{_text(asks)}],'
        f'"checksum":{checksum(state.bids[: stream.depth], state.asks[: stream.depth])},'
        f'"timestamp":"{rfc3339(state.venue_seq)}"}}]}}'
    )


def _text(levels: Iterable[TextLevel]) -> str:
    return ",".join([f'{{"price":{price},"qty":{amount}}}' for price, amount in levels])
