"""The line by which a long run tells its progress, on standard error."""

from __future__ import annotations

import math
import shutil
import sys

__all__ = ["LiveLine", "clock"]


class LiveLine:
    """A line that is rewritten in place; elsewhere than on a terminal, one every `every_s`."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._due = -math.inf

    def show(self, line: str, now: float) -> None:
        """Tell how it stands at `now` (monotonic, in seconds)."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()
        elif now >= self._due:
            self._due = now + self._every_s
            sys.stderr.write(f"{line}\n")

    def end(self, line: str) -> None:
        """Tell the last of it."""
        self.show(line, math.inf)
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def clock(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{int(seconds % 60):02}"
