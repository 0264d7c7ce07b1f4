from __future__ import annotations

from dataclasses import replace

import pytest
from dragonfly_client import Book, State
from dragonfly_client._decode import decode_book
from dragonfly_protos import market_data_pb2 as pb
from stub_gateway import make_book
from terminal.lines import BookChanges, added, price_line, summary_lines
from terminal.statistics import FeedFault, Percentiles, WatchSummary

T0 = 1_700_000_000_123_000_000  # 22:13:20.123 UTC


def book_of(instrument: str = "ETH-BTC", *, mid: float = 0.07) -> Book:
    return decode_book(make_book(instrument, mid=mid), T0)


def test_a_line_says_the_best_prices() -> None:
    book = replace(book_of(), spread=-4e-07)
    line = price_line(book, 8)
    assert line.startswith("ETH-BTC    22:13:20.123  bid ")
    assert "@ 0.06999980 bitstamp" in line
    assert "@ 0.07000020 bitstamp" in line
    assert "spread -0.00000040 CROSSED  3/3 live" in line


def test_a_line_without_a_side_or_without_anybody() -> None:
    assert "ask none  spread -  3/3 live" in price_line(replace(book_of(), asks=(), spread=0.0), 8)
    assert price_line(replace(book_of(), was_live=False), 8).endswith("no venue is live")


def test_of_an_equivalence_a_line_says_whose_instrument_it_is() -> None:
    book = book_of()
    feeds = tuple(replace(feed, instrument="ETH-WBTC") for feed in book.venues)
    bid = replace(book.bids[0], instrument="ETH-WBTC", original_price=0.07)
    of_another = replace(book, venues=(*book.venues, *feeds), bids=(bid, *book.bids[1:]))
    assert "@ 0.06999980 bitstamp ETH-WBTC  ask" in price_line(of_another, 8)
    changes = BookChanges()
    changes.observe(of_another)
    told = [line.split(maxsplit=1)[1].partition(" LIVE")[0] for line in changes.take()[:6]]
    names = ["binance", "bitstamp", "kraken"]
    assert told == [*names, *(f"{name} ETH-WBTC" for name in names)]


def test_only_moves_are_told_and_only_the_newest() -> None:
    changes = BookChanges()
    changes.observe(book_of())
    first = changes.take()
    assert [line.split()[1] for line in first[:3]] == ["binance", "bitstamp", "kraken"]
    assert len(first) == 4
    changes.observe(book_of())
    assert changes.take() == []
    changes.observe(book_of(mid=0.071))
    changes.observe(book_of(mid=0.072))
    (line,) = changes.take()
    assert "0.0720002 " in line


def test_one_line_of_prices_at_a_time_the_longest_waiting_first() -> None:
    changes = BookChanges()
    changes.observe(book_of("A-B"))
    changes.observe(book_of("C-D"))
    changes.observe(book_of("A-B", mid=0.08))
    prices = [[line for line in changes.take() if "bid" in line] for _ in range(3)]
    assert [len(lines) for lines in prices] == [1, 1, 0]
    assert prices[0][0].startswith("A-B")
    assert "0.0800002 " in prices[0][0]


def test_decimals_do_not_come_and_go() -> None:
    changes = BookChanges()
    changes.observe(book_of(mid=0.07000001))
    changes.take()
    changes.observe(book_of(mid=0.08))
    assert "@ 0.08000020 " in changes.take()[-1]


def test_a_venues_change_is_told_with_its_reason() -> None:
    changes = BookChanges()
    changes.observe(book_of())
    changes.take()
    stale = make_book(states={"kraken": (pb.STATE_STALE, "silent for 3 s")})
    changes.observe(decode_book(stale, T0))
    assert "ETH-BTC    kraken STALE: silent for 3 s" in changes.take()


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ([], ["a"], ["a"]),
        (["a"], ["a"], []),
        (["a"], ["a", "a"], ["a"]),
        (["a", "b", "c"], ["b", "c", "d"], ["d"]),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        (["a", "b"], [], []),
    ],
)
def test_only_what_came_to_the_end_is_new(
    before: list[str], now: list[str], new: list[str]
) -> None:
    assert added(before, now) == new


def test_the_summary() -> None:
    summary = WatchSummary(
        instruments=("ETH-BTC",),
        seconds=30.0,
        books=900,
        updates={"binance": 300, "kraken": 0},
        latency=Percentiles(412_000, 1_900_000),
        waited=Percentiles(10_000, 12_000_000),
        faults=(FeedFault("kraken", State.STALE, "silent", 2), FeedFault("x", State.DOWN, "", 1)),
        reconnects=1,
    )
    assert list(summary_lines(summary)) == [
        "ETH-BTC: 900 books in 30.0 s",
        "  binance        300 updates     10.0/s",
        "  kraken           0 updates      0.0/s",
        "  latency    p50 412 µs  p99 1.90 ms",
        "  waited     p50 10 µs  p99 12 ms  for this command itself, not in the latency",
        "  reconnects 1",
        "  fault      kraken STALE (silent), 2 times",
        "  fault      x DOWN, once",
    ]
    nothing = replace(summary, faults=(), latency=None, seconds=0.0, waited=Percentiles(0, 999_999))
    text = "\n".join(summary_lines(nothing))
    assert "waited" not in text
    assert "faults     none" in text
    assert "not measured" in text


def test_a_summary_of_many_instruments_counts_them() -> None:
    names = tuple(f"X{number}-USD" for number in range(50))
    summary = WatchSummary(names, 3.0, 9, {}, None, None, (), 0)
    first = next(iter(summary_lines(summary)))
    assert first == "X0-USD X1-USD X2-USD X3-USD X4-USD and 45 more: 9 books in 3.0 s"
