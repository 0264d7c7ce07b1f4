"""Where a watch is shown: a terminal that is redrawn, or lines that stay."""

from __future__ import annotations

import time
from typing import Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dragonfly_client.events import Disconnected, Event, Reconnected
from dragonfly_client.messages import Book
from dragonfly_client.watch.ladder import draw
from dragonfly_client.watch.lines import Moves, added, summary_lines
from dragonfly_client.watch.state import Watch

__all__ = ["LadderScreen", "LineScreen", "Screen"]

PICTURE_PERIOD_S: Final = 0.125
LINE_PERIOD_S: Final = 0.1
PATIENCE_S: Final = 1.0
"""How long a missing gateway goes unmentioned."""


class Screen(Protocol):
    """What a watch needs of the place where it is shown."""

    period_s: float
    """How often `show` is called."""

    def __enter__(self) -> object: ...
    def __exit__(self, *error: object) -> None: ...
    def observe(self, book: Book) -> None: ...
    def tell(self, event: Event) -> None: ...
    def show(self, watch: Watch) -> None: ...
    def end(self, watch: Watch) -> None: ...


class LadderScreen:
    """The whole terminal, eight pictures a second; the last one stays."""

    period_s = PICTURE_PERIOD_S

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> object:
        return self._live.__enter__()

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def observe(self, book: Book) -> None:
        """Do nothing: the next picture shows it."""

    def tell(self, event: Event) -> None:
        """Do nothing: the next picture's header says it."""

    def show(self, watch: Watch) -> None:
        self._live.update(draw(watch.frame(), *self._console.size), refresh=True)

    def end(self, watch: Watch) -> None:
        self._console.print(draw(watch.frame(), *self._console.size))
        _print_summary(self._console, watch)


class LineScreen:
    """A line when the best prices move, at most ten a second."""

    period_s = LINE_PERIOD_S

    def __init__(self, console: Console) -> None:
        self._console = console
        self._moves = Moves()
        self._noticed: list[str] = []
        self._impatient_at: float | None = time.monotonic() + PATIENCE_S

    def __enter__(self) -> object:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: lines stay as they are."""

    def observe(self, book: Book) -> None:
        self._impatient_at = None
        self._moves.observe(book)

    def tell(self, event: Event) -> None:
        match event:
            case Disconnected(_, reason):
                self._print(f"disconnected: {reason}")
            case Reconnected(_, downtime_s):
                self._print(f"reconnected after {downtime_s:.2f} s")

    def show(self, watch: Watch) -> None:
        if self._impatient_at is not None and time.monotonic() > self._impatient_at:
            self._impatient_at = None
            self._print(f"waiting for the first book from {watch.target} …")
        notices = watch.notices()
        for line in (*added(self._noticed, notices), *self._moves.take()):
            self._print(line)
        self._noticed = notices

    def end(self, watch: Watch) -> None:
        self.show(watch)
        _print_summary(self._console, watch)

    def _print(self, line: str) -> None:
        _print(self._console, line)


def _print_summary(console: Console, watch: Watch) -> None:
    for line in summary_lines(watch.summary()):
        _print(console, line)


def _print(console: Console, line: str) -> None:
    # One line each: no wrapping at a width that a pipe does not have, no markup, no colours.
    console.print(Text(line), soft_wrap=True)
