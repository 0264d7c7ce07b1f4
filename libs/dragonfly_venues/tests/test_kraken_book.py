"""Kraken's book and its checksum, held to the venue's own vectors."""

from __future__ import annotations

import random

import msgspec
import pytest
from dragonfly_venues.decoding.printed_sides import PrintedLevel
from dragonfly_venues.events import FrameError
from dragonfly_venues.kraken.book import KrakenBook, RawLevel, read_changes
from hypothesis import given
from hypothesis import strategies as st

# The guide's example, docs.kraken.com/api/docs/guides/spot-ws-book-v2.
GUIDE_ASKS = """45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911
    45290.2/0.15890660 45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000
    45297.5/0.09945542 45299.5/0.18772827"""
GUIDE_BIDS = """45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000
    45280.3/1.54592586 45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000
    45277.3/1.54602737 45276.6/0.15445238"""
# ALGO/USD, recorded 2024-10-03.
ALGO_BIDS = """0.12291/27039.62776299 0.12290/8136.33288180 0.12287/10984.20817349
    0.12283/28027.05025639 0.12280/9705.60000000 0.12279/15215.53522714 0.12275/4067.00000000
    0.12274/30639.39949109 0.12268/2531.96119986 0.12267/16299.00000000"""
ALGO_ASKS = """0.12307/600.00000000 0.12308/4042.11919517 0.12312/10284.53891000
    0.12314/16155.08885299 0.12315/5186.05778473 0.12316/32828.24000000 0.12317/7751.65718582
    0.12318/32298.82000000 0.12319/1864.66899600 0.12322/4718.99755630"""


def changes(text: str) -> list[PrintedLevel]:
    """Read "price/amount price/amount …"."""
    pairs = (level.split("/") for level in text.split())
    return read_changes(
        [
            RawLevel(msgspec.Raw(price.encode()), msgspec.Raw(amount.encode()))
            for price, amount in pairs
        ]
    )


def book(bids: str, asks: str, depth: int = 10) -> KrakenBook:
    made = KrakenBook(depth)
    made.apply(changes(bids), changes(asks))
    return made


def test_vector_of_the_guide() -> None:
    assert book(GUIDE_BIDS, GUIDE_ASKS).checksum() == 3310070434


def test_vector_recorded_and_its_update() -> None:
    recorded = book(ALGO_BIDS, ALGO_ASKS)
    assert recorded.checksum() == 2375857985
    recorded.apply(changes("0.12275/6597.51731160"), [])
    assert recorded.checksum() == 1100635717


def test_only_ten_levels_count_whatever_the_depth() -> None:
    deeper = book(GUIDE_BIDS + " 1.0/1.0", GUIDE_ASKS + " 99999.9/1.0", depth=25)
    assert deeper.checksum() == 3310070434


def test_levels_in_any_order_make_the_same_book() -> None:
    shuffled = ALGO_ASKS.split()
    random.Random(1).shuffle(shuffled)
    assert book(ALGO_BIDS, " ".join(shuffled)).checksum() == 2375857985


def test_array_order_decides_when_a_price_comes_twice() -> None:
    made = book("1.0/5.0 1.0/0.0 2.0/0.0 2.0/7.0", "")
    assert made.top(10) == (((2.0, 7.0),), ())


def test_deleting_an_unknown_level_is_normal() -> None:
    made = book("1.0/5.0", "2.0/1.0")
    made.apply(changes("0.9/0.00000000"), changes("3.0/0"))
    assert made.top(10) == (((1.0, 5.0),), ((2.0, 1.0),))


def test_a_side_is_cut_once_all_is_applied() -> None:
    made = book("3/1 2/1", "4/1 5/1", depth=2)
    made.apply(changes("1/1 3/0"), changes("3.5/1"))
    # The insert of 1 came while 3 still stood; it stays because the cut comes last.
    assert made.top(10) == (((2.0, 1.0), (1.0, 1.0)), ((3.5, 1.0), (4.0, 1.0)))


@pytest.mark.parametrize(
    "number", ["", "-1", '"1"', "null", "[1]", "1.5.2", "NaN", "1e999", "9" * 99]
)
def test_what_is_no_price_is_refused(number: str) -> None:
    raw = RawLevel(msgspec.Raw(number.encode()), msgspec.Raw(b"1"))
    with pytest.raises(FrameError) as caught:
        read_changes([raw])
    assert caught.value.reason == "bad_level"


def test_a_price_of_nothing_is_refused_and_an_amount_is_a_deletion() -> None:
    with pytest.raises(FrameError):
        changes("0.00/1")
    assert changes("1/0.000")[0].level == (1.0, 0.0)


def test_exponents_are_read_as_if_printed_in_full() -> None:
    (change,) = changes("1e-08/2.5E1")
    assert change == PrintedLevel((1e-08, 25.0), b"125")


AMOUNTS = {0.0: "0.00", 0.5: "0.50", 5.0: "5.0", 50.0: "50"}
"""Some have the same digits, which are all that the checksum knows of them."""


@given(
    st.lists(
        st.lists(
            st.tuples(st.booleans(), st.integers(1, 40), st.sampled_from([*AMOUNTS])), max_size=3
        ),
        max_size=40,
    )
)
def test_news_begin_where_it_says_and_the_checksum_is_that_of_the_whole(
    messages: list[list[tuple[bool, int, float]]],
) -> None:
    made = KrakenBook(25)
    for message in messages:
        before = made.top(25)
        bids, asks = (
            " ".join(
                f"{price}.0/{AMOUNTS[amount]}" for bid, price, amount in message if bid is side
            )
            for side in (True, False)
        )
        made.apply(changes(bids), changes(asks))
        after = made.top(25)
        assert [side[: made.news_at] for side in after] == [side[: made.news_at] for side in before]
        bids, asks = (
            " ".join(f"{price}/{AMOUNTS[amount]}" for price, amount in side) for side in after
        )
        assert made.checksum() == book(bids, asks, depth=25).checksum()


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 4)), max_size=60))
def test_the_book_is_what_a_dictionary_would_hold(steps: list[tuple[bool, int, int]]) -> None:
    made = KrakenBook(1000)
    model: dict[bool, dict[float, float]] = {True: {}, False: {}}
    for bid, price, amount in steps:
        change = changes(f"{price}.0/{amount}.50" if amount else f"{price}.0/0.00")
        made.apply(change if bid else [], [] if bid else change)
        model[bid].pop(price, None)
        if amount:
            model[bid][price] = amount + 0.5
    bids, asks = made.top(1000)
    assert bids == tuple(sorted(model[True].items(), reverse=True))
    assert asks == tuple(sorted(model[False].items()))
