from __future__ import annotations

from dragonfly_client._decode import decode_book
from dragonfly_client._freshness import Freshness
from dragonfly_client.messages import Book
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_gateway import make_book

stamps = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), max_size=30)


def book(epoch: int, seq: int, instrument: str = "ETH-BTC") -> Book:
    return decode_book(make_book(instrument, epoch=epoch, seq=seq), 0)


@settings(max_examples=60, deadline=None)
@given(stamps)
def test_what_is_admitted_never_goes_back(stamps: list[tuple[int, int]]) -> None:
    freshness = Freshness()
    admitted = [stamp for stamp in stamps if freshness.admit(book(*stamp))]
    assert admitted == sorted(admitted)
    assert not stamps or max(stamps) in admitted


def test_a_new_epoch_begins_a_new_count() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 100))
    assert freshness.admit(book(8, 1))
    assert not freshness.admit(book(7, 101))


def test_the_gateways_own_word_is_always_heard() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 100))
    assert freshness.admit(book(0, 0))
    assert not freshness.admit(book(7, 99))


def test_instruments_count_apart() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 100))
    assert freshness.admit(book(7, 1, "BTC-USD"))
