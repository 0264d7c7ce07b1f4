"""Reading a frame as JSON of a known shape, with one kind of error."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from feed_listener.venue import FrameError

__all__ = ["read", "write"]

T = TypeVar("T")


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
