"""The screens that show a watch: a terminal that is redrawn, or lines that stay."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from dragonfly_client.events import Disconnected, Event, Reconnected, Refused
from dragonfly_client.messages import Book
from rich.console import Console
from rich.live import Live
from rich.text import Text

from terminal.ladder import LOWEST, Frame, draw
from terminal.lines import BookChanges, added, summary_lines
from terminal.statistics import WatchSummary
from terminal.text import wrapped

__all__ = ["LadderScreen", "LineScreen", "Screen", "Watched"]

PICTURE_PERIOD_S: Final = 0.125
LINE_PERIOD_S: Final = 0.1
MAX_TAPE: Final = 200
PATIENCE_S: Final = 1.0
"""How long a missing gateway goes unmentioned."""


class Watched(Protocol):
    """What a screen shows."""

    @property
    def target(self) -> str: ...
    def frame(self) -> Frame: ...
    def notices(self) -> list[str]: ...
    def summary(self) -> WatchSummary: ...


W_contra = TypeVar("W_contra", contravariant=True)


class Screen(Protocol[W_contra]):
    """The interface of a screen to the watch."""

    period_s: float
    """How often `show` is called."""

    def __enter__(self) -> object: ...
    def __exit__(self, *error: object) -> None: ...
    def observe(self, book: Book) -> None: ...
    def on_event(self, event: Event) -> None: ...
    def show(self, watch: W_contra) -> None: ...
    def end(self, watch: W_contra) -> None: ...


class LadderScreen:
    """The whole terminal, eight pictures a second; the last one stays."""

    period_s = PICTURE_PERIOD_S

    def __init__(self, console: Console) -> None:
        self._console = console
        self._changes = BookChanges()
        self._tape: deque[str] = deque(maxlen=MAX_TAPE)
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> object:
        return self._live.__enter__()

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def observe(self, book: Book) -> None:
        self._changes.observe(book)

    def on_event(self, event: Event) -> None:
        """Do nothing: the next picture's header says it."""

    def show(self, watch: Watched) -> None:
        self._tape.extend(self._changes.take())
        frame = replace(watch.frame(), tape=self._tape)
        self._live.update(draw(frame, *self._console.size), refresh=True)

    def end(self, watch: Watched) -> None:
        # Without what was told before: the summary is beneath, and both are to be seen at once.
        summary = [
            part
            for line in summary_lines(watch.summary())
            for part in wrapped(line, _width(self._console))
        ]
        width, height = self._console.size
        self._console.print(draw(watch.frame(), width, max(LOWEST, height - len(summary) - 1)))
        for line in summary:
            _print(self._console, line)


class LineScreen:
    """A line when the best prices move, at most ten a second."""

    period_s = LINE_PERIOD_S

    def __init__(self, console: Console, *, books: bool = True) -> None:
        """Without `books` only what is said beside them: notices and reconnections."""
        self._console = console
        self._changes = BookChanges()
        self._noticed: list[str] = []
        self._books = books
        self._impatient_at = time.monotonic() + PATIENCE_S if books else None

    def __enter__(self) -> object:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: lines stay as they are."""

    def observe(self, book: Book) -> None:
        self._impatient_at = None
        if self._books:
            self._changes.observe(book)

    def on_event(self, event: Event) -> None:
        match event:
            case Disconnected(_, reason):
                self._print(f"disconnected: {reason}")
            case Reconnected(_, downtime_s):
                self._print(f"reconnected after {downtime_s:.2f} s")
            case Refused(_, _, reason):
                self._print(reason)

    def show(self, watch: Watched) -> None:
        if self._impatient_at is not None and time.monotonic() > self._impatient_at:
            self._impatient_at = None
            self._print(f"waiting for the first book from {watch.target} …")
        notices = watch.notices()
        for line in (*added(self._noticed, notices), *self._changes.take()):
            self._print(line)
        self._noticed = notices

    def end(self, watch: Watched) -> None:
        self.show(watch)
        for line in summary_lines(watch.summary()):
            self._print(line)

    def _print(self, line: str) -> None:
        _print(self._console, line)


def _print(console: Console, line: str) -> None:
    for part in wrapped(line, _width(console)):
        # No wrapping at a width that a pipe does not have, no markup, no colours.
        console.print(Text(part), soft_wrap=True)


def _width(console: Console) -> int | None:
    return console.width if console.is_terminal else None
