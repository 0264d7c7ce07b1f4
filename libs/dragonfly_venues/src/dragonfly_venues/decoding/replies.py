"""REST replies that wrap what was asked for: a code, a text, and the content itself.

{"code":"0","msg":"","data":[…]}    {"retCode":0,"retMsg":"OK","result":{…}}
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import msgspec

from dragonfly_venues.events import FrameError

__all__ = ["Enveloped", "RestEnvelope"]

T = TypeVar("T")

LONGEST_TEXT: Final = 200
"""Of what a refusal says."""

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
        return Enveloped(self, content)


class Enveloped(Generic[T]):
    """A decoder like those of msgspec, of the content of replies; see `decoding.frames.read`."""

    def __init__(self, envelope: RestEnvelope, content: type[T]) -> None:
        self._envelope = envelope
        self._content = msgspec.json.Decoder(content, strict=False)

    def decode(self, reply: bytes, /) -> T:
        """Return the content of `reply`.

        Raises:
            FrameError: `bad_shape`: its code is not that of success.
            msgspec.MsgspecError: it is malformed, or of another shape.
        """
        names, parts = self._envelope, _PARTS.decode(reply)
        code = _text(parts.get(names.code, _NULL))
        if code != names.ok:
            said = _text(parts.get(names.text, _NULL))[:LONGEST_TEXT]
            raise FrameError("bad_shape", f"{said} (code {code[:LONGEST_TEXT]})")
        return self._content.decode(parts.get(names.content, _NULL))


def _text(part: msgspec.Raw) -> str:
    return bytes(part).decode().strip('"')
