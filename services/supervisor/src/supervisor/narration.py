"""The narration of many processes' logs to a person at the terminal.

Story       finds in a log what matters to a person: venues that leave and come back, trouble
Narrator    prints that for `up`, or every line that is logged, or those lines as JSON
Ticker      keeps the last few for a demo to show beneath its ladder
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dragonfly_common import log
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_common.wording import command_name
from rich.console import Console
from rich.text import Text

from supervisor.plan import USUAL_GATEWAY, DeploymentOptions, from_here
from supervisor.supervision import LogLine

__all__ = ["LEVELS", "Narrator", "News", "Story", "Ticker"]

LEVELS: Final = ("info", "warning", "error")
NAME_WIDTH: Final = 17
TICKER_LINES: Final = 4
# A terminal that was stopped (Ctrl-S) must hold up nobody: what it cannot take is dropped.
MAX_WAITING_LINES: Final = 1000
LAST_LINES_LIMIT_S: Final = 0.5
GATHER_S: Final = 0.1
"""How long a feed's news waits for the same of other instruments, which then share its line."""
MOST_NAMED: Final = 3
"""Instruments that a line names, before it counts the others."""

_COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "bold red"}
# Of each line these are said in other ways, or are the same all along.
_SAID: Final = {"event", "level", "timestamp", "service", "instance", "exception", "venues"}
_FEED: Final = "feed "
_LIVE: Final = "LIVE"
_READY: Final = ("ready", "service ready")


@dataclass(frozen=True, slots=True)
class News:
    """A sentence of the log's story: what is said of whom, and of which of its instruments."""

    time: str
    whom: str
    says: str
    instruments: tuple[str, ...] = ()
    style: str = "default"
    first: bool = False
    """A feed's first time LIVE, as is expected at a start."""

    def __str__(self) -> str:
        named = ", ".join(self.instruments[:MOST_NAMED])
        others = len(self.instruments) - MOST_NAMED
        if others > 0:
            named += f" and {others} more"
        words = (self.time, f"{self.whom} {named}".strip() if named else f"{self.whom}:", self.says)
        return printable(" ".join(words).strip(), LONGEST_SENTENCE)

    def joined(self, other: News) -> News | None:
        """Return both as one, None where they do not say the same."""
        if not self.instruments or replace(other, instruments=self.instruments) != self:
            return None
        return replace(self, instruments=self.instruments + other.instruments)


class Story:
    """Finds what matters to a person in the logs of all processes."""

    def __init__(self, levels: Collection[str] = _COLOURS.keys()) -> None:
        """Beside feeds and faults, tell of whatever is logged at one of `levels`."""
        self._levels = levels
        self._told: dict[tuple[str, object], tuple[str, str]] = {}
        self._lived: set[tuple[str, object]] = set()

    def news(self, process: str, line: LogLine) -> News | None:
        """Return what an event of a process's log means to a person, None for most."""
        event, level = str(line.get("event")), str(line.get("level"))
        when = str(line.get("timestamp", ""))[11:19]
        if event == "fault injected":
            lasts = f" for {line['seconds']} s" if line.get("seconds") else ""
            return News(when, "simulated", f"{line.get('venue')} {line.get('fault')}{lasts}")
        if event in _READY:  # who starts anew has lost its feeds: LIVE is news again
            self._told = {feed: told for feed, told in self._told.items() if feed[0] != process}
        if event.startswith(_FEED):
            return self._of_feed(when, process, line, event.removeprefix(_FEED).upper())
        # What befalls a book is told by its feed.
        told = level in self._levels or "remedy" in line
        if told and not {"symbol", "symbols"} & line.keys():
            return News(
                when, process, f"{event}{_facts(line)}", style=_COLOURS.get(level, "default")
            )
        return None

    def _of_feed(self, when: str, process: str, line: LogLine, state: str) -> News | None:
        feed = (process, line.get("instrument"))
        reason = f": {line['reason']}" if line.get("reason") else ""
        before = self._told.get(feed)
        self._told[feed] = (state, reason)
        if state == _LIVE and before == (state, reason):
            return None
        again = " again" if state == _LIVE and feed in self._lived else ""
        if state == _LIVE:
            self._lived.add(feed)
        return News(
            when,
            process.removeprefix("listener."),
            f"{state}{again}{reason}",
            (str(line.get("instrument")),),
            style="green" if state == _LIVE else "yellow",
            first=state == _LIVE and before is None and not again,
        )


class Narrator:
    """Prints what is logged, from a thread of its own; a context manager."""

    def __init__(self, console: Console, log_level: str | None, *, as_json: bool = False) -> None:
        """Print to `console` what is at least of `log_level`, for people only news without one."""
        self._console = console
        self._hidden = LEVELS[: LEVELS.index(log_level or LEVELS[0])]
        self._story = Story() if log_level is None and not as_json else None
        self._as_json = as_json
        self._waiting: queue.Queue[Text | News | None] = queue.Queue(MAX_WAITING_LINES)
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
        """Take one event of a process's log."""
        level = str(line.get("level", "info"))
        if self._story is not None:
            news = self._story.news(process, line)
            if news is not None:
                self._tell(news)
        elif level in self._hidden:
            return
        elif self._as_json:
            self._tell(Text(json.dumps({"instance": process, **line})))
        else:
            for text in _whole(process, line, level):
                self._tell(text)

    def notice(self, sentence: str) -> None:
        """Print what the supervisor itself did."""
        if self._as_json:
            self._tell(Text(log.line("warning", sentence, "up")))
        else:
            self._tell(News(_now(), "up", sentence, style="yellow"))

    def starting(self, *, simulated: bool) -> None:
        """Say what takes a moment now."""
        whose = "simulated" if simulated else "real"
        if not self._as_json:
            self._tell(Text(f"Starting the services, with {whose} venues …", style="dim"))

    def ready(
        self,
        options: DeploymentOptions,
        gateway: str,
        control: str | None,
        fix: str | None = None,
        web: str | None = None,
    ) -> None:
        """Print where everything is, and what to do next."""
        if self._as_json:
            facts = {"gateway": gateway, "control": control, "instruments": [*options.instruments]}
            more = {key: at for key, at in (("fix", fix), ("web", web)) if at}
            told = log.line("info", "up", "up", **facts, **more, venues=[*options.venues])
            self._tell(Text(told))
            return
        name, near = command_name(), from_here(gateway)
        at = "" if near == USUAL_GATEWAY else f" --gateway {near}"
        bot = f"{at}{_credentials(options)} {options.instruments[0]}"
        rows = {
            **({"people": web} if web else {}),
            "bots": gateway,
            **({"FIX": fix} if fix else {}),
            "venues": ", ".join(options.venues) + (" (simulated)" if control else ""),
            "instruments": ", ".join(options.instruments),
            **({"journal": str(options.engine)} if options.engine else {}),
            "watch it": f"{name} watch{bot}",
        }
        if options.engine:
            rows["trade on it"] = f"{name} liquidate{bot} sell 1 --plan"
        if control:
            fault = f"{name} fault --control {control}"
            rows["break it"] = f"{fault} {options.venues[-1]} silence --seconds 5"
        rows["end it"] = "Ctrl-C"
        self._tell(Text("\nDragonflyBot is up", style="bold green"))
        for what, value in rows.items():
            self._tell(Text(f"  {what:<12} ", style="dim").append(value, style="bold"))
        self._tell(Text(""))

    def _tell(self, what: Text | News) -> None:
        try:
            if self._dropped:
                said = f"({self._dropped} lines were dropped: the terminal stood still)"
                if self._as_json:
                    said = log.line("warning", said, "up")
                self._waiting.put_nowait(Text(said, style="yellow"))
                self._dropped = 0
            self._waiting.put_nowait(what)
        except queue.Full:
            self._dropped += 1

    def _print_all(self) -> None:
        last: list[Text | News | None] = []
        try:
            while last[-1:] != [None]:
                last = self._waiting_now()
                for what in last:
                    if isinstance(what, News):
                        # Broken between words; what may be copied, the terminal breaks itself.
                        breaks = self._console.is_terminal
                        self._console.print(Text(str(what), what.style), soft_wrap=not breaks)
                    elif what is not None:
                        self._console.print(what, soft_wrap=True)
        except SystemExit:
            # That is rich's word for a reader who is gone. The processes run on, unheard, and what
            # is still buffered must not fail when this one ends.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._console.file.fileno())

    def _waiting_now(self) -> list[Text | News | None]:
        """Return what is to be printed next, news that say the same joined; None is the end."""
        found = [self._waiting.get()]
        until = time.monotonic() + (GATHER_S if self._story else 0.0)
        while found[-1] is not None:
            try:
                what = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            for place, earlier in enumerate(found):
                if isinstance(earlier, News) and isinstance(what, News):
                    joined = earlier.joined(what)
                    if joined is not None:
                        found[place] = joined
                        break
            else:
                found.append(what)
        return found


class Ticker:
    """The last few things that went wrong, and came right again, a line each."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TICKER_LINES)
        self._story = Story(("error", "critical"))

    @property
    def lines(self) -> list[str]:
        """The lines to show, newest last."""
        return list(self._lines)

    def log(self, process: str, line: LogLine) -> None:
        """Take one event of a process's log."""
        news = self._story.news(process, line)
        if news is not None and not news.first:
            self._lines.append(str(news))

    def notice(self, sentence: str) -> None:
        """Take what the supervisor itself did."""
        self._lines.append(printable(sentence, LONGEST_SENTENCE))


def _whole(process: str, line: LogLine, level: str) -> Iterator[Text]:
    """Yield all that an event says: a line, and those of its traceback."""
    text = Text(str(line.get("timestamp", ""))[11:23], style="dim")
    text.append(f" {process:<{NAME_WIDTH}}", style="cyan")
    text.append(f" {printable(line.get('event', ''))}", style=_COLOURS.get(level, "default"))
    for key, value in line.items():
        if key not in _SAID and value is not None:
            text.append(f"  {printable(key)}=", style="dim").append(
                printable(value, LONGEST_SENTENCE)
            )
    yield text
    for traced in str(line.get("exception", "")).splitlines():
        yield Text(printable(traced, LONGEST_SENTENCE), style="red")


def _facts(line: LogLine) -> str:
    """Return the reason and the remedy of an event, and in brackets what else it says."""
    story = [str(line[key]) for key in ("reason", "detail", "remedy") if line.get(key)]
    story += str(line.get("exception", "")).splitlines()[-1:]
    others = [
        f"{key} {value}"
        for key, value in line.items()
        if key not in _SAID | {"reason", "detail", "remedy"} and value is not None
    ]
    return (f" ({', '.join(others)})" if others else "") + "".join(f"; {one}" for one in story)


def _credentials(options: DeploymentOptions) -> str:
    """Return what a bot must be told to be let in."""
    given = options.more.get("gateway", ())
    words = {"--tls-cert": " --ca-file CA", "--tokens": " --token-file FILE"}
    certificate = " --cert-file FILE --key-file FILE" if "--tls-client-ca" in given else ""
    return "".join(word for option, word in words.items() if option in given) + certificate


def _now() -> str:
    return f"{datetime.now(UTC):%H:%M:%S}"
