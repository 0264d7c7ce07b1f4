from __future__ import annotations

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.placeholder import live_sequences, placeholder, with_ages
from view_world import make_book


def absent_book(last: bytes = b"", venues: tuple[str, ...] = ()) -> pb.Book:
    body = placeholder(
        ViewKind.BOOK, "ETH-BTC", last=last, venues=venues, reason="gone", now_ns=1_000
    )
    return pb.Book.FromString(body)


def test_it_is_a_view_of_epoch_0_without_levels_that_says_why() -> None:
    book = absent_book(make_book().SerializeToString())
    assert (book.instrument, book.epoch, book.seq, book.live) == ("ETH-BTC", 0, 0, False)
    assert (book.spread, list(book.bids), list(book.asks)) == (0.0, [], [])
    (feed,) = book.venues
    assert (feed.venue, feed.state, feed.reason) == ("kraken", pb.STATE_DOWN, "gone")


def test_venues_keep_what_else_was_said_of_them() -> None:
    (feed,) = absent_book(make_book().SerializeToString()).venues
    assert (feed.venue_seq, feed.ts_recv, feed.age_ns) == (7, 5, 995)


def test_known_venues_appear_though_they_said_nothing() -> None:
    book = absent_book(make_book().SerializeToString(), ("kraken", "binance"))
    assert [(feed.venue, feed.venue_seq) for feed in book.venues] == [("binance", 0), ("kraken", 7)]
    assert book.venues[0].age_ns == 0


def test_an_unreadable_last_view_is_as_none() -> None:
    assert not absent_book(b"\xff").venues


@pytest.mark.parametrize(
    ("kind", "message"), [(ViewKind.BBO, pb.Bbo), (ViewKind.LIQUIDITY, pb.Liquidity)]
)
def test_every_kind_has_its_own_message(
    kind: ViewKind, message: type[pb.Bbo | pb.Liquidity]
) -> None:
    body = placeholder(kind, "ETH-BTC", last=b"", venues=["kraken"], reason="gone", now_ns=1)
    assert message.FromString(body).venues[0].reason == "gone"


EQUIVALENT = pb.Book(
    instrument="BTC-USD+BTC-USDT*USDT-USD",
    venues=[
        pb.VenueFeed(venue="kraken", instrument=name, state=pb.STATE_LIVE, venue_seq=seq, ts_recv=5)
        for name, seq in (("BTC-USD", 7), ("BTC-USDT", 8))
    ],
    conversions=[
        pb.Conversion(
            instrument="USDT-USD",
            venues=[pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=9, ts_recv=5)],
        )
    ],
).SerializeToString()


def test_a_venue_is_told_of_for_each_instrument_of_an_equivalence() -> None:
    assert {key[:2]: at for key, at in live_sequences(ViewKind.BOOK, EQUIVALENT).items()} == {
        ("BTC-USD", "kraken"): 7,
        ("BTC-USDT", "kraken"): 8,
        ("USDT-USD", "kraken"): 9,
    }
    feeds = absent_book(EQUIVALENT).venues
    assert [(feed.instrument, feed.state) for feed in feeds] == [
        ("BTC-USD", pb.STATE_DOWN),
        ("BTC-USDT", pb.STATE_DOWN),
    ]


def test_ages_of_conversions_are_told_anew_too() -> None:
    book = pb.Book.FromString(with_ages(ViewKind.BOOK, EQUIVALENT, 105))
    feeds = [*book.venues, *book.conversions[0].venues]
    assert [feed.age_ns for feed in feeds] == [100] * 3
