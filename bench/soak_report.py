"""What a soak found: its table, its verdict and its picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, Self

from slopes import percentile, slope

__all__ = ["Latency", "Life", "Results", "Sample", "draw", "table"]

MOST_MIB_PER_H: Final = 1.0
LEAST_JUDGED_S: Final = 1200.0
"""A shorter life says nothing about megabytes an hour."""


class Sample(NamedTuple):
    """What a process held at a moment of the soak."""

    at_s: float
    rss_mib: float
    fds: int
    threads: int


class Latency(NamedTuple):
    """From a venue's bytes at the listener to the bots, over a few seconds."""

    at_s: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, at_s: float, latencies_ms: Sequence[float]) -> Self:
        return cls(at_s, percentile(latencies_ms, 50), percentile(latencies_ms, 99))


@dataclass
class Life:
    """A process from its start to its end."""

    name: str
    pid: int
    harmed: bool
    samples: list[Sample] = field(default_factory=list)

    def settled(self, warm_up_s: float) -> list[Sample]:
        """Return its samples without those of its own first time."""
        return [one for one in self.samples if one.at_s - self.samples[0].at_s >= warm_up_s]

    def rss_slope(self, warm_up_s: float) -> float:
        """Return MiB an hour; NaN where it did not live long enough."""
        return slope([(one.at_s / 3600, one.rss_mib) for one in self.settled(warm_up_s)])


@dataclass
class Results:
    """All that was seen."""

    warm_up_s: float
    harmed: frozenset[str]
    lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    right: int = 0
    cut_short: bool = False
    wrong: list[str] = field(default_factory=list)

    def add_sample(self, name: str, pid: int, sample: Sample) -> None:
        life = self.lives.setdefault((name, pid), Life(name, pid, name in self.harmed))
        life.samples.append(sample)

    def newest(self) -> list[Life]:
        """Return the last life of each process."""
        return list({life.name: life for life in self.lives.values()}.values())

    def longest(self) -> list[Life]:
        """Return the longest life of each process."""
        by_length = sorted(self.lives.values(), key=lambda life: len(life.samples))
        found = {life.name: life for life in by_length}
        return sorted(found.values(), key=lambda life: (life.harmed, life.name))

    def latency_slope(self, percent: int) -> float:
        """Return ms an hour of p50 or p99."""
        settled = [one for one in self.latencies if one.at_s >= self.warm_up_s]
        return slope(
            [(one.at_s / 3600, one.p50_ms if percent == 50 else one.p99_ms) for one in settled]
        )

    def failures(self) -> Iterator[str]:
        """Yield what must not be."""
        yield from self.problems
        yield from self.wrong[:3]
        for life in self.longest():
            settled = life.settled(self.warm_up_s)
            if life.harmed or not settled or _length_s(settled) < LEAST_JUDGED_S:
                continue
            if (growth := life.rss_slope(self.warm_up_s)) >= MOST_MIB_PER_H:
                yield f"{life.name} grows by {growth:.2f} MiB/h: the bound is {MOST_MIB_PER_H:g}"

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {
            "lives": [
                asdict(life) | {"rss_mib_per_h": life.rss_slope(self.warm_up_s)}
                for life in self.lives.values()
            ],
            "harmed": sorted(self.harmed),
            "p50_ms_per_h": self.latency_slope(50),
            "p99_ms_per_h": self.latency_slope(99),
        }


def table(results: Results) -> str:
    """Return what a person wants to read."""
    head = f"{'process':20}{'minutes':>8}{'MiB':>8}{'most':>7}{'MiB/h':>8}{'fds':>11}{'threads':>9}"
    lines = [head]
    for life in results.longest():
        samples = life.settled(results.warm_up_s) or life.samples
        fds, threads = [one.fds for one in samples], [one.threads for one in samples]
        lines.append(
            f"{life.name:20}{_length_s(life.samples) / 60:8.1f}"
            f"{samples[-1].rss_mib:8.1f}{max(one.rss_mib for one in samples):7.1f}"
            f"{life.rss_slope(results.warm_up_s):8.2f}"
            f"{f'{min(fds)}-{max(fds)}':>11}{f'{min(threads)}-{max(threads)}':>9}"
            f"{'  longest life of a harmed one' if life.harmed else ''}"
        )
    for percent in (50, 99):
        values = [one[1 if percent == 50 else 2] for one in results.latencies] or [math.nan]
        growth = results.latency_slope(percent)
        lines.append(f"latency p{percent}: {median(values):.2f} ms, {growth:+.3f} ms/h")
    lines.append(f"{results.right:,} books judged, {len(results.wrong)} streams wrong")
    lines.append(f"{len(results.faults)} faults, slopes after {results.warm_up_s / 60:g} minutes")
    return "\n".join(lines)


def draw(results: Results, file: Path) -> None:
    """Draw memory by process and latency, over time."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only here

    figure = Figure(figsize=(12, 9), layout="constrained")
    memory, latency = figure.subplots(2, 1, sharex=True)
    for number, name in enumerate(sorted({life.name for life in results.lives.values()})):
        for life in (one for one in results.lives.values() if one.name == name):
            memory.plot(
                [one.at_s / 60 for one in life.samples],
                [one.rss_mib for one in life.samples],
                color=f"C{number}",
                linestyle=":" if life.harmed else "-",
                label=name if life is results.lives[_first(results, name)] else None,
            )
    memory.set_ylabel("resident MiB (dotted: harmed by faults)")
    memory.legend(ncols=2, fontsize="small")
    minutes = [one.at_s / 60 for one in results.latencies]
    latency.plot(minutes, [one.p50_ms for one in results.latencies], label="p50")
    latency.plot(minutes, [one.p99_ms for one in results.latencies], label="p99")
    latency.set_yscale("log")
    latency.set_ylabel("listener to bot, ms")
    latency.set_xlabel("minutes")
    latency.legend()
    for axes in (memory, latency):
        axes.grid(alpha=0.3)
        for at_s, _ in results.faults:
            axes.axvline(at_s / 60, color="grey", alpha=0.3, linewidth=0.7)
    figure.savefig(file, dpi=100)


def _first(results: Results, name: str) -> tuple[str, int]:
    return next(key for key in results.lives if key[0] == name)


def _length_s(samples: Sequence[Sample]) -> float:
    return samples[-1].at_s - samples[0].at_s
