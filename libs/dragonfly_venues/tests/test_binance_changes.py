"""Binance by its changes, for books deeper than its whole tops."""

from __future__ import annotations

import json
import random
from collections import Counter

import msgspec
import pytest
from dragonfly_venues.binance import Binance, seed
from dragonfly_venues.binance.decoder import BinanceChangesDecoder
from dragonfly_venues.events import (
    FRAME_ERROR_REASONS,
    Acked,
    Bbo,
    BookTop,
    Broken,
    Closing,
    Event,
    FrameError,
    SeedWanted,
    Unchanged,
)
from dragonfly_venues.venue import Ask

SYMBOL = "bnbbtc"
REST = BookTop(SYMBOL, 159, None, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),))


def change(first: int, last: int, *, bids: str = "", asks: str = "", stream: str = "") -> bytes:
    """Return a frame whose sides are written `price:amount …`."""
    data = {
        "e": "depthUpdate",
        "E": 1672515782136,
        "s": SYMBOL.upper(),
        "U": first,
        "u": last,
        "b": [level.split(":") for level in bids.split()],
        "a": [level.split(":") for level in asks.split()],
    }
    frame = {"stream": stream or f"{SYMBOL}@depth@100ms", "data": data}
    return json.dumps(frame, separators=(",", ":")).encode()


def seeded(depth: int = 50) -> BinanceChangesDecoder:
    decoder = BinanceChangesDecoder(depth)
    decoder.decode(change(155, 159))
    decoder.seed(REST)
    return decoder


def only(events: object) -> Event:
    assert isinstance(events, tuple)
    (event,) = (event for event in events if not isinstance(event, SeedWanted))
    return event  # type: ignore[no-any-return]


def test_whole_tops_serve_what_they_reach_and_changes_the_rest() -> None:
    venue = Binance()
    assert venue.at(20) is venue
    deep = venue.at(21)
    assert deep.at(100) is not venue
    ask = Ask(symbols=["bnbbtc"], request_id=1, depth=50, bbo=True)
    (frame,) = deep.requests(ask)
    assert json.loads(frame)["params"] == ["bnbbtc@depth@100ms", "bnbbtc@bookTicker"]
    source = deep.snapshots
    assert source is not None
    assert source.path(SYMBOL) == "/api/v3/depth?symbol=BNBBTC&limit=1000"
    assert source.levels == seed.SEED_LEVELS == 1000
    # 50 of the 6000 a minute that an address has: a quarter of them in the first minute.
    assert 50 * (source.burst + source.per_minute) <= 6000 / 4


def test_the_first_event_may_begin_before_the_seed() -> None:
    decoder = BinanceChangesDecoder(50)
    assert only(decoder.decode(change(150, 158, bids="9:5"))) == Unchanged(SYMBOL)
    assert only(decoder.decode(change(159, 161, bids="8.5:3 8:0.00000000"))) == Unchanged(SYMBOL)
    top = only(decoder.seed(REST))
    stamp = 1672515782136_000_000
    assert top == BookTop(SYMBOL, 161, stamp, ((9.0, 1.0), (8.5, 3.0)), ((10.0, 1.0),))
    assert decoder.seq(SYMBOL) == 161


def test_a_seed_stands_unconfirmed_until_an_event_joins_it() -> None:
    decoder = BinanceChangesDecoder(50)
    assert only(decoder.seed(REST)) == REST
    assert decoder.seeded(SYMBOL)
    assert only(decoder.decode(change(158, 160))) == Unchanged(SYMBOL)
    assert not decoder.seeded(SYMBOL)


def test_an_event_is_applied_once_and_a_lost_one_breaks_the_book() -> None:
    decoder = seeded()
    assert isinstance(only(decoder.decode(change(160, 161, bids="9:7"))), BookTop)
    assert only(decoder.decode(change(160, 161, bids="9:7"))) == Unchanged(SYMBOL)
    broken = only(decoder.decode(change(163, 164)))
    assert isinstance(broken, Broken)
    assert broken.cause == "gap"


def test_a_seed_older_than_the_first_event_is_asked_for_again() -> None:
    decoder = BinanceChangesDecoder(50)
    decoder.decode(change(170, 171))
    assert decoder.seed(REST) == (Unchanged(SYMBOL), SeedWanted(SYMBOL))


def test_what_else_is_sent() -> None:
    decoder = seeded()
    best = {"u": 160, "s": "BNBBTC", "b": "9", "B": "1", "a": "10", "A": "2"}
    ticker = json.dumps({"stream": "bnbbtc@bookTicker", "data": best}, separators=(",", ":"))
    assert decoder.decode(ticker.encode()) == (Bbo(SYMBOL, 160, (9.0, 1.0), (10.0, 2.0)),)
    assert decoder.decode(b'{"result":null,"id":3}') == (Acked(3),)
    closing = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'
    assert decoder.decode(closing) == (Closing("serverShutdown"),)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (change(160, 160, bids="-9:2"), "bad_shape"),
        (change(160, 160, bids="9:nan"), "bad_shape"),
        (change(160, 160, bids="inf:1"), "bad_shape"),
        (change(-1, 160), "bad_shape"),
        (change(160, 160)[:-9], "not_json"),
        (change(160, 160, stream="@depth@100ms"), "unknown_channel"),
        (change(160, 160, stream="bnbbtc@depth"), "unknown_channel"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = seeded()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.seq(SYMBOL) == 159


def test_no_damage_is_fatal() -> None:
    rng = random.Random(20261129)
    decoder = seeded()
    reasons: Counter[str] = Counter()
    for number in range(5000):
        text = bytearray(change(160 + number, 160 + number, bids="9:5", asks="10:2"))
        for _ in range(rng.randint(1, 3)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        try:
            decoder.decode(bytes(text[: rng.randrange(len(text)) + 1] if number % 5 == 0 else text))
        except FrameError as error:
            reasons[error.reason] += 1
    assert reasons.keys() <= FRAME_ERROR_REASONS
    assert reasons["not_json"] > 1000
    assert reasons["bad_shape"] > 100
    decoder.forget(SYMBOL)
    decoder.decode(change(9000, 9001))
    assert isinstance(only(decoder.seed(msgspec.structs.replace(REST, venue_seq=9001))), BookTop)
