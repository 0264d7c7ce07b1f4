"""REST replies that wrap what was asked for: a code, a text, and the content itself.

{"code":"0","msg":"","data":[…]}    {"retCode":0,"retMsg":"OK","result":{…}}
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec

from dragonfly_venues.decoding.frames import Decodes, reason
from dragonfly_venues.events import FrameError

__all__ = ["Enveloped", "JsonMember", "RestEnvelope"]

T = TypeVar("T")

_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL: Final = msgspec.Raw(b"null")


class RestEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """How one venue wraps what REST answers."""

    ok: str
    """The code of success, which some venues write as a number and some as text."""
    code: str = "code"
    text: str = "msg"
    content: str = "data"

    def of(self, content: type[T]) -> Enveloped[T]:
        """Return what decodes replies with such content; numbers in it may be text."""
        return self.around(msgspec.json.Decoder(content, strict=False))

    def around(self, content: Decodes[T]) -> Enveloped[T]:
        """Return what decodes replies whose content `content` decodes."""
        return Enveloped(self, content)


class Enveloped(Generic[T]):
    """A decoder like those of msgspec, of the content of replies; see `decoding.frames.read`."""

    def __init__(self, envelope: RestEnvelope, content: Decodes[T]) -> None:
        self._envelope = envelope
        self._content = content

    def decode(self, reply: bytes, /) -> T:
        """Return the content of `reply`.

        Raises:
            FrameError: `bad_shape`: its code is not that of success.
            msgspec.MsgspecError: it is malformed, or of another shape.
        """
        names, parts = self._envelope, _PARTS.decode(reply)
        code = _text(parts.get(names.code, _NULL))
        if code != names.ok:
            raise FrameError("bad_shape", reason(_text(parts.get(names.text, _NULL)), code))
        return self._content.decode(parts.get(names.content, _NULL))


class JsonMember(Generic[T]):
    """A decoder likewise, of one member of an object; numbers in it may be text."""

    def __init__(self, name: str, content: type[T]) -> None:
        member = ("content", content, msgspec.field(name=name))
        self._object = msgspec.json.Decoder(msgspec.defstruct("_Object", [member]), strict=False)

    def decode(self, reply: bytes, /) -> T:
        """Return the member of `reply`.

        Raises:
            msgspec.MsgspecError: it is malformed, of another shape, or without that member.
        """
        found: Any = self._object.decode(reply)
        content: T = found.content
        return content


def _text(part: msgspec.Raw) -> str:
    return bytes(part).decode().strip('"')
