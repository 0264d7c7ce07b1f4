from __future__ import annotations

import dataclasses

import dragonfly_common.printable
import grpc
import pytest
from dragonfly_client import ProtocolError, State, _printable
from dragonfly_client._decode import (
    decode_bbo,
    decode_book,
    decode_instruments,
    decode_liquidity,
    decode_update,
    decode_venues,
    parse,
)
from dragonfly_client._printable import LONGEST_SENTENCE
from dragonfly_client.errors import error_of_status, refusal_of_session
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = "\x1b]0;mine\x07\x9b2J\u202e" * 1000


def texts(value: object) -> list[str]:
    """Return every text that `value`, or what it is made of, holds."""
    if isinstance(value, str):
        return [value]
    parts = value if isinstance(value, tuple) else ()
    if dataclasses.is_dataclass(value):
        parts = tuple(getattr(value, field.name) for field in dataclasses.fields(value))
    return [text for part in parts for text in texts(part)]


def test_what_was_converted_says_from_what() -> None:
    level = pb.Level(
        venue="okx", price=99.9, amount=1.0, instrument="BTC-USDT", original_price=100.0
    )
    feed = pb.VenueFeed(venue="okx", state=pb.STATE_LIVE, venue_seq=9)
    by = pb.Conversion(instrument="USDT-USD", bid=0.999, ask=1.001, venues=[feed])
    out = pb.Conversion(instrument="USDC-USD")
    plain = pb.Level(venue="okx", price=1.0, amount=1.0)
    book = decode_book(pb.Book(bids=[level], asks=[plain], conversions=[by, out]), 0)
    assert str(book.bids[0]) == "1 @ 99.9 okx BTC-USDT"
    assert (book.bids[0].instrument, book.bids[0].original_price) == ("BTC-USDT", 100.0)
    assert (book.asks[0].instrument, book.asks[0].original_price) == ("", None)
    one, other = book.conversions
    assert (one.instrument, one.bid, one.ask, one.venues[0].venue_seq) == (
        "USDT-USD",
        0.999,
        1.001,
        9,
    )
    assert (other.bid, other.ask, other.venues) == (None, None, ())
    assert list(book.feeds) == [("USDT-USD", "okx")]
    share = pb.Share(venue="okx", amount=1.0, instrument="BTC-USDT", original_price=100.0)
    merged = pb.MergedLevel(price=99.9, amount=1.0, shares=[share, pb.Share(venue="kraken")])
    (level_read,) = decode_liquidity(pb.Liquidity(bids=[merged]), 0).bids
    assert [(one.instrument, one.original_price) for one in level_read.shares] == [
        ("BTC-USDT", 100.0),
        ("", None),
    ]


def test_no_text_of_a_gateway_moves_a_cursor_or_is_long() -> None:
    feed = pb.VenueFeed(venue=HOSTILE, reason=HOSTILE, instrument=HOSTILE)
    level = pb.Level(venue=HOSTILE, price=1.0, amount=1.0, instrument=HOSTILE)
    merged = pb.MergedLevel(price=1.0, amount=1.0, shares=[pb.Share(venue=HOSTILE, amount=1.0)])
    received = (
        decode_book(pb.Book(instrument=HOSTILE, venues=[feed], bids=[level], asks=[level]), 0),
        decode_bbo(pb.Bbo(instrument=HOSTILE, venues=[feed], bid=level, ask=level), 0),
        decode_liquidity(pb.Liquidity(instrument=HOSTILE, bids=[merged], asks=[merged]), 0),
        decode_venues(
            pb.Venues(venues=[pb.Venue(venue=HOSTILE, reason=HOSTILE, listener=HOSTILE)])
        ),
        decode_instruments(
            pb.ListInstrumentsResponse(
                instruments=[
                    pb.Instrument(
                        instrument=HOSTILE,
                        venues=[HOSTILE],
                        markets=[pb.Market(venue=HOSTILE, symbol=HOSTILE, status=HOSTILE)],
                    )
                ]
            )
        ),
        tuple(str(error_of_status(code, HOSTILE)) for code in grpc.StatusCode),
        str(refusal_of_session(5, HOSTILE)),
    )
    found = texts(received)
    assert len(found) > 15 + len(grpc.StatusCode)
    for text in found:
        assert text.isprintable()
        assert len(text) <= LONGEST_SENTENCE


@pytest.mark.parametrize("text", ["NaN", "Infinity", "one", HOSTILE])
def test_a_number_that_is_none_is_the_gateways_fault(text: str) -> None:
    listed = pb.Instrument(instrument="ETH-BTC", markets=[pb.Market(venue="kraken", tick=text)])
    with pytest.raises(ProtocolError, match="which is no number") as caught:
        decode_instruments(pb.ListInstrumentsResponse(instruments=[listed]))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["größer", HOSTILE, "a" * 200, "a" * 201, "\n"])
def test_both_libraries_make_the_same_of_a_text(text: str) -> None:
    assert _printable.printable(text) == dragonfly_common.printable.printable(text)


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
