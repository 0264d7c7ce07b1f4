from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from dragonfly_client import Book, Hops, Level
from dragonfly_client._decode import decode_book
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from stub_gateway import make_book
from terminal.colours import venue_style
from terminal.ladder import LOWEST, Frame, VenueRow, draw
from terminal.statistics import Percentiles
from terminal.text import amount_text

NARROW = (80, 24)
WIDE = (120, 40)


def book_of(states: Mapping[str, tuple[pb.State, str]] | None = None, mid: float = 0.07) -> Book:
    return decode_book(make_book(states=states, mid=mid), 0)


def frame_of(book: Book | None, *, decimals: int = 8) -> Frame:
    rows = [VenueRow(feed, 12_000_000, 104.0, None) for feed in (book.venues if book else ())]
    return Frame("127.0.0.1:50051", "ETH-BTC", book, rows, decimals=decimals)


def drawn(frame: Frame, size: tuple[int, int] = NARROW) -> list[str]:
    width, height = size
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(draw(frame, width, height))
    return console.export_text().splitlines()


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_the_picture_fits_the_terminal(size: tuple[int, int]) -> None:
    frame = replace(
        frame_of(book_of()),
        hops=Hops(100_000, 150_000, 90_000, 210_000),
        latency=Percentiles(400_000, 1_200_000),
        notices=["12:00:01 kraken died (exit 137), started again"] * 5,
        others=[replace(book_of(mid=65_000), instrument="BTC-USD")],
    )
    lines = drawn(frame, size)
    assert len(lines) <= size[1]
    assert all(len(line) <= size[0] for line in lines)


def test_of_an_equivalence_each_level_has_its_own_instrument() -> None:
    book = book_of()
    bids = tuple(replace(one, instrument="ETH-WBTC", original_price=0.07) for one in book.bids)
    feeds = tuple(replace(feed, instrument="ETH-WBTC") for feed in book.venues)
    lines = drawn(frame_of(replace(book, bids=bids, venues=feeds)), WIDE)
    assert f"{bids[0].venue} ETH-WBTC " in lines[2]
    assert any("kraken ETH-WBTC " in line and "LIVE" in line for line in lines)


def test_the_best_prices_face_each_other() -> None:
    book = book_of()
    lines = drawn(frame_of(book))
    assert book.best_bid is not None
    assert book.best_ask is not None
    best, second = lines[2], lines[3]
    left, right = best.split(" │ ")[0], best.split(" │ ")[1]
    assert left.rstrip().endswith(f"{book.best_bid.price:.8f}")
    assert left.strip("│ ").startswith(book.best_bid.venue)
    assert right.startswith(f"{book.best_ask.price:.8f}")
    assert right.rstrip("│ ").endswith(book.best_ask.venue)
    assert f"{book.bids[1].price:.8f}" in second


def test_all_ten_levels_are_there() -> None:
    book = book_of()
    text = "\n".join(drawn(frame_of(book)))
    for level in (*book.bids, *book.asks):
        assert f"{level.price:.8f}" in text


def test_the_largest_amount_has_the_longest_bar() -> None:
    levels = tuple(Level("kraken", 10.0 - n, amount) for n, amount in enumerate((1.0, 8.0, 0.001)))
    lines = drawn(frame_of(replace(book_of(), bids=levels, asks=()), decimals=2))
    bars = [line.count("█") for line in lines[2:5]]
    assert bars[1] == max(bars)
    assert bars[1] == pytest.approx(8 * bars[0], abs=8)
    assert "▕" in lines[4]


def test_a_crossed_market_says_so() -> None:
    plain = book_of()
    crossed = replace(
        plain, spread=-0.00000012, bids=(Level("kraken", 0.07, 1.0),), asks=(Level("b", 0.0699, 1),)
    )
    text = "\n".join(drawn(frame_of(crossed)))
    assert "spread -0.00000012" in text
    assert "CROSSED" in text
    assert "CROSSED" not in "\n".join(drawn(frame_of(plain)))


def test_a_locked_market_says_so() -> None:
    locked = replace(book_of(), spread=0.0)
    assert "LOCKED" in "\n".join(drawn(frame_of(locked)))


def test_a_venue_that_is_not_live_gives_its_reason() -> None:
    book = book_of({"kraken": (pb.STATE_STALE, "silent for 3.0 s")})
    lines = drawn(frame_of(book))
    (row,) = (line for line in lines if "● kraken" in line)
    assert "STALE" in row
    assert "silent for 3.0 s" in row
    assert "2/3 venues live" in lines[0]
    assert not any("kraken" in line for line in lines[2:12])


@pytest.mark.parametrize(("columns", "name"), [(100, "coinbase_advanced"), (50, "coinbase_a…")])
def test_a_long_name_is_whole_or_cut_with_a_sign(columns: int, name: str) -> None:
    plain = book_of()
    feed = replace(plain.venues[0], venue="coinbase_advanced")
    level = replace(plain.bids[0], venue="coinbase_advanced")
    lines = drawn(frame_of(replace(plain, venues=(feed,), bids=(level,))), (columns, 24))
    assert any(line.startswith(f" ● {name} LIVE") for line in lines)
    assert sum("coinbase" in line for line in lines) == 2
    assert all("coinbase_advanced " in line or "…" in line for line in lines if "coinbase" in line)


def test_a_score_is_shown_only_where_it_is_not_whole() -> None:
    book = book_of()
    scored = [
        replace(feed, score=score)
        for feed, score in zip(book.venues, (0.99996, 1.0, None), strict=True)
    ]
    lines = drawn(frame_of(replace(book, venues=tuple(scored))))
    (row,) = (line for line in lines if "score" in line)
    assert "binance" in row
    assert row.endswith("score 99.99 %")


def test_no_live_venue_is_said_instead_of_an_empty_ladder() -> None:
    names = ("binance", "bitstamp", "kraken")
    book = book_of(dict.fromkeys(names, (pb.STATE_DOWN, "no listener")))
    text = "\n".join(drawn(frame_of(book)))
    assert "no venue is live" in text
    assert text.count("no listener") == 3


def test_before_the_first_book() -> None:
    assert any("waiting for the first book of ETH-BTC" in line for line in drawn(frame_of(None)))


def test_an_outage_takes_the_header_and_voids_the_rest() -> None:
    frame = replace(frame_of(book_of()), outage="disconnected for 2 s: Socket closed")
    lines = drawn(frame)
    assert "disconnected for 2 s: Socket closed" in lines[0]
    text = "\n".join(lines[1:])
    assert "holds no more" in text
    assert "LIVE" not in text
    assert "0.0699" not in text


def test_the_height_stays_when_the_levels_go() -> None:
    frame = frame_of(book_of())
    for other in (frame_of(None), replace(frame, outage="disconnected")):
        empty = replace(other, venues=frame.venues)
        assert len(drawn(empty)) == len(drawn(frame))


def test_notices_and_other_instruments_stand_beneath() -> None:
    frame = replace(
        frame_of(book_of()),
        notices=["one", "two", "three", "four"],
        others=[replace(book_of(mid=65_000), instrument="BTC-USD")],
    )
    lines = [line.strip() for line in drawn(frame)]
    assert lines[-3:] == ["two", "three", "four"]
    assert lines[-4].startswith("BTC-USD")
    assert "64,999.80" in lines[-4]


def test_a_low_terminal_keeps_the_venues_and_cuts_the_depth() -> None:
    lines = drawn(frame_of(book_of()), (80, 14))
    assert len(lines) <= 14
    assert any("● kraken" in line for line in lines)


def test_a_venues_colour_is_its_own_for_good() -> None:
    assert venue_style("kraken") != venue_style("binance")
    assert venue_style("new-venue") == venue_style("new-venue")


levels = st.lists(
    st.builds(
        Level,
        st.sampled_from(["binance", "kraken", "a-venue-with-a-long-name", "é"]),
        st.floats(1e-8, 1e6),
        st.floats(1e-8, 1e9),
    ),
    max_size=20,
).map(tuple)


def test_a_terminal_that_is_too_narrow_for_two_sides_has_asks_above_bids() -> None:
    book = book_of(mid=61_000)
    assert book.best_bid is not None
    assert book.best_ask is not None
    lines = drawn(frame_of(book, decimals=2), (40, 15))
    prices = [line.split()[2] for line in lines if "│ ask " in line or "│ bid " in line]
    assert prices[2:4] == [f"{book.best_ask.price:,.2f}", f"{book.best_bid.price:,.2f}"]
    assert len(prices) == 6
    assert "3 of 10 levels" in lines[1]


def test_what_is_left_out_is_counted() -> None:
    others = [replace(book_of(mid=65_000), instrument=f"X{n}-USD") for n in range(40)]
    lines = drawn(replace(frame_of(book_of()), others=others, notices=["it"]), (80, 24))
    assert len(lines) == 24
    shown = sum("-USD" in line for line in lines)
    assert lines[-1].strip() == f"+ {40 - shown} instruments"
    assert sum("●" in line for line in lines) == 3
    assert "it" in lines[-2]
    assert f"{sum(line.startswith('│') for line in lines)} of 10 levels" in lines[1]


def test_a_tall_terminal_is_filled_with_what_was_told_before() -> None:
    tape = [f"line {number}" for number in range(100)] + ["too wide" * 20]
    lines = drawn(replace(frame_of(book_of()), tape=tape), (120, 40))
    assert len(lines) == 40
    assert lines[-1].strip() == "line 99"
    assert "too wide" not in "".join(lines)


def test_a_terminal_that_has_no_room_for_a_price_is_told_so() -> None:
    text = " ".join(" ".join(drawn(frame_of(book_of()), (14, 20))).split())
    assert text == "14 x 20 is too small for ETH-BTC: make it larger"


@given(levels, levels, st.integers(8, 180), st.integers(1, 60), st.integers(0, 70))
def test_any_book_fits_any_terminal_and_no_price_is_cut(
    bids: tuple[Level, ...], asks: tuple[Level, ...], width: int, height: int, instruments: int
) -> None:
    other = replace(book_of(mid=65_000), instrument="BTC-USD")
    frame = replace(
        frame_of(replace(book_of(), bids=bids, asks=asks)),
        others=[other] * instruments,
        notices=["something happened"] * 2,
        tape=["told before"] * 50,
    )
    lines = drawn(frame, (width, height))
    if "too small" in " ".join(" ".join(lines).split()):
        assert width < 32 or height < LOWEST
        return
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    whole = {f"{level.price:,.8f}" for level in (*bids, *asks)}
    whole |= {f"{level.price:,.2f}" for level in (*other.bids, *other.asks)}
    whole |= {f"{frame.book.spread:,.8f}", f"{other.spread:,.2f}"} if frame.book else set()
    body = [line for line in lines[2:] if not {"●", "╰", "╭", "+"} & set(line)]
    shown = set(re.findall(r"-?[\d,]+\.(?:\d{8}|\d{2})(?!\d)", " ".join(body)))
    amounts = {amount_text(level.amount, most) for level in (*bids, *asks) for most in range(6, 11)}
    assert shown <= whole | amounts
