"""A `dragonfly` command that writes down which of its layers its processor's time goes to.

    BENCH_SAMPLES=FILE python bench/sampling.py together --service …

Each time that the process has used another 4 ms of the processor, a line with the layer at work is
added to FILE: that of the innermost Python frame that is a layer's. "loop" is what has none:
uvloop, TLS, gRPC's own threads.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

from dragonfly_common.cli import main

__all__ = ["LAYERS", "Samples"]

EVERY_S: Final = 0.004
LAYERS: Final = {
    "/feed_listener/": "listener",
    "/dragonfly_venues/": "listener",
    "/dragonfly_common/bus/": "bus",
    "/dragonfly_common/codec": "bus",
    "/aggregator/": "aggregator",
    "/dragonfly_views/": "gateway",
    "/grpc_gateway/": "gateway",
}
"""By a part of a module's path. A library's work belongs to the layer that called it."""
NONE: Final = "loop"
VARIABLE: Final = "BENCH_SAMPLES"


class Samples:
    """What a process has written down."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def skip(self) -> None:
        """Let only what comes from now on count."""
        self._from = self._file.stat().st_size

    def shares(self) -> dict[str, float]:
        """Return each layer's share of the time since `skip`."""
        with self._file.open() as lines:
            lines.seek(self._from)
            counts = Counter(lines.read().split())
        return {
            name: counts[name] / counts.total() for name in (*dict.fromkeys(LAYERS.values()), NONE)
        }


def _layer(frame: FrameType | None) -> str:
    while frame is not None:
        path = frame.f_code.co_filename
        for part, name in LAYERS.items():
            if part in path:
                return name
        frame = frame.f_back
    return NONE


def _sample() -> None:
    output = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def sample(_: int, frame: FrameType | None) -> None:
        os.write(output, f"{_layer(frame)}\n".encode())

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)


if __name__ == "__main__":
    _sample()
    sys.exit(main())
