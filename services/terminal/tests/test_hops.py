"""Hop times: every hop of every quote, in histograms that bots can trust."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from dragonfly_client._decode import decode_book
from dragonfly_client.messages import Book, State, VenueFeed
from rich.console import Console
from stub_gateway import make_book
from terminal.hops import ALL, WAITED, HopTimes
from terminal.latency import as_json, draw_hop_times

T0 = 1_700_000_000_000_000_000


def quote(venue: str, *stamps_us: int, ts_event: int | None = None) -> tuple[Book, VenueFeed]:
    """Return a book and the venue's feed; stamps are recv, pub, agg, out and in."""
    recv, pub, agg, out, received = (T0 + stamp * 1000 for stamp in stamps_us)
    feed = VenueFeed(venue, State.LIVE, "", 0, recv, ts_event, recv, pub)
    book = decode_book(make_book(), received)
    return replace(book, venues=(feed,), ts_agg=agg, ts_out=out), feed


def drawn(hop_times: HopTimes) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(draw_hop_times(hop_times))
    return capture.get()


def test_hops_venues_and_what_came_before_are_told_apart() -> None:
    hop_times = HopTimes()
    assert "no quote has come yet" in drawn(hop_times)
    for _ in range(10):
        hop_times.add(*quote("binance", 0, 100, 400, 900, 1600))
        hop_times.add(*quote("kraken", 0, 200, 400, 500, 600, ts_event=T0 - 7_000_000))
    found = {(group, name): each.max_ns for group, name, each in hop_times.rows()}
    assert found == pytest.approx(
        {
            ("hop", "listener"): 200_000,
            ("hop", "aggregator"): 300_000,
            ("hop", "gateway"): 500_000,
            ("hop", "bot"): 700_000,
            ("hop", ALL): 1_600_000,
            ("hop", WAITED): 0,
            ("venue", "binance"): 1_600_000,
            ("venue", "kraken"): 600_000,
            ("before", "kraken"): 7_000_000,
        }
    )
    said = json.loads(as_json(hop_times))
    assert said["hop"]["bot"]["count"] == 20
    assert said["venue"]["kraken"]["p50_ns"] == pytest.approx(600_000, rel=1e-3)
    picture = drawn(hop_times)
    assert picture.index("listener") < picture.index(ALL) < picture.index("kraken")
    assert "1.60 ms" in picture
    assert "negative" not in picture


def test_clocks_that_disagree_are_said() -> None:
    hop_times = HopTimes()
    hop_times.add(*quote("binance", 0, 100, 50, 900, 1600))
    assert "1 figures were negative" in drawn(hop_times)


def test_a_feed_without_stamps_is_left_out() -> None:
    hop_times = HopTimes()
    book, feed = quote("binance", 0, 1, 2, 3, 4)
    hop_times.add(book, replace(feed, ts_pub=None))
    assert [*hop_times.rows()] == []
