"""Frames as they come: which of them to read, and JSON of a known shape, with one kind of error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from feed_listener.venue import FrameError

__all__ = ["choices", "read", "write"]

T = TypeVar("T")


def choices(
    frames: Sequence[bytes], whole_book: Callable[[bytes], tuple[str, int] | None]
) -> Sequence[Sequence[bytes]]:
    """Return `frames` in groups of which one frame each is to be read: the first that is sound.

    A group is all the frames that hold one book whole, the newest first, and stands where that one
    stood; every other frame is a group by itself. `whole_book` is `Decoder.whole_book`.
    """
    groups: dict[int, Sequence[bytes]] = {}
    versions: dict[str, list[tuple[int, int]]] = {}
    for at, frame in enumerate(frames):
        book = whole_book(frame)
        if book is None:
            groups[at] = (frame,)
        else:
            symbol, seq = book
            versions.setdefault(symbol, []).append((seq, at))
    for found in versions.values():
        found.sort(reverse=True)
        groups[found[0][1]] = [frames[at] for _, at in found]
    return [groups[at] for at in sorted(groups)]


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
