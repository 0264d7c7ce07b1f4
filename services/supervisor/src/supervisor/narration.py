"""What `up` tells the person at the terminal: every process's log in one voice."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.text import Text

from supervisor.plan import Options
from supervisor.supervision import LogLine

__all__ = ["LEVELS", "Narrator"]

LEVELS: Final = ("info", "warning", "error")

_COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "bold red"}
# Of each line these are said in other ways, or are the same all along.
_SAID: Final = {"event", "level", "timestamp", "service", "instance", "exception"}
NAME_WIDTH: Final = 17


class Narrator:
    """Prints one line per event."""

    def __init__(self, console: Console, log_level: str) -> None:
        """Print to `console` what is at least of `log_level`."""
        self._console = console
        self._hidden = LEVELS[: LEVELS.index(log_level)]

    def log(self, process: str, line: LogLine) -> None:
        """Print one event of a process's log."""
        level = str(line.get("level", "info"))
        if level in self._hidden:
            return
        text = Text(f"{process:<{NAME_WIDTH}}", style="cyan")
        text.append(f" {line.get('event', '')}", style=_COLOURS.get(level, "default"))
        for key, value in line.items():
            if key not in _SAID and value is not None:
                text.append(f"  {key}=", style="dim").append(str(value))
        self._print(text)
        if "exception" in line:
            self._print(Text(str(line["exception"]), style="red"))

    def notice(self, sentence: str) -> None:
        """Print what the supervisor itself did."""
        self._print(Text(f"{'up':<{NAME_WIDTH}} ", style="cyan").append(sentence, style="yellow"))

    def ready(self, options: Options, gateway: str, control: str | None) -> None:
        """Print where everything is, and what to do next."""
        rows = [
            ("bots", gateway),
            ("venues", ", ".join(options.venues) + (" (simulated)" if control else "")),
            ("instruments", ", ".join(options.instruments)),
            ("watch it", f"dragonfly watch --gateway {gateway} {options.instruments[0]}"),
        ]
        if control:
            rows.append(
                ("break it", f"dragonfly fault --control {control} kraken silence --seconds 5")
            )
        rows.append(("end it", "Ctrl-C"))
        self._print(Text("\nDragonflyBot is up", style="bold green"))
        for name, value in rows:
            self._print(Text(f"  {name:<12} ", style="dim").append(value, style="bold"))
        self._print(Text(""))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
