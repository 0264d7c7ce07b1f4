"""Bitfinex's frames: channels by number, one counter for a socket, checksums, and answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from zlib import crc32

import pytest
from dragonfly_common.types import Side
from dragonfly_venues.bitfinex.checksum import checksum, number_text
from dragonfly_venues.bitfinex.control import CONF, request
from dragonfly_venues.bitfinex.decoder import BitfinexDecoder
from dragonfly_venues.bitfinex.instruments import parse
from dragonfly_venues.events import (
    TRADING,
    Acked,
    BookTop,
    Broken,
    Closing,
    Event,
    FrameError,
    Heard,
    Lost,
    RequestRefused,
    Trading,
    TradingChange,
    Unchanged,
    Verified,
    Welcome,
)
from dragonfly_venues.venue import Ask
from hypothesis import given
from hypothesis import strategies as st

CHANNEL, OTHER = 943592, 7
TIME_MS = 1_790_114_272_304
SNAPSHOT = [[9, 2, 1.5], [8, 1, 2], [10, 1, -1], [11, 3, -4]]
SYMBOL = "tBTCUSD"


class Socket:
    """A connection: what the venue sends is numbered, and decoded at once."""

    def __init__(self, depth: int = 2) -> None:
        self.decoder = BitfinexDecoder(depth)
        self.number = 0

    def push(self, *content: object, channel: int = CHANNEL) -> Sequence[Event]:
        """Return what a frame says that is an array."""
        self.number += 1
        frame = [channel, *content, self.number, TIME_MS + self.number]
        return self.decoder.decode(json.dumps(frame, separators=(",", ":")).encode())

    def say(self, **fields: object) -> Sequence[Event]:
        """Return what a frame says that is an object."""
        return self.decoder.decode(json.dumps(fields, separators=(",", ":")).encode())

    def subscribed(self, channel: int = CHANNEL, symbol: str = SYMBOL) -> Sequence[Event]:
        return self.say(event="subscribed", channel="book", chanId=channel, symbol=symbol)


@pytest.fixture
def socket() -> Socket:
    """Return one whose channel has its snapshot."""
    made = Socket()
    assert made.subscribed() == (Acked(None, (SYMBOL,), handle=CHANNEL),)
    made.push(SNAPSHOT)
    return made


def test_a_snapshot_and_changes_make_the_book() -> None:
    socket = Socket()
    socket.subscribed()
    [first] = socket.push(SNAPSHOT)
    bids, asks = ((9.0, 1.5), (8.0, 2.0)), ((10.0, 1.0), (11.0, 4.0))
    assert first == BookTop(SYMBOL, TIME_MS + 1, (TIME_MS + 1) * 1_000_000, bids, asks)
    [second] = socket.push([9, 0, 1])
    assert isinstance(second, BookTop)
    assert (second.bids, second.asks) == (((8.0, 2.0),), asks)
    [third] = socket.push([[9.5, 1, 3], [10, 0, -1], [11, 2, -1e-7]])
    assert isinstance(third, BookTop)
    assert (third.bids, third.asks) == (((9.5, 3.0), (8.0, 2.0)), ((11.0, 1e-7),))
    assert socket.decoder.seq(SYMBOL) == third.venue_seq == TIME_MS + 3


def test_a_removal_of_an_unknown_price_and_a_level_below_the_top_change_nothing(
    socket: Socket,
) -> None:
    assert socket.push([7, 0, 1]) == (Unchanged(SYMBOL),)
    assert socket.push([7, 1, 5]) == (Unchanged(SYMBOL),)
    assert socket.push([]) == (Unchanged(SYMBOL),)


def test_an_empty_book_and_an_empty_side_are_books() -> None:
    socket = Socket()
    socket.subscribed()
    [event] = socket.push([])
    assert isinstance(event, BookTop)
    assert (event.bids, event.asks) == ((), ())
    [event] = socket.push([12, 1, -1])
    assert isinstance(event, BookTop)
    assert (event.bids, event.asks) == ((), ((12.0, 1.0),))


def test_heartbeats_and_frames_of_unknown_channels_count_before_they_are_acknowledged() -> None:
    socket = Socket()
    assert socket.push("hb") == (Heard(),)
    assert socket.push(SNAPSHOT, channel=OTHER) == (Heard(),)
    assert socket.push("te", [1, 2, 3, 4], channel=OTHER) == (Heard(),)
    assert socket.push("cs", 12, channel=OTHER) == (Heard(),)
    assert socket.say(event="subscribed", channel="ticker", chanId=OTHER, symbol="t") == (Heard(),)
    socket.subscribed()
    assert isinstance(socket.push(SNAPSHOT)[0], BookTop)


@pytest.mark.parametrize("what", [["hb"], [[9, 1, 1]], [[[9, 1, 1], [8, 0, 1]]], ["cs", 5]])
@pytest.mark.parametrize("skip", [1, -1])
def test_a_number_that_is_not_the_next_loses_every_book(
    socket: Socket, what: list[object], skip: int
) -> None:
    socket.subscribed(OTHER, "tETHUSD")
    socket.push(SNAPSHOT, channel=OTHER)
    due = socket.number + 1
    socket.number += skip
    lost, *others = socket.push(*what)
    assert lost == Lost(f"frame {due + skip} came where {due} was due")
    assert others in ([], [Unchanged(SYMBOL)])
    assert socket.decoder.seq(SYMBOL) == socket.decoder.seq("tETHUSD") == -1
    # Until it is subscribed anew nothing more is said of it, once.
    assert socket.push([9, 1, 2]) == (Unchanged(SYMBOL),)
    assert socket.push([[9, 1, 2], [8, 1, 2]]) == (Unchanged(SYMBOL),)
    socket.subscribed(OTHER + 1)
    assert isinstance(socket.push(SNAPSHOT, channel=OTHER + 1)[0], BookTop)
    assert socket.push([9, 1, 2]) == (Heard(),), "its old channel is none any more"


def test_a_clock_that_is_set_back_moves_no_book_back(socket: Socket) -> None:
    frame = f"[{CHANNEL},[9,1,3],{socket.number + 1},{TIME_MS - 50}]"
    [event] = socket.decoder.decode(frame.encode())
    assert isinstance(event, BookTop)
    assert (event.venue_seq, event.ts_event) == (TIME_MS + 1, (TIME_MS - 50) * 1_000_000)


def test_each_channel_has_a_time_of_its_own(socket: Socket) -> None:
    socket.subscribed(OTHER, "tETHUSD")
    frame = f"[{OTHER},{json.dumps(SNAPSHOT)},{socket.number + 1},{TIME_MS - 50}]"
    [event] = socket.decoder.decode(frame.encode())
    assert isinstance(event, BookTop)
    assert event.venue_seq == TIME_MS - 50


def test_without_a_time_the_number_of_the_frame_is_that_of_the_book() -> None:
    socket = Socket()
    socket.subscribed()
    [event] = socket.decoder.decode(f"[{CHANNEL},{json.dumps(SNAPSHOT)},1]".encode())
    assert isinstance(event, BookTop)
    assert (event.venue_seq, event.ts_event) == (1, None)


def test_a_checksum_holds_or_breaks_the_book(socket: Socket) -> None:
    text = b"9:1.5:10:-1:8:2:11:-4"
    assert socket.push("cs", crc32(text) - 2**32) == (Verified(SYMBOL),)
    [broken] = socket.push("cs", 12)
    assert broken == Broken(
        SYMBOL, "checksum", f"the venue says 12, the book {crc32(text) - 2**32}"
    )
    assert socket.push("cs", 12) == (Heard(),)
    assert socket.push([9, 1, 1]) == (Unchanged(SYMBOL),)


def test_a_change_that_cannot_be_read_breaks_its_book_alone(socket: Socket) -> None:
    socket.subscribed(OTHER, "tETHUSD")
    socket.push(SNAPSHOT, channel=OTHER)
    [broken] = socket.push([-9, 1, 1])
    assert isinstance(broken, Broken)
    assert (broken.symbol, broken.cause) == (SYMBOL, "malformed")
    assert isinstance(socket.push([9, 1, 7], channel=OTHER)[0], BookTop)


def levels(*numbers: float) -> Side:
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


@pytest.mark.parametrize(
    ("bids", "asks", "expected"),
    [
        (levels(6000, 1, 5900, 2), levels(6100, 3, 6200, 4), 1756193398),
        (levels(6000, 1, 5900, 2), levels(6100, 3), 1463064604),
        (levels(1e-7, 5), levels(2e-7, 6), -1995487465),
        (levels(6000, 0.00005), levels(6100, 0.000001), 2054361905),
        ((), (), 0),
    ],
)
def test_checksums_of_the_documents(bids: Side, asks: Side, expected: int) -> None:
    assert checksum(bids, asks) == expected


def test_a_checksum_covers_25_levels_a_side() -> None:
    bids = tuple((100.0 - rank, 1.0) for rank in range(30))
    assert checksum(bids, ()) == checksum(bids[:25], ()) != checksum(bids[:24], ())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (6000.0, "6000"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e-7, "1e-7"),
        (0.00005, "0.00005"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_numbers_as_javascript_prints_them(number: float, text: str) -> None:
    assert number_text(number) == text


@given(st.floats(min_value=1e-9, max_value=1e22))
def test_a_number_reads_as_it_was(number: float) -> None:
    text = number_text(number)
    assert float(text) == number
    assert ("e" in text) == (number < 1e-6 or number >= 1e21)


def test_answers(socket: Socket) -> None:
    assert socket.say(event="conf", status="OK", flags=65536) == (Heard(),)
    assert socket.say(event="pong", ts=1, cid=3) == (Heard(),)
    refusal = {"event": "error", "msg": "symbol: invalid", "code": 10300, "symbol": "tNOPEUSD"}
    assert socket.say(**refusal) == (
        RequestRefused(None, ("tNOPEUSD",), "symbol: invalid (code 10300)"),
    )
    assert [type(event) for event in socket.say(**refusal | {"code": 10301})] == [
        RequestRefused,
        Closing,
    ]
    [unknown] = socket.say(event="error", msg="unsubscribe: invalid", code=10400, chanId=CHANNEL)
    assert unknown == RequestRefused(None, (SYMBOL,), "unsubscribe: invalid (code 10400)")
    left = socket.say(event="unsubscribed", status="OK", chanId=CHANNEL)
    assert left == (Acked(None, (SYMBOL,), subscribed=False),)
    assert socket.say(event="unsubscribed", status="OK", chanId=CHANNEL) == (Heard(),)


def test_what_it_says_of_itself(socket: Socket) -> None:
    closed = TradingChange(None, Trading(halted=True, word="maintenance"))
    welcome = socket.say(event="info", version=2, platform={"status": 1})
    assert welcome == (Welcome(), TradingChange(None, TRADING))
    assert socket.say(event="info", version=2, platform={"status": 0}) == (Welcome(), closed)
    assert socket.say(event="info", code=20051, msg="Stopping") == (Closing("Stopping"),)
    assert socket.say(event="info", code=20060) == (closed,)
    again = socket.say(event="info", code=20061)
    assert again == (Lost("maintenance is over"), TradingChange(None, TRADING))
    assert socket.say(event="info", code=20099) == (Heard(),)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b'[1,[9,1,1],"2"]', "bad_shape"),
        (b"[1,[9,1,1]]", "bad_shape"),
        (b'[1,"hb"]', "bad_shape"),
        (b'[1,"cs",5]', "bad_shape"),
        (b"[1,2,3]", "bad_shape"),
        (b"[1,[9,1", "not_json"),
        (b"pong", "not_json"),
        (b"7", "bad_shape"),
        (b'{"event":"conf","status":"FAILED"}', "unknown_channel"),
        (b'{"event":"auth"}', "unknown_channel"),
        (b"{}", "bad_shape"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    socket: Socket, frame: bytes, reason: str
) -> None:
    with pytest.raises(FrameError) as caught:
        socket.decoder.decode(frame)
    assert caught.value.reason == reason
    assert socket.push([7, 0, 1]) == (Unchanged(SYMBOL),)


def test_white_space_does_not_matter(socket: Socket) -> None:
    frame = f" [ {CHANNEL} , [ 9 , 1 , 3 ] , {socket.number + 1} , {TIME_MS} ]"
    assert isinstance(socket.decoder.decode(frame.encode())[0], BookTop)


def test_requests() -> None:
    (frame,) = request(Ask(symbols=[SYMBOL], request_id=1, depth=26))
    assert json.loads(frame) == {
        "event": "subscribe",
        "channel": "book",
        "symbol": SYMBOL,
        "prec": "P0",
        "freq": "F0",
        "len": "100",
    }
    ended = Ask(
        symbols=[SYMBOL], request_id=2, depth=26, subscribe=False, handles={SYMBOL: CHANNEL}
    )
    assert request(ended) == [f'{{"event":"unsubscribe","chanId":{CHANNEL}}}']
    assert json.loads(CONF) == {"event": "conf", "flags": 32768 + 65536 + 131072 + 536870912}


def test_instruments_have_the_names_that_the_venue_maps_codes_to() -> None:
    pairs = ["BTCUSD", "AAVE:UST", "IOTBTC", "TESTBTC:TESTUSD", "LONGER", "BAD", 7, "BTCUST"]
    names = [["UST", "USDt"], ["IOT", "IOTA"], ["broken"]]
    markets = parse(json.dumps([pairs, names]).encode())
    assert {name: market.symbol for name, market in markets.items()} == {
        "BTC-USD": "tBTCUSD",
        "AAVE-USDT": "tAAVE:UST",
        "IOTA-BTC": "tIOTBTC",
        "TESTBTC-TESTUSD": "tTESTBTC:TESTUSD",
        "LON-GER": "tLONGER",
        "BTC-USDT": "tBTCUST",
    }
    assert markets.left_out == {"malformed": 2, "unnamed": 1}
