from __future__ import annotations

from dataclasses import replace

import pytest
from dragonfly_client import Book, State, VenueFeed
from dragonfly_client._decode import decode_book
from hypothesis import given
from hypothesis import strategies as st
from stub_gateway import make_book
from terminal.hops import ALL, WAITED, Wait
from terminal.statistics import Rates, Recent, Statistics, WaitMeter

T0 = 1_700_000_000_000_000_000


def feed(venue: str, recv: int, state: State = State.LIVE, reason: str = "") -> VenueFeed:
    return VenueFeed(venue, state, reason, 0, recv, None, T0 + recv, T0 + recv + 10)


def book(*feeds: VenueFeed, ts_in: int = 0, ts_out: int | None = None) -> Book:
    plain = decode_book(make_book(), T0 + ts_in)
    ts_out = ts_in - 20 if ts_out is None else ts_out
    return replace(plain, venues=feeds, ts_agg=T0 + ts_in - 30, ts_out=T0 + ts_out)


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


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 5_000)), min_size=1, max_size=60),
    st.integers(1, 2_000),
    st.integers(0, 2_000),
    st.integers(-(10**9), 10**9),
    st.integers(1, 8),
)
def test_what_a_book_waits_for_the_watcher_is_no_latency(
    books: list[tuple[int, int]], way_ns: int, back_ns: int, ahead_ns: int, window: int
) -> None:
    """Whatever the watcher does for so long after each book, and how far its clock is ahead."""
    meter = WaitMeter(window)
    computed = free = T0
    freed: list[int] = []
    for pause_ns, work_ns in books:
        computed += pause_ns
        opened = freed[-window] + back_ns if len(freed) >= window else 0
        written = max(computed, opened)
        arrived = max(written + way_ns, free)
        free = arrived + work_ns
        freed.append(free)
        one = replace(book(feed("a", 0)), ts_agg=computed, ts_out=written, ts_in=arrived + ahead_ns)
        waited = meter.waited(one)
        meter.acknowledge(free + ahead_ns)
        assert waited.here_ns == arrived - written - way_ns
        # What is left to the gateway's hop is an acknowledgement's round trip at most.
        assert 0 <= written - computed - waited.at_gateway_ns <= way_ns + back_ns


def test_a_picture_is_waited_for_like_a_book() -> None:
    meter = WaitMeter(8)
    meter.waited(book(feed("a", 0), ts_out=0, ts_in=100))
    meter.free(T0 + 5_000)
    assert meter.waited(book(feed("a", 0), ts_out=1_000, ts_in=5_100)) == Wait(0, 3_900)
    assert meter.waited(book(feed("a", 0), ts_out=6_000, ts_in=6_100)) == Wait(0, 0)


def test_a_book_that_waited_is_timed_without_its_waiting() -> None:
    statistics = Statistics()
    statistics.observe(book(feed("a", 0)))
    statistics.observe(book(feed("a", 1_000), ts_in=900_000), Wait(5, 500_000))
    latency, hops = statistics.latency("a"), statistics.hops()
    assert latency is not None
    assert hops is not None
    assert latency.p50_ns == 398_995
    assert hops.bot_ns + hops.gateway_ns + hops.aggregator_ns + hops.listener_ns == 398_995
    rows = {name: found for _, name, found in statistics.hop_times.rows()}
    assert rows[ALL].max_ns == pytest.approx(398_995, rel=1e-3)
    assert rows[WAITED].max_ns == pytest.approx(500_000, rel=1e-3)
    waited = statistics.summary([], 1).waited
    assert waited is not None
    assert waited.p99_ns == pytest.approx(500_000, rel=1e-3)


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
