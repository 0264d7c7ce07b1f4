"""What a person at the terminal is told of many processes' logs.

`up` prints each event as a line, through `Narrator`. A demo shows the last few that matter beneath
its ladder, from `Ticker`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dragonfly_common.printable import LONGEST_SENTENCE, printable
from rich.console import Console
from rich.text import Text

from supervisor.plan import Options
from supervisor.supervision import LogLine

__all__ = ["LEVELS", "Narrator", "Ticker"]

LEVELS: Final = ("info", "warning", "error")
NAME_WIDTH: Final = 17
TICKER_LINES: Final = 4
# A terminal that was stopped (Ctrl-S) must hold up nobody: what it cannot take is dropped.
MAX_WAITING_LINES: Final = 1000
LAST_LINES_LIMIT_S: Final = 0.5

_COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "bold red"}
# Of each line these are said in other ways, or are the same all along.
_SAID: Final = {"event", "level", "timestamp", "service", "instance", "exception", "venues"}
_FEED: Final = "feed "
_LIVE: Final = "feed live"


class Narrator:
    """Prints one line per event, from a thread of its own; a context manager."""

    def __init__(self, console: Console, log_level: str) -> None:
        """Print to `console` what is at least of `log_level`."""
        self._console = console
        self._hidden = LEVELS[: LEVELS.index(log_level)]
        self._waiting: queue.Queue[Text | None] = queue.Queue(MAX_WAITING_LINES)
        self._dropped = 0
        self._printer = threading.Thread(target=self._print_all, daemon=True)

    def __enter__(self) -> Self:
        self._printer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._printer.join(LAST_LINES_LIMIT_S)

    def log(self, process: str, line: LogLine) -> None:
        """Print one event of a process's log."""
        level = str(line.get("level", "info"))
        if level in self._hidden:
            return
        text = Text(f"{process:<{NAME_WIDTH}}", style="cyan")
        text.append(f" {printable(line.get('event', ''))}", style=_COLOURS.get(level, "default"))
        for key, value in line.items():
            if key not in _SAID and value is not None:
                text.append(f"  {printable(key)}=", style="dim").append(
                    printable(value, LONGEST_SENTENCE)
                )
        self._tell(text)
        for traced in str(line.get("exception", "")).splitlines():
            self._tell(Text(printable(traced, LONGEST_SENTENCE), style="red"))

    def notice(self, sentence: str) -> None:
        """Print what the supervisor itself did."""
        prefix = Text(f"{'up':<{NAME_WIDTH}} ", style="cyan")
        self._tell(prefix.append(printable(sentence, LONGEST_SENTENCE), style="yellow"))

    def ready(self, options: Options, gateway: str, control: str | None) -> None:
        """Print where everything is, and what to do next."""
        rows = [
            ("bots", gateway),
            ("venues", ", ".join(options.venues) + (" (simulated)" if control else "")),
            ("instruments", ", ".join(options.instruments)),
            ("watch it", f"dragonfly watch --gateway {gateway} {options.instruments[0]}"),
        ]
        if control:
            venue = options.venues[-1]
            rows.append(
                ("break it", f"dragonfly fault --control {control} {venue} silence --seconds 5")
            )
        rows.append(("end it", "Ctrl-C"))
        self._tell(Text("\nDragonflyBot is up", style="bold green"))
        for name, value in rows:
            self._tell(Text(f"  {name:<12} ", style="dim").append(value, style="bold"))
        self._tell(Text(""))

    def _tell(self, text: Text) -> None:
        try:
            if self._dropped:
                said = f"({self._dropped} lines were dropped: the terminal stood still)"
                self._waiting.put_nowait(Text(said, style="yellow"))
                self._dropped = 0
            self._waiting.put_nowait(text)
        except queue.Full:
            self._dropped += 1

    def _print_all(self) -> None:
        try:
            while (text := self._waiting.get()) is not None:
                self._console.print(text, soft_wrap=True)
        except SystemExit:
            # That is rich's word for a reader who is gone. The processes run on, unheard, and what
            # is still buffered must not fail when this one ends.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._console.file.fileno())


class Ticker:
    """The last few things that went wrong, and came right again, a line each."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TICKER_LINES)
        self._broken: set[tuple[str, object]] = set()

    @property
    def lines(self) -> list[str]:
        """What to show, newest last."""
        return list(self._lines)

    def log(self, process: str, line: LogLine) -> None:
        """Take one event of a process's log."""
        sentence = self._sentence(process, line)
        if sentence is not None:
            time = str(line.get("timestamp", ""))[11:19]
            self._lines.append(printable(f"{time} {sentence}".strip(), LONGEST_SENTENCE))

    def notice(self, sentence: str) -> None:
        """Take what the supervisor itself did."""
        self._lines.append(printable(sentence, LONGEST_SENTENCE))

    def _sentence(self, process: str, line: LogLine) -> str | None:
        event = str(line.get("event"))
        if event == "fault injected":
            return f"simulated: {line.get('venue')} {line.get('fault')}"
        if event.startswith(_FEED):
            return self._of_feed(process, line, event)
        if line.get("level") in {"error", "critical"}:
            return f"{process}: {event}"
        return None

    def _of_feed(self, process: str, line: LogLine, event: str) -> str | None:
        feed = (process, line.get("instrument"))
        name = f"{process.removeprefix('listener.')} {line.get('instrument')}"
        if event != _LIVE:
            self._broken.add(feed)
            return f"{name} {event.removeprefix(_FEED).upper()}: {line.get('reason')}"
        if feed in self._broken:
            self._broken.remove(feed)
            return f"{name} LIVE again"
        return None  # the first time is no news
