"""Coinbase Exchange's frames: whole books, changes that nothing numbers, and what is answered."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.coinbase.decoder import CoinbaseDecoder
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Broken,
    Event,
    FrameError,
    Heard,
    Lost,
    RequestRefused,
    Unchanged,
)
from hypothesis import given
from hypothesis import strategies as st

TIME = "2026-09-30T12:00:00.050000Z"
SEQ = 1790769600050000


def compact(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def snapshot(
    *levels: tuple[str, str, str], product: str = "BTC-USD", time: str | None = TIME
) -> bytes:
    bids, asks = (
        [[price, size] for side, price, size in levels if side == name] for name in ("buy", "sell")
    )
    book = {"type": "snapshot", "product_id": product, "asks": asks, "bids": bids}
    return compact(book | ({"time": time} if time else {}))


def update(
    *changes: tuple[str, str, str], product: str = "BTC-USD", time: str | None = TIME
) -> bytes:
    message = {"type": "l2update", "product_id": product, "changes": changes}
    return compact(message | ({"time": time} if time else {}))


BOOK = snapshot(("buy", "9.00", "1"), ("buy", "8.00", "2"), ("sell", "10.00", "1"))
HEARTBEAT = compact({"type": "heartbeat", "sequence": 90, "product_id": "BTC-USD", "time": TIME})
OTHER = snapshot(("buy", "5", "1"), product="ETH-USD")


def only(decoder: CoinbaseDecoder, frame: bytes) -> Event:
    (event,) = decoder.decode(frame)
    return event


def top(decoder: CoinbaseDecoder, frame: bytes) -> BookTop:
    event = only(decoder, frame)
    assert isinstance(event, BookTop), event
    return event


def test_a_whole_book_and_changes_in_their_order() -> None:
    decoder = CoinbaseDecoder(2)
    first = top(decoder, BOOK)
    assert first == BookTop("BTC-USD", SEQ, SEQ * 1000, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),))
    changes = ("buy", "9.00", "7"), ("buy", "9.00", "0.00000000"), ("sell", "10", "0")
    second = top(decoder, update(*changes, time="2026-09-30T12:00:00.100000Z"))
    assert (second.bids, second.asks) == (((8.0, 2.0),), ())
    assert decoder.seq("BTC-USD") == second.venue_seq == SEQ + 50_000
    assert only(decoder, update(("buy", "1.00", "7"), ("buy", "1.00", "0"))) == Unchanged("BTC-USD")


def test_a_change_before_any_snapshot_says_nothing() -> None:
    assert only(CoinbaseDecoder(2), update(("buy", "9", "1"))) == Unchanged("BTC-USD")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", None])
def test_a_time_that_is_none_leaves_the_number_as_it_was(time: str | None) -> None:
    decoder = CoinbaseDecoder(2)
    assert top(decoder, snapshot(("buy", "1", "1"), time=time)).venue_seq == 0
    top(decoder, BOOK)
    event = top(decoder, update(("buy", "9", "3"), time=time))
    assert (event.venue_seq, event.ts_event) == (SEQ, None)


@pytest.mark.parametrize(
    "changed",
    [
        update(("buy", "9", "0.-10000")),
        update(("buy", "9", "-1")),
        update(("bye", "9", "1")),
        snapshot(("buy", "-9", "1")),
        snapshot(("sell", "NaN", "1")),
        update(("buy", "9", "1"), time="noon"),
    ],
)
def test_what_cannot_be_read_breaks_its_book_alone(changed: bytes) -> None:
    decoder = CoinbaseDecoder(2)
    decoder.decode(BOOK)
    decoder.decode(OTHER)
    broken = only(decoder, changed)
    assert isinstance(broken, Broken)
    assert (broken.symbol, broken.cause) == ("BTC-USD", "malformed")
    assert only(decoder, update(("buy", "9", "3"))) == Unchanged("BTC-USD")
    top(decoder, update(("buy", "5", "3"), product="ETH-USD"))
    top(decoder, BOOK)


@pytest.mark.parametrize(
    "changed", [update(("buy", "9", "1"))[:-9], b"{}", update(("buy", "9", "-1"), product="")]
)
def test_what_does_not_show_whose_it_was_breaks_all_books(changed: bytes) -> None:
    decoder = CoinbaseDecoder(2)
    decoder.decode(BOOK)
    decoder.decode(OTHER)
    for _ in range(2):
        with pytest.raises(FrameError):
            decoder.decode(changed)
    lost, heard = decoder.decode(HEARTBEAT)
    assert isinstance(lost, Lost)
    assert heard == Heard()
    for product in ("BTC-USD", "ETH-USD"):
        assert only(decoder, update(("buy", "9", "3"), product=product)) == Unchanged(product)
    top(decoder, BOOK)


def heartbeat(second: int, product: str = "BTC-USD") -> bytes:
    time = f"2026-09-30T12:00:{second:02}.020000Z"
    return compact({"type": "heartbeat", "sequence": 90, "product_id": product, "time": time})


def test_missing_heartbeats_break_the_book_beside_which_they_are_missing() -> None:
    decoder = CoinbaseDecoder(2)
    decoder.decode(heartbeat(1))  # before there is a book
    decoder.decode(BOOK)
    decoder.decode(OTHER)
    for second in (9, 10, 12, 14):
        assert only(decoder, heartbeat(second)) == Heard()
        assert only(decoder, heartbeat(second, "ETH-USD")) == Heard()
    broken = only(decoder, heartbeat(17))
    assert broken == Broken("BTC-USD", "gap", "no heartbeat for 3.0 s")
    assert only(decoder, update(("buy", "9", "3"))) == Unchanged("BTC-USD")
    assert only(decoder, heartbeat(18)) == Heard()
    top(decoder, BOOK)
    assert only(decoder, heartbeat(30)) == Heard(), "a new subscription has heartbeats of its own"
    top(decoder, update(("buy", "5", "3"), product="ETH-USD"))


def test_a_channel_that_nobody_asked_for_breaks_none() -> None:
    decoder = CoinbaseDecoder(2)
    decoder.decode(BOOK)
    with pytest.raises(FrameError) as caught:
        decoder.decode(b'{"type":"match","product_id":"BTC-USD"}')
    assert caught.value.reason == "unknown_channel"
    top(decoder, update(("buy", "9", "3")))


def test_answers() -> None:
    decoder = CoinbaseDecoder(2)
    listed = {"name": "level2_50", "product_ids": ["ETH-USD", "BTC-USD"], "account_ids": None}
    beside = {"name": "heartbeat", "product_ids": ["ETH-USD", "XRP-USD"]}
    acked = only(decoder, compact({"type": "subscriptions", "channels": [listed, beside]}))
    assert acked == Acked(None, ("BTC-USD", "ETH-USD"), complete=True)
    left = only(decoder, b'{"type":"subscriptions","channels":[]}')
    assert left == Acked(None, (), complete=True)
    assert only(decoder, HEARTBEAT) == Heard()


@pytest.mark.parametrize(
    ("reason", "symbols"),
    [
        ("NOPE-USD is not a valid product", ("NOPE-USD",)),
        ("OLD-USD is delisted", ("OLD-USD",)),
        ("level2, level3, and full channels now require authentication.", ()),
        ("", ()),
    ],
)
def test_a_refusal_names_its_product(reason: str, symbols: tuple[str, ...]) -> None:
    told = {"type": "error", "message": "Failed to subscribe", "reason": reason}
    text = f"Failed to subscribe: {reason}" if reason else "Failed to subscribe"
    assert only(CoinbaseDecoder(2), compact(told)) == RequestRefused(None, symbols, text)


SIZES = st.sampled_from(["0", "0.00000000", "1", "2.5"])
BUYS = st.tuples(st.just("buy"), st.integers(1, 12).map(str), SIZES)
SELLS = st.tuples(st.just("sell"), st.integers(13, 24).map(str), SIZES)
CHANGES = st.lists(BUYS | SELLS, max_size=8)


@given(CHANGES, st.lists(CHANGES, max_size=20), st.integers(1, 5))
def test_any_changes_make_the_venues_book(
    first: list[tuple[str, str, str]], changes: list[list[tuple[str, str, str]]], depth: int
) -> None:
    decoder = CoinbaseDecoder(depth)
    first = [*{(side, price): (side, price, size) for side, price, size in first}.values()]
    shown = top(decoder, snapshot(*first))
    sides: dict[str, dict[float, float]] = {"buy": {}, "sell": {}}
    for batch in [first, *changes]:
        for side, price, size in batch:
            sides[side][float(price)] = float(size)
        if batch is not first:
            event = only(decoder, update(*batch))
            shown = event if isinstance(event, BookTop) else shown
        for name, said, falling in (("buy", shown.bids, True), ("sell", shown.asks, False)):
            levels = sorted((level for level in sides[name].items() if level[1]), reverse=falling)
            assert said == tuple(levels[:depth])
