"""Write the README's moving picture of the ladder, in which a venue leaves the book and returns.

    dragonfly up --simulated    # in another terminal; it says both addresses
    python deploy/moving_picture.py 127.0.0.1:50051 http://127.0.0.1:PORT/control docs/ladder.svg

A still is taken of `dragonfly watch` each second, as its `--svg` leaves one, and shown for as long.
Who wants no motion is shown the last one.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from dragonfly_client import Book
from dragonfly_client.events import Event
from rich.console import Console
from terminal.state import WatchState
from terminal.watch import picture, run_watch

PERIOD_S: Final = 1.0
STILLS: Final = 15
FAULT_AT: Final = 3
FAULT: Final = ("kraken", "silence", "--seconds", "7")

MOTION: Final = """
    .still {{ opacity: 0; animation: still {whole:g}s step-end infinite }}
    @keyframes still {{ 0% {{ opacity: 1 }} {share:.4f}% {{ opacity: 0 }} }}
    @media (prefers-reduced-motion: reduce) {{
        .still {{ animation: none }} .still:last-child {{ opacity: 1 }}
    }}
"""


class Stills:
    """A screen of a watch that keeps each picture."""

    period_s = PERIOD_S

    def __init__(self, control: str) -> None:
        self.pictures: list[str] = []
        self._control = control

    def __enter__(self) -> Stills:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing."""

    def observe(self, book: Book) -> None:
        """Do nothing: a picture is of the newest state."""

    def on_event(self, event: Event) -> None:
        """Do nothing."""

    def show(self, watch: WatchState) -> None:
        if watch.started_s is None:
            return
        self.pictures.append(picture(watch.frame()))
        if len(self.pictures) == FAULT_AT:
            beside = Path(sys.executable).parent / "dragonfly"
            subprocess.Popen([beside, "fault", "--control", self._control, *FAULT])  # noqa: S603 -- ours

    def end(self, watch: WatchState) -> None:
        """Do nothing."""


def joined(pictures: list[str]) -> str:
    """Return rich's pictures as one document that shows each for `PERIOD_S`, again and again."""
    heads, styles, windows, bodies = zip(*map(_parts, pictures), strict=True)
    motion = MOTION.format(whole=len(pictures) * PERIOD_S, share=100 / len(pictures))
    stills = [
        f'<g class="still" style="animation-delay: {at * PERIOD_S:g}s">{body}</g>'
        for at, body in enumerate(bodies)
    ]
    return "".join(
        (heads[-1], "<style>", *styles, motion, "</style>", windows[-1], *stills, "</g>\n</svg>\n")
    )


def _parts(document: str) -> tuple[str, str, str, str]:
    """Return what is before the style, the style without fonts, the window, and what it shows."""
    head, _, rest = document.partition("<style>")
    style, _, rest = rest.partition("</style>")
    style = re.sub(r"@font-face \{.*?\}", "", style, flags=re.DOTALL)
    rest = re.sub(r"<defs>.*?</defs>", "", rest, flags=re.DOTALL)
    rest = re.sub(r' clip-path="[^"]*"', "", rest)
    window, inside, body = rest.partition('<g transform="translate(9, 41)">')
    return head, style, window + inside, body.rpartition("</svg>")[0].rpartition("</g>")[0].strip()


def main() -> None:
    gateway, control, out = sys.argv[1:]
    stills = Stills(control)
    asyncio.run(
        run_watch(gateway, ["ETH-BTC"], seconds=STILLS * PERIOD_S, console=Console(), screen=stills)
    )
    Path(out).write_text(joined(stills.pictures), encoding="utf-8")


if __name__ == "__main__":
    main()
