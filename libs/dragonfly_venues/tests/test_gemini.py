"""Gemini's frames: whole tops, chains that overlap, best prices, answers; and its list."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest
from dragonfly_venues.events import (
    Acked,
    Bbo,
    BookTop,
    Broken,
    FrameError,
    RequestRefused,
    Trading,
    Unchanged,
)
from dragonfly_venues.gemini import control, instruments
from dragonfly_venues.gemini.decoder import GeminiChangesDecoder, GeminiDecoder
from dragonfly_venues.gemini.venue import Gemini
from dragonfly_venues.venue import Ask, Market
from hypothesis import given
from hypothesis import strategies as st
from lists import markets_of

SYMBOL = "wifusd"
E = 1783981139947514400
Levels = list[list[str]]


def top(number: int, bids: Levels, asks: Levels) -> bytes:
    frame = {"lastUpdateId": number, "symbol": SYMBOL, "bids": bids, "asks": asks}
    return json.dumps(frame, separators=(",", ":")).encode()


def changes(first: int, last: int, b: Levels | None = None, a: Levels | None = None) -> bytes:
    numbers = {"e": "depthUpdate", "E": E, "s": SYMBOL, "U": first, "u": last}
    return json.dumps(numbers | {"b": b or [], "a": a or []}, separators=(",", ":")).encode()


WHOLE = changes(100, 100, [["9.0", "1.0"], ["8.0", "2.0"]], [["10.0", "1.0"]])


def live(depth: int = 2) -> GeminiChangesDecoder:
    decoder = GeminiChangesDecoder(depth)
    decoder.decode(WHOLE)
    return decoder


class TestWholeTops:
    def test_a_top_replaces_the_one_before(self) -> None:
        decoder = GeminiDecoder(2)
        bids = [["9.00", "1.50000000"], ["8.00", "2.00000000"], ["7.00", "1"]]
        [event] = decoder.decode(top(160, bids, [["10.00", "2"]]))
        assert event == BookTop(SYMBOL, 160, None, ((9.0, 1.5), (8.0, 2.0)), ((10.0, 2.0),))
        assert decoder.decode(top(160, bids, [["10.00", "2"]])) == (Unchanged(SYMBOL),)
        assert decoder.decode(top(170, bids, [["10.00", "2"]])) == (Unchanged(SYMBOL),)
        assert decoder.seq(SYMBOL) == 170

    def test_one_printed_otherwise_is_read_too(self) -> None:
        frame = json.dumps(json.loads(top(160, [["9", "1"]], [])), indent=1).encode()
        [event] = GeminiDecoder(2).decode(frame)
        assert event == BookTop(SYMBOL, 160, None, ((9.0, 1.0),), ())

    def test_an_older_top_is_refused(self) -> None:
        decoder = GeminiDecoder(2)
        decoder.decode(top(160, [["9", "1"]], []))
        with pytest.raises(FrameError, match="out_of_order"):
            decoder.decode(top(159, [["9", "2"]], []))

    def test_frames_that_are_here_together_can_be_told_apart(self) -> None:
        decoder = GeminiDecoder(2)
        frame = top(160, [["9", "1"]], [["10", "1"]])
        decoder.decode(frame)
        book = decoder.whole_book(frame)
        assert book is not None
        assert (book.symbol, book.seq) == (SYMBOL, 160)


class TestChanges:
    def test_each_begins_at_the_last_number(self) -> None:
        decoder = GeminiChangesDecoder(2)
        [first] = decoder.decode(WHOLE)
        assert first == BookTop(SYMBOL, 100, E, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),))
        unsorted = [["7.0", "4.0"], ["9.0", "0.00000000"], ["8.5", "3.0"]]
        [second] = decoder.decode(changes(100, 489, unsorted))
        assert isinstance(second, BookTop)
        assert second.bids == ((8.5, 3.0), (8.0, 2.0))
        assert decoder.seq(SYMBOL) == 489

    def test_the_documented_message(self) -> None:
        frame = (
            b'{"e":"depthUpdate","E":1783981139947514400,"s":"wifusd","U":1764549594389289,'
            b'"u":1764549594389676,"b":[["0.148800","11129.36421900"]],"a":[]}'
        )
        decoder = GeminiChangesDecoder(2)
        assert decoder.decode(frame) == (Unchanged(SYMBOL),)
        decoder.decode(changes(1764549594389289, 1764549594389289))
        [event] = decoder.decode(frame)
        assert isinstance(event, BookTop)
        assert event.bids == ((0.1488, 11129.364219),)
        assert event.ts_event == 1783981139947514400

    def test_a_change_before_the_whole_book_says_nothing(self) -> None:
        assert GeminiChangesDecoder(2).decode(changes(90, 100)) == (Unchanged(SYMBOL),)

    @pytest.mark.parametrize(("first", "last"), [(90, 100), (80, 90), (95, 95)])
    def test_what_is_old_changes_nothing(self, first: int, last: int) -> None:
        decoder = live()
        assert decoder.decode(changes(first, last, [["9.0", "5.0"]])) == (Unchanged(SYMBOL),)
        assert decoder.seq(SYMBOL) == 100

    def test_one_that_begins_before_the_last_number_joins(self) -> None:
        [event] = live().decode(changes(90, 110, [["9.0", "5.0"]]))
        assert isinstance(event, BookTop)

    def test_a_gap_breaks_the_book_until_the_next_whole_one(self) -> None:
        decoder = live()
        [broken] = decoder.decode(changes(101, 110, [["9.0", "5.0"]]))
        assert isinstance(broken, Broken)
        assert (broken.symbol, broken.cause) == (SYMBOL, "gap")
        assert decoder.decode(changes(110, 120)) == (Unchanged(SYMBOL),)
        decoder.forget(SYMBOL)
        assert decoder.decode(changes(120, 130)) == (Unchanged(SYMBOL),)
        [again] = decoder.decode(changes(130, 130, [["9.0", "1.0"]]))
        assert isinstance(again, BookTop)

    def test_a_newer_whole_book_replaces_the_last(self) -> None:
        [event] = live().decode(changes(200, 200, [["7.0", "1.0"]]))
        assert isinstance(event, BookTop)
        assert (event.bids, event.asks) == (((7.0, 1.0),), ())

    @given(st.lists(st.integers(1, 400), max_size=40), st.integers(0, 39))
    def test_a_chain_holds_until_one_is_missing(self, widths: list[int], lost: int) -> None:
        decoder, last = live(), 100
        for number, width in enumerate(widths):
            frame = changes(last, last + width, [["9.0", str(number + 2)]])
            last += width
            if number == lost:
                continue
            [event] = decoder.decode(frame)
            if number < lost:
                assert isinstance(event, BookTop)
            else:
                assert isinstance(event, Broken if number == lost + 1 else Unchanged)


@given(st.integers(0, len(WHOLE)), st.binary(max_size=3), st.integers(0, 20))
def test_after_a_damaged_frame_the_next_good_one_works(at: int, noise: bytes, lost: int) -> None:
    decoder = live()
    with suppress(FrameError):
        decoder.decode(WHOLE[:at] + noise + WHOLE[at + lost :])
    [event] = decoder.decode(changes(decoder.seq(SYMBOL), 2**62, [["1e300", "3.0"]]))
    # It is read either way: above what is offered, where that is left, the book is crossed.
    assert isinstance(event, BookTop) or (isinstance(event, Broken) and event.cause == "crossed")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (changes(100, 101, [["-9", "1"]]), "bad_shape"),
        (changes(100, 101, [["9", "-1"]]), "bad_shape"),
        (changes(-1, 101), "bad_shape"),
        (changes(100, 2**63), "bad_shape"),
        (changes(100, 101)[:-9], "not_json"),
        (changes(100, 101).replace(SYMBOL.encode(), b""), "bad_shape"),
        (b'{"e":"trade","s":"wifusd"}', "bad_shape"),
        (b'{"id":1,"status":500}', "bad_shape"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = live()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.seq(SYMBOL) == 100


@pytest.mark.parametrize("decoder", [GeminiDecoder(2), GeminiChangesDecoder(2)])
def test_best_prices_and_answers(decoder: GeminiDecoder | GeminiChangesDecoder) -> None:
    best = (
        b'{"u":7,"E":1783981139947514400,"s":"xrpgusd","b":"1.0614900","B":"958.69148000",'
        b'"a":"1.0615000","A":"38.39060000","c":"1.0612500","C":"4.71"}'
    )
    assert decoder.decode(best) == (
        Bbo("xrpgusd", 7, (1.06149, 958.69148), (1.0615, 38.3906), 1783981139947514400),
    )
    empty = b'{"u":8,"E":1,"s":"xrpgusd","b":"","B":"","a":"1.5","A":"2","c":"1","C":"1"}'
    assert decoder.decode(empty) == (Bbo("xrpgusd", 8, None, (1.5, 2.0), 1),)
    assert decoder.decode(b'{"id":1,"status":200}') == (Acked(1),)
    refused = (
        b'{"id":1,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: nopeusd@depth"}}'
    )
    said = "Invalid stream name: nopeusd@depth (code -1013)"
    assert decoder.decode(refused) == (RequestRefused(1, (), said),)


@pytest.mark.parametrize(
    ("depth", "stream"),
    [
        (1, "depth5"),
        (5, "depth5"),
        (10, "depth10"),
        (11, "depth20"),
        (20, "depth20"),
        (21, "depth"),
        (100, "depth"),
    ],
)
def test_whole_tops_serve_as_deep_as_they_go(depth: int, stream: str) -> None:
    venue = Gemini().at(depth)
    ask = Ask(symbols=["btcusd", "ethusd"], request_id=7, depth=depth)
    [frame] = venue.requests(ask)
    params = [f"btcusd@{stream}@100ms", f"ethusd@{stream}@100ms"]
    assert json.loads(frame) == {"id": 7, "method": "subscribe", "params": params}
    [with_best] = venue.requests(msgspec.structs.replace(ask, bbo=True, subscribe=False))
    assert json.loads(with_best)["params"][1::2] == ["btcusd@bookTicker", "ethusd@bookTicker"]
    whole = stream != "depth"
    assert venue.levels == (20 if whole else None)
    url = "wss://ws.gemini.com" if whole else "wss://ws.gemini.com/?snapshot=-1"
    assert venue.connect_url(venue.ws_url) == url


def test_the_ping_is_json() -> None:
    assert json.loads(control.ping(9)) == {"id": 9, "method": "ping"}


def details(symbol: str, base: str, quote: str, **more: object) -> dict[str, object]:
    names = {"symbol": symbol, "base_currency": base, "quote_currency": quote}
    return names | {"status": "open"} | more


def test_the_list() -> None:
    listed = [
        details("BTCGUSDPERP", "BTC", "GUSD", product_type="swap"),
        details("BTCGUSD", "BTC", "GUSD", status="closed", product_type="spot"),
        details("BTCRLUSD", "BTC", "RLUSD", status="post_only"),
        details("ETHPERP", "ETH", "USD"),
        {"symbol": "odd"},
    ]
    recorded = (
        b'{"symbol":"BTCUSD","base_currency":"BTC","quote_currency":"USD","tick_size":1E-8,'
        b'"quote_increment":0.01,"min_order_size":"0.00001","status":"open"}'
    )
    markets = markets_of(
        instruments.SOURCE, b"[" + recorded + b"," + msgspec.json.encode(listed)[1:]
    )
    assert set(markets) == {"BTC-USD", "BTC-GUSD", "BTC-RLUSD"}
    assert markets["BTC-USD"] == Market(
        "btcusd", tick="0.01", lot="0.00000001", min_amount="0.00001"
    )
    assert markets["BTC-GUSD"].trading == Trading(halted=True, word="closed")
    assert markets["BTC-RLUSD"].trading == Trading(halted=False, word="post_only")
    assert markets.left_out["malformed"] == 1
