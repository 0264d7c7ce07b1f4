from __future__ import annotations

import pytest
from dragonfly_client import ProtocolError, State
from dragonfly_client._decode import decode_book, decode_update, parse
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st


def test_what_was_never_stamped_is_none() -> None:
    feed = decode_book(pb.Book(venues=[pb.VenueFeed(venue="kraken")]), 0).venues[0]
    assert (feed.ts_event, feed.ts_recv, feed.ts_pub) == (None, None, None)
    assert feed.state is State.UNSPECIFIED


def test_a_stamp_of_the_venue_may_be_zero() -> None:
    feed = decode_book(pb.Book(venues=[pb.VenueFeed(venue="kraken", ts_event=0)]), 0).venues[0]
    assert feed.ts_event == 0


def test_a_feed_that_was_never_audited_has_no_score() -> None:
    audited = pb.VenueFeed(venue="binance", score=0.0, score_total=1.0)
    book = decode_book(pb.Book(venues=[pb.VenueFeed(venue="kraken"), audited]), 0)
    scores = [(feed.score, feed.score_total) for feed in book.venues]
    assert scores == [(None, None), (0.0, 1.0)]


def test_a_state_from_the_future_is_unspecified() -> None:
    book = parse(pb.Book, pb.Book(venues=[pb.VenueFeed(venue="x")]).SerializeToString())
    book.venues[0].MergeFromString(b"\x10\x63")
    assert decode_book(book, 0).venues[0].state is State.UNSPECIFIED


def test_an_update_from_the_future_is_passed_over() -> None:
    assert decode_update(pb.SessionUpdate(number=3), 0) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(payload: bytes) -> None:
    try:
        update = parse(pb.SessionUpdate, payload)
    except ProtocolError:
        return
    decode_update(update, 0)


def test_the_error_names_the_message() -> None:
    with pytest.raises(ProtocolError, match="2 bytes that are no Book"):
        parse(pb.Book, b"\xff\xff")
