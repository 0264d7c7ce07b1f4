"""A view's bytes on their way to bots: cut to a depth, sealed for one client. Pure.

Nothing is decoded here but a view that rested, whose ages are told anew. What is per client (fields
30 and 31) is appended, which protobuf allows for any field; a shallower book is the same bytes
without the levels beyond its depth. The numbers are those of
protos/dragonfly/v1/market_data.proto; the tests read everything back with protobuf.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, TypeVar

from dragonfly_common.errors import DecodeError
from dragonfly_common.topics import ViewKind

from dragonfly_views.placeholder import with_ages

__all__ = ["SharedView", "cut", "seal", "wrap"]


_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
# A varint of 64 bits has at most ten bytes of seven.
_MAX_SHIFT: Final = 63

_BIDS, _ASKS = 2, 3
_REPLACED_TAG: Final = bytes.fromhex("f001")  # field 30, varint
_NUMBER_TAG: Final = b"\x78"  # SessionUpdate.number, varint
_UPDATE_TAGS: Final = {
    ViewKind.BOOK: b"\x0a",
    ViewKind.BBO: b"\x12",
    ViewKind.LIQUIDITY: b"\x1a",
}
_pack_ts_out: Final = struct.Struct("<2sq").pack
_TS_OUT_TAG: Final = bytes.fromhex("f901")  # field 31, fixed 64 bits
F = TypeVar("F")

AGES_HOLD_NS: Final = 10_000_000
"""How far a view's ages may be behind its `ts_out`: one that goes out at once is not decoded."""


class SharedView:
    """One state of one view, for all bots: its bytes at any depth, cut at most once each.

    Its ages are true when they are told: they are computed anew where it rested since.
    """

    __slots__ = (
        "_aged_at_ns",
        "_body",
        "_cuts",
        "_depth",
        "_forms",
        "_kind",
        "from_aggregator",
        "live",
    )

    def __init__(
        self,
        kind: ViewKind,
        body: bytes,
        depth: int,
        aged_at_ns: int,
        *,
        live: bool,
        from_aggregator: bool = True,
    ) -> None:
        """Take what an aggregator or the gateway says of a view.

        Args:
            kind: whether `body` is a Book, Bbo or Liquidity.
            body: the encoded view.
            depth: the levels a side that it has at most.
            aged_at_ns: when its ages were computed.
            live: whether any venue is in it.
            from_aggregator: False for the gateway's own word.
        """
        self._kind = kind
        self._body = body
        self._depth = depth
        self._aged_at_ns = aged_at_ns
        self._cuts: dict[int, bytes] = {}
        self._forms: dict[tuple[Callable[[bytes], Any], int | None], Any] = {}
        self.live = live
        self.from_aggregator = from_aggregator

    def at(self, depth: int, now_ns: int) -> bytes:
        """Return the encoded view with at most `depth` levels a side, and its ages as of now.

        Raises:
            DecodeError: the aggregator's bytes are no protobuf message.
        """
        if now_ns - self._aged_at_ns > AGES_HOLD_NS:
            self._body = with_ages(self._kind, self._body, now_ns)
            self._aged_at_ns = now_ns
            self._cuts.clear()
        return self._body if depth >= self._depth else self._cut(depth)

    def form(self, make: Callable[[bytes], F], depth: int | None = None) -> F:
        """Return what `make` makes of the encoded view, at `depth` or whole: once for all who ask.

        Its ages are those of when it came, or was told last.

        Raises:
            DecodeError: the aggregator's bytes are no protobuf message.
        """
        key = (make, depth)
        if key not in self._forms:
            known = self._depth if depth is None else depth
            self._forms[key] = make(self._body if known >= self._depth else self._cut(known))
        made: F = self._forms[key]
        return made

    def _cut(self, depth: int) -> bytes:
        found = self._cuts.get(depth)
        if found is None:
            found = self._cuts[depth] = cut(self._body, depth)
        return found


def cut(body: bytes, depth: int) -> bytes:
    """Return an encoded Book or Liquidity without the levels of a side beyond `depth`.

    Raises:
        DecodeError: `bad_view`, where `body` is no protobuf message.
    """
    kept: list[bytes] = []
    counts = {_BIDS: 0, _ASKS: 0}
    position = start = 0
    while position < len(body):
        begin = position
        tag, position = _read_varint(body, position)
        position = _skip(body, position, tag & 7)
        field = tag >> 3
        if field in counts and tag & 7 == _BYTES:
            counts[field] += 1
            if counts[field] > depth:
                kept.append(body[start:begin])
                start = position
    kept.append(body[start:])
    return b"".join(kept)


def seal(body: bytes, replaced: int, ts_out: int) -> bytes:
    """Append what one client is told: how many states this one replaced, and its `ts_out`."""
    stamp = _pack_ts_out(_TS_OUT_TAG, ts_out)
    if replaced:
        return b"".join((body, _REPLACED_TAG, _varint(replaced), stamp))
    return body + stamp


def wrap(kind: ViewKind, sealed: bytes, number: int) -> bytes:
    """Encode a SessionUpdate that carries an encoded view."""
    return b"".join(
        (_UPDATE_TAGS[kind], _varint(len(sealed)), sealed, _NUMBER_TAG, _varint(number))
    )


def _skip(body: bytes, position: int, wire_type: int) -> int:
    """Return where the field that begins at `position` ends."""
    if wire_type == _BYTES:
        size, position = _read_varint(body, position)
        position += size
    elif wire_type == _VARINT:
        _, position = _read_varint(body, position)
    elif wire_type in _FIXED_SIZES:
        position += _FIXED_SIZES[wire_type]
    else:
        raise DecodeError("bad_view", f"wire type {wire_type}")
    if position > len(body):
        raise DecodeError("bad_view", "a field ends beyond its message")
    return position


def _read_varint(body: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    try:
        while (byte := body[position]) > 0x7F:
            number |= (byte & 0x7F) << shift
            shift += 7
            position += 1
            if shift > _MAX_SHIFT:
                raise DecodeError("bad_view", "a varint without end")
    except IndexError:
        raise DecodeError("bad_view", "a varint ends beyond its message") from None
    return number | byte << shift, position + 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
