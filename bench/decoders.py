"""What one frame costs each venue's decoder, alone, and how many times Kraken's for each level.

    python bench/decoders.py [--repeat N]

Each venue's simulator makes the frames of the book channel that a listener subscribes to for ten
levels: of one market, the same for all. Printed are µs for a frame that changes the ten best levels
and for one that changes a level below them, the levels of the channel that a frame of the first
kind changes, and for each of those µs and what multiple of Kraken's it is. A channel that shows no
level below has no frames of the second kind. "JSON" is what it takes to read a frame of the first
kind alone, into Python's objects. HTX's frames are unpacked before.

"cryptofeed" is what the handler of cryptofeed 2.4.1, in an environment of its own under build/,
takes for the same frames, where it reads the same channel; it hands on what changed, as decimals.

Venues take turns, N times (default 7), each beside Kraken's; medians are printed, also of the
multiple: the machine may be slower in one turn than in another.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from dialogue import Dialogue
from listeners import find_cryptofeed
from measuring import medians, print_table, save
from venue_simulator.venues import VENUES

FRAMES: Final = 500
YARDSTICK: Final = "kraken"
SHARED: Final = ("bybit", "coinbase_advanced", "okx")
"""Venues of which cryptofeed reads the channel that a listener subscribes to."""

Figures = dict[str, float]


def per_frame_us(read: Callable[[bytes], object], frames: Sequence[bytes]) -> float:
    """Return µs of CPU for a frame; nan where there is none."""
    began = time.thread_time_ns()
    for frame in frames:
        read(frame)
    took_ns = time.thread_time_ns() - began
    return took_ns / len(frames) / 1e3 if frames else float("nan")


def measure(dialogue: Dialogue) -> Figures:
    """Return what the next frames of a subscription cost."""
    changed, levels = dialogue.frames(FRAMES, news=True)
    news = per_frame_us(dialogue.decoder.decode, changed)
    unchanged, _ = dialogue.frames(FRAMES, news=False)
    return {
        "bytes": sum(map(len, changed)) / len(changed),
        "JSON": per_frame_us(msgspec.json.decode, changed),
        "changed": news,
        "unchanged": per_frame_us(dialogue.decoder.decode, unchanged),
        "levels": levels / len(changed),
        "a level": news * len(changed) / levels,
    }


def measure_cryptofeed(python: str) -> Figures:
    """Return µs of cryptofeed's handlers for a changed frame, by venue."""
    given = {}
    for name in SHARED:
        dialogue = Dialogue(name)
        frames, _ = dialogue.frames(FRAMES, news=True)
        given[name] = (
            dialogue.symbol,
            *([frame.decode() for frame in some] for some in (dialogue.first, frames)),
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames.json"
        file.write_text(json.dumps(given))
        script = Path(__file__).with_name("cryptofeed_handlers.py")
        done = subprocess.run([python, script, file], stdout=subprocess.PIPE, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="What a frame costs each venue's decoder.")
    parser.add_argument("--repeat", type=int, default=7)
    given = parser.parse_args()
    dialogues = {name: Dialogue(name) for name in VENUES}
    found: dict[str, list[Figures]] = defaultdict(list)
    python = find_cryptofeed()
    gc.freeze()
    gc.disable()
    for _ in range(given.repeat):
        theirs = measure_cryptofeed(python) if python else {}
        for name, dialogue in dialogues.items():
            beside = measure(dialogues[YARDSTICK])
            figures = measure(dialogue)
            figures["times Kraken's"] = figures["a level"] / beside["a level"]
            figures["cryptofeed"] = theirs.get(name, float("nan"))
            found[name].append(figures)
    rows = {name: medians(figures) for name, figures in found.items()}
    columns = list(rows[YARDSTICK])
    table = [[name, *row.values()] for name, row in rows.items()]
    print_table("A decoder: CPU µs for a frame, and for each level changed", ["", *columns], table)
    save("decoders", {"rows": rows})


if __name__ == "__main__":
    main()
