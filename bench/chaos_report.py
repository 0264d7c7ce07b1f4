"""What a run of chaos found: how long the dead stayed in books, and how soon all was back."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from dragonfly_client import State, View
from oracle import History, Rules, Verdict
from slopes import percentile
from truth import Truth

__all__ = ["Done", "Timings", "as_json", "table"]

WATCHED_NS: Final = 60_000_000_000
"""What is not back by then is the oracle's business."""


class Done(msgspec.Struct):
    """A fault as it happened; `venues` at `bots` (see `Excuse`) suffer from it. Times: ns."""

    kind: str
    target: str
    role: str
    """What is harmed, without its number."""
    seconds: float
    start: int = 0
    healed: int = 0
    ready: int = 0
    """When what was started again said that it is; else `healed`."""
    venues: Sequence[str] = ()
    bots: str = ""
    silences: bool = False
    """Whether a publisher of books fell silent by it."""

    @property
    def what(self) -> str:
        return f"{self.kind} {self.role}"


@dataclass
class Timings:
    """Follows histories and takes the time: an observer of `judge_folder`."""

    faults: Sequence[Done]
    truth: Truth
    rules: Rules
    depth: int = 10
    out: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from a publisher's end until no book was made of what it had said, by fault."""
    back: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from the healing until a book had the venue again, as it was then."""
    overlapped: Counter[str] = field(default_factory=Counter)
    """Of `back`: not counted because another fault was upon the venue too."""

    def __post_init__(self) -> None:
        self.faults = sorted(self.faults, key=lambda fault: fault.start)
        self._starts = [fault.start for fault in self.faults]
        self._seen: set[tuple[int, History, str]] = set()
        self._noted: set[tuple[int, History, str]] = set()
        self._shown: dict[History, dict[str, tuple[int, int]]] = {}
        self._began: dict[History, int] = {}

    def observe(self, bot: str, history: History, view: View | None, ts: int) -> None:
        """Take the next view of a history, or its end."""
        began = self._began.setdefault(history, ts)
        before = self._shown.get(history, {})
        now: dict[str, tuple[int, int]] = {}
        for feed in view.venues if view else ():
            if feed.state is State.LIVE:
                since = before.get(feed.venue)
                same = since is not None and since[0] == feed.venue_seq
                now[feed.venue] = since if since and same else (feed.venue_seq, ts)
        self._shown[history] = now
        instrument = (view or history.current or _NOBODY).instrument
        first, last = bisect_left(self._starts, ts - WATCHED_NS), bisect_right(self._starts, ts)
        for number in range(first, last):
            fault = self.faults[number]
            if fault.bots not in bot or began > fault.start:
                continue
            for venue in fault.venues:
                key = (number, history, venue)
                if fault.silences and key not in self._seen:
                    self._note_out(key, fault, instrument, before.get(venue), now.get(venue), ts)
                if fault.healed <= ts and key not in self._noted and venue in now:
                    self._note_back(key, fault, instrument, now[venue][0], ts)

    def _note_out(
        self,
        key: tuple[int, History, str],
        fault: Done,
        instrument: str,
        before: tuple[int, int] | None,
        now: tuple[int, int] | None,
        ts: int,
    ) -> None:
        if before is not None and before == now:
            return
        self._seen.add(key)
        if before is None or before[1] > fault.start:
            return
        since = self.truth.superseded(key[2], instrument, before[0], self.depth)
        if since is not None and since < ts:
            seconds = self.rules.lag_s(key[1].bot, key[2], instrument, max(since, fault.start), ts)
            self.out.setdefault(fault.what, []).append(seconds)

    def _note_back(
        self, key: tuple[int, History, str], fault: Done, instrument: str, seq: int, ts: int
    ) -> None:
        since = self.truth.superseded(key[2], instrument, seq, self.depth)
        if since is not None and since < fault.healed:
            return
        self._noted.add(key)
        if any(
            other is not fault
            and other.start <= ts
            and other.healed >= fault.healed
            and key[2] in other.venues
            for other in self.faults[max(0, key[0] - 50) : key[0] + 50]
        ):
            self.overlapped[fault.what] += 1
            return
        self.back.setdefault(fault.what, []).append((ts - fault.healed) / 1e9)


@dataclass(frozen=True)
class _Nobody:
    instrument: str = ""


_NOBODY: Final = _Nobody()


def as_json(
    timings: Timings, verdict: Verdict, facts: Mapping[str, object], problems: Iterable[str]
) -> dict[str, object]:
    """Return all figures."""
    started = [one for one in timings.faults if one.ready > one.healed]
    return {
        **facts,
        "faults": dict(sorted(Counter(fault.what for fault in timings.faults).items())),
        "books_judged": verdict.judged,
        "histories": verdict.histories,
        "wrong": [str(violation) for violation in verdict.violations],
        "problems": list(problems),
        "out_s": {what: _figures(values) for what, values in sorted(timings.out.items())},
        "back_s": {what: _figures(values) for what, values in sorted(timings.back.items())},
        "start_s": _figures([(one.ready - one.healed) / 1e9 for one in started]),
        "overlapped": dict(timings.overlapped),
    }


def table(figures: Mapping[str, object]) -> str:
    """Return what a person wants to read of `as_json`."""
    faults, out, back = figures["faults"], figures["out_s"], figures["back_s"]
    assert isinstance(faults, dict)
    assert isinstance(out, dict)
    assert isinstance(back, dict)
    lines = [
        f"{'':34}{'':>7}{'dead in books, s':^24}{'healed to whole, s':^24}",
        f"{'fault':34}{'times':>7}{'p50':>8}{'p99':>8}{'max':>8}{'p50':>8}{'p99':>8}{'max':>8}",
    ]
    for what, times in faults.items():
        lines.append(f"{what:34}{times:>7}{_columns(out.get(what))}{_columns(back.get(what))}")
    started = figures["start_s"]
    assert isinstance(started, dict)
    wrong = figures["wrong"]
    assert isinstance(wrong, list)
    lines.append(f"{'a process starts (of what is above)':41}{'':24}{_columns(started)}")
    lines.append(
        f"{figures['books_judged']:,} views judged in {figures['histories']} histories, "
        f"{len(wrong)} of them broken"
    )
    lines.append(
        f"{figures['messages_per_s']:,.0f} messages/s from the venues, load average "
        f"{figures['load_average']}"
    )
    return "\n".join(lines)


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {
        "count": len(values),
        "p50": percentile(values, 50),
        "p99": percentile(values, 99),
        "max": max(values, default=math.nan),
        "over_750ms": sum(value > 0.75 for value in values),
        "over_1s": sum(value > 1.0 for value in values),
    }


def _columns(figures: dict[str, float] | None) -> str:
    if not figures or not figures["count"]:
        return f"{'-':>8}" * 3
    return "".join(f"{figures[name]:8.3f}" for name in ("p50", "p99", "max"))
