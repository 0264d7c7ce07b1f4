"""What Bitstamp is told and answers."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.bitstamp import Bitstamp
from dragonfly_venues.events import Acked, Closing, FrameError, Heard, RequestRefused
from dragonfly_venues.venue import Ask


def test_each_frame_names_one_channel_and_stays_small() -> None:
    frames = Bitstamp().requests(Ask(symbols=["ethbtc", "x" * 50], request_id=4, depth=10))
    assert json.loads(frames[0]) == {
        "event": "bts:subscribe",
        "data": {"channel": "order_book_ethbtc"},
    }
    assert len(frames) == 2
    assert all(len(frame) < 512 for frame in frames)
    (frame,) = Bitstamp().requests(Ask(symbols=["ethbtc"], request_id=5, depth=10, subscribe=False))
    assert json.loads(frame)["event"] == "bts:unsubscribe"


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (
            '{"event":"bts:subscription_succeeded","channel":"order_book_ethbtc","data":{}}',
            Acked(None, ("ethbtc",)),
        ),
        (
            '{"event":"bts:unsubscription_succeeded","channel":"order_book_ethbtc","data":{}}',
            Acked(None, ("ethbtc",), subscribed=False),
        ),
        (
            '{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}',
            Heard(),
        ),
        (
            '{"event":"bts:request_reconnect","channel":"","data":""}',
            Closing("bts:request_reconnect"),
        ),
        (
            '{"event": "bts:request_reconnect", "channel": "", "data": null}',
            Closing("bts:request_reconnect"),
        ),
        (
            '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription '
            'string."}}',
            RequestRefused(None, (), "Bad subscription string."),
        ),
        (
            '{"event":"bts:error","channel":"order_book_x","data":{"code":4009,"message":""}}',
            RequestRefused(None, ("x",), "code 4009"),
        ),
    ],
)
def test_answers(frame: str, event: object) -> None:
    assert Bitstamp().decoder(10).decode(frame.encode()) == (event,)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ('{"event":"trade","channel":"live_trades_ethbtc","data":{}}', "unknown_channel"),
        ('{"event":"bts:error","channel":"","data":"oops"}', "bad_shape"),
        ("{}", "bad_shape"),
        ("", "not_json"),
    ],
)
def test_what_is_neither_is_refused(frame: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        Bitstamp().decoder(10).decode(frame.encode())
    assert caught.value.reason == reason
