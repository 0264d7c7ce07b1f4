"""Topics are built and taken apart in one place, and no topic is the beginning of another's."""

from __future__ import annotations

import pytest
from dragonfly_common.topics import (
    STATUS_PREFIX,
    ViewKind,
    book_interest,
    book_topic,
    heartbeat_topic,
    instruments_topic,
    parse_book_interest,
    parse_book_topic,
    parse_view_topic,
    venue_topic,
    view_topic,
)
from dragonfly_common.types import normalise_instrument
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Z0-9][A-Z0-9.]{0,8}-[A-Z0-9][A-Z0-9.]{0,8}", fullmatch=True).map(
    normalise_instrument
)
VENUES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)


@given(NAMES, VENUES)
def test_a_book_topic_names_its_instrument_and_venue(instrument: str, venue: str) -> None:
    topic = book_topic(instrument, venue)
    assert parse_book_topic(topic) == (instrument, venue)
    assert topic.startswith(book_interest(instrument))
    assert parse_book_interest(book_interest(instrument)) == instrument


@given(st.sampled_from(ViewKind), NAMES)
def test_a_view_topic_names_its_kind_and_instrument(kind: ViewKind, instrument: str) -> None:
    assert parse_view_topic(view_topic(kind, instrument)) == (kind, instrument)


@pytest.mark.parametrize("kind", ViewKind)
def test_interest_in_one_instrument_is_none_in_a_longer_one(kind: ViewKind) -> None:
    assert not book_topic("ETH-USDT", "kraken").startswith(book_interest("ETH-USD"))
    assert not view_topic(kind, "ETH-USDT").startswith(view_topic(kind, "ETH-USD"))


@given(NAMES, NAMES, VENUES)
def test_two_instruments_never_share_a_topic(one: str, other: str, venue: str) -> None:
    # A quote with a dot in it can reach those who asked for its beginning: they tell by the topic.
    assert (book_topic(one, venue) == book_topic(other, venue)) == (one == other)


def test_status_topics_share_a_prefix_that_nothing_else_has() -> None:
    for topic in (venue_topic("kraken"), instruments_topic("kraken")):
        assert topic.startswith(STATUS_PREFIX)
    for topic in (heartbeat_topic("p"), book_topic("A-B", "v"), view_topic(ViewKind.BOOK, "A-B")):
        assert not topic.startswith(STATUS_PREFIX)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "book.",
        "book..",
        "book...",
        "book.ETH-BTC",
        "book.ETH-BTC.",
        "book.ETH-BTC.kraken",
        "view.book.ETH-BTC.",
        "Book.ETH-BTC.kraken.",
        "book.ETH-BTC..",
        "book..kraken.",
    ],
)
def test_what_is_no_book_topic_is_none(topic: str) -> None:
    assert parse_book_topic(topic) is None


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "view",
        "view.",
        "view..",
        "view.book",
        "view.book.",
        "view.book..",
        "view.book.ETH-BTC",
        "view.ladder.ETH-BTC.",
        "book.ETH-BTC.kraken.",
        "VIEW.book.ETH-BTC.",
        "view.bookETH-BTC.",
    ],
)
def test_what_is_no_view_topic_is_none(topic: str) -> None:
    assert parse_view_topic(topic) is None


@pytest.mark.parametrize("prefix", ["", "book", "book.", "book.ETH-BTC", "view.book.ETH-BTC."])
def test_what_is_no_interest_in_books_is_none(prefix: str) -> None:
    assert parse_book_interest(prefix) is None
