"""Bitfinex's protocol, as its documents have it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from zlib import crc32

import pytest
from dialects import DIALECTS
from venue_client import Message, Wire, dial, get, last_state
from venue_simulator.book import BookState
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from venue_simulator.venues.bitfinex import session
from venue_simulator.venues.bitfinex.frames import checksum, number
from venue_simulator.venues.bitfinex.listing import instrument_of, symbol_of

TIMESTAMP, SEQ_ALL, OB_CHECKSUM, BULK_UPDATES = 1 << 15, 1 << 16, 1 << 17, 1 << 29


@asynccontextmanager
async def connected(simulator: Simulator, flags: int = SEQ_ALL) -> AsyncIterator[Wire]:
    async with dial(simulator.ws_url("bitfinex") + "/ws/2") as wire:
        info = await wire.hear()
        assert (info["event"], info["version"], info["platform"]) == ("info", 2, {"status": 1})
        ack = await wire.ask({"event": "conf", "flags": flags})
        assert ack == {"event": "conf", "status": "OK", "flags": flags}
        yield wire


def book(length: str = "25", symbol: str = "tETHBTC", **fields: object) -> Message:
    return {"event": "subscribe", "channel": "book", "symbol": symbol, "len": length, **fields}


async def array(wire: Wire) -> list[object]:
    message = await wire.hear_where(lambda one: "array" in one)
    content: list[object] = message["array"]
    return content


def entries(state: BookState, depth: int) -> dict[tuple[str, int], str]:
    """Return the amounts of a book by price and side, as the venue prints them."""
    return {
        (str(float(price)), sign): str(float(amount))
        for side, sign in ((state.bids, 1), (state.asks, -1))
        for price, amount in side[:depth]
    }


def applied(book: dict[tuple[str, int], str], entry: object) -> None:
    assert isinstance(entry, list)
    price, count, amount = entry
    sign = 1 if float(amount) > 0 else -1
    if count == 0:
        assert abs(amount) == 1
        book.pop((str(float(price)), sign), None)
    else:
        book[str(float(price)), sign] = str(abs(float(amount)))


@pytest.mark.parametrize("bulk", [0, BULK_UPDATES])
@pytest.mark.parametrize("length", [1, 25, 100])
async def test_a_snapshot_and_its_changes_make_the_book(
    simulator: Simulator, length: int, bulk: int
) -> None:
    async with connected(simulator, SEQ_ALL | bulk) as wire:
        ack = await wire.ask(book(str(length), subId="mine"))
        channel = ack["chanId"]
        assert ack == {
            "event": "subscribed",
            "channel": "book",
            "chanId": channel,
            "pair": "ETHBTC",
            "symbol": "tETHBTC",
            "prec": "P0",
            "freq": "F0",
            "len": str(length),
            "subId": "mine",
        }
        known: dict[tuple[str, int], str] = {}
        number = 0
        simulator.step(30)
        truth = entries(last_state(simulator, "bitfinex"), length)
        while known != truth or number == 0:
            first, content, last = await array(wire)
            number += 1
            assert (first, last) == (channel, number)
            assert isinstance(content, list)
            several = number == 1 or bool(bulk)
            assert isinstance(content[0], list) is several
            for entry in content if several else [content]:
                applied(known, entry)
            if bulk:
                assert len(known) <= 2 * length


async def test_who_asks_for_nothing_gets_neither_numbers_nor_times(simulator: Simulator) -> None:
    async with connected(simulator, 0) as wire:
        await wire.say(book())
        assert len(await array(wire)) == 2
    async with connected(simulator, TIMESTAMP) as wire:
        await wire.say(book())
        state = last_state(simulator, "bitfinex")
        assert (await array(wire))[2:] == [state.venue_seq]


@pytest.mark.parametrize(
    ("bids", "asks", "text"),
    [
        ((("6000.0", "1"), ("5900", "2.0")), (("6100", "3"),), "6000:1:6100:-3:5900:2"),
        ((("0.0000001", "5"),), (("0.0000002", "6"),), "1e-7:5:2e-7:-6"),
        ((("6000", "0.00005"),), (("6100", "0.000001"),), "6000:0.00005:6100:-0.000001"),
        ((), (("6100", "1.5e-7"),), "6100:-1.5e-7"),
    ],
)
def test_checksums_are_of_javascripts_text(
    bids: tuple[tuple[str, str], ...], asks: tuple[tuple[str, str], ...], text: str
) -> None:
    assert checksum(bids, asks) % 2**32 == crc32(text.encode())
    assert -(2**31) <= checksum(bids, asks) < 2**31


@pytest.mark.parametrize(
    ("text", "printed"),
    [("6000.00", "6000"), ("0.000001000", "0.000001"), ("0.00000015", "1.5e-7"), ("1e-8", "1e-8")],
)
def test_numbers_are_printed_without_zeros_and_small_ones_with_exponents(
    text: str, printed: str
) -> None:
    assert number(text) == printed
    assert json.loads(printed) == float(text)


async def test_a_bad_checksum_comes_at_once_to_whoever_asked_for_checksums(
    simulator: Simulator,
) -> None:
    async with connected(simulator, SEQ_ALL | OB_CHECKSUM | BULK_UPDATES) as wire:
        await wire.say(book())
        channel = (await array(wire))[0]
        simulator.faults.inject("bitfinex", "bad_checksum")
        simulator.step()
        assert (await array(wire))[2] == 2
        assert await array(wire) == [channel, "cs", 1, 3]
        state = last_state(simulator, "bitfinex")
        assert checksum(state.bids, state.asks) != 1


async def test_a_lost_frame_is_a_number_missed_on_the_whole_socket(simulator: Simulator) -> None:
    async with connected(simulator, SEQ_ALL | BULK_UPDATES) as wire:
        await wire.say(book())
        await array(wire)
        await wire.say(book(symbol="tBTCUSD"))
        await array(wire)
        simulator.faults.inject("bitfinex", "gap", "ETH-BTC")
        simulator.step(2)
        numbers = [(await array(wire))[2] for _ in range(3)]
    assert sorted({3, 4, 5, 6} - {*numbers}) in ([3], [4])


REFUSALS = [
    (book(symbol="tNOPEUSD"), "symbol: invalid", 10300),
    (book(symbol="tLUNA:USD"), "symbol: invalid", 10300),
    (book("7"), "length: invalid", 10300),
    (book(prec="P9"), "precision: invalid", 10300),
    (book(freq="F9"), "frequency: invalid", 10300),
    (book(channel="books"), "channel: unknown", 10300),
    ({"event": "unsubscribe", "chanId": 12}, "unsubscribe: invalid", 10400),
    ({"event": "dance"}, "event: invalid", 10000),
    ({}, "event: invalid", 10000),
]


@pytest.mark.parametrize(("request_", "text", "code"), REFUSALS)
async def test_refusals(
    simulator: Simulator, request_: Mapping[str, object], text: str, code: int
) -> None:
    async with connected(simulator) as wire:
        error = await wire.ask(request_)
        assert (error["event"], error["msg"], error["code"]) == ("error", text, code)
        if request_.get("event") == "subscribe":
            assert error["symbol"] == request_["symbol"]
        pong = await wire.ask({"event": "ping", "cid": 5})
        assert (pong["event"], pong["cid"]) == ("pong", 5)


async def test_a_channel_is_left_by_its_number_and_never_has_it_again(
    simulator: Simulator,
) -> None:
    async with connected(simulator) as wire:
        first = (await wire.ask(book()))["chanId"]
        await array(wire)
        assert (await wire.ask(book()))["code"] == 10301
        left = await wire.ask({"event": "unsubscribe", "chanId": first})
        assert left == {"event": "unsubscribed", "status": "OK", "chanId": first}
        assert simulator.subscriptions("bitfinex") == {}
        second = (await wire.ask(book()))["chanId"]
        assert second != first
        assert (await array(wire))[0] == second


async def test_no_socket_has_more_than_30_channels(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MOST_CHANNELS", 1)
    async with connected(simulator) as wire:
        await wire.say(book())
        await array(wire)
        assert (await wire.ask(book("100")))["code"] == 10305


async def test_channels_beat_by_the_clock_some_before_they_are_acknowledged(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(session, "EARLY_HEARTBEAT_EVERY", 1)
    async with connected(simulator) as wire:
        channel, kind, number = (await wire.ask(book()))["array"]
        assert (kind, number) == ("hb", 1)
        assert (await wire.hear())["chanId"] == channel
        heard = [await array(wire) for _ in range(4)]
        assert [each[-1] for each in heard] == [2, 3, 4, 5]
        assert sum(each[1] == "hb" for each in heard) == 3


async def test_a_ticker_has_the_best_prices(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        ack = await wire.ask({"event": "subscribe", "channel": "ticker", "symbol": "tETHBTC"})
        assert "len" not in ack
        _, content, _ = await array(wire)
    state = last_state(simulator, "bitfinex")
    assert isinstance(content, list)
    assert content[:4] == [str(float(text)) for text in (*state.bids[0], *state.asks[0])]
    assert len(content) == 10


async def test_it_says_that_it_is_halted_and_trades_again(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        with simulator.during("bitfinex", FaultKind.POST_ONLY):
            pass  # of which it has no word
        with simulator.during("bitfinex", FaultKind.HALT):
            assert (await wire.hear())["code"] == 20060
            async with dial(simulator.ws_url("bitfinex") + "/ws/2") as late:
                assert (await late.hear())["platform"] == {"status": 0}
            assert (await get(simulator.rest_url("bitfinex") + "/v2/platform/status")).body == [0]
        assert (await wire.hear())["code"] == 20061
        simulator.faults.inject("bitfinex", "announced_close", seconds=0.01)
        assert (await wire.hear())["code"] == 20051


async def test_to_what_is_no_json_nothing_is_said(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        await wire.socket.send("hello?")
        assert (await wire.ask({"event": "ping"}))["event"] == "pong"


@pytest.mark.parametrize(
    ("instrument", "symbol"),
    [
        ("BTC-USD", "tBTCUSD"),
        ("DOGE-USD", "tDOGE:USD"),
        ("BTC-USDT", "tBTCUST"),
        ("IOTA-BTC", "tIOTBTC"),
        ("AAVE-USDT", "tAAVE:UST"),
    ],
)
def test_symbols(instrument: str, symbol: str) -> None:
    assert symbol_of(instrument) == symbol
    assert instrument_of(symbol[1:]) == instrument


async def test_rest(simulator: Simulator) -> None:
    url = simulator.rest_url("bitfinex")
    pairs, names = (await get(url + "/v2/conf/pub:list:pair:exchange,pub:map:currency:sym")).body
    assert {"ETHBTC", "DOGE:USD"} <= set(pairs)
    assert "LUNA:USD" not in pairs, "what cannot be traded is not listed"
    assert ["UST", "USDT"] in names
    assert (await get(url + DIALECTS["bitfinex"].rest_path)).body == [pairs]
    assert (await get(url + "/v2/conf/pub:nonsense")).body == [[]]
    levels = (await get(url + "/v2/book/tETHBTC/P0?len=25")).body
    state = last_state(simulator, "bitfinex")
    assert [level[2] > 0 for level in levels] == [True] * 25 + [False] * 25
    assert levels[0][0] == float(state.bids[0][0])
    assert levels[25][2] == -float(state.asks[0][1])
    for path, text in (
        ("tNOPE/P0", "symbol: invalid"),
        ("tETHBTC/P9", "precision: invalid"),
        ("tETHBTC/P0?len=7", "len: invalid"),
    ):
        refused = await get(f"{url}/v2/book/{path}")
        assert (refused.status, refused.body) == (500, ["error", 10020, text])
    assert (await get(url + "/v2/dance")).status == 404
