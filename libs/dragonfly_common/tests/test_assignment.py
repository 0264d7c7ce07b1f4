from __future__ import annotations

from collections import Counter

from dragonfly_common.assignment import HANDOVER_S, Assignment, owners
from dragonfly_common.messages import Claim
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True)
KEYS = [f"COIN{number}-USD" for number in range(200)]


class Group:
    """Replicas that hear each other's claims; every one can make ready what it carries."""

    def __init__(self, *names: str, redundancy: int = 1) -> None:
        self.redundancy = redundancy
        self.assignments: dict[str, Assignment] = {}
        for name in names:
            self.join(name)

    def join(self, name: str) -> None:
        assignment = self.assignments[name] = Assignment(name, self.redundancy)
        for key in KEYS:
            assignment.want(key)

    def end(self, name: str) -> None:
        del self.assignments[name]
        for assignment in self.assignments.values():
            assignment.on_lost(name)

    def talk(self, now: float, *, able: bool = True) -> None:
        """Let all hear all and settle, until nothing changes any more at `now`."""
        for _ in range(3):
            for name, assignment in self.assignments.items():
                for other, peer in self.assignments.items():
                    if other != name:
                        assignment.on_claim(other, peer.claim)
                assignment.evaluate(now)
                if able:
                    assignment.note_ready(assignment.carried)

    def carried(self) -> Counter[str]:
        return Counter(
            key for assignment in self.assignments.values() for key in assignment.carried
        )

    def holder(self, key: str) -> set[str]:
        return {name for name, assignment in self.assignments.items() if key in assignment.carried}


@given(NAMES, st.text(max_size=10), st.integers(1, 3))
def test_all_replicas_agree_whatever_the_order(names: list[str], key: str, redundancy: int) -> None:
    chosen = owners(key, names, redundancy)
    assert owners(key, reversed(names), redundancy) == chosen
    assert len(set(chosen)) == min(redundancy, len(names))


@given(NAMES, st.text(min_size=9), st.text(max_size=10), st.integers(1, 3))
def test_who_joins_takes_over_only_what_it_ranks_for(
    names: list[str], newcomer: str, key: str, redundancy: int
) -> None:
    before, after = owners(key, names, redundancy), owners(key, [*names, newcomer], redundancy)
    assert set(after) - set(before) <= {newcomer}
    if newcomer not in after:
        assert after == before


def test_200_instruments_over_3_replicas_and_a_fourth_moves_only_what_must_move() -> None:
    group = Group("listener@a", "listener@b", "listener@c")
    group.talk(0.0)
    group.talk(HANDOVER_S)
    assert all(50 <= len(assignment.carried) <= 90 for assignment in group.assignments.values())
    assert group.carried() == Counter(KEYS)
    before = {key: group.holder(key) for key in KEYS}
    group.join("listener@d")
    group.talk(10.0)
    assert set(group.carried()) == set(KEYS)
    group.talk(10.0 + HANDOVER_S)
    fourth = group.assignments["listener@d"].carried
    assert 25 <= len(fourth) <= 75
    assert all(group.holder(key) == before[key] for key in KEYS if key not in fourth)
    assert group.carried() == Counter(KEYS)


def test_nothing_is_released_before_its_owner_has_had_it_ready_for_a_while() -> None:
    group = Group("a")
    group.talk(0.0)
    group.join("b")
    for now in (1.0, 1.0 + HANDOVER_S, 100.0):
        group.talk(now, able=False)
        assert group.assignments["a"].carried == set(KEYS)
    moved = group.assignments["b"].carried
    group.talk(200.0)
    group.talk(200.0 + HANDOVER_S - 0.01)
    assert group.assignments["a"].carried == set(KEYS)
    group.talk(200.0 + HANDOVER_S)
    assert group.assignments["a"].carried == set(KEYS) - moved


def test_an_owner_that_loses_it_again_begins_anew() -> None:
    assignment = Assignment("a")
    assignment.want("KEY")
    assignment.evaluate(0.0)
    assignment.note_ready(["KEY"])
    heir = next(name for name in map(str, range(100)) if owners("KEY", ["a", name], 1) == (name,))
    assignment.on_claim(heir, Claim(False, frozenset({"KEY"})))
    assignment.evaluate(1.0)
    assignment.on_claim(heir, Claim(False, frozenset()))
    assignment.evaluate(2.0)
    assignment.on_claim(heir, Claim(False, frozenset({"KEY"})))
    assert assignment.evaluate(3.0).release == []
    assert assignment.evaluate(1.0 + HANDOVER_S).release == []
    assert assignment.evaluate(3.0 + HANDOVER_S).release == ["KEY"]


def test_what_is_not_ready_here_is_released_at_once() -> None:
    assignment = Assignment("a")
    assignment.want("KEY")
    assignment.evaluate(0.0)
    heir = next(name for name in map(str, range(100)) if owners("KEY", ["a", name], 1) == (name,))
    assignment.on_claim(heir, Claim(False, frozenset()))
    assert assignment.evaluate(0.0).release == ["KEY"]


def test_the_others_take_over_from_one_that_dies() -> None:
    group = Group("a", "b", "c")
    group.talk(0.0)
    group.talk(HANDOVER_S)
    group.end("b")
    for assignment in group.assignments.values():
        assignment.evaluate(HANDOVER_S)
    assert group.carried() == Counter(KEYS)


def test_one_that_leaves_has_handed_over_when_the_others_are_ready() -> None:
    group = Group("a", "b", "c")
    group.talk(0.0)
    group.talk(HANDOVER_S)
    leaver = group.assignments["a"]
    leaver.leave()
    handed_over = []
    for able in (False, True):
        group.talk(10.0, able=able)
        handed_over.append(leaver.handed_over)
    assert handed_over == [False, True]
    assert leaver.carried  # kept until the end
    group.end("a")
    assert group.carried() == Counter(KEYS)


def test_the_last_one_has_nobody_to_hand_over_to() -> None:
    group = Group("a", "b")
    group.talk(0.0)
    group.talk(HANDOVER_S)
    for assignment in group.assignments.values():
        assignment.leave()
    group.talk(10.0)
    assert all(
        assignment.alone and assignment.handed_over for assignment in group.assignments.values()
    )
    assert set(group.carried()) == set(KEYS)


def test_redundancy_lets_two_carry_each() -> None:
    group = Group("a", "b", "c", redundancy=2)
    group.talk(0.0)
    group.talk(HANDOVER_S)
    assert set(group.carried().values()) == {2}
    group.end("a")
    group.talk(10.0)
    assert set(group.carried().values()) == {2}


def test_what_nobody_asks_for_is_not_carried_and_leaves_room() -> None:
    assignment = Assignment("a", capacity=1)
    assignment.want("ONE")
    assignment.want("TWO")
    assert assignment.evaluate(0.0).take == ["ONE"]
    assignment.unwant("ONE")
    assert assignment.evaluate(0.0).take == ["TWO"]
    assert assignment.carried == {"TWO"}


def test_nothing_moves_while_it_is_not_open() -> None:
    assignment = Assignment("a")
    assignment.open = False
    assignment.want("KEY")
    assert assignment.evaluate(0.0).take == []
    assignment.open = True
    assert assignment.evaluate(0.0).take == ["KEY"]


def test_the_claim_follows_whatever_changes_it() -> None:
    assignment = Assignment("a")
    assignment.want("ONE")
    assignment.want("TWO")
    claims = [assignment.claim]
    assignment.note_ready({"ONE", "TWO"})
    claims.append(assignment.claim)
    assignment.evaluate(0.0)
    claims.append(assignment.claim)
    assert assignment.claim is claims[-1]
    assignment.unwant("ONE")
    claims.append(assignment.claim)
    assignment.leave()
    claims.append(assignment.claim)
    nothing = Claim(False, frozenset())
    two = frozenset({"TWO"})
    assert claims[:2] == [nothing, nothing]
    assert claims[2:] == [Claim(False, two | {"ONE"}), Claim(False, two), Claim(True, two)]
