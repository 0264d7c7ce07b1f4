"""Bybit's frames: numbered changes, snapshots at any time, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_venues.bybit import seed
from dragonfly_venues.bybit.control import request
from dragonfly_venues.bybit.decoder import BybitDecoder
from dragonfly_venues.decoding.whole_tops import OLDER_IN_A_ROW
from dragonfly_venues.events import (
    Acked,
    Bbo,
    BookTop,
    Broken,
    FrameError,
    Heard,
    RequestRefused,
    Unchanged,
)
from dragonfly_venues.venue import Ask
from hypothesis import given
from hypothesis import strategies as st

SYMBOL = "BTCUSDT"
SAME = (Unchanged(SYMBOL),)
MESSAGES = Path(__file__).parents[4] / "shared" / "captures" / "messages" / "bybit"


def push(kind: str, u: int, seq: int, *, bids: str = "", asks: str = "", levels: int = 50) -> bytes:
    """Return a frame whose sides are written `price:amount …`."""
    data = {
        "s": SYMBOL,
        "b": [level.split(":") for level in bids.split()],
        "a": [level.split(":") for level in asks.split()],
        "u": u,
        "seq": seq,
    }
    topic = f"orderbook.{levels}.{SYMBOL}"
    frame = {"topic": topic, "ts": 1672304484978, "type": kind, "data": data, "cts": 1672304484976}
    return json.dumps(frame, separators=(",", ":")).encode()


SNAPSHOT = push("snapshot", 20, 5000, bids="9:1 8:2", asks="10:1")


def begun(depth: int = 2) -> BybitDecoder:
    decoder = BybitDecoder(depth)
    decoder.decode(SNAPSHOT)
    return decoder


def test_a_snapshot_and_deltas_make_the_book_that_is_known_by_seq() -> None:
    decoder = BybitDecoder(2)
    [first] = decoder.decode(SNAPSHOT)
    assert first == BookTop(SYMBOL, 5000, 1672304484976000000, ((9, 1), (8, 2)), ((10, 1),))
    [second] = decoder.decode(push("delta", 21, 5007, bids="9:0 8.5:3"))
    assert isinstance(second, BookTop)
    assert (second.venue_seq, second.bids) == (5007, ((8.5, 3), (8, 2)))
    assert decoder.decode(push("delta", 22, 5009)) == SAME
    assert decoder.seq(SYMBOL) == 5009


def test_the_documented_message() -> None:
    frame = (
        b'{"topic":"orderbook.50.BTCUSDT","ts":1672304484978,"type":"snapshot","data":{"s":"BTCUSDT'
        b'","b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},'
        b'"cts":1672304484976}'
    )
    assert BybitDecoder(10).decode(frame) == (
        BookTop(SYMBOL, 7961638724, 1672304484976000000, ((16493.5, 0.006),), ((16611.0, 0.029),)),
    )


def test_keys_in_another_order_and_no_time_of_the_engine() -> None:
    frame = json.loads(SNAPSHOT)
    del frame["cts"]
    turned = {name: frame[name] for name in ("topic", "data", "type", "ts")}
    [top] = BybitDecoder(2).decode(json.dumps(turned, separators=(",", ":")).encode())
    assert isinstance(top, BookTop)
    assert top.ts_event == 1672304484978000000


def test_a_missing_number_breaks_the_book_until_the_next_snapshot() -> None:
    decoder = begun()
    [event] = decoder.decode(push("delta", 22, 5009, bids="9:5"))
    assert isinstance(event, Broken)
    assert (event.symbol, event.cause) == (SYMBOL, "gap")
    assert decoder.decode(push("delta", 23, 5010, bids="9:6")) == SAME
    [again] = decoder.decode(push("snapshot", 40, 5020, bids="7:1"))
    assert isinstance(again, BookTop)


def test_a_repeated_delta_is_dropped() -> None:
    decoder = begun()
    decoder.decode(push("delta", 21, 5007, bids="9:5"))
    assert decoder.decode(push("delta", 21, 5007, bids="9:1")) == SAME
    assert decoder.seq(SYMBOL) == 5007


@pytest.mark.parametrize(("u", "seq"), [(21, 5007), (90, 5100), (1, 5100), (1, 3)])
def test_a_snapshot_at_any_time_replaces_the_book(u: int, seq: int) -> None:
    decoder = begun()
    [top] = decoder.decode(push("snapshot", u, seq, bids="7:1"))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.bids, top.asks) == (seq, ((7, 1),), ())
    assert isinstance(decoder.decode(push("delta", u + 1, seq + 9, asks="8:1"))[0], BookTop)


def test_the_best_level_is_repeated_while_it_rests() -> None:
    decoder = BybitDecoder(1)
    best = push("snapshot", 20, 5000, bids="9:1", asks="10:1", levels=1)
    assert isinstance(decoder.decode(best)[0], BookTop)
    for _ in range(3 * OLDER_IN_A_ROW):
        assert decoder.decode(best) == SAME


def test_older_snapshots_are_dropped_unless_no_others_come() -> None:
    decoder = begun()
    for _ in range(OLDER_IN_A_ROW - 1):
        assert decoder.decode(push("snapshot", 19, 4999, bids="7:1")) == SAME
    [broken] = decoder.decode(push("snapshot", 19, 4999, bids="7:1"))
    assert isinstance(broken, Broken)


def test_levels_that_leave_the_window_are_dropped() -> None:
    decoder = BybitDecoder(50)
    deep = " ".join(f"{price}:1" for price in range(100, 50, -1))
    decoder.decode(push("snapshot", 20, 5000, bids=deep))
    decoder.decode(push("delta", 21, 5001, bids="101:1"))
    [top] = decoder.decode(push("delta", 22, 5002, bids="101:0"))
    assert isinstance(top, BookTop)
    assert len(top.bids) == 49


@given(st.lists(st.sampled_from(["next", "lose", "repeat", "restart", "snapshot"]), max_size=30))
def test_whatever_is_lost_the_book_is_the_venues_or_none(steps: list[str]) -> None:
    decoder = begun()
    u, seq, amount = 20, 5000, 1
    whole, sound, last = SNAPSHOT, True, b""
    for step in steps:
        if step == "repeat" and not last:
            continue
        if step != "repeat":
            u, seq, amount = (1 if step == "restart" else u + 1), seq + 7, amount + 1
            whole = push("snapshot", u, seq, bids=f"9:{amount} 8:2", asks="10:1")
            last = push("delta", u, seq, bids=f"9:{amount}")
        if step == "lose":
            sound, last = False, b""
            continue
        starts = step in {"restart", "snapshot"}
        events = decoder.decode(whole if starts else last)
        sound = sound or starts
        if starts:
            last = b""
        if not sound:
            assert not any(isinstance(event, BookTop) for event in events)
        elif step != "repeat":
            assert events == (
                BookTop(SYMBOL, seq, 1672304484976000000, ((9, amount), (8, 2)), ((10, 1),)),
            )


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (push("delta", 21, 5001, bids="-9:1"), "bad_shape"),
        (push("delta", 21, 5001, bids="9:-1"), "bad_shape"),
        (push("delta", 21, 5001, bids="NaN:1"), "bad_shape"),
        (push("delta", -1, 5001), "bad_shape"),
        (push("reset", 21, 5001), "bad_shape"),
        (SNAPSHOT[:-9], "not_json"),
        (b'{"op":"auth","success":true}', "unknown_channel"),
        (b"pong", "not_json"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = begun()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert isinstance(decoder.decode(push("delta", 21, 5001, bids="9:5"))[0], BookTop)


def test_answers() -> None:
    decoder = BybitDecoder(2)
    for text in ("subscribe", ""):
        acked = f'{{"success":true,"ret_msg":"{text}","conn_id":"c","req_id":"7","op":"subscribe"}}'
        assert decoder.decode(acked.encode()) == (Acked(7),)
    held = "error:already subscribed,topic:orderbook.50.BTCUSDT"
    again = f'{{"success":false,"ret_msg":"{held}","req_id":"7","op":"subscribe"}}'
    assert decoder.decode(again.encode()) == (Acked(7),)
    left = b'{"success":true,"ret_msg":"","conn_id":"c","req_id":"7","op":"unsubscribe"}'
    assert decoder.decode(left) == (Acked(7, subscribed=False),)
    why = "Invalid symbol :[orderbook.50.NOSUCHSYM]"
    refused = f'{{"success":false,"ret_msg":"{why}","req_id":"7","op":"subscribe"}}'
    assert decoder.decode(refused.encode()) == (RequestRefused(7, (), why),)
    pong = b'{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"9","op":"ping"}'
    assert decoder.decode(pong) == (Heard(),)
    assert decoder.decode(b'{"req_id":"9","op":"pong","args":["1672304484978"]}') == (Heard(),)


@pytest.mark.parametrize(("depth", "levels"), [(1, 1), (2, 50), (50, 50), (51, 200), (100, 200)])
def test_the_fastest_topic_that_is_deep_enough_is_asked_for(depth: int, levels: int) -> None:
    [frame] = request(Ask(symbols=[SYMBOL], request_id=7, depth=depth))
    asked = {"req_id": "7", "op": "subscribe", "args": [f"orderbook.{levels}.{SYMBOL}"]}
    assert json.loads(frame) == asked
    same, *best = request(Ask(symbols=[SYMBOL], request_id=7, depth=depth, bbo=True))
    assert same == frame
    alone = asked | {"args": [f"orderbook.1.{SYMBOL}"]}
    assert [json.loads(one) for one in best] == ([alone] if levels > 1 else [])


def test_best_prices_are_known_by_seq_and_leave_the_book_alone() -> None:
    decoder = begun()
    ahead = push("snapshot", 1, 5010, bids="9.5:1", levels=1)
    assert decoder.decode(ahead) == (Bbo(SYMBOL, 5010, (9.5, 1), None, 1672304484976000000),)
    assert decoder.seq(SYMBOL) == 5000
    [top] = decoder.decode(push("delta", 21, 5007, bids="8:3"))
    assert isinstance(top, BookTop)
    assert top.bids == ((9, 1), (8, 3))


def test_a_book_over_rest_is_known_by_seq() -> None:
    book = {"s": SYMBOL, "b": [["9", "1"]], "a": [], "ts": 7, "u": 3, "seq": 5000, "cts": 7}
    reply = json.dumps({"retCode": 0, "retMsg": "OK", "result": book, "time": 8}).encode()
    assert seed.SOURCE.parse(reply, SYMBOL, 100) == BookTop(SYMBOL, 5000, None, ((9, 1),), ())
    with pytest.raises(FrameError, match="Not supported symbols"):
        seed.SOURCE.parse(
            b'{"retCode":10001,"retMsg":"Not supported symbols","result":{}}', SYMBOL, 9
        )


@pytest.mark.needs(MESSAGES)
def test_recorded_messages() -> None:
    def compact(name: str) -> bytes:
        message = json.loads((MESSAGES / name).read_bytes())
        # They name the topic of one level, and have two.
        text = json.dumps(message, separators=(",", ":")).replace("orderbook.1.", "orderbook.50.")
        return text.encode()

    decoder = BybitDecoder(2)
    [top] = decoder.decode(compact("ws_orderbook_snapshot.json"))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.bids[1]) == (987654321, (27449.5, 1.0))
    [next_top] = decoder.decode(compact("ws_orderbook_delta.json"))
    assert isinstance(next_top, BookTop)
    assert next_top.asks == ((27451.5, 0.9),)
    [acked] = decoder.decode(compact("ws_subscription_ack.json"))
    assert isinstance(acked, Acked)
    [refused] = decoder.decode(compact("ws_subscription_failure.json"))
    assert refused == RequestRefused(None, (), "Invalid topic: invalid.topic.BTCUSDT")
    book = seed.SOURCE.parse((MESSAGES / "http_get_orderbook.json").read_bytes(), SYMBOL, 100)
    assert (book.venue_seq, len(book.bids)) == (9876543, 3)
