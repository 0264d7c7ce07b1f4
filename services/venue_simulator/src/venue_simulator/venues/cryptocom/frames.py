"""The frames of Crypto.com's channels. Source: exchange-docs.crypto.com, "book", "ticker".

`book` is whole each time, or whole once and then its changes, each of which names the number that
it follows; `ticker` has the best prices.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from venue_simulator.book import BookState, Levels, TextLevel
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = ["CHANGES", "DEPTHS", "TICKER", "WHOLE", "first_frame", "frame", "idle", "spoil_checksum"]

DEPTHS: Final = (10, 50)
WHOLE: Final = "SNAPSHOT"
CHANGES: Final = "SNAPSHOT_AND_UPDATE"
TICKER: Final = "ticker"

_CHECKSUM: Final = re.compile(r'(?<="cs":)-?\d+')


def first_frame(stream: BookStream, state: BookState) -> str:
    return _ticker(stream, state) if stream.kind == TICKER else _whole(stream, state)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    old = before.bids[: stream.depth], before.asks[: stream.depth]
    new = after.bids[: stream.depth], after.asks[: stream.depth]
    if stream.kind == CHANGES:
        # Sent even where both sides are empty: the next one names this one's number.
        bids, asks = (changed_levels(was, now, "0") for was, now in zip(old, new, strict=True))
        return _change(stream, after, before.venue_seq, bids, asks)
    if old == new:
        return None
    return first_frame(stream, after)


def idle(stream: BookStream, state: BookState, number: int, now_ns: int) -> str:
    """Return the empty change that says that a book is still at `number`."""
    return _change(stream, state, number, (), (), number=number, sent_ns=now_ns)


def spoil_checksum(frame: str) -> str:
    """Return `frame` with another `cs`, of which nobody knows how it is made."""
    return _CHECKSUM.sub("12", frame, count=1)


def _whole(stream: BookStream, state: BookState) -> str:
    sides = _sides(state.bids[: stream.depth], state.asks[: stream.depth])
    return _push(stream, "book", f"{sides},{_stamps(state)},{_number(state.venue_seq)}")


def _change(
    stream: BookStream,
    state: BookState,
    previous: int,
    bids: Levels,
    asks: Levels,
    *,
    number: int | None = None,
    sent_ns: int | None = None,
) -> str:
    last = state.venue_seq if number is None else number
    update = f'"update":{{{_sides(bids, asks)}}},{_stamps(state, sent_ns)}'
    return _push(stream, "book.update", f'{update},{_number(last)},"pu":{previous}')


def _ticker(stream: BookStream, state: BookState) -> str:
    bid, ask = (side[0] if side else None for side in (state.bids, state.asks))
    fields = f'"i":"{stream.symbol}",{_best("b", "bs", bid)},{_best("k", "ks", ask)}'
    return _push(stream, TICKER, f'{fields},"a":null,"t":{state.ts_ns // 1_000_000}')


def _push(stream: BookStream, channel: str, data: str) -> str:
    depth = "" if channel == TICKER else f'"depth":{stream.depth},'
    return (
        f'{{"id":-1,"method":"subscribe","code":0,"result":{{"instrument_name":"{stream.symbol}",'
        f'"subscription":"{stream.name}","channel":"{channel}",{depth}"data":[{{{data}}}]}}}}'
    )


def _sides(bids: Levels, asks: Levels) -> str:
    return f'"asks":[{_text(asks)}],"bids":[{_text(bids)}]'


def _stamps(state: BookState, sent_ns: int | None = None) -> str:
    changed_ms = state.ts_ns // 1_000_000
    return f'"t":{changed_ms if sent_ns is None else sent_ns // 1_000_000},"tt":{changed_ms}'


def _number(number: int) -> str:
    checksum = zlib.crc32(str(number).encode()) - 2**31
    return f'"u":{number},"cs":{checksum}'


def _text(levels: Levels) -> str:
    return ",".join([_level(level) for level in levels])


def _level(level: TextLevel) -> str:
    price, amount = level
    orders = 0 if amount == "0" else 1 + len(amount) % 7
    return f'["{price}","{amount}","{orders}"]'


def _best(price: str, size: str, level: TextLevel | None) -> str:
    if level is None:
        return f'"{price}":null,"{size}":null'
    return f'"{price}":"{level[0]}","{size}":"{level[1]}"'
