"""KuCoin's frames: changes that wait for a seed, entries without a level, and what it answers."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Broken,
    Event,
    FrameError,
    Heard,
    RequestRefused,
    SeedWanted,
    Unchanged,
    Welcome,
)
from dragonfly_venues.kucoin import endpoint, seed
from dragonfly_venues.kucoin.decoder import KucoinDecoder

SYMBOL = "BTC-USDT"
REST = BookTop(SYMBOL, 104, None, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),))


def change(first: int, last: int, *, bids: str = "", asks: str = "", time: int | None = 7) -> bytes:
    """Return a frame whose sides are written `price:amount:number …`."""
    data = {
        "sequenceStart": first,
        "sequenceEnd": last,
        "symbol": SYMBOL,
        "changes": {
            "asks": [level.split(":") for level in asks.split()],
            "bids": [level.split(":") for level in bids.split()],
        },
    }
    if time is not None:
        data["time"] = time
    frame = {
        "type": "message",
        "topic": f"/market/level2:{SYMBOL}",
        "subject": "trade.l2update",
        "data": data,
    }
    return json.dumps(frame, separators=(",", ":")).encode()


def seeded() -> KucoinDecoder:
    decoder = KucoinDecoder(2)
    decoder.decode(change(103, 104))
    decoder.seed(REST)
    return decoder


def only(events: object) -> Event:
    assert isinstance(events, tuple)
    (event,) = (event for event in events if not isinstance(event, SeedWanted))
    return event  # type: ignore[no-any-return]


def test_what_comes_before_the_seed_is_joined_with_it() -> None:
    decoder = KucoinDecoder(2)
    assert only(decoder.decode(change(101, 103, bids="9:5:102"))) == Unchanged(SYMBOL)
    assert only(decoder.decode(change(104, 105, bids="8.5:3:105"))) == Unchanged(SYMBOL)
    joined = only(decoder.seed(REST))
    assert joined == BookTop(SYMBOL, 105, 7_000_000, ((9.0, 1.0), (8.5, 3.0)), ((10.0, 1.0),))
    assert decoder.seq(SYMBOL) == 105


def test_a_seed_before_any_change_is_a_book_at_once() -> None:
    decoder = KucoinDecoder(2)
    assert only(decoder.seed(REST)) == REST
    assert isinstance(only(decoder.decode(change(104, 106, bids="9:2:105"))), BookTop)


def test_a_seed_older_than_what_was_heard_is_asked_for_again() -> None:
    decoder = KucoinDecoder(2)
    decoder.decode(change(107, 108))
    events = decoder.seed(REST)
    assert events == (Unchanged(SYMBOL), SeedWanted(SYMBOL))


def test_an_entry_of_price_0_counts_and_changes_nothing() -> None:
    decoder = seeded()
    assert only(decoder.decode(change(105, 105, asks="0:0:105"))) == Unchanged(SYMBOL)
    assert isinstance(only(decoder.decode(change(106, 106, asks="10:0:106"))), BookTop)


def test_a_gap_breaks_the_book_until_it_is_seeded_anew() -> None:
    decoder = seeded()
    broken = only(decoder.decode(change(106, 107, bids="9:7:107")))
    assert isinstance(broken, Broken)
    assert broken.cause == "gap"
    assert only(decoder.decode(change(108, 108))) == Unchanged(SYMBOL)


def test_the_time_may_be_absent() -> None:
    top = only(seeded().decode(change(105, 105, bids="9:2:105", time=None)))
    assert isinstance(top, BookTop)
    assert top.ts_event is None


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (change(105, 105, bids="-9:2:105"), "bad_shape"),
        (change(105, 105, bids="9:-2:105"), "bad_shape"),
        (change(-1, 105), "bad_shape"),
        (change(105, 105)[:-9], "not_json"),
        (b'{"type":"message","topic":"/market/match:X"}', "unknown_channel"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = seeded()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.seq(SYMBOL) == 104


def test_answers() -> None:
    decoder = KucoinDecoder(2)
    assert decoder.decode(b'{"id":"1","type":"welcome"}') == (Welcome(),)
    assert decoder.decode(b'{"id":"7","type":"ack"}') == (Acked(7),)
    assert decoder.decode(b'{"id":"7","type":"pong","timestamp":1780000000000000}') == (Heard(),)
    refused = decoder.decode(b'{"id":"7","type":"error","code":404,"data":"topic does not exist"}')
    assert refused == (RequestRefused(7, (), "topic does not exist (code 404)"),)


def test_the_endpoint_names_a_socket_with_its_token() -> None:
    server = {"endpoint": "wss://ws-api-spot.kucoin.com/", "pingInterval": 18000}
    reply = {"code": "200000", "data": {"token": "2ne&i", "instanceServers": [server]}}
    url = endpoint.parse(json.dumps(reply).encode(), 3)
    assert url == "wss://ws-api-spot.kucoin.com/?token=2ne%26i&connectId=3"
    for bad in (b"{}", b'{"code":"429000","msg":"too many"}', b"<html>"):
        with pytest.raises(FrameError):
            endpoint.parse(bad, 3)


def test_a_book_over_rest() -> None:
    reply = b'{"code":"200000","data":{"time":7,"sequence":"104","bids":[["9","1"]],"asks":[]}}'
    assert seed.SOURCE.parse(reply, SYMBOL, 100) == BookTop(SYMBOL, 104, None, ((9.0, 1.0),), ())
    with pytest.raises(FrameError, match="symbol not exists"):
        seed.SOURCE.parse(b'{"code":"400100","msg":"symbol not exists"}', SYMBOL, 100)


def test_the_topic_may_stand_behind_the_data() -> None:
    decoder = KucoinDecoder(2)
    names = ("data", "subject", "topic", "type")
    frame = json.loads(change(105, 106, bids=" ".join(f"{n}:1:{n}" for n in range(1, 40))))
    turned = json.dumps({name: frame[name] for name in names}, separators=(",", ":"))
    assert only(decoder.decode(turned.encode())) == Unchanged(SYMBOL)


def test_a_seed_stands_alone_until_a_change_joins_it() -> None:
    decoder = KucoinDecoder(2)
    assert not decoder.seeded(SYMBOL)
    assert [type(event) for event in decoder.seed(REST)] == [BookTop]
    assert decoder.seeded(SYMBOL)
    decoder.decode(change(105, 105))
    assert not decoder.seeded(SYMBOL)
