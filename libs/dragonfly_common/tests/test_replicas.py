"""Replicas on real sockets, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest
from dragonfly_common.assignment import Assignment
from dragonfly_common.bus import Publisher
from dragonfly_common.clock import ManualClock
from dragonfly_common.replicas import DOUBT_S, LEAVE_LIMIT_S, ReplicaGroup
from patience import PATIENCE_S

TURN_S = 0.001
KEYS = frozenset(f"COIN{number}-USD" for number in range(20))


class Replica:
    """One replica, which has ready what it carries unless told otherwise."""

    def __init__(self, name: str, addresses: list[str], address: str) -> None:
        self.clock = ManualClock()
        self.publisher = Publisher(address, name, self.clock)
        self.assignment = Assignment(name)
        self.peers = ReplicaGroup(addresses, self.publisher, self.assignment, self.clock)
        self.able = True
        for key in KEYS:
            self.assignment.want(key)

    def turn(self) -> None:
        self.publisher.drain()
        self.publisher.tick()
        self.peers.turn()
        self.assignment.evaluate(self.clock.monotonic())
        if self.able:
            self.assignment.note_ready(self.assignment.carried)

    def close(self) -> None:
        self.publisher.close()
        self.peers.close()


class Replicas:
    def __init__(self, folder: Path) -> None:
        self._addresses = [f"ipc://{folder}/{name}" for name in "ab"]
        self.running: dict[str, Replica] = {}

    def start(self, name: str) -> Replica:
        replica = Replica(name, self._addresses, self._addresses["ab".index(name)])
        self.running[name] = replica
        return replica

    def end(self, name: str) -> None:
        self.running.pop(name).close()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            # Where the machine is busy the replicas' time passes more slowly than its own.
            time.sleep(TURN_S)
            for replica in self.running.values():
                replica.clock.advance(TURN_S)
                replica.turn()

    def until_shared(self) -> None:
        """Wait until each key is carried by one, and each carries some."""

        def shared() -> bool:
            carried = [replica.assignment.carried for replica in self.running.values()]
            return all(carried) and sorted(chain(*carried)) == sorted(KEYS)

        self.until(shared)


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    replicas = Replicas(tmp_path)
    yield replicas
    for name in list(replicas.running):
        replicas.end(name)


def test_two_share_and_one_takes_over_from_the_other(replicas: Replicas) -> None:
    a, b = replicas.start("a"), replicas.start("b")
    replicas.until_shared()
    assert 0 < len(a.assignment.carried) < len(KEYS)
    replicas.end("a")
    replicas.until(lambda: b.assignment.carried == KEYS)


def test_one_that_leaves_ends_when_the_other_has_all(replicas: Replicas) -> None:
    a, b = replicas.start("a"), replicas.start("b")
    replicas.until_shared()
    b.able = False
    a.peers.leave()
    replicas.until(lambda: b.assignment.carried == KEYS)
    assert not a.peers.may_end()
    b.able = True
    replicas.until(a.peers.may_end)
    assert a.assignment.handed_over


def test_one_that_leaves_does_not_wait_for_ever(replicas: Replicas) -> None:
    a, b = replicas.start("a"), replicas.start("b")
    replicas.until_shared()
    b.able = False
    b.assignment.note_ready(())
    began = a.clock.monotonic()
    a.peers.leave()
    # What it carried before the two shared may be its last word until now.
    replicas.until(lambda: not a.assignment.handed_over)
    replicas.until(a.peers.may_end)
    assert not a.assignment.handed_over
    assert a.clock.monotonic() - began >= LEAVE_LIMIT_S


def test_one_that_leaves_waits_for_another_that_has_all_no_more(replicas: Replicas) -> None:
    a, b = replicas.start("a"), replicas.start("b")
    replicas.until_shared()
    a.peers.leave()
    replicas.until(lambda: a.assignment.handed_over)
    assert not a.peers.may_end()
    b.able = False
    b.assignment.note_ready(())
    replicas.until(lambda: not a.assignment.handed_over)
    assert not a.peers.may_end()
    b.able = True
    replicas.until(lambda: a.assignment.handed_over)
    assert not a.peers.may_end()  # it has been so for a moment only
    replicas.until(a.peers.may_end)


def test_a_lone_one_may_end_at_once(replicas: Replicas) -> None:
    a = replicas.start("a")
    replicas.until(lambda: a.assignment.carried == KEYS)
    a.peers.leave()
    assert a.peers.may_end()


def test_one_that_stood_still_takes_nothing_over(replicas: Replicas) -> None:
    a, _ = replicas.start("a"), replicas.start("b")
    replicas.until_shared()
    carried = set(a.assignment.carried)
    a.clock.advance(10 * DOUBT_S)
    seen = []
    for _ in range(2):
        a.turn()
        seen.append((a.assignment.alone, a.assignment.open))
        replicas.until(lambda: a.assignment.open)
    assert seen == [(True, False), (False, True)]
    assert a.assignment.carried == carried
