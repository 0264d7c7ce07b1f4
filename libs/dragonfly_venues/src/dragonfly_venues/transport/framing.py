"""Where the frames of a WebSocket's bytes begin and end (RFC 6455, section 5.2). Pure."""

from __future__ import annotations

from typing import Final

__all__ = ["Framing"]

_WHOLE_MESSAGES: Final = (0x81, 0x82)
"""First bytes of a text and of a binary frame that is a message by itself, as it is."""
_SIZE_FOLLOWS: Final = {126: 2, 127: 8}
"""Second bytes that stand for a size in so many bytes behind them."""
_MASKED: Final = 128


class Framing:
    """Cuts what arrives into frames. What is not plainly a message is for who knows more."""

    def __init__(self, most_bytes: int) -> None:
        """A frame of more than `most_bytes` is not waited for."""
        self._most_bytes = most_bytes
        self._rest = bytearray()
        self._needed = 0
        """How long the rest must be before it says more."""

    def cut(self, data: bytes) -> list[tuple[bytes, int]]:
        """Return each frame that is whole by now, and where the message in it begins.

        That is 0 where it is not plainly a message. A frame that no server may send, or too large,
        comes at once with all that is behind it.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        found: list[tuple[bytes, int]] = []
        at, have = 0, len(data)
        while at < have:
            begin = end = at + 2
            if end <= have:
                size = data[at + 1]
                begin = end = begin + _SIZE_FOLLOWS.get(size, 0)
                if end <= have:
                    if begin > at + 2:
                        size = int.from_bytes(data[at + 2 : begin], "big")
                    elif size >= _MASKED:
                        size = self._most_bytes + 1
                    end = begin + size
                    if size > self._most_bytes:
                        found.append((data[at:], 0))
                        break
            if end > have:
                self._rest += data[at:]
                self._needed = end - at
                break
            found.append((data[at:end], begin - at if data[at] in _WHOLE_MESSAGES else 0))
            at = end
        return found
