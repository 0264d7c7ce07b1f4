"""The hops' latencies as a table, once a second in a terminal, once at the end anywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from dragonfly_client.events import Event
from dragonfly_client.messages import Book
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from terminal.histogram import OCTAVES, Distribution
from terminal.hops import ALL, HopTimes
from terminal.state import WatchState
from terminal.text import duration_text, fitting

__all__ = ["LatencyScreen", "as_json", "draw_hop_times"]

PERIOD_S: Final = 1.0
WIDTH: Final = 100
"""Cells of the whole table; where there are fewer it goes without the bars."""
COLUMNS: Final = ("count", "p50", "p90", "p99", "p99.9", "max")
SACRIFICES: Final = ("p99.9", "count", "p90", "max", "p99")
"""Which columns give way first where not all fit."""
TABLE_LINES: Final = 4
"""Of a table beside its rows: headings, a rule, and a blank line above and below."""
BARS: Final = " ▁▂▃▄▅▆▇█"
GROUPS: Final = {
    "hop": "hop",
    "venue": "by venue",
    "before": "venue to socket",
}


class LatencyScreen:
    """The whole run's percentiles; `as_text` makes what is printed at the end instead."""

    period_s = PERIOD_S

    def __init__(self, console: Console, as_text: Callable[[HopTimes], str] | None = None) -> None:
        self._console = console
        if not console.is_terminal:
            console.width = WIDTH  # a pipe has none of its own
        redraws = console.is_terminal and not console.is_dumb_terminal
        self._as_text = as_text
        shown = redraws and as_text is None
        self._live = Live(console=console, auto_refresh=False, transient=True) if shown else None

    def __enter__(self) -> object:
        if self._console.is_dumb_terminal and self._as_text is None:
            self._console.print("measuring; Ctrl-C ends it and prints the table", soft_wrap=True)
        return self._live and self._live.__enter__()

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def observe(self, book: Book) -> None:
        """Do nothing: the hop times have it."""

    def on_event(self, event: Event) -> None:
        """Do nothing: the next picture says it."""

    def show(self, watch: WatchState) -> None:
        if self._live:
            width, height = self._console.size
            table = draw_hop_times(watch.hop_times, width, height - 1)
            self._live.update(Group(table, _status(watch, width)), refresh=True)

    def end(self, watch: WatchState) -> None:
        if self._as_text:
            self._console.out(self._as_text(watch.hop_times), highlight=False)
        else:
            self._console.print(draw_hop_times(watch.hop_times, self._console.width))


def draw_hop_times(
    hop_times: HopTimes, width: int = WIDTH, height: int | None = None
) -> RenderableType:
    """Return a table: a row for each hop and venue; no figure of it is cut.

    Where there is room it ends with a bar for each octave from 4 µs to 1 s. Columns for which
    there is none are named beneath it, rows are counted.
    """
    rows: list[tuple[str, ...]] = []
    below_zero = 0
    for group, found_rows in groupby(hop_times.rows(), key=itemgetter(0)):
        rows.append((GROUPS[group], *[""] * len(COLUMNS), ""))
        for _, name, found in found_rows:
            below_zero += found.below_zero
            rows.append((*_cells(name, found), _bars(found)))
    if not rows:
        return Text("no quote has come yet")
    remarks = []
    if below_zero:
        remarks.append(
            f"{below_zero} figures were negative and count as 0: the clocks of two machines differ"
        )
    titles = ("", *COLUMNS)
    shown, left_out = fitting([titles, *(row[:-1] for row in rows)], SACRIFICES, width)
    if left_out:
        remarks.append(f"no room for {', '.join(left_out)}")
    if height is not None:
        told = sum(-(-len(remark) // width) for remark in remarks)
        if len(rows) > height - TABLE_LINES - told:
            most = max(1, height - TABLE_LINES - told - 1)
            remarks.append(f"no room for {len(rows) - most} more rows")
            rows = rows[:most]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    for place in shown[1:]:
        table.add_column(titles[place], justify="right", no_wrap=True)
    if width >= WIDTH:
        table.add_column("4 µs" + "1 s".rjust(OCTAVES - 4), no_wrap=True)
    for name, *cells, bars in rows:
        style = "bold" if not cells[0] or name.strip() == ALL else None
        figures = [cells[place - 1] for place in shown[1:]]
        table.add_row(name, *figures, *([bars] if width >= WIDTH else []), style=style)
    return Group(table, *(Text(remark, "yellow") for remark in remarks))


def as_json(hop_times: HopTimes) -> str:
    """Return one JSON object: group, name, and the distribution's fields."""
    found: dict[str, dict[str, Any]] = {}
    for group, name, distribution in hop_times.rows():
        found.setdefault(group, {})[name] = asdict(distribution)
    return json.dumps(found, indent=2)


def _cells(name: str, found: Distribution) -> tuple[str, ...]:
    ranks = (found.p50_ns, found.p90_ns, found.p99_ns, found.p999_ns, found.max_ns)
    return (f"  {name}", str(found.count), *map(duration_text, ranks))


def _bars(found: Distribution) -> str:
    # What is there shows, however little it is.
    highest = max(found.octaves)
    return "".join(BARS[-(-8 * count // highest)] for count in found.octaves)


def _status(watch: WatchState, width: int) -> Text:
    frame = watch.frame()
    if frame.outage is not None:
        text = Text(frame.outage, "bold red")
    else:
        others = len(watch.instruments) - 1
        what = watch.instruments[0] + (f" and {others} more" if others else "")
        told = f"{frame.books_per_s:.0f} books/s of {what} from {watch.target} · Ctrl-C ends it"
        text = Text(told, "dim")
    text.truncate(width, overflow="ellipsis")
    return text
