"""Crypto.com's frames: chains of changes, answers of the same shape, heartbeats, its list."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.cryptocom.control import DEPTHS, request
from dragonfly_venues.cryptocom.decoder import CryptocomDecoder, CryptocomSequencer
from dragonfly_venues.cryptocom.instruments import SOURCE
from dragonfly_venues.decoding.delta_books import Change, Place
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Broken,
    Event,
    FrameError,
    Reply,
    RequestRefused,
    Trading,
    Unchanged,
)
from dragonfly_venues.venue import Ask, Market, offered
from hypothesis import given
from hypothesis import strategies as st
from lists import markets_of

TIME_MS = 1_790_114_273_395

Levels = list[tuple[str, str]]


def sides(bids: Levels | None, asks: Levels | None) -> dict[str, object]:
    return {
        "asks": [[price, amount, "1"] for price, amount in asks or []],
        "bids": [[price, amount, "1"] for price, amount in bids or []],
    }


def push(data: dict[str, object], channel: str, symbol: str = "BTC_USD") -> bytes:
    result = {
        "instrument_name": symbol,
        "subscription": f"book.{symbol}.10",
        "channel": channel,
        "depth": 10,
        "data": [{**data, "t": TIME_MS, "tt": TIME_MS - 5, "cs": -1183713967}],
    }
    frame = {"id": -1, "method": "subscribe", "code": 0, "result": result}
    return json.dumps(frame, separators=(",", ":")).encode()


def snapshot(number: int, bids: Levels | None = None, asks: Levels | None = None) -> bytes:
    return push({**sides(bids, asks), "u": number}, "book")


def change(
    previous: int, number: int, bids: Levels | None = None, asks: Levels | None = None
) -> bytes:
    return push({"update": sides(bids, asks), "u": number, "pu": previous}, "book.update")


SNAPSHOT = snapshot(100, [("9", "1"), ("8", "2")], [("10", "1")])


def test_a_snapshot_and_a_chain_of_changes_make_the_book() -> None:
    decoder = CryptocomDecoder(2)
    [first] = decoder.decode(SNAPSHOT)
    assert first == BookTop(
        "BTC_USD", 100, TIME_MS * 1_000_000, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),)
    )
    [second] = decoder.decode(change(100, 990_107, [("9", "0"), ("8.5", "3")]))
    assert isinstance(second, BookTop)
    assert second.bids == ((8.5, 3.0), (8.0, 2.0))
    assert decoder.seq("BTC_USD") == second.venue_seq == 990_107


def test_an_empty_change_says_that_the_book_rests() -> None:
    decoder = CryptocomDecoder(2)
    decoder.decode(SNAPSHOT)
    assert decoder.decode(change(100, 100)) == (Unchanged("BTC_USD"),)
    assert isinstance(decoder.decode(change(100, 101, [("9", "2")]))[0], BookTop)


@pytest.mark.parametrize("previous", [99, 101, 0])
def test_a_missing_link_breaks_the_book_until_the_next_snapshot(previous: int) -> None:
    decoder = CryptocomDecoder(2)
    decoder.decode(SNAPSHOT)
    [event] = decoder.decode(change(previous, 120, [("9", "5")]))
    assert isinstance(event, Broken)
    assert (event.symbol, event.cause) == ("BTC_USD", "gap")
    assert decoder.decode(change(120, 121)) == (Unchanged("BTC_USD"),)
    assert isinstance(decoder.decode(SNAPSHOT)[0], BookTop)


def test_levels_beyond_what_was_subscribed_are_dropped_although_nobody_removes_them() -> None:
    decoder = CryptocomDecoder(10)
    bids = [(str(100 - rank), "1") for rank in range(10)]
    decoder.decode(snapshot(1, bids))
    decoder.decode(change(1, 2, [("101", "1")]))
    [event] = decoder.decode(change(2, 3, [("101", "0")]))
    assert isinstance(event, BookTop)
    assert len(event.bids) == 9, "the one that 101 pushed out is not known any more"


@given(st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), max_size=20))
def test_only_a_change_that_follows_continues(jumps: list[tuple[int, bool]]) -> None:
    number, rules = 10**14, CryptocomSequencer()
    for jump, lost in jumps:
        following = Change(number + jump * lost, number + 2 * jump, (), ())
        assert rules.place(number, following) is (Place.GAP if lost else Place.NEXT)
        number = following.last


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (change(1, 2, [("-9", "1")]), "bad_shape"),
        (change(1, 2, [("9", "-1")]), "bad_shape"),
        (change(1, 2, [("NaN", "1")]), "bad_shape"),
        (change(1, -2), "bad_shape"),
        (push({"u": 5}, "book.update"), "unknown_channel"),
        (push({"u": 5}, "trade"), "unknown_channel"),
        (SNAPSHOT[:-9], "not_json"),
        (b'{"id":1,"method":"dance","code":0}', "unknown_channel"),
        (b"pong", "not_json"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = CryptocomDecoder(2)
    decoder.decode(SNAPSHOT)
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.decode(change(100, 100)) == (Unchanged("BTC_USD"),)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            b'{"id":1,"method":"subscribe","code":0,"channel":"book.BTC_USD.50"}',
            Acked(1, ("BTC_USD",)),
        ),
        (b'{"id":1,"method":"subscribe","code":0}', Acked(1)),
        (
            b'{"id":2,"method":"unsubscribe","code":0,"channel":"book.BTC_USD.50"}',
            Acked(2, ("BTC_USD",), subscribed=False),
        ),
        (
            b'{"id":11,"method":"subscribe","code":40003,"channel":"book.NOPE_USD.50",'
            b'"message":"Unknown symbol"}',
            RequestRefused(11, ("NOPE_USD",), "Unknown symbol (code 40003)"),
        ),
        (
            b'{"id":-1,"method":"subscribe","code":40107,"message":"Maximum subscriptions"}',
            RequestRefused(None, (), "Maximum subscriptions (code 40107)"),
        ),
        (
            b'{"id":1790114291578,"method":"public/heartbeat","code":0}',
            Reply('{"id":1790114291578,"method":"public/respond-heartbeat"}'),
        ),
    ],
)
def test_answers(frame: bytes, said: Event) -> None:
    assert CryptocomDecoder(2).decode(frame) == (said,)


@pytest.mark.parametrize(("depth", "levels"), [(1, 10), (10, 10), (11, 50), (50, 50), (100, 50)])
def test_requests(depth: int, levels: int) -> None:
    assert offered(depth, DEPTHS) == levels
    ask = Ask(symbols=["BTC_USD", "ETH_USD"], request_id=7, depth=depth)
    (frame,) = request(ask)
    channels = [f"book.BTC_USD.{levels}", f"book.ETH_USD.{levels}"]
    how = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}
    assert json.loads(frame) == {
        "id": 7,
        "method": "subscribe",
        "params": {"channels": channels, **how},
    }
    (frame,) = request(Ask(symbols=["BTC_USD"], request_id=8, depth=depth, subscribe=False))
    assert json.loads(frame) == {
        "id": 8,
        "method": "unsubscribe",
        "params": {"channels": channels[:1]},
    }


def test_its_list_is_of_spot_markets_and_of_other_instruments() -> None:
    spot = {"inst_type": "CCY_PAIR", "base_ccy": "BTC", "quote_ccy": "USD", "tradable": True}
    steps = {"price_tick_size": "0.01", "qty_tick_size": "0.00001"}
    listed = [
        {**spot, **steps, "symbol": "BTC_USD"},
        {**spot, "symbol": "ETH_USD", "base_ccy": "ETH", "tradable": False},
        {**spot, "symbol": "BTCUSD-PERP", "inst_type": "PERPETUAL_SWAP"},
        {"symbol": 7},
    ]
    body = {"id": -1, "method": "public/get-instruments", "code": 0, "result": {"data": listed}}
    markets = markets_of(SOURCE, json.dumps(body).encode())
    assert markets == {
        "BTC-USD": Market("BTC_USD", tick="0.01", lot="0.00001"),
        "ETH-USD": Market("ETH_USD", Trading(halted=True, word="not tradable")),
    }
    assert markets.left_out == {"malformed": 1}
