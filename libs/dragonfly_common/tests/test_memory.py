from __future__ import annotations

import gc
import resource
from pathlib import Path

from dragonfly_common.memory import COLLECT_AFTER, give_back, settle_collector

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


def test_what_there_is_when_the_collector_is_settled_is_not_looked_at_again() -> None:
    usual, made_before = gc.get_threshold(), [object()]
    settle_collector()
    try:
        made_after = [object()]
        watched = {id(one) for one in gc.get_objects()}
        assert id(made_before) not in watched
        assert id(made_after) in watched
        assert gc.get_threshold()[0] == COLLECT_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
