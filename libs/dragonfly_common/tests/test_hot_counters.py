from __future__ import annotations

from collections.abc import Iterator

import pytest
from dragonfly_common.hot_counters import Tallies
from prometheus_client import REGISTRY

NAME = "dragonfly_test_tallies"


@pytest.fixture
def tallies() -> Iterator[Tallies]:
    tallies = Tallies(f"{NAME}_total", "What a test counts.", ["kind", "result"])
    yield tallies
    REGISTRY.unregister(tallies)


def test_each_set_of_labels_has_a_number_of_its_own(tallies: Tallies) -> None:
    kept = tallies.labels("bbo", "agreed")
    kept.count += 2
    tallies.labels("bbo", "agreed").count += 1
    tallies.labels("bbo", "disagreed").count += 1
    for result, number in (("agreed", 3), ("disagreed", 1)):
        labels = {"kind": "bbo", "result": result}
        assert REGISTRY.get_sample_value(f"{NAME}_total", labels) == number


def test_too_few_labels_are_refused_where_they_are_given(tallies: Tallies) -> None:
    with pytest.raises(ValueError, match="kind, result"):
        tallies.labels("bbo")
