from __future__ import annotations

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.placeholder import placeholder
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
