"""What Kraken is told and answers."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.events import (
    TRADING,
    Acked,
    FrameError,
    Heard,
    RequestRefused,
    Trading,
    TradingChange,
)
from dragonfly_venues.kraken import Kraken
from dragonfly_venues.venue import Ask


@pytest.mark.parametrize(
    ("depth", "subscribed"), [(1, 10), (10, 10), (11, 25), (20, 25), (26, 100), (100, 100)]
)
def test_requests_name_a_depth_that_the_venue_offers(depth: int, subscribed: int) -> None:
    (frame,) = Kraken().requests(Ask(symbols=["ETH/BTC", "BTC/USD"], request_id=4, depth=depth))
    assert json.loads(frame) == {
        "method": "subscribe",
        "params": {
            "channel": "book",
            "symbol": ["ETH/BTC", "BTC/USD"],
            "depth": subscribed,
            "snapshot": True,
        },
        "req_id": 4,
    }
    (frame,) = Kraken().requests(
        Ask(symbols=["ETH/BTC"], request_id=5, depth=depth, subscribe=False)
    )
    assert json.loads(frame) == {
        "method": "unsubscribe",
        "params": {"channel": "book", "symbol": ["ETH/BTC"], "depth": subscribed},
        "req_id": 5,
    }


TIMES = '"time_in":"2026-08-16T23:37:04.849274Z","time_out":"2026-08-16T23:37:04.849309Z"'


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (
            '{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,'
            f'"symbol":"BTC/USD","warnings":["x"]}},"success":true,{TIMES},"req_id":1}}',
            Acked(1, ("BTC/USD",)),
        ),
        (
            '{"method":"unsubscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USD"},'
            f'"success":true,{TIMES},"req_id":2}}',
            Acked(2, ("BTC/USD",), subscribed=False),
        ),
        (
            '{"error":"Currency pair not supported NOPE/USD","method":"subscribe","success":false,'
            f'"symbol":"NOPE/USD",{TIMES},"req_id":3}}',
            RequestRefused(3, ("NOPE/USD",), "Currency pair not supported NOPE/USD"),
        ),
        (
            '{"error":"Subscription depth not supported","method":"subscribe","success":false}',
            RequestRefused(None, (), "Subscription depth not supported"),
        ),
        (f'{{"method":"pong","req_id":7,"success":true,{TIMES}}}', Heard()),
        ('{"channel":"heartbeat"}', Heard()),
        (
            '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"maintenance"'
            ',"api_version":"v2","connection_id":13834774380200032777}]}',
            TradingChange(None, Trading(halted=True, word="maintenance")),
        ),
        (
            '{"channel":"status","type":"update","data":[{"system":"online"}]}',
            TradingChange(None, TRADING),
        ),
        (
            '{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}',
            TradingChange(None, Trading(halted=True, word="cancel_only")),
        ),
        (
            '{"channel":"status","type":"update","data":[{"system":"post_only"}]}',
            TradingChange(None, Trading(word="post_only")),
        ),
        (
            '{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[{"symbol":'
            '"ETH/BTC","base":"ETH","quote":"BTC","status":"cancel_only","price_increment":1e-08}'
            "]}}",
            TradingChange("ETH/BTC", Trading(halted=True, word="cancel_only")),
        ),
        ('{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[]}}', Heard()),
    ],
)
def test_answers(frame: str, event: object) -> None:
    assert Kraken().decoder(10).decode(frame.encode()) == (event,)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ('{"channel":"ticker","type":"update","data":[]}', "unknown_channel"),
        ('{"method":"subscribe"}', "bad_shape"),
        ("{}", "bad_shape"),
        ("", "not_json"),
    ],
)
def test_what_is_neither_is_refused(frame: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        Kraken().decoder(10).decode(frame.encode())
    assert caught.value.reason == reason


def test_a_loss_shows_as_deep_as_the_checksum_goes() -> None:
    assert Kraken().at(10).loss_shows
    assert not Kraken().at(11).loss_shows
