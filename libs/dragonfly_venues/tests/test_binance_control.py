"""What Binance is told and answers."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.binance import Binance
from dragonfly_venues.events import Acked, Closing, FrameError, RequestRefused
from dragonfly_venues.venue import Ask


def test_requests_name_the_streams() -> None:
    (frame,) = Binance().requests(Ask(symbols=["ethbtc", "btcusdt"], request_id=4, depth=10))
    assert json.loads(frame) == {
        "method": "SUBSCRIBE",
        "params": ["ethbtc@depth20@100ms", "btcusdt@depth20@100ms"],
        "id": 4,
    }
    (frame,) = Binance().requests(Ask(symbols=["ethbtc"], request_id=5, depth=10, subscribe=False))
    assert json.loads(frame)["method"] == "UNSUBSCRIBE"


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ('{"result":null,"id":1}', Acked(1)),
        ('{"id": 2, "result": null}', Acked(2)),
        ('{"result":["ethbtc@depth20@100ms"],"id":3}', Acked(3)),
        (
            '{"code":2,"msg":"Invalid request: x"}',
            RequestRefused(None, (), "Invalid request: x (code 2)"),
        ),
        (
            '{"error":{"code":3,"msg":"Invalid JSON"},"id":9}',
            RequestRefused(9, (), "Invalid JSON (code 3)"),
        ),
        ('{"code":2,"msg":"x","id":"abc"}', RequestRefused(None, (), "x (code 2)")),
        ('{"e":"serverShutdown","E":1770123456789}', Closing("serverShutdown")),
        (
            '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
            Closing("serverShutdown"),
        ),
    ],
)
def test_answers(frame: str, event: object) -> None:
    assert Binance().decoder(10).decode(frame.encode()) == (event,)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ('{"stream":"ethbtc@trade","data":{"e":"trade"}}', "unknown_channel"),
        ('{"id":1}', "bad_shape"),
        ("{}", "bad_shape"),
        ("[]", "bad_shape"),
        ("", "not_json"),
    ],
)
def test_what_is_neither_is_refused(frame: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        Binance().decoder(10).decode(frame.encode())
    assert caught.value.reason == reason
