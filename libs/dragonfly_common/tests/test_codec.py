"""Every message survives the wire; whatever else arrives is one kind of error."""

from __future__ import annotations

import contextlib
import math
import random

import msgspec
import pytest
from dragonfly_common import codec
from dragonfly_common.errors import DecodeError
from dragonfly_common.messages import (
    Body,
    Book,
    Claim,
    EncodedView,
    Envelope,
    FeedStanding,
    Gone,
    Heartbeat,
    Instruments,
    ListedMarket,
    VenueStatus,
)
from dragonfly_common.types import FeedState
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(max_size=12)
NUMBER = st.integers(0, 2**63 - 1)
COUNT = st.integers(0, 2**32 - 1)
LEVEL = st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False))
SIDE = st.lists(LEVEL, max_size=4).map(tuple)
STATE = st.sampled_from(FeedState)
SCORE = st.none() | st.floats(0.0, 1.0)
STANDING = st.builds(FeedStanding, TEXT, STATE, NUMBER, st.none() | NUMBER, st.booleans())
BODY: st.SearchStrategy[Body] = st.one_of(
    st.builds(
        Book, STATE, TEXT, NUMBER, NUMBER, st.none() | NUMBER, NUMBER, SIDE, SIDE, SCORE, SCORE
    ),
    st.builds(EncodedView, st.booleans(), st.integers(1, 20), st.binary(max_size=40)),
    st.builds(
        VenueStatus,
        *(TEXT, STATE, TEXT, TEXT, COUNT, COUNT, COUNT, NUMBER),
        st.lists(STANDING, max_size=4).map(tuple),
    ),
    st.builds(Instruments, TEXT, st.lists(TEXT, max_size=4).map(tuple), st.binary(), COUNT, NUMBER),
    st.builds(Gone),
    st.builds(Claim, st.booleans(), st.frozensets(TEXT, max_size=4)),
    st.builds(Heartbeat, st.dictionaries(TEXT, NUMBER, max_size=4), st.booleans()),
)
MARKET = st.builds(
    ListedMarket, TEXT, st.booleans(), TEXT, *(4 * [st.none() | st.sampled_from(("0.1", "1"))])
)
BOOK = Book(FeedState.LIVE, "", 1, 2, None, 3, ((1.5, 2.0),), ((2.5, 1.0),))


def wrapped(body: Body, version: int = codec.SCHEMA_VERSION) -> bytes:
    return codec.encode_envelope(Envelope(version, "p", 1, 2, 3, codec.encode_body(body)))


def reason_of(payload: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        codec.decode_body(codec.decode_envelope(payload).body)
    return caught.value.reason


@given(BODY)
def test_a_body_survives_the_wire(body: Body) -> None:
    assert codec.decode_body(codec.encode_body(body)) == body


@given(TEXT, NUMBER, NUMBER, NUMBER, BODY)
def test_an_envelope_survives_the_wire(
    publisher: str, epoch: int, seq: int, ts_pub: int, body: Body
) -> None:
    sent = Envelope(codec.SCHEMA_VERSION, publisher, epoch, seq, ts_pub, codec.encode_body(body))
    heard = codec.decode_envelope(codec.encode_envelope(sent))
    assert (heard.publisher, heard.epoch, heard.seq, heard.ts_pub) == (
        publisher,
        epoch,
        seq,
        ts_pub,
    )
    assert codec.decode_body(heard.body) == body


@given(st.dictionaries(TEXT.filter(bool), MARKET, max_size=4))
def test_packed_markets_are_found_by_their_instruments(markets: dict[str, ListedMarket]) -> None:
    listing = Instruments("kraken", tuple(markets), codec.pack_markets(markets.values()))
    assert dict(codec.unpack_markets(listing)) == markets
    for name, market in markets.items():
        assert dict(codec.unpack_markets(listing, name)) == {name: market}
    assert not list(codec.unpack_markets(Instruments("kraken", tuple(markets))))


@given(st.binary(max_size=60))
def test_packed_noise_is_a_decode_error_or_markets(noise: bytes) -> None:
    with contextlib.suppress(DecodeError):
        list(codec.unpack_markets(Instruments("kraken", ("ETH-BTC", "BTC-USD"), noise)))


@given(st.binary(max_size=60))
def test_noise_is_a_decode_error_or_a_message(payload: bytes) -> None:
    with contextlib.suppress(DecodeError):
        codec.decode_body(codec.decode_envelope(payload).body)


def test_the_word_of_a_listener_that_tells_no_standings_is_heard() -> None:
    old = ("venue", "kraken", 2, "", "listener", 1, 2, 2)
    heard = codec.decode_body(msgspec.Raw(msgspec.msgpack.encode(old)))
    assert heard == VenueStatus("kraken", FeedState.LIVE, "", "listener", 1, 2, 2)


def test_each_failure_has_its_label() -> None:
    good = wrapped(BOOK)
    assert reason_of(b"") == "bad_envelope"
    assert reason_of(good[:-1]) == "bad_envelope"
    assert reason_of(good + b"\x00") == "bad_envelope"
    assert reason_of(wrapped(BOOK, version=2)) == "schema_version"
    array = msgspec.msgpack.encode
    assert reason_of(array([1, "p", 1, 2, 3, ["ladder", 1]])) == "bad_body"
    assert reason_of(array([1, "p", 1, 2, 3, ["book", 9, "", 1, 2, None, 3, [], []]])) == "bad_body"
    assert reason_of(array([1, "p", 1, 2, 3, None])) == "bad_body"
    for seq in (-1, -2.5, 2**63, None):
        assert reason_of(array([1, "p", 1, seq, 3, None])) == "bad_envelope"


def test_text_that_is_not_utf8_is_a_decode_error() -> None:
    payload = wrapped(VenueStatus("kraken", FeedState.LIVE, "all well", "listener", 1, 1, 1))
    assert reason_of(payload.replace(b"all well", b"all \xff\xfell")) == "bad_body"
    assert reason_of(payload.replace(b"\xa1p", b"\xa1\xff", 1)) == "bad_envelope"


def test_nesting_without_end_is_a_decode_error() -> None:
    deep = b"\x91" * 200_000 + b"\xc0"
    assert reason_of(deep) == "bad_envelope"
    assert reason_of(msgspec.msgpack.encode([1, "p", 1, 2, 3])[:-1] + b"\x03" + deep) in {
        "bad_envelope",
        "bad_body",
    }


def test_an_array_that_claims_to_be_huge_costs_nothing() -> None:
    assert reason_of(b"\xdd\xff\xff\xff\xff") == "bad_envelope"


def test_fields_that_a_newer_peer_appends_are_passed_over() -> None:
    book = [*msgspec.msgpack.decode(codec.encode_body(BOOK)), "new"]
    payload = msgspec.msgpack.encode([1, "p", 1, 2, 3, book, "newer"])
    assert codec.decode_body(codec.decode_envelope(payload).body) == BOOK


def test_a_book_of_an_older_listener_has_no_score() -> None:
    fields = msgspec.msgpack.decode(codec.encode_body(BOOK))
    assert fields[-2:] == [None, None]
    payload = msgspec.msgpack.encode([1, "p", 1, 2, 3, fields[:-2]])
    assert codec.decode_body(codec.decode_envelope(payload).body) == BOOK


@pytest.mark.parametrize("score", [-0.1, 1.1, "1"])
def test_a_score_beyond_its_range_is_refused(score: object) -> None:
    fields = [*msgspec.msgpack.decode(codec.encode_body(BOOK))[:-2], score, None]
    assert reason_of(msgspec.msgpack.encode([1, "p", 1, 2, 3, fields])) == "bad_body"


def test_numbers_that_are_none_pass_the_codec_and_are_the_consumer_s_to_judge() -> None:
    odd = Book(FeedState.LIVE, "", 1, 2, None, 3, ((math.nan, math.inf),), ())
    heard = codec.decode_body(codec.encode_body(odd))
    assert isinstance(heard, Book)
    assert math.isnan(heard.bids[0][0])
    assert heard.bids[0][1] == math.inf


def test_mutated_payloads_never_raise_anything_else() -> None:
    chance = random.Random(20_000)
    good = [wrapped(BOOK), wrapped(Heartbeat({"book.ETH-BTC.kraken.": 7}))]
    refused = 0
    for _ in range(20_000):
        payload = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 3)):
            payload[chance.randrange(len(payload))] = chance.randrange(256)
        try:
            codec.decode_body(codec.decode_envelope(bytes(payload)).body)
        except DecodeError:
            refused += 1
    assert refused > 10_000
