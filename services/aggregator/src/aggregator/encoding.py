"""The protobuf of dragonfly.v1.Book, Bbo and Liquidity, written piece by piece. Pure.

Written by hand because it is the hot path: a level's bytes are made once, when it is merged, and a
view joins what exists. The numbers are those of protos/dragonfly/v1/market_data.proto,
and a test reads every message back with the generated code.

A Bbo is a Book of one level: its `bid` and `ask` have the numbers of `bids` and `asks`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from dragonfly_common.types import FeedState

__all__ = [
    "ASKS",
    "BIDS",
    "converted_level_encoder",
    "encode_conversion",
    "encode_feed",
    "encode_feed_age",
    "encode_merged_level",
    "encode_view",
    "level_encoder",
    "level_origin",
]

BIDS: Final = 2
ASKS: Final = 3

_VARINT, _FIXED64, _BYTES = 0, 1, 2

encode_feed_age: Final = struct.Struct("<q").pack
"""Encodes the age in ns that completes `encode_feed`."""

_AMOUNT_TAG: Final = bytes([3 << 3 | _FIXED64])

_pack_double = struct.Struct("<d").pack
_pack_spread = struct.Struct("<Bd").pack
_pack_book_seq = struct.Struct("<BQ").pack
# venue_seq = 5, ts_event = 6, ts_recv = 7, ts_pub = 8
_pack_stamps = struct.Struct("<BQBqBqBq").pack
_pack_stamps_without_event = struct.Struct("<BQBqBq").pack
# live = 6, epoch = 7, seq = 8, ts_agg = 9
_pack_tail = struct.Struct("<BBBQBQBq").pack


def level_encoder(side: int, venue: str) -> Callable[[float, float], bytes]:
    """Return what encodes (price, amount) of `venue` as one Level of `side`."""
    name = _text(1, venue)
    prefix = _tag(side, _BYTES) + _varint(len(name) + 18) + name + _tag(2, _FIXED64)
    pack = struct.Struct(f"<{len(prefix)}sdcd").pack
    return lambda price, amount: pack(prefix, price, _AMOUNT_TAG, amount)


def converted_level_encoder(
    side: int, venue: str, instrument: str
) -> Callable[[float, float, float], bytes]:
    """Return what encodes (price, amount, original price) of `venue` as one Level of `side`."""
    name, origin = _text(1, venue), _text(4, instrument)
    size = len(name) + len(origin) + 27
    prefix = _tag(side, _BYTES) + _varint(size) + name + _tag(2, _FIXED64)
    origin += _tag(5, _FIXED64)
    pack = struct.Struct(f"<{len(prefix)}sdcd{len(origin)}sd").pack
    return lambda price, amount, original: pack(
        prefix, price, _AMOUNT_TAG, amount, origin, original
    )


def level_origin(level: bytes, venue: str) -> bytes:
    """Return the part of an encoded Level of `venue` that says where it was converted from."""
    head = 2 if len(level) <= 0x7F + 2 else 3
    return level[head + len(_text(1, venue)) + 18 :]


def encode_feed(
    venue: str,
    *,
    state: FeedState,
    reason: str,
    venue_seq: int,
    ts_event: int | None,
    ts_recv: int,
    ts_pub: int,
    score: float | None = None,
    score_total: float | None = None,
    depth: int = 0,
    book_seq: int | None = None,
    instrument: str = "",
) -> bytes:
    """Encode a VenueFeed up to its age, which `encode_feed_age` completes when a view is made."""
    if ts_event is None:
        stamps = _pack_stamps_without_event(0x29, venue_seq, 0x39, ts_recv, 0x41, ts_pub)
    else:
        stamps = _pack_stamps(0x29, venue_seq, 0x31, ts_event, 0x39, ts_recv, 0x41, ts_pub)
    if score is not None:
        stamps += _SCORE_TAG + _pack_double(score)
    if score_total is not None:
        stamps += _SCORE_TOTAL_TAG + _pack_double(score_total)
    if depth:
        stamps += _DEPTH_TAG + _varint(depth)
    if book_seq is not None:
        stamps += _pack_book_seq(_BOOK_SEQ_TAG, book_seq)
    if instrument:
        stamps += _text(13, instrument)
    head = _feed_head(venue, state, reason)
    size = len(head) + len(stamps) + _AGE_BYTES
    return b"".join((_FEED_TAG, _varint(size), head, stamps, _AGE_TAG))


def encode_merged_level(
    side: int, price: float, amount: float, shares: Iterable[tuple[str, float, bytes]]
) -> bytes:
    """Encode one MergedLevel of `side` with its shares: (venue, amount, `level_origin`)."""
    parts = [
        _tag(1, _FIXED64) + _pack_double(price),
        _tag(2, _FIXED64) + _pack_double(amount),
    ]
    for venue, share, origin in shares:
        said = _text(1, venue) + _tag(2, _FIXED64) + _pack_double(share) + origin
        parts.append(_nested(3, said))
    return _nested(side, b"".join(parts))


def encode_conversion(instrument: str, best: tuple[float, float] | None, feeds: bytes) -> bytes:
    """Encode one Conversion of a view with its best (bid, ask)."""
    prices = b""
    if best is not None:
        bid, ask = map(_pack_double, best)
        prices = _tag(2, _FIXED64) + bid + _tag(3, _FIXED64) + ask
    return _nested(10, prices + _text(4, instrument) + feeds)


def encode_view(
    instrument: str,
    spread: float,
    levels: bytes,
    feeds: bytes,
    *,
    live: bool,
    epoch: int,
    seq: int,
    ts_agg: int,
    conversions: bytes = b"",
) -> bytes:
    """Encode a whole Book, Bbo or Liquidity from what of it is encoded."""
    return b"".join(
        (
            _pack_spread(0x09, spread),
            levels,
            _instrument(instrument),
            feeds,
            _pack_tail(0x30, live, 0x39, epoch, 0x41, seq, 0x49, ts_agg),
            conversions,
        )
    )


@lru_cache(maxsize=4096)
def _feed_head(venue: str, state: FeedState, reason: str) -> bytes:
    why = _text(3, reason) if reason else b""
    return _text(1, venue) + _tag(2, _VARINT) + _varint(state) + why


@lru_cache(maxsize=4096)
def _instrument(name: str) -> bytes:
    return _text(4, name)


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _text(field: int, text: str) -> bytes:
    return _nested(field, text.encode())


def _nested(field: int, body: bytes) -> bytes:
    return _tag(field, _BYTES) + _varint(len(body)) + body


@lru_cache(maxsize=4096)
def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_FEED_TAG: Final = _tag(5, _BYTES)
_AGE_TAG: Final = _tag(4, _FIXED64)
_AGE_BYTES: Final = len(_AGE_TAG) + 8
_SCORE_TAG: Final = _tag(9, _FIXED64)
_SCORE_TOTAL_TAG: Final = _tag(10, _FIXED64)
_DEPTH_TAG: Final = _tag(11, _VARINT)
_BOOK_SEQ_TAG: Final = 12 << 3 | _FIXED64
