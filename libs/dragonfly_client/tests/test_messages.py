from __future__ import annotations

import dataclasses

import dragonfly_client
import pytest
from dragonfly_client import Book, Level
from dragonfly_client._decode import decode_book
from stub_gateway import make_book


@pytest.fixture
def book() -> Book:
    sent = make_book()
    return decode_book(sent, ts_in=sent.ts_agg + 400_000)


def test_the_hops_add_up_to_the_latency(book: Book) -> None:
    assert book.hops is not None
    assert sum(dataclasses.astuple(book.hops)) == book.latency_ns


def test_the_venue_heard_last_moved(book: Book) -> None:
    assert book.moved is not None
    assert book.moved.ts_recv == max(feed.ts_recv or 0 for feed in book.venues)


def test_a_book_of_nobody_has_no_latency(book: Book) -> None:
    nobody = dataclasses.replace(book, venues=())
    assert (nobody.moved, nobody.latency_ns, nobody.hops) == (None, None, None)


def test_age_counts_from_the_computation(book: Book) -> None:
    assert book.age_s(book.ts_agg + 1_500_000_000) == 1.5
    assert book.age_s() >= 0


def test_crossed_needs_two_sides(book: Book) -> None:
    crossed = dataclasses.replace(
        book, spread=-0.5, bids=(Level("a", 10.5, 1.0),), asks=(Level("b", 10.0, 1.0),)
    )
    assert crossed.crossed
    assert crossed.mid == 10.25
    assert not dataclasses.replace(crossed, asks=(), spread=0.0).crossed


def test_messages_cannot_be_changed(book: Book) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        book.seq = 0  # type: ignore[misc]  # that is the point
    assert not hasattr(book, "__dict__")


def test_every_exported_name_exists_and_is_exported_once() -> None:
    names = dragonfly_client.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(dragonfly_client, name) for name in names)
