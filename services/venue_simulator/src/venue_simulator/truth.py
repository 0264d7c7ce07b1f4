"""The truth: every state of every book, and every fault, before any client can know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from dragonfly_common.errors import ConfigError

from venue_simulator.book import BookState
from venue_simulator.faults import Fault

__all__ = ["LOGGED_LEVELS", "Truth", "fault_line"]

LOGGED_LEVELS: Final = 25
"""A side of a line, unless more are asked for."""

_json = msgspec.json.Encoder()


@dataclass
class Truth:
    """Appends to a file line by line, unbuffered; keeps it in memory where a test asks for that."""

    path: Path | None = None
    keep: bool = False
    levels: int = LOGGED_LEVELS
    """A side of a line."""
    states: dict[tuple[str, str], list[BookState]] = field(default_factory=dict, init=False)
    """By (venue, instrument), only with `keep`."""
    faults: list[Fault] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._file = None
        if self.path is not None:
            try:
                self._file = self.path.open("ab", buffering=0)
            except OSError as error:
                raise ConfigError(
                    f"cannot write the truth log {str(self.path)!r}: {error.strerror}; "
                    "name a file in a folder that exists"
                ) from None

    def note_state(self, venue: str, instrument: str, state: BookState) -> None:
        if self.keep:
            self.states.setdefault((venue, instrument), []).append(state)
        if self._file is None:
            return
        line = {
            "venue": venue,
            "instrument": instrument,
            "venue_seq": state.venue_seq,
            "ts": state.ts_ns,
            "bids": state.bids[: self.levels],
            "asks": state.asks[: self.levels],
        }
        if state.crossed:
            line["crossed"] = True
        self._file.write(_json.encode(line) + b"\n")

    def note_fault(self, fault: Fault, now_ns: int) -> None:
        if self.keep:
            self.faults.append(fault)
        if self._file is None:
            return
        self._file.write(fault_line(fault, now_ns) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def fault_line(fault: Fault, now_ns: int) -> bytes:
    """Return what the log says of a fault that begins now."""
    line = {
        "fault": fault.kind,
        "venue": fault.venue,
        "instrument": fault.instrument,
        "ts": now_ns,
        "seconds": fault.seconds,
    }
    return _json.encode(line)
