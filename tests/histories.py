"""What bots received, on disk: lines of JSON that can be judged again.

A line is a view, or the moment from which nothing that the bot was told held any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
from dragonfly_client import Bbo, Book, Liquidity, View

__all__ = ["Cut", "Recorder", "read_history"]

_KINDS = {kind.__name__: kind for kind in (Book, Bbo, Liquidity)}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}


class Cut(msgspec.Struct, frozen=True):
    """The bot's stream ended at `ts`: what it said before is not to be believed any more."""

    ts: int


class _Line(msgspec.Struct, frozen=True):
    bot: str
    kind: str
    said: msgspec.Raw


_lines = msgspec.json.Decoder(_Line)
_cuts = msgspec.json.Decoder(Cut)
_encoder = msgspec.json.Encoder()


class Recorder:
    """Writes lines to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def note(self, bot: str, said: View | Cut) -> None:
        """Note what `bot`, whose name no other ever has, was told."""
        kind = type(said).__name__
        self.file.write(_encoder.encode({"bot": bot, "kind": kind, "said": said}) + b"\n")


def read_history(file: Path) -> Iterator[tuple[str, View | Cut]]:
    """Yield (bot, what it was told), in order; the last line may be torn."""
    with file.open("rb") as content:
        for text in content:
            if not text.endswith(b"\n"):
                return
            line = _lines.decode(text)
            decoder = _DECODERS.get(line.kind)
            yield line.bot, decoder.decode(line.said) if decoder else _cuts.decode(line.said)
