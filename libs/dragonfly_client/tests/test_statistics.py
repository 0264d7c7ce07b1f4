from __future__ import annotations

from dataclasses import replace

import pytest
from dragonfly_client import Book, State, VenueFeed
from dragonfly_client._decode import decode_book
from dragonfly_client.watch.statistics import Rates, Recent, Statistics
from stub_gateway import make_book

T0 = 1_700_000_000_000_000_000


def feed(venue: str, recv: int, state: State = State.LIVE, reason: str = "") -> VenueFeed:
    return VenueFeed(venue, state, reason, 0, recv, None, T0 + recv, T0 + recv + 10)


def book(*feeds: VenueFeed, ts_in: int = 0) -> Book:
    plain = decode_book(make_book(), T0 + ts_in)
    return replace(plain, venues=feeds, ts_agg=T0 + ts_in - 30, ts_out=T0 + ts_in - 20)


def test_only_a_venue_that_moved_counts_an_update() -> None:
    statistics = Statistics()
    for recv in (0, 100, 200):
        statistics.observe(book(feed("a", recv), feed("b", 0), ts_in=recv + 1000))
    summary = statistics.summary(["X-Y"], 2.0)
    assert summary.updates == {"a": 2, "b": 0}
    assert summary.books == 3


def test_latency_is_of_the_venue_that_moved_not_of_the_first_state() -> None:
    statistics = Statistics()
    statistics.observe(book(feed("a", 0), ts_in=5_000_000_000))
    assert statistics.latency() is None
    statistics.observe(book(feed("a", 6_000_000_000), ts_in=6_000_400_000))
    latency = statistics.latency("a")
    assert latency is not None
    assert latency.p50_ns == 400_000
    hops = statistics.hops()
    assert hops is not None
    assert hops.listener_ns + hops.aggregator_ns + hops.gateway_ns + hops.bot_ns == 400_000


def test_an_untimed_book_counts_without_its_latency() -> None:
    statistics = Statistics()
    statistics.observe(book(feed("a", 0)))
    statistics.observe(book(feed("a", 1), ts_in=500), timed=False)
    assert statistics.latency() is None
    assert statistics.summary([], 1).updates == {"a": 1}


def test_a_state_change_is_no_latency() -> None:
    statistics = Statistics()
    statistics.observe(book(feed("a", 0)))
    statistics.observe(book(feed("a", 0, State.STALE, "silent"), ts_in=3_000_000_000))
    assert statistics.latency() is None


def test_a_fault_counts_once_per_episode() -> None:
    statistics = Statistics()
    live, stale = feed("a", 0), feed("a", 0, State.STALE, "silent for 3 s")
    for one in (live, stale, stale, live, stale, live):
        statistics.observe(book(one))
    (fault,) = statistics.summary([], 1).faults
    assert (fault.venue, fault.state, fault.reason, fault.times) == (
        "a",
        State.STALE,
        "silent for 3 s",
        2,
    )


def test_the_particulars_of_an_episode_do_not_make_another_fault() -> None:
    statistics = Statistics()
    for checksum in (1, 2, 3):
        statistics.observe(book(feed("a", 0)))
        reason = f"resyncing: checksum (the venue says {checksum})"
        statistics.observe(book(feed("a", 0, State.SYNCING, reason)))
    (fault,) = statistics.summary([], 1).faults
    assert (fault.reason, fault.times) == ("resyncing: checksum", 3)


def test_coming_up_is_no_fault_unless_it_never_ends() -> None:
    statistics = Statistics()
    statistics.observe(book(feed("a", 0, State.DOWN, "no listener"), feed("b", 0, State.SYNCING)))
    statistics.observe(book(feed("a", 0, State.SYNCING), feed("b", 0, State.UNKNOWN, "not listed")))
    statistics.observe(book(feed("a", 0), feed("b", 0, State.UNKNOWN, "not listed")))
    faults = statistics.summary([], 1).faults
    assert [(fault.venue, fault.state, fault.times) for fault in faults] == [
        ("b", State.UNKNOWN, 1)
    ]


def test_a_venue_that_invents_reasons_fills_no_memory() -> None:
    statistics = Statistics()
    for number in range(1000):
        statistics.observe(book(feed("a", 0)))
        statistics.observe(book(feed("a", 0, State.STALE, f"reason {number}")))
    faults = statistics.summary([], 1).faults
    assert len(faults) == 101
    assert {fault.reason: fault.times for fault in faults}["other"] == 900


def test_rates_look_two_seconds_back() -> None:
    rates = Rates()
    assert rates.per_second("a") == 0
    for tick in range(100):
        rates.sample(tick / 10, {"a": tick * 5 if tick >= 50 else 0})
    assert rates.per_second("a") == pytest.approx(50)
    assert rates.per_second("nobody") == 0


def test_recent_forgets() -> None:
    recent = Recent()
    assert recent.percentiles() is None
    for value in (10**9, *[100] * 2000):
        recent.add(value)
    percentiles = recent.percentiles()
    assert percentiles is not None
    assert percentiles.p99_ns == 100
