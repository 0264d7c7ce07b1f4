"""The protobuf of dragonfly.v1.Book, Bbo and Liquidity, written piece by piece. Pure.

Written by hand because it is the hot path: a level's bytes are made once, when its venue sends
it, and a view joins what exists. The numbers are those of protos/dragonfly/v1/market_data.proto,
and a test reads every message back with the generated code.

A Bbo is a Book of one level: its `bid` and `ask` have the numbers of `bids` and `asks`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final

from dragonfly_common.types import FeedState

__all__ = [
    "ASKS",
    "BIDS",
    "encode_feed",
    "encode_feed_age",
    "encode_merged_level",
    "encode_view",
    "level_encoder",
]

BIDS: Final = 2
ASKS: Final = 3

_VARINT, _FIXED64, _BYTES = 0, 1, 2

_pack_double = struct.Struct("<d").pack
_pack_fixed = struct.Struct("<Q").pack
_pack_signed = struct.Struct("<q").pack
# live = 6, epoch = 7, seq = 8, ts_agg = 9
_pack_tail = struct.Struct("<BBBQBQBq").pack


def level_encoder(side: int, venue: str) -> Callable[[float, float], bytes]:
    """Return what encodes (price, amount) of `venue` as one Level of `side`."""
    name = _text(1, venue)
    prefix = _tag(side, _BYTES) + _varint(len(name) + 18) + name + _tag(2, _FIXED64)
    amount_tag = _tag(3, _FIXED64)
    pack = struct.Struct(f"<{len(prefix)}sdcd").pack
    return lambda price, amount: pack(prefix, price, amount_tag, amount)


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
) -> bytes:
    """Encode a VenueFeed up to its age, which `encode_feed_age` completes when a view is made."""
    parts = [
        _text(1, venue),
        _tag(2, _VARINT) + _varint(state),
        _text(3, reason) if reason else b"",
        _tag(5, _FIXED64) + _pack_fixed(venue_seq),
        _tag(6, _FIXED64) + _pack_signed(ts_event) if ts_event is not None else b"",
        _tag(7, _FIXED64) + _pack_signed(ts_recv),
        _tag(8, _FIXED64) + _pack_signed(ts_pub),
        _tag(9, _FIXED64) + _pack_double(score) if score is not None else b"",
        _tag(10, _FIXED64) + _pack_double(score_total) if score_total is not None else b"",
        _tag(4, _FIXED64),
    ]
    body = b"".join(parts)
    return _tag(5, _BYTES) + _varint(len(body) + 8) + body


def encode_feed_age(age_ns: int) -> bytes:
    """Encode what completes `encode_feed`."""
    return _pack_signed(age_ns)


def encode_merged_level(
    side: int, price: float, amount: float, shares: Iterable[tuple[str, float]]
) -> bytes:
    """Encode one MergedLevel of `side` with its shares."""
    parts = [
        _tag(1, _FIXED64) + _pack_double(price),
        _tag(2, _FIXED64) + _pack_double(amount),
    ]
    for venue, share in shares:
        parts.append(_nested(3, _text(1, venue) + _tag(2, _FIXED64) + _pack_double(share)))
    return _nested(side, b"".join(parts))


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
) -> bytes:
    """Encode a whole Book, Bbo or Liquidity from encoded levels and feeds."""
    return b"".join(
        (
            _tag(1, _FIXED64),
            _pack_double(spread),
            levels,
            _text(4, instrument),
            feeds,
            _pack_tail(0x30, live, 0x39, epoch, 0x41, seq, 0x49, ts_agg),
        )
    )


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _text(field: int, text: str) -> bytes:
    return _nested(field, text.encode())


def _nested(field: int, body: bytes) -> bytes:
    return _tag(field, _BYTES) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
