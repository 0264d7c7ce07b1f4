from __future__ import annotations

from collections.abc import Iterable

from dragonfly_client._decode import decode_book
from dragonfly_client._freshness import MOST_EPOCHS, PATIENCE_S, Freshness
from dragonfly_client.messages import Book
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

VENUES = ("binance", "kraken")
said = st.tuples(
    st.integers(1, 3),  # epoch
    st.integers(1, 4),  # seq
    st.dictionaries(st.sampled_from(VENUES), st.integers(1, 4)),
)


def book(epoch: int, seq: int, instrument: str = "ETH-BTC", **venue_seqs: int) -> Book:
    """Return a book in which the venues of `venue_seqs` are live, and the others down."""
    feeds = [
        pb.VenueFeed(
            venue=venue,
            state=pb.STATE_LIVE if venue in venue_seqs else pb.STATE_DOWN,
            venue_seq=venue_seqs.get(venue, 0),
        )
        for venue in VENUES
    ]
    message = pb.Book(instrument=instrument, epoch=epoch, seq=seq, venues=feeds)
    return decode_book(message, 0)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(said, max_size=30))
def test_neither_a_venue_nor_an_aggregator_goes_back(
    said: Iterable[tuple[int, int, dict[str, int]]],
) -> None:
    freshness = Freshness(Time())
    seqs: dict[int, int] = {}
    venue_seqs: dict[str, int] = {}
    for epoch, seq, live in said:
        newer = seq >= seqs.get(epoch, 0) and all(
            at >= venue_seqs.get(venue, 0) for venue, at in live.items()
        )
        assert freshness.admit(book(epoch, seq, "ETH-BTC", **live)) is newer
        if newer:
            seqs[epoch] = seq
            venue_seqs |= live


def test_an_aggregator_that_started_earlier_may_take_over() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 100, kraken=5))
    assert not freshness.admit(book(6, 3, kraken=4))
    assert freshness.admit(book(6, 4, kraken=5))
    assert freshness.admit(book(6, 5, kraken=6))
    assert not freshness.admit(book(7, 101, kraken=5))
    assert not freshness.admit(book(7, 99, kraken=7))


def test_a_venue_that_was_down_is_not_forgotten() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 1, kraken=5))
    assert freshness.admit(book(7, 2))
    assert not freshness.admit(book(7, 3, kraken=4))


def test_what_stays_behind_began_to_count_anew() -> None:
    time = Time()
    freshness = Freshness(time)
    assert freshness.admit(book(7, 1, kraken=500))
    assert not freshness.admit(book(7, 2, kraken=1))
    time.now += PATIENCE_S - 0.1
    assert not freshness.admit(book(7, 3, kraken=2))
    time.now += 0.2
    assert freshness.admit(book(7, 4, kraken=3))
    assert not freshness.admit(book(7, 5, kraken=2))


def test_a_late_view_now_and_then_is_not_a_new_count() -> None:
    time = Time()
    freshness = Freshness(time)
    for seq in range(1, 10):
        assert freshness.admit(book(7, seq, kraken=seq + 10))
        assert not freshness.admit(book(6, seq, kraken=seq))
        time.now += PATIENCE_S


def test_a_venue_that_was_out_for_as_long_may_count_anew_at_once() -> None:
    time = Time()
    freshness = Freshness(time)
    assert freshness.admit(book(7, 1, kraken=500))
    assert freshness.admit(book(7, 2))
    time.now += PATIENCE_S
    assert freshness.admit(book(7, 3))
    assert freshness.admit(book(7, 4, kraken=1))


def test_the_gateways_own_word_is_always_heard() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 100, kraken=5))
    assert freshness.admit(book(0, 0))
    assert not freshness.admit(book(7, 99, kraken=5))


def test_instruments_count_apart() -> None:
    freshness = Freshness()
    assert freshness.admit(book(7, 100, kraken=5))
    assert freshness.admit(book(7, 1, "BTC-USD", kraken=1))


def test_what_an_equivalence_is_made_of_counts_apart() -> None:
    def equivalent(seq: int, tether: int, rate: int) -> Book:
        feed = pb.VenueFeed(
            venue="kraken", instrument="BTC-USDT", state=pb.STATE_LIVE, venue_seq=tether
        )
        by = pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=rate)
        message = pb.Book(
            instrument="BTC-USD+BTC-USDT*USDT-USD",
            epoch=7,
            seq=seq,
            venues=[feed],
            conversions=[pb.Conversion(instrument="USDT-USD", venues=[by])],
        )
        return decode_book(message, 0)

    freshness = Freshness()
    assert freshness.admit(equivalent(1, tether=50, rate=5))
    assert freshness.admit(equivalent(2, tether=50, rate=6))
    assert not freshness.admit(equivalent(3, tether=49, rate=6))
    assert not freshness.admit(equivalent(3, tether=50, rate=5))
    assert freshness.admit(equivalent(3, tether=51, rate=7))


def test_old_epochs_are_forgotten() -> None:
    freshness = Freshness()
    for epoch in range(1, 10 * MOST_EPOCHS):
        freshness.admit(book(epoch, 1))
    assert len(freshness._followed["ETH-BTC"]._seqs) == MOST_EPOCHS
