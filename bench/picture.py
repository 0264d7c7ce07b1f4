"""The picture of what the benchmarks found, drawn from their files in build/bench.

    python bench/picture.py [FILE]

Writes FILE, by default build/bench/performance.svg. What was not measured has no panel.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from book_bots import HOPS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measuring import BUILD

__all__ = ["draw"]

Rows = Any
"""As they stand in the file."""


def draw(path: Path = BUILD / "performance.svg") -> Path | None:
    """Draw all panels whose figures there are; return where, or None where there is none."""
    panels = [(name, panel) for name, panel in PANELS if (BUILD / f"{name}.json").exists()]
    if not panels:
        return None
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "", "font.size": 8}
    columns = 2
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(10, 3.2 * lines), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_axis_off()
    for ax, (name, panel) in zip(axes, panels, strict=False):
        ax.set_axis_on()
        panel(ax, json.loads((BUILD / f"{name}.json").read_text())["rows"])
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    return path


def _latency(ax: Axes, rows: Rows) -> None:
    for number, (quantile, marker) in enumerate(
        (("p50", "o"), ("p90", "s"), ("p99", "^"), ("p99.9", "v"))
    ):
        for label, of in _kinds(rows):
            names = [f"{row['rate']:g}/s\n{_bots(row)}" for row in of]
            fill = "none" if label else "full"
            took = [row[quantile] for row in of]
            ax.plot(names, took, marker, c=f"C{number}", fillstyle=fill, label=label + quantile)
    ax.set_yscale("log")
    ax.set_ylabel("ms")
    ax.set_title("From a venue's send to a bot's receive")
    ax.legend(loc="upper left", ncols=4, fontsize=6)
    ax.set_ylim(top=ax.get_ylim()[1] * 4)  # room for it


def _kinds(rows: Rows) -> list[tuple[str, Rows]]:
    """Return the rows of one process, and those of five, where there are such."""
    kinds = {"": "", "apart: ": "apart: "}
    found = [
        (label, [row for row in rows if row["system"] == name]) for name, label in kinds.items()
    ]
    return [(label, of) for label, of in found if of]


def _bots(row: Rows) -> str:
    return f"{row['bots']} bot{'s' * (row['bots'] > 1)}"


def _cores(ax: Axes, rows: Rows) -> None:
    bars = [(f"{label}the system", of, "cores") for label, of in _kinds(rows)]
    together = bars[0][1]
    bars += [("bots", together, "bots' cores"), ("venues", together, "venues' cores")]
    for at, (name, of, column) in enumerate(bars):
        places = [number + 0.2 * at - 0.3 for number in range(len(of))]
        ax.bar(places, [row[column] for row in of], 0.18, label=name)
    ax.set_xticks(range(len(together)), [f"{row['rate']:g}/s\n{_bots(row)}" for row in together])
    ax.set_ylabel("cores")
    ax.set_title("What it costs")
    ax.legend()


def _hops(ax: Axes, rows: Rows) -> None:
    bars: list[tuple[str, list[tuple[str, float]]]] = []
    for row in rows:
        rate = f"{row['rate']:g}/s"
        kind = "apart" if row["system"] else "system"
        bars.append((f"{kind}\n{rate}", [(hop, row[f"{hop} p50"]) for hop in HOPS]))
        if row["system"]:
            continue
        hops = ("WebSocket", "ZeroMQ", "ZeroMQ", "gRPC")
        bars.append((f"bare\n{rate}", [(hop, row[f"{hop} p50"]) for hop in hops]))
    for at, (title, parts) in enumerate(bars):
        bottom = 0.0
        shade = 0.6 if title.startswith("bare") else 1.0
        for number, (name, took) in enumerate(parts):
            ax.bar(at, took, 0.7, bottom=bottom, color=f"C{number}", alpha=shade)
            if took > 0.02:
                ax.text(at, bottom + took / 2, name, ha="center", va="center", fontsize=6)
            bottom += took
    ax.set_xticks(range(len(bars)), [name for name, _ in bars])
    ax.set_ylabel("ms")
    ax.set_title("Where the time goes, p50, beside the bare libraries")


def _listeners(ax: Axes, rows: Rows) -> None:
    kinds = {
        "changed": "changed",
        "unchanged": "unchanged",
        "changed, of one instrument": "of one",
        "cryptofeed, as it comes": "as it comes",
        "cryptofeed, same in and out": "same in and out",
    }
    venues = [name for name in rows if "changed" in rows[name]]
    for at, (label, column) in enumerate(kinds.items()):
        places = [number + 0.16 * (at - len(kinds) // 2) for number in range(len(venues))]
        ax.bar(places, [rows[name].get(column, 0) for name in venues], 0.15, label=label)
    ax.set_xticks(range(len(venues)), venues)
    ax.set_yscale("log")
    ax.set_ylabel("CPU µs for a frame, in a flood")
    ax.set_title("A listener, beside cryptofeed")
    ax.legend(loc="upper left", ncols=2, fontsize=6)
    ax.set_ylim(top=ax.get_ylim()[1] * 8)  # room for it


def _merging(ax: Axes, rows: Rows) -> None:
    alone = [row for row in rows if row["instruments"] == 1]
    ax.plot([row["venues"] for row in alone], [row["books/s"] for row in alone], "o-")
    ax.set_ylim(0)
    ax.set_xlabel("venues of ten levels")
    ax.set_ylabel("books/s on a core")
    ax.set_title("An aggregator's core")


def _aggregating(ax: Axes, rows: Rows) -> None:
    paced = [row for row in rows if row["rate"] == rows[0]["rate"]]
    names = [f"{row['venues']}\n{row['instruments']}" for row in paced]
    ax.bar(names, [row["µs/book"] for row in paced])
    ax.set_xlabel("venues, instruments")
    ax.set_ylabel("CPU µs for a book")
    ax.set_title(f"An aggregator's process, {paced[0]['rate']} books/s")


def _cold(ax: Axes, rows: Rows) -> None:
    names = [row["updates"] for row in rows]
    left = [0.0] * len(rows)
    for step in [name for name in rows[0] if name not in {"updates", "together"}]:
        took = [row[step] for row in rows]
        ax.barh(names, took, left=left, label=step)
        left = [before + more for before, more in zip(left, took, strict=True)]
    ax.invert_yaxis()
    ax.tick_params("y", labelsize=6)
    ax.set_xlabel("µs")
    ax.set_title("The same work, done seldom")
    ax.legend(fontsize=6)


def _serving(ax: Axes, rows: Rows) -> None:
    for at, (label, column) in enumerate((("gateway", "gateway µs"), ("grpc.aio", "bare µs"))):
        places = [number + 0.4 * at - 0.2 for number in range(len(rows))]
        ax.bar(places, [row[column] for row in rows], 0.38, label=label)
    ax.set_xticks(range(len(rows)), [f"{_bots(row)}\n{row['rate']:g}/s" for row in rows])
    ax.set_ylabel("CPU µs for a bot's book")
    ax.set_title("A gateway, beside bare grpc.aio")
    ax.legend()


PANELS: Final[tuple[tuple[str, Callable[[Axes, Rows], None]], ...]] = (
    ("end_to_end", _latency),
    ("end_to_end", _cores),
    ("floors", _hops),
    ("listeners", _listeners),
    ("merging", _merging),
    ("serving", _serving),
    ("aggregating", _aggregating),
    ("cold", _cold),
)


if __name__ == "__main__":
    print(draw(*map(Path, sys.argv[1:])))
