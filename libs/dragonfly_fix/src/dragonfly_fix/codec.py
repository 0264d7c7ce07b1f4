"""Frames of FIX 4.4: bytes to messages, and messages to bytes. Pure.

    8=FIX.4.4|9=LENGTH|35=TYPE| fields of the header | fields of the body |10=CHECKSUM|

A frame that is garbled (wrong length or checksum, its first three fields out of order, a tag that
is no number) is dropped, and the next one is looked for behind the length that it claimed. It uses
up no sequence number: the gap shows at the next message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from zlib import adler32

__all__ = [
    "BEGIN_STRING",
    "DATA_OF",
    "LONGEST_FRAME",
    "SOH",
    "USER_DEFINED",
    "Field",
    "FixDecoder",
    "FixMessage",
    "Garbled",
    "checksum",
    "decode_fields",
    "encode",
    "encode_fields",
]

BEGIN_STRING: Final = b"FIX.4.4"
SOH: Final = b"\x01"
LONGEST_FRAME: Final = 1 << 16
"""Bytes of a body. Without a bound a wrong length would hold up all that follows."""

USER_DEFINED: Final = 5000
"""Tags from here on are defined between two parties."""

DATA_OF: Final = {
    90: 91,
    93: 89,
    95: 96,
    212: 213,
    348: 349,
    350: 351,
    352: 353,
    354: 355,
    356: 357,
    358: 359,
    360: 361,
    362: 363,
    364: 365,
    445: 446,
    618: 619,
    621: 622,
}
"""The data field that follows each length field. Only its value may hold SOH."""

Field = tuple[int, bytes]
"""A tag and its value."""

_BEGIN: Final = b"8=FIX"
_HEAD: Final = re.compile(rb"8=(FIX[^\x01]{0,8})\x019=([0-9]{1,6})\x01")
_LONGEST_HEAD: Final = 23
_TRAILER_LENGTH: Final = len(b"10=000\x01")
_TAG: Final = re.compile(rb"-?(?:0|[1-9][0-9]{0,8})")
_LENGTH: Final = re.compile(rb"[0-9]{1,6}")


class _Plain(dict[bytes, int]):
    """Tags whose fields are split blindly; a field of any other is looked at."""

    def __missing__(self, text: bytes) -> int:
        tag = int(text) if _TAG.fullmatch(text) else 0
        if tag < USER_DEFINED:
            raise KeyError(text)
        if len(self) < _MOST_PLAIN:  # a dialect has a few dozen of its own
            self[text] = tag
        return tag


_MOST_PLAIN: Final = 2 * USER_DEFINED
_PLAIN: Final = _Plain((b"%d" % tag, tag) for tag in range(1, USER_DEFINED) if tag not in DATA_OF)
_UNMARKED: Final = bytes(set(range(256)) - set(b"=\x01"))
_CHUNK: Final = 256
"""So many bytes add up to less than Adler-32's modulus: its lower half is their sum and one."""


_PREFIXES: Final = {tag: b"%d=" % tag for tag in range(1, USER_DEFINED)}


_HEADER: Final = {
    b"%d" % tag: tag
    for tag in (
        *(34, 35, 43, 49, 50, 52, 56, 57, 97, 115, 116, 122, 128, 129),
        *(142, 143, 144, 145, 347, 369),
    )
}
"""Tags of the header, but for data."""


class FixMessage(NamedTuple):
    """One message, its frame taken off."""

    type: bytes
    """Its MsgType (35)."""
    fields: list[Field]
    """Header and body in the order in which they came, without 8, 9, 35 and 10; the header alone of
    a type whose body `FixDecoder` does not read."""
    begin_string: bytes = BEGIN_STRING
    frame: bytes = b""
    """As it came, without its checksum; empty of one that did not come."""

    def get(self, tag: int) -> bytes | None:
        """Return the value of the first field of `tag`; None where there is none."""
        for found, value in self.fields:
            if found == tag:
                return value
        return None

    def number(self, tag: int) -> int | None:
        """Return the value of `tag` as a number; None of what is none, or of over 18 digits."""
        value = self.get(tag)
        return int(value) if value and value.isdigit() and len(value) <= 18 else None


class Garbled(NamedTuple):
    """Bytes that are no message were dropped."""

    reason: str


class _GarbledError(ValueError):
    pass


def checksum(data: bytes) -> int:
    """Return the sum of all bytes, modulo 256."""
    # A tenth of what sum(data) takes.
    return (
        sum([(adler32(data[at : at + _CHUNK]) & 0xFFFF) - 1 for at in range(0, len(data), _CHUNK)])
        & 0xFF
    )


def encode_fields(fields: Sequence[Field]) -> bytes:
    """Return fields as they are sent.

    Raises:
        ValueError: a value is empty, or holds SOH and is no data field behind its length.
    """
    parts = _parts(fields)
    if not parts:
        return b""
    joined = SOH.join(parts) + SOH
    # The second condition may be true of a good data field too.
    if joined.count(SOH) != len(parts) or b"=\x01" in joined:
        _check_encoded(joined, parts)
    return joined


def _parts(fields: Sequence[Field]) -> list[bytes]:
    try:
        return [_PREFIXES[tag] + value for tag, value in fields]
    except KeyError:
        return [b"%d=%b" % field for field in fields]


def _check_encoded(joined: bytes, parts: list[bytes]) -> None:
    with suppress(ValueError):
        fields = decode_fields(joined)
        if _parts(fields) == parts and all(value for _, value in fields):
            return
    raise ValueError(
        f"a field's value is empty or holds SOH: {b'|'.join(parts)[:200]!r};"
        " only a data field behind its length may hold SOH"
    )


def encode(msg_type: bytes, header: bytes, body: bytes) -> bytes:
    """Return a frame of `encode_fields` of a header, which begins behind 35, and of a body."""
    inside = b"35=%b\x01%b%b" % (msg_type, header, body)
    framed = b"8=%b\x019=%d\x01%b" % (BEGIN_STRING, len(inside), inside)
    return b"%b10=%03d\x01" % (framed, checksum(framed))


def decode_fields(data: bytes) -> list[Field]:
    """Return the fields of `data`, of which the last one ends in SOH.

    Raises:
        ValueError: a tag is no number, or a length is not that of its data.
    """
    if not data.endswith(SOH):
        raise _GarbledError("the last field has no end") if data else _GarbledError("no fields")
    marks = data.translate(None, _UNMARKED)
    if marks == b"=\x01" * (len(marks) >> 1):
        # Every field has one "=": tags and values take turns.
        parts = data[:-1].replace(b"=", SOH).split(SOH)
        with suppress(KeyError):
            return list(zip(map(_PLAIN.__getitem__, parts[::2]), parts[1::2], strict=True))
    return list(_looked_at(data))


def _header_fields(data: bytes) -> list[Field]:
    """Return the fields before the first one that is of the body."""
    fields = []
    for field in data.split(SOH, len(_HEADER))[:-1]:
        text, _, value = field.partition(b"=")
        tag = _HEADER.get(text)
        if tag is None:
            break
        fields.append((tag, value))
    return fields


def _looked_at(data: bytes) -> Iterator[Field]:
    at, length = 0, None
    expected = 0
    while at < len(data):
        equals = data.find(b"=", at)
        if equals < 0 or not _TAG.fullmatch(data, at, equals):
            raise _GarbledError(f"a tag is no number: {data[at : at + 20]!r}")
        tag = int(data[at:equals])
        if length is not None and tag == expected:
            end = equals + 1 + length
            if data[end : end + 1] != SOH:
                raise _GarbledError(f"the length of field {tag} is not that of its data")
        else:
            end = data.index(SOH, equals)
        value = data[equals + 1 : end]
        yield tag, value
        expected = DATA_OF.get(tag, 0)
        length = int(value) if expected and _LENGTH.fullmatch(value) else None
        at = end + 1


class FixDecoder:
    """Cuts a stream of bytes into messages. It holds at most one frame."""

    def __init__(
        self, longest: int = LONGEST_FRAME, read_types: Collection[bytes] | None = None
    ) -> None:
        """`longest` is the largest BodyLength (9) that is waited for.

        Of messages whose MsgType (35) is not among `read_types` the header alone is read: whoever
        takes their frames reads the rest, so that all is read once.
        """
        self._longest = longest
        self._read_types = read_types
        self._buffer = bytearray()
        self._lost = False
        """What follows a garbled frame is told once."""

    def feed(self, data: bytes) -> Iterator[FixMessage | Garbled]:
        """Take what arrived; yield what is complete now."""
        self._buffer += data
        while True:
            try:
                message = self._next()
            except _GarbledError as error:
                self._lost = True
                yield Garbled(str(error))
                continue
            if message is None:
                return
            self._lost = False
            yield message

    def _next(self) -> FixMessage | None:
        buffer = self._buffer
        if self._skip_to_begin() and not self._lost:
            raise _GarbledError("BeginString (8) does not come first")
        head = _HEAD.match(buffer)
        if head is None:
            if len(buffer) < _LONGEST_HEAD:
                return None
            del buffer[: len(_BEGIN)]
            raise _GarbledError("BodyLength (9) does not come second")
        body_at, begin_string, length = head.end(), head[1], int(head[2])
        if length > self._longest:
            del buffer[:body_at]
            raise _GarbledError(f"BodyLength (9) is {length}, above {self._longest}")
        end = body_at + length
        if len(buffer) < end + _TRAILER_LENGTH:
            return None
        framed, trailer = bytes(buffer[:end]), buffer[end : end + _TRAILER_LENGTH]
        del buffer[:end]
        if trailer != b"10=%03d\x01" % checksum(framed):
            raise _GarbledError("BodyLength (9) or CheckSum (10) is wrong")
        del buffer[:_TRAILER_LENGTH]
        msg_type = framed[body_at + 3 : framed.find(SOH, body_at)]
        if not framed.startswith(b"35=", body_at):
            raise _GarbledError("MsgType (35) does not come third")
        is_read = self._read_types is None or msg_type in self._read_types
        fields = (decode_fields if is_read else _header_fields)(framed[body_at:])
        del fields[0]
        return FixMessage(msg_type, fields, begin_string, framed)

    def _skip_to_begin(self) -> bool:
        """Drop what comes before the next frame; return False where that is nothing."""
        buffer = self._buffer
        at = buffer.find(_BEGIN)
        if at == 0:
            return False
        if at < 0:
            kept = max(
                kept for kept in range(len(_BEGIN)) if kept == 0 or buffer.endswith(_BEGIN[:kept])
            )
            at = len(buffer) - kept
        del buffer[:at]
        return at > 0
