from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from customer_world import levels
from dragonfly_common.errors import DecodeError
from dragonfly_common.topics import ViewKind
from dragonfly_fix.codec import FixMessage, decode_fields
from dragonfly_fix.fix44 import FIX44
from dragonfly_protos import market_data_pb2 as pb
from fix_gateway.market_data import ASKS, BIDS, STATUSES, number, renderer, venue_name
from hypothesis import given
from hypothesis import strategies as st

VENUES = ("kraken", "okx", "coinbase_advanced")
Content = dict[tuple[str, ...], tuple[str | None, ...]]


@st.composite
def books(draw: st.DrawFn) -> pb.Book:
    entries = st.lists(
        st.tuples(
            st.sampled_from(VENUES),
            st.integers(1, 6),
            st.integers(1, 3),
            st.sampled_from(("", "X")),
        ),
        max_size=8,
    )

    def side() -> list[pb.Level]:
        return [
            pb.Level(venue=venue, price=price / 8, amount=amount / 10, instrument=instrument)
            for venue, price, amount, instrument in draw(entries)
        ]

    feeds = [
        pb.VenueFeed(
            venue=venue, venue_seq=draw(st.integers(0, 9)), ts_recv=draw(st.integers(0, 9))
        )
        for venue in draw(st.sets(st.sampled_from(VENUES)))
    ]
    return pb.Book(instrument="ETH-BTC", bids=side(), asks=side(), venues=feeds)


@st.composite
def liquidities(draw: st.DrawFn) -> pb.Liquidity:
    def side() -> list[pb.MergedLevel]:
        return [
            pb.MergedLevel(
                price=price / 8,
                amount=draw(st.integers(1, 3)) / 10,
                shares=[pb.Share(venue=venue) for venue in draw(st.sets(st.sampled_from(VENUES)))],
            )
            for price in draw(st.sets(st.integers(1, 6)))
        ]

    return pb.Liquidity(instrument="ETH-BTC", bids=side(), asks=side())


def entries_of(kind: bytes, body: bytes) -> list[dict[int, str]]:
    header = [(49, b"A"), (56, b"B"), (34, b"1"), (52, b"20260921-14:13:20.123")]
    message = FixMessage(kind, [*header, *decode_fields(body)])
    FIX44.check(message, strict=True)
    return levels(message)


def apply(book: Content, entries: Sequence[dict[int, str]]) -> None:
    """Apply a W's or X's entries as a customer does."""
    for entry in entries:
        key = tuple(entry.get(tag, "") for tag in (269, 282, 270))
        if entry.get(279) == "2":
            del book[key]
        else:
            assert (key in book) == (entry.get(279) == "1")
            book[key] = tuple(entry.get(tag) for tag in (271, 276, 346))


@given(st.lists(books(), min_size=1, max_size=6))
def test_differences_add_up_to_the_whole_book(states: list[pb.Book]) -> None:
    check_differences(ViewKind.BOOK, [state.SerializeToString() for state in states])


@given(st.lists(liquidities(), min_size=1, max_size=6))
def test_differences_add_up_to_merged_liquidity(states: list[pb.Liquidity]) -> None:
    check_differences(ViewKind.LIQUIDITY, [state.SerializeToString() for state in states])


def check_differences(kind: ViewKind, states: list[bytes]) -> None:
    for sides in (BIDS, ASKS, BIDS + ASKS):
        told = renderer(kind, sides)(b"")
        held: Content = {}
        for body in states:
            book = renderer(kind, sides)(body)
            changes = book.refresh(b"m", told)
            assert book.refresh(b"n", told) == changes.replace(b"262=m", b"262=n")
            apply(held, entries_of(b"X", changes) if changes else [])
            whole: Content = {}
            apply(whole, entries_of(b"W", book.snapshot(b"m")))
            assert held == whole
            told = book


@given(st.floats(0, 1e12, exclude_min=True))
def test_a_number_has_all_its_digits_and_no_exponent(value: float) -> None:
    text = number(value).decode()
    assert float(text) == value
    assert set(text) <= set("0123456789.")
    assert Decimal(text) == Decimal(repr(value))


def test_levels_of_two_instruments_at_one_price_are_added_up() -> None:
    bids = [pb.Level(venue="okx", price=1, amount=one, instrument=str(one)) for one in (0.1, 0.2)]
    book = renderer(ViewKind.BOOK, BIDS)(pb.Book(bids=bids).SerializeToString())
    assert book.whole == b"268=1\x01269=0\x01270=1\x01271=0.3\x01276=A\x01282=OKX\x01"


def test_a_sequence_below_the_best_prices_is_that_of_the_book() -> None:
    feed = pb.VenueFeed(venue="okx", venue_seq=9, book_seq=7)
    bids = [pb.Level(venue="okx", price=price, amount=1) for price in (2, 1)]
    body = pb.Book(instrument="A-B", bids=bids, venues=[feed]).SerializeToString()
    entries = entries_of(b"W", renderer(ViewKind.BOOK, BIDS)(body).snapshot(b"m"))
    assert [entry[299] for entry in entries] == ["9", "7"]


def test_every_state_has_a_trading_status() -> None:
    names = [value.name for value in pb.State.DESCRIPTOR.values]
    feeds = [pb.VenueFeed(venue="okx", state=name) for name in names]
    words = STATUSES[ViewKind.BBO](pb.Bbo(venues=feeds).SerializeToString())
    assert [word.trading_status for word in words] == [
        *(b"20", b"21", b"17", b"2", b"18", b"19", b"2")
    ]


def test_a_venue_is_named_in_upper_case() -> None:
    assert venue_name("coinbase_advanced") == b"COINBASE_ADVANCED"
    assert venue_name("my-own.venue") == b"MY_OWN_VENUE"


def test_bytes_that_are_no_view_are_said_to_be_none() -> None:
    with pytest.raises(DecodeError, match="no book"):
        renderer(ViewKind.BOOK, BIDS)(b"\xff")
