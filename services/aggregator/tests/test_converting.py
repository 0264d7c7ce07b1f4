"""An equivalence's views are the merge of its terms' levels, each converted as the user said."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import groupby

import pytest
from aggregator.converting import Converter
from aggregator.merging import encode_levels
from aggregator.venue_books import VenueBook, absent_book, take_book
from dragonfly_common.equivalence import parse_equivalence
from dragonfly_common.messages import Book
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState, Side
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MakeBook = Callable[..., Book]

# The words of a user, and in numbers: the conversion, what else prices are multiplied by, units.
MARKET = "A-USD+A-USDT*USDT-USD+1000A-USDT/1000@0.5*USDT-USD+A-USDC@0.999"
TERMS = (
    ("A-USD", None, Fraction(1), Fraction(1)),
    ("A-USDT", "USDT-USD", Fraction(1), Fraction(1)),
    ("1000A-USDT", "USDT-USD", Fraction(1, 2000), Fraction(1000)),
    ("A-USDC", None, Fraction(999, 1000), Fraction(1)),
)
INSTRUMENTS = ("A-USD", "A-USDT", "1000A-USDT", "A-USDC", "USDT-USD")
NAMES = ("binance", "kraken", "okx")

Books = dict[str, dict[str, tuple[Side, Side]]]
"""By instrument and venue."""
Row = tuple[float, float, str, str, float]
"""(price, amount, venue, instrument, original price)."""

amounts = st.integers(1, 30).map(lambda n: n / 10)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Side, Side]:
    ticks = sorted(draw(st.sets(st.integers(9_900, 10_100), max_size=8)))
    split = draw(st.integers(0, len(ticks)))
    bids = tuple((tick / 10_000, draw(amounts)) for tick in reversed(ticks[:split]))
    return bids, tuple((tick / 10_000, draw(amounts)) for tick in ticks[split:])


books = st.fixed_dictionaries(
    dict.fromkeys(INSTRUMENTS, st.dictionaries(st.sampled_from(NAMES), sides()))
)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def heard(said: Books, make_book: MakeBook, depth: int) -> dict[str, list[VenueBook]]:
    return {
        instrument: [
            take_book(venue, make_book(*both), 1, depth) for venue, both in sorted(by_venue.items())
        ]
        for instrument, by_venue in said.items()
    }


def exact(number: float) -> Fraction:
    return Fraction(repr(number))


def expected(said: Books, side: int, depth: int) -> list[Row]:
    """Every level of a side, converted and sorted by the words of docs/instruments.md."""
    rows: list[Row] = []
    for instrument, conversion, factor, units in TERMS:
        rate = Fraction(1)
        if conversion is not None:
            both = [[p for book in said[conversion].values() for p, _ in book[n]] for n in (0, 1)]
            if not all(both):
                continue
            rate = exact(max(both[0]) if side == 0 else min(both[1]))
        for venue, book in sorted(said[instrument].items()):
            rows += [
                (
                    float(exact(price) * rate * factor),
                    float(exact(amount) * units),
                    venue,
                    instrument,
                    price,
                )
                for price, amount in book[side][:depth]
            ]
    sign = -1 if side == 0 else 1
    return sorted(rows, key=lambda row: (sign * row[0], -row[1], row[2]))


@relaxed
@given(history=st.lists(books, min_size=1, max_size=3), depth=st.integers(1, 10))
def test_every_view_is_the_merge_of_what_was_converted(
    make_book: MakeBook, history: list[Books], depth: int
) -> None:
    converter = Converter(parse_equivalence(MARKET))
    for said in history:
        # Another book of a venue is another object; one that is not there any more is told.
        known = heard(said, make_book, depth)
        for instrument in INSTRUMENTS:
            known[instrument] += [
                absent_book(venue, FeedState.DOWN, "gone")
                for venue in NAMES
                if venue not in said[instrument]
            ]
        converter.take(known)
        book = pb.Book.FromString(encode_levels(ViewKind.BOOK, converter.top(ViewKind.BOOK, depth)))
        bbo = pb.Bbo.FromString(encode_levels(ViewKind.BBO, converter.top(ViewKind.BBO, depth)))
        liquidity = pb.Liquidity.FromString(
            encode_levels(ViewKind.LIQUIDITY, converter.top(ViewKind.LIQUIDITY, depth))
        )
        for side, shown, best, merged in (
            (0, book.bids, bbo.bid, liquidity.bids),
            (1, book.asks, bbo.ask, liquidity.asks),
        ):
            true = expected(said, side, depth)
            assert [row_of(level) for level in shown] == true[:depth]
            assert not true or row_of(best) == true[0]
            by_price = [(price, list(rows)) for price, rows in groupby(true, lambda row: row[0])]
            assert [
                (
                    level.price,
                    level.amount,
                    [(s.venue, s.amount, s.instrument, s.original_price) for s in level.shares],
                )
                for level in merged
            ] == [
                (
                    price,
                    float(sum(exact(row[1]) for row in rows)),
                    [(venue, amount, name, was) for _, amount, venue, name, was in rows],
                )
                for price, rows in by_price[:depth]
            ]


def row_of(level: pb.Level) -> Row:
    return level.price, level.amount, level.venue, level.instrument, level.original_price


@relaxed
@given(price=st.floats(1e-12, 1e12), rate=st.floats(1e-12, 1e12), amount=st.floats(1e-12, 1e12))
def test_a_product_is_rounded_once(
    make_book: MakeBook, price: float, rate: float, amount: float
) -> None:
    converter = Converter(parse_equivalence("A-USD+1000A-USDT/1000@0.123456789*USDT-USD"))
    said: Books = {
        "A-USD": {},
        "1000A-USDT": {"okx": (((price, amount),), ())},
        "USDT-USD": {"okx": (((rate, 1.0),), ((rate * 2, 1.0),))},
    }
    converter.take(heard(said, make_book, 10))
    ((bid,), _) = converter.top(ViewKind.BOOK, 10)
    factor = Fraction("0.123456789") / 1000
    assert (-bid[0], -bid[1]) == (
        float(exact(price) * exact(rate) * factor),
        float(exact(amount) * 1000),
    )


def test_a_feed_says_what_it_is_of_and_why_it_is_out(make_book: MakeBook) -> None:
    converter = Converter(parse_equivalence("A-USD+A-USDT*USDT-USD"))
    one_sided = make_book(asks=())
    known = {
        "A-USD": [take_book("kraken", make_book(), 1, 10)],
        "A-USDT": [
            take_book("kraken", make_book(), 1, 10),
            absent_book("okx", FeedState.DOWN, "listener lost"),
        ],
        "USDT-USD": [take_book("kraken", one_sided, 1, 10)],
    }
    assert [feed.status[:3] for feed in converter.take(known)] == [
        ("kraken", FeedState.LIVE, ""),
        ("kraken", FeedState.SYNCING, "no live USDT-USD to convert by"),
        ("okx", FeedState.DOWN, "listener lost"),
    ]
    assert converter.rates == {"USDT-USD": None}
    known["USDT-USD"] = [take_book("kraken", make_book(), 1, 10)]
    feeds = converter.take(known)
    assert [feed.state for feed in feeds] == [FeedState.LIVE, FeedState.LIVE, FeedState.DOWN]
    assert converter.rates == {"USDT-USD": (1.0, 2.0)}
    # What did not change is the same object: nothing is computed for it.
    assert list(map(id, converter.take(known))) == list(map(id, feeds))


@pytest.mark.parametrize("rate", [1e300, 1e-300])
def test_a_level_that_is_no_number_any_more_takes_its_venue_out(
    make_book: MakeBook, rate: float
) -> None:
    converter = Converter(parse_equivalence("A-USD+A-USDT*USDT-USD"))
    price = rate
    for _ in range(2):  # also where the levels are those that were out of range before
        feeds = converter.take(
            {
                "A-USD": [],
                "A-USDT": [take_book("okx", make_book(((price, 1.0),), ()), 1, 10)],
                "USDT-USD": [take_book("okx", make_book(((rate, 1.0),), ((2e300, 1.0),)), 1, 10)],
            }
        )
        assert [feed.status[:3] for feed in feeds] == [
            ("okx", FeedState.STALE, "a level is out of range once it is converted")
        ]
    assert converter.top(ViewKind.BOOK, 10) == ([], [])
