"""A short run of every target, and all that ever failed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
from fuzzing import Failure, Target, fuzz, replay
from hypothesis import given
from hypothesis import strategies as st
from mutation import LARGEST, Form, mutate
from targets import TARGETS

INPUTS = 6000
"""Over all targets."""

CASES = sorted((Path(__file__).parent / "cases").glob("*.case"))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_hostile_does_harm(name: str) -> None:
    target = TARGETS[name]()
    shares = sum(each.weight for each in TARGETS.values())
    report = fuzz(target, max(150, INPUTS * target.weight // shares), seed=0)
    for _, error in report.failures:
        raise error
    assert len(report.outcomes) > 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_what_once_failed_does_not_again(case: Path) -> None:
    name, inputs = msgspec.msgpack.decode(case.read_bytes(), type=tuple[str, list[bytes]])
    target = TARGETS[name]()
    try:
        replay(target, inputs)
    finally:
        target.close()


class Fragile(Target):
    name = "fragile"

    def seeds(self) -> list[bytes]:
        return [b"good", b"fine"]

    def feed(self, data: bytes) -> str:
        if b"\xff" in data:
            raise RuntimeError("fell over")
        return "taken"


def test_what_fails_is_saved_and_fails_again(tmp_path: Path) -> None:
    (failed,) = fuzz(Fragile(), 10_000, seed=1).failures
    assert isinstance(failed[0], Failure)
    assert isinstance(failed[1], RuntimeError)
    name, inputs = msgspec.msgpack.decode(
        failed[0].save(tmp_path).read_bytes(), type=tuple[str, list[bytes]]
    )
    assert name == "fragile"
    assert len(inputs) == 1
    with pytest.raises(RuntimeError, match="fell over"):
        replay(Fragile(), inputs)


class Endless(Target):
    name = "endless"

    def seeds(self) -> list[bytes]:
        return [b""]

    def feed(self, data: bytes) -> str:
        while True:
            pass


def test_what_hangs_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzzing.HANG_S", 0.05)
    (failed,) = fuzz(Endless(), 10, seed=1).failures
    assert "processor's time" in str(failed[1])


@given(st.integers(), st.sampled_from(Form), st.lists(st.binary(), min_size=1))
def test_a_seed_makes_the_same_inputs(seed: int, form: Form, corpus: list[bytes]) -> None:
    once, again = (mutate(Random(seed), form, corpus) for _ in range(2))
    assert once == again
    assert len(once) <= LARGEST
