"""Coinbase Advanced Trade's frames: books by changes, and one number for all of a connection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.coinbase_advanced.decoder import CoinbaseAdvancedDecoder
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Event,
    FrameError,
    Heard,
    Lost,
    RequestRefused,
    Unchanged,
)
from hypothesis import given
from hypothesis import strategies as st

MESSAGES = Path(__file__).parents[4] / "shared" / "captures" / "messages" / "coinbase"

SEQ = 1790769600123457
"""Of the time below, rounded to the microsecond."""


def compact(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def message(number: int, channel: str, *events: object) -> bytes:
    times = {"client_id": "", "timestamp": "2026-09-30T12:00:00.123456789Z"}
    return compact({"channel": channel, **times, "sequence_num": number, "events": events})


def event(kind: str, *levels: tuple[str, str, str], product: str = "BTC-USD") -> dict[str, object]:
    updates = [
        {
            "side": side,
            "event_time": "1970-01-01T00:00:00Z",
            "price_level": price,
            "new_quantity": quantity,
        }
        for side, price, quantity in levels
    ]
    return {"type": kind, "product_id": product, "updates": updates}


BOOK = event("snapshot", ("bid", "9", "1.5"), ("bid", "8", "2"), ("offer", "10", "1"))
OTHER = event("snapshot", ("bid", "5", "1"), product="ETH-USD")


def opened(depth: int = 2) -> CoinbaseAdvancedDecoder:
    """Return a decoder that has two books, and expects the number 2."""
    decoder = CoinbaseAdvancedDecoder(depth)
    decoder.decode(message(0, "l2_data", BOOK))
    decoder.decode(message(1, "l2_data", OTHER))
    return decoder


def shown(events: object) -> list[Event]:
    assert isinstance(events, list)
    return events


def test_events_of_one_message_are_of_several_books_or_of_one() -> None:
    decoder = CoinbaseAdvancedDecoder(2)
    first, other = shown(decoder.decode(message(0, "l2_data", BOOK, OTHER)))
    assert first == BookTop("BTC-USD", SEQ, SEQ * 1000, ((9.0, 1.5), (8.0, 2.0)), ((10.0, 1.0),))
    assert isinstance(other, BookTop)
    gone, new = event("update", ("bid", "9", "0")), event("update", ("offer", "9.5", "4"))
    beside = event("update", ("bid", "5", "2"), product="ETH-USD")
    # What they come to is said once: in between the book is of no moment.
    last, other = shown(decoder.decode(message(1, "l2_data", gone, beside, new)))
    assert isinstance(other, BookTop)
    assert isinstance(last, BookTop)
    assert (last.bids, last.asks) == (((8.0, 2.0),), ((9.5, 4.0), (10.0, 1.0)))
    again = shown(decoder.decode(message(2, "l2_data", gone, BOOK, gone, new)))
    assert isinstance(again[-1], BookTop)
    assert again[-1].bids == ((8.0, 2.0),)


@pytest.mark.parametrize("number", [1, 3, 0])
def test_any_other_number_breaks_all_books_also_on_a_channel_without_books(number: int) -> None:
    decoder = opened()
    lost, heard = decoder.decode(message(number, "heartbeats", {"heartbeat_counter": "3"}))
    assert isinstance(lost, Lost)
    assert heard == Heard()
    for at, product in enumerate(("BTC-USD", "ETH-USD"), start=number + 1):
        changed = event("update", ("bid", "9", "7"), product=product)
        assert decoder.decode(message(at, "l2_data", changed)) == [Unchanged(product)]


def test_a_snapshot_behind_a_gap_is_whole() -> None:
    lost, book = opened().decode(message(7, "l2_data", BOOK))
    assert isinstance(lost, Lost)
    assert isinstance(book, BookTop)


@pytest.mark.parametrize(
    "frame",
    [
        message(2, "l2_data", event("update", ("bid", "9", "-1"))),
        message(2, "l2_data", event("update", ("ask", "9", "1"))),
        message(2, "l2_data", event("updates", ("bid", "9", "1"))),
        message(2, "l2_data", event("update", ("bid", "1e400", "1"))),
        message(2, "l2_data", event("update", ("bid", "9", "1")))[:-1],
        message(2, "dance"),
        message(-2, "heartbeats"),
    ],
)
def test_what_cannot_be_read_is_found_out_by_the_next_number(frame: bytes) -> None:
    decoder = opened()
    with pytest.raises(FrameError):
        decoder.decode(frame)
    lost, heard = decoder.decode(message(3, "heartbeats", {"heartbeat_counter": 4}))
    assert isinstance(lost, Lost)
    assert heard == Heard()


def test_answers() -> None:
    decoder = CoinbaseAdvancedDecoder(2)
    only_heartbeats = {"subscriptions": {"heartbeats": ["heartbeats"]}}
    answer = decoder.decode(message(0, "subscriptions", only_heartbeats))
    assert answer == (Acked(None, (), complete=True),)
    listed = {"subscriptions": {"level2": ["ETH-USD", "BTC-USD"], "ticker": ["XRP-USD"]}}
    answer = decoder.decode(message(1, "subscriptions", listed))
    assert answer == (Acked(None, ("BTC-USD", "ETH-USD"), complete=True),)
    refused = decoder.decode(b'{"type":"error","message":"no"}')
    assert refused == (RequestRefused(None, (), "no"),)
    assert decoder.decode(message(2, "heartbeats")) == (Heard(),)


@pytest.mark.needs(MESSAGES)
def test_recorded_messages() -> None:
    decoder = CoinbaseAdvancedDecoder(2)
    first, last = (
        compact(json.loads((MESSAGES / f"ws_l2_data_{kind}.json").read_text()))
        for kind in ("snapshot", "update")
    )
    decoder.decode(first)
    (book,) = decoder.decode(last)
    assert isinstance(book, BookTop)
    assert (book.bids[0], book.asks[0]) == ((68900.0, 2.0), (68901.5, 1.2))
    for name in ("heartbeats", "subscriptions"):
        text = (MESSAGES / f"ws_{name}.json").read_text()
        (said,) = CoinbaseAdvancedDecoder(2).decode(text.encode())
        assert isinstance(said, Acked | Heard)


LEVELS = st.lists(
    st.tuples(st.sampled_from(["bid", "offer"]), st.integers(1, 9).map(str), st.just("1")),
    max_size=4,
)


@given(st.lists(st.tuples(LEVELS, st.sampled_from(["send", "send", "lose", "again"])), max_size=30))
def test_a_book_is_the_venues_or_none(steps: list[tuple[list[tuple[str, str, str]], str]]) -> None:
    decoder = CoinbaseAdvancedDecoder(20)
    true: dict[str, dict[float, float]] = {"bid": {}, "offer": {}}
    whole = False
    for number, (changes, what) in enumerate(steps):
        for side, price, quantity in changes:
            true[side][float(price)] = float(quantity)
        kind, sent = "snapshot" if what == "again" else "update", changes
        if kind == "snapshot":
            sent = [(side, str(price), "1") for side, levels in true.items() for price in levels]
        if what == "lose":
            whole = False
            continue
        whole = whole or kind == "snapshot"
        said = decoder.decode(message(number, "l2_data", event(kind, *sent)))
        assert (decoder.seq("BTC-USD") >= 0) is whole
        for book in said:
            if isinstance(book, BookTop):
                assert whole
                assert dict(book.bids) == true["bid"]
                assert dict(book.asks) == true["offer"]
