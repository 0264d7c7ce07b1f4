"""Frames as they come: which of them to read, and JSON of a known shape, with one kind of error."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import msgspec

from dragonfly_venues.events import FrameError, WholeBook

__all__ = [
    "Choice",
    "Decodes",
    "Refusal",
    "choices",
    "gunzip",
    "read",
    "reason",
    "request_id",
    "symbol_of",
    "write",
]

LONGEST_TEXT: Final = 200
LONGEST_CODE: Final = 60
"""Characters of what a venue says, which is repeated to bots."""

LONGEST_ID: Final = 18
"""Digits: ours have fewer, and Python reads no number of thousands."""

_GZIP: Final = zlib.MAX_WBITS | 16
"""Window bits by which zlib reads a gzip member."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Choice: TypeAlias = Sequence[tuple[bytes, WholeBook | None]]
"""Frames of which one is to be read, each with the book that it holds whole, if that is known."""


class Decodes(Protocol[T_co]):
    """A decoder of JSON of a known shape: msgspec's decoder, or `decoding.replies.Enveloped`."""

    def decode(self, text: bytes, /) -> T_co:
        """Return `text` decoded; raises as msgspec does, or `FrameError`."""
        ...


class Refusal(msgspec.Struct):
    """The error in an answer, as several venues print it; its text by either name."""

    code: int = 0
    msg: str = ""
    message: str = ""

    @property
    def reason(self) -> str:
        """The reason of `RequestRefused`."""
        return reason(self.msg or self.message, self.code)


def choices(
    frames: Sequence[bytes], whole_book: Callable[[bytes], WholeBook | None]
) -> Sequence[Choice]:
    """Return `frames` in groups of which one frame each is to be read: the first that is sound.

    A group is all the frames that hold one book whole, the newest first, and stands where that one
    stood; every other frame is a group by itself. `whole_book` is `Decoder.whole_book`, and what it
    said stands beside each frame.
    """
    groups: dict[int, Choice] = {}
    versions: dict[str, list[tuple[int, int, WholeBook]]] = {}
    for at, frame in enumerate(frames):
        book = whole_book(frame)
        if book is None:
            groups[at] = ((frame, None),)
        else:
            versions.setdefault(book.symbol, []).append((book.seq, at, book))
    for found in versions.values():
        found.sort(reverse=True)
        groups[found[0][1]] = [(frames[at], book) for _, at, book in found]
    return [groups[at] for at in sorted(groups)]


def gunzip(frame: bytes, most_bytes: int) -> bytes:
    """Return what a frame holds that is one gzip member.

    Raises:
        FrameError: `not_gzip`: it is none, or holds `most_bytes` or more, which are not unpacked.
    """
    member = zlib.decompressobj(_GZIP)
    try:
        text = member.decompress(frame, most_bytes)
    except zlib.error as error:
        raise FrameError("not_gzip", str(error)) from None
    if not member.eof:
        raise FrameError("not_gzip", f"it is cut short, or holds {most_bytes} bytes or more")
    return text


def read(decoder: Decodes[T], text: bytes) -> T:
    """Return `text` decoded.

    Raises:
        FrameError: `not_json`, or `bad_shape` where it is JSON of another shape.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise FrameError("bad_shape", str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MemoryError) as error:
        raise FrameError("not_json", str(error)) from None


def reason(text: str, code: object) -> str:
    """Return why a request is refused, of what a venue says and its code."""
    return f"{text[:LONGEST_TEXT]} (code {str(code)[:LONGEST_CODE]})"


def request_id(text: str) -> int | None:
    """Return the id of a request that an answer names as text; None where it is none of ours."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_ID else None


def symbol_of(channel: str, *, prefix: str = "", suffix: str) -> str:
    """Return whose channel it is, of those named `prefix` symbol `suffix`.

    No symbol holds the character that `suffix` begins with.

    Raises:
        FrameError: `unknown_channel`: it is another.
    """
    symbol = channel.removeprefix(prefix).removesuffix(suffix)
    if f"{prefix}{symbol}{suffix}" != channel or not symbol or suffix[0] in symbol:
        raise FrameError("unknown_channel", channel[:60])
    return symbol


def write(request: dict[str, Any]) -> str:
    """Return `request` as the text of a frame, compact."""
    return msgspec.json.encode(request).decode()
