from __future__ import annotations

from collections.abc import Iterator

import pytest
from dragonfly_common.hot_counters import Delays, Newest, Tallies
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


def test_delays_are_a_histogram_of_each_label() -> None:
    delays = Delays("dragonfly_test_delay_seconds", "What a test waits for.", "hop")
    try:
        for delay_ns in (-5, 50_000, 50_001, 3_000_000, 5_000_000_000):
            delays.of("listener").note(delay_ns)
        delays.of("gateway")

        def told(what: str, **labels: str) -> float | None:
            return REGISTRY.get_sample_value(f"dragonfly_test_delay_seconds_{what}", labels)

        at_most = {"5e-05": 2, "0.0001": 3, "0.002": 3, "0.005": 4, "1.0": 4, "+Inf": 5}
        for bound, number in at_most.items():
            assert told("bucket", hop="listener", le=bound) == number
        assert told("count", hop="listener") == 5
        assert told("sum", hop="listener") == pytest.approx(5.003100001)
        assert told("count", hop="gateway") == 0
    finally:
        REGISTRY.unregister(delays)


def test_what_a_publisher_sends_again_is_no_news() -> None:
    news = Newest()
    assert not news.is_new("a", 100)  # it may have rested for long before it was asked for
    assert not news.is_new("a", 90)
    assert news.is_new("a", 110)
    assert not news.is_new("a", 110)
    assert not news.is_new("b", 120)
    news.forget("a")
    assert not news.is_new("a", 130)
