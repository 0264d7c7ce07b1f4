"""Frames as they come: which of them to read, and JSON of a known shape, with one kind of error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from feed_listener.venue import FrameError

__all__ = ["newest", "read", "write"]

T = TypeVar("T")


def newest(frames: Sequence[bytes], whole_book: Callable[[bytes], bytes | None]) -> Sequence[bytes]:
    """Return `frames` without the whole books of which a newer one is among them.

    `whole_book` names the book that a frame holds whole, None where it says anything else.
    """
    needed: list[bytes] = []
    newer: set[bytes] = set()
    for frame in reversed(frames):
        book = whole_book(frame)
        if book is None or book not in newer:
            needed.append(frame)
        if book is not None:
            newer.add(book)
    needed.reverse()
    return needed


def read(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw) -> T:
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


def write(request: dict[str, Any]) -> str:
    """Return `request` as the text of a frame, compact."""
    return msgspec.json.encode(request).decode()
