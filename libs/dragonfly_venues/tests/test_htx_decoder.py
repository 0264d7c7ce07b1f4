"""HTX's frames: whole tops, changes that join a book that was asked for, and answers."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from dragonfly_common.types import Side
from dragonfly_venues.decoding.delta_books import DeltaDecoder
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Broken,
    Event,
    FrameError,
    Heard,
    Reply,
    RequestRefused,
    SeedWanted,
    Unchanged,
)
from dragonfly_venues.htx import Htx, instruments, seed
from dragonfly_venues.htx.decoder import HtxChangesDecoder, HtxDecoder
from dragonfly_venues.venue import Ask
from hypothesis import given
from hypothesis import strategies as st
from lists import markets_of

SAME = Unchanged("btcusdt")


def compact(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def top(seq: int, bids: str, asks: str, symbol: str = "btcusdt") -> bytes:
    ch = f"market.{symbol}.mbp.refresh.20"
    tick = f'{{"seqNum":{seq},"bids":{bids},"asks":{asks}}}'
    return f'{{"ch":"{ch}","ts":1573199608679,"tick":{tick}}}'.encode()


def change(before: int, seq: int, **sides: list[tuple[float, float]]) -> bytes:
    tick = {"seqNum": seq, "prevSeqNum": before, **sides}
    return compact({"ch": "market.btcusdt.mbp.150", "ts": 1573199608679, "tick": tick})


def answer(seq: int, bids: Side = ((9.0, 1.0), (8.0, 2.0)), asks: Side = ((10.0, 1.0),)) -> bytes:
    data = {"seqNum": seq, "bids": bids, "asks": asks}
    about = {"id": "7 btcusdt", "rep": "market.btcusdt.mbp.150", "status": "ok", "ts": 1}
    return compact({**about, "data": data})


def test_a_whole_top_is_read_in_the_numbers_of_java() -> None:
    [event] = HtxDecoder(2).decode(
        top(100182534697, "[[9.121E-7,92730.24],[1.0E-10,2.2E8]]", "[[9.28E-7,1.3640078E7]]")
    )
    assert event == BookTop(
        "btcusdt",
        100182534697,
        None,
        ((9.121e-7, 92730.24), (1e-10, 2.2e8)),
        ((9.28e-7, 13640078.0),),
    )


def test_a_whole_top_that_did_not_change_is_not_parsed_again() -> None:
    decoder = HtxDecoder(1)
    decoder.decode(top(7, "[[9.0,1.0],[8.0,1.0]]", "[]"))
    assert decoder.decode(top(9, "[[9.0,1.0],[7.0,1.0]]", "[]")) == (SAME,)
    assert decoder.seq("btcusdt") == 9
    [event] = decoder.decode(top(9 + 81, "[[9,2]]", "[[10,0.5]]"))
    assert isinstance(event, BookTop)
    assert (event.bids, event.asks) == (((9.0, 2.0),), ((10.0, 0.5),))


def test_a_whole_top_that_is_laid_out_otherwise_is_read_in_full() -> None:
    frame = json.dumps(json.loads(top(7, "[[9.0,1.0]]", "[[1.0E1,1.0]]"))).encode()
    [event] = HtxDecoder(2).decode(frame)
    assert event == BookTop("btcusdt", 7, None, ((9.0, 1.0),), ((10.0, 1.0),))


def seeded(depth: int = 2) -> HtxChangesDecoder:
    decoder = HtxChangesDecoder(depth)
    decoder.decode(change(99, 100))
    [event] = decoder.decode(answer(100))
    assert isinstance(event, BookTop)
    return decoder


def test_changes_wait_for_the_book_that_is_asked_for() -> None:
    decoder = HtxChangesDecoder(2)
    first = decoder.decode(change(90, 100, bids=[(9.0, 5.0)], asks=[]))
    assert first == (SAME, SeedWanted("btcusdt"))
    assert decoder.decode(change(100, 107, bids=[(8.5, 3.0)])) == (SAME,)
    [event] = decoder.decode(answer(100))
    assert event == BookTop(
        "btcusdt", 107, 1573199608679000000, ((9.0, 1.0), (8.5, 3.0)), ((10.0, 1.0),)
    )


def test_a_book_that_lags_behind_all_changes_is_asked_for_again() -> None:
    decoder = HtxChangesDecoder(2)
    decoder.decode(change(100, 107))
    for number in (95, 103):
        assert decoder.decode(answer(number)) == (SAME, SeedWanted("btcusdt"))
    [event] = decoder.decode(answer(107))
    assert isinstance(event, BookTop)
    assert event.venue_seq == 107


def test_changes_chain_and_zero_removes() -> None:
    decoder = seeded()
    [event] = decoder.decode(change(100, 181, bids=[(9.0, 0.0)], asks=[(9.5, 1e-7)]))
    assert isinstance(event, BookTop)
    assert (event.bids, event.asks) == (((8.0, 2.0),), ((9.5, 1e-7), (10.0, 1.0)))
    assert decoder.decode(change(181, 182)) == (SAME,)
    assert decoder.seq("btcusdt") == 182


@pytest.mark.parametrize("before", [99, 101])
def test_a_missing_link_breaks_the_book_until_it_is_asked_for(before: int) -> None:
    decoder = seeded()
    decoder.decode(change(100, 102))
    [event] = decoder.decode(change(before, 120))
    assert isinstance(event, Broken)
    assert event.cause == "gap"
    [again] = decoder.decode(answer(130))
    assert isinstance(again, BookTop)


def test_what_leaves_the_window_is_not_kept() -> None:
    decoder = HtxChangesDecoder(150)
    decoder.decode(change(99, 100))
    decoder.decode(answer(100, tuple((1000.0 - n, 1.0) for n in range(150))))
    decoder.decode(change(100, 101, bids=[(1001.0, 1.0)]))
    [event] = decoder.decode(change(101, 102, bids=[(1001.0, 0.0)]))
    assert isinstance(event, BookTop)
    assert len(event.bids) == 149


def read(decoder: DeltaDecoder, frame: bytes) -> list[Event]:
    return list(decoder.decode(frame))


@given(
    st.lists(st.integers(1, 81), min_size=1, max_size=20),
    st.integers(0, 20),
    st.integers(0, 21),
    st.integers(0, 3),
)
def test_the_book_stands_wherever_the_answer_falls_unless_a_change_is_lost(
    strides: list[int], answered_at: int, lost: int, lag: int
) -> None:
    """The book after each change is its number as an amount, so that it is known what it is."""
    seqs = [100]
    for stride in strides:
        seqs.append(seqs[-1] + stride)
    decoder = HtxChangesDecoder(1)
    events: list[Event] = []
    for at, (before, seq) in enumerate(pairwise(seqs)):
        if at != lost:
            events += read(decoder, change(before, seq, bids=[(9.0, float(seq))]))
        if at == answered_at:
            book = seqs[max(0, at + 1 - lag)]
            events += read(decoder, answer(book, ((9.0, float(book)),)))
    broken = False
    for event in events:
        broken = broken or isinstance(event, Broken)
        if isinstance(event, BookTop):
            assert event.bids == ((9.0, float(event.venue_seq)),)
            assert not broken
    if broken:
        assert lost < len(strides)
    elif lost > len(strides) and answered_at < len(strides):
        # Nothing was lost: who lags behind the first change alone has no book.
        assert decoder.seq("btcusdt") == seqs[-1] or lag > answered_at + 1


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (change(1, 2, bids=[(-9.0, 1.0)]), "bad_shape"),
        (change(1, 2, bids=[(9.0, -1.0)]), "bad_shape"),
        (change(1, -2), "bad_shape"),
        (change(1, 2)[:-9], "not_json"),
        (answer(-1), "bad_sequence"),
        (answer(1, ((8.0, 1.0), (9.0, 1.0))), "unsorted"),
        (change(1, 2).replace(b"btcusdt", b""), "unknown_channel"),
        (change(1, 2).replace(b"mbp.150", b"mbp.400"), "unknown_channel"),
        (b'{"ch":"market.btcusdt.bbo"}', "bad_shape"),
        (b'{"status":"ok"}', "bad_shape"),
        (b'{"ping":-1}', "bad_shape"),
        (b'{"ping":1e400}', "bad_shape"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = seeded()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.decode(change(100, 101)) == (SAME,)


@pytest.mark.parametrize("decoder", [HtxDecoder(2), HtxChangesDecoder(2)])
def test_answers(decoder: HtxDecoder | HtxChangesDecoder) -> None:
    assert decoder.decode(b'{"ping":1492420473027}') == (Reply('{"pong":1492420473027}'),)
    assert decoder.decode(b'{"pong":8}') == (Heard(),)
    acked = {"id": "7 btcusdt", "status": "ok", "subbed": "market.btcusdt.mbp.150", "ts": 1}
    assert decoder.decode(compact(acked)) == (Acked(7, ("btcusdt",)),)
    assert decoder.decode(compact({**acked, "id": None})) == (Acked(None, ("btcusdt",)),)
    assert decoder.decode(compact({**acked, "id": 7})) == (Acked(7, ("btcusdt",)),)
    left = {"id": "8 btcusdt", "status": "ok", "unsubbed": "market.btcusdt.mbp.150", "ts": 1}
    assert decoder.decode(compact(left)) == (Acked(8, ("btcusdt",), subscribed=False),)
    error = {"status": "error", "ts": 1, "err-code": "bad-request", "err-msg": "invalid symbol x"}
    assert decoder.decode(compact({**error, "id": "9 x"})) == (
        RequestRefused(9, ("x",), "invalid symbol x (code bad-request)"),
    )
    assert decoder.decode(compact(error)) == (
        RequestRefused(None, (), "invalid symbol x (code bad-request)"),
    )


def test_a_channel_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(FrameError, match="unknown_channel"):
        HtxDecoder(2).decode(b'{"ch":"market.btcusdt.trade.detail","ts":1,"tick":{"id":1}}')


def test_what_is_asked_for_by_depth() -> None:
    ask = Ask(symbols=["btcusdt", "ethbtc"], request_id=7, depth=20)
    htx = Htx()
    assert htx.at(20).requests(ask) == [
        '{"sub":"market.btcusdt.mbp.refresh.20","id":"7 btcusdt"}',
        '{"sub":"market.ethbtc.mbp.refresh.20","id":"7 ethbtc"}',
    ]
    deep = htx.at(21)
    assert (htx.ws_path, deep.ws_path, deep.levels) == ("/ws", "/feed", 150)
    last = Ask(symbols=["btcusdt"], request_id=8, depth=21, subscribe=False)
    assert deep.requests(last) == ['{"unsub":"market.btcusdt.mbp.150","id":"8 btcusdt"}']
    assert deep.seed_request is not None
    asked = deep.seed_request.write("btcusdt", 9)
    assert asked == '{"req":"market.btcusdt.mbp.150","id":"9 btcusdt"}'


def test_a_book_over_rest_has_the_number_of_the_channels() -> None:
    tick = {"bids": [[9.0, 1.0], [8.0, 2.0]], "asks": [], "version": 100, "ts": 1}
    reply = compact({"ch": "market.btcusdt.depth.step0", "status": "ok", "ts": 1, "tick": tick})
    assert seed.SOURCE.parse(reply, "btcusdt", 1) == BookTop(
        "btcusdt", 100, None, ((9.0, 1.0),), ()
    )
    assert seed.SOURCE.path("btcusdt") == "/market/depth?symbol=btcusdt&type=step0"
    error = {"status": "error", "err-code": "invalid-parameter", "err-msg": "invalid symbol"}
    with pytest.raises(FrameError, match="invalid symbol"):
        seed.SOURCE.parse(compact(error), "btcusdt", 1)


LONG = {
    "base-currency": "btc",
    "quote-currency": "usdt",
    "price-precision": 2,
    "amount-precision": 6,
    "symbol": "btcusdt",
    "state": "online",
    "min-order-amt": 0.0001,
    "min-order-value": 5,
}
SHORT = {"sc": "btcusdt", "bc": "btc", "qc": "usdt", "state": "suspend", "tpp": 2, "tap": 6}


def test_both_lists_name_the_instruments() -> None:
    [(name, market)] = markets_of(
        instruments.SOURCE, compact({"status": "ok", "data": [LONG]})
    ).items()
    assert (name, market.symbol, market.trading.halted) == ("BTC-USDT", "btcusdt", False)
    assert (market.tick, market.lot) == ("0.01", "0.000001")
    assert (market.min_amount, market.min_notional) == ("0.0001", "5")
    [(name, market)] = markets_of(
        instruments.SOURCE, compact({"status": "ok", "data": [SHORT]})
    ).items()
    assert (name, market.symbol, market.trading.word) == ("BTC-USDT", "btcusdt", "suspend")
    assert (market.tick, market.lot, market.min_amount) == ("0.01", "0.000001", None)


def test_odd_entries_are_left_out() -> None:
    entries = [LONG, {"state": 7}, {**LONG, "base-currency": "b t c"}]
    markets = markets_of(instruments.SOURCE, compact({"status": "ok", "data": entries}))
    assert list(markets) == ["BTC-USDT"]
    assert markets.left_out == {"malformed": 1, "unnamed": 1}
