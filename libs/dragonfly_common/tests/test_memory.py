from __future__ import annotations

import resource
from pathlib import Path

from dragonfly_common.memory import give_back

BURST = 40_000
KEPT = 400
"""One message of so many outlives the burst."""


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def test_what_a_burst_took_is_given_back_though_some_of_it_is_kept() -> None:
    give_back()
    before = resident_bytes()
    burst = [bytes(600 + number % 600) for number in range(BURST)]
    kept = burst[::KEPT]
    held = resident_bytes()
    del burst
    give_back()
    assert held - before > BURST * 600
    assert resident_bytes() - before < (held - before) / 4
    assert len(kept) == BURST // KEPT
