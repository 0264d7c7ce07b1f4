"""The ledger as a table, once a second in a terminal, once at the end anywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dragonfly_client.events import Event
from dragonfly_client.messages import Book
from dragonfly_client.watch.ledger import ALL, OCTAVES, Distribution, Ledger
from dragonfly_client.watch.state import Watch
from dragonfly_client.watch.text import duration_text

__all__ = ["LatencyScreen", "as_json", "draw_ledger"]

PERIOD_S: Final = 1.0
WIDTH: Final = 100
"""Cells of the whole table; where there are fewer it goes without the bars."""
BARS: Final = " ▁▂▃▄▅▆▇█"
GROUPS: Final = {
    "hop": "hop",
    "venue": "by venue",
    "before": "venue to socket",
}


class LatencyScreen:
    """The whole run's percentiles; `as_text` makes what is printed at the end instead."""

    period_s = PERIOD_S

    def __init__(self, console: Console, as_text: Callable[[Ledger], str] | None = None) -> None:
        self._console = console
        if not console.is_terminal:
            console.width = WIDTH  # a pipe has none of its own
        self._as_text = as_text
        shown = console.is_terminal and as_text is None
        self._live = Live(console=console, auto_refresh=False, transient=True) if shown else None

    def __enter__(self) -> object:
        return self._live and self._live.__enter__()

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def observe(self, book: Book) -> None:
        """Do nothing: the ledger has it."""

    def tell(self, event: Event) -> None:
        """Do nothing: the next picture says it."""

    def show(self, watch: Watch) -> None:
        if self._live:
            picture = Group(draw_ledger(watch.ledger, self._console.width), _status(watch))
            self._live.update(picture, refresh=True)

    def end(self, watch: Watch) -> None:
        if self._as_text:
            self._console.out(self._as_text(watch.ledger), highlight=False)
        else:
            self._console.print(draw_ledger(watch.ledger, self._console.width))


def draw_ledger(ledger: Ledger, width: int = WIDTH) -> RenderableType:
    """Return a table: a row for each hop and venue.

    Where there is room it ends with a bar for each octave from 4 µs to 1 s.
    """
    bars = width >= WIDTH
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    for heading in ("count", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right", no_wrap=True)
    if bars:
        table.add_column("4 µs" + "1 s".rjust(OCTAVES - 4), no_wrap=True)
    below_zero = 0
    for group, rows in groupby(ledger.rows(), key=itemgetter(0)):
        table.add_row(Text(GROUPS[group], "bold"))
        for _, name, found in rows:
            below_zero += found.below_zero
            cells = [*_cells(name, found), *([_bars(found)] if bars else [])]
            table.add_row(*cells, style="bold" if name == ALL else None)
    if not table.row_count:
        return Text("no quote has come yet")
    if not below_zero:
        return table
    return Group(
        table,
        Text(
            f"{below_zero} figures were negative and count as 0: the clocks of two machines differ",
            "yellow",
        ),
    )


def as_json(ledger: Ledger) -> str:
    """Return one JSON object: group, name, and the distribution's fields."""
    found: dict[str, dict[str, Any]] = {}
    for group, name, distribution in ledger.rows():
        found.setdefault(group, {})[name] = asdict(distribution)
    return json.dumps(found, indent=2)


def _cells(name: str, found: Distribution) -> tuple[str, ...]:
    ranks = (found.p50_ns, found.p90_ns, found.p99_ns, found.p999_ns, found.max_ns)
    return (f"  {name}", str(found.count), *map(duration_text, ranks))


def _bars(found: Distribution) -> str:
    # What is there shows, however little it is.
    highest = max(found.octaves)
    return "".join(BARS[-(-8 * count // highest)] for count in found.octaves)


def _status(watch: Watch) -> Text:
    frame = watch.frame()
    if frame.outage is not None:
        return Text(frame.outage, "bold red")
    what = f"{frame.books_per_s:.0f} books/s of {' '.join(watch.instruments)} from {watch.target}"
    return Text(f"{what} · Ctrl-C ends it", "dim")
