"""What docs/fix.md says of each message: its section, and the tags that stand there. Pure."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["PAGE", "SECTIONS", "documented"]

PAGE: Final = (Path(__file__).parents[3] / "docs" / "fix.md").read_text()
HEADINGS: Final = {
    "V": "### MarketDataRequest (V), from you",
    "W": "### MarketDataSnapshotFullRefresh (W), from us",
    "X": "### MarketDataIncrementalRefresh (X), from us",
    "Y": "### MarketDataRequestReject (Y), from us",
    "e": "### SecurityStatusRequest (e) and SecurityStatus (f)",
    "x": "### SecurityListRequest (x) and SecurityList (y)",
    "j": "## What is refused",
    "D": "### What you send",
    "8": "### ExecutionReport (8)",
}
SHARED: Final = {"f": "e", "y": "x", "9": "8", "r": "D"}
"""Messages that are told of in the section of another."""
SECTIONS: Final = {
    kind: re.split(r"\n##", PAGE.partition(heading)[2])[0] for kind, heading in HEADINGS.items()
}
_RANGE: Final = re.compile(r"\b(\d{1,3}) to (\d{1,3})\b")


@cache
def documented(kind: str) -> set[int]:
    """Return the numbers in the section of a message; an X has the entries of a W."""
    section = SECTIONS[SHARED.get(kind, kind)] + (SECTIONS["W"] if kind == "X" else "")
    found = {int(number) for number in re.findall(r"\b\d{1,3}\b", section)}
    for first, last in _RANGE.findall(section):
        found |= {*range(int(first), int(last) + 1)}
    return found
