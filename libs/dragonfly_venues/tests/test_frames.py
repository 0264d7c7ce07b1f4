"""Reading JSON of a known shape."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import pytest
from dragonfly_venues.binance.decoder import BinanceDecoder
from dragonfly_venues.decoding.frames import (
    Choice,
    choices,
    gunzip,
    read,
    request_id,
    symbol_of,
    write,
)
from dragonfly_venues.events import FRAME_ERROR_REASONS, BookTop, Event, FrameError, WholeBook
from hypothesis import given
from hypothesis import strategies as st


class Point(msgspec.Struct):
    x: int


DECODER = msgspec.json.Decoder(Point)


def test_frames_of_one_book_are_a_group_with_the_newest_first() -> None:
    frames = [b"a1", b"-", b"b1", b"a3", b"-", b"b2", b"a2"]

    def whole_book(frame: bytes) -> WholeBook | None:
        known = frame != b"-"
        return WholeBook(frame[:1].decode(), int(frame[1:]), frame, 0, 0) if known else None

    def chosen(*frames: bytes) -> list[list[bytes]]:
        found = choices(frames, whole_book)
        assert all(book == whole_book(frame) for choice in found for frame, book in choice)
        return [[frame for frame, _ in choice] for choice in found]

    assert chosen(*frames) == [[b"-"], [b"a3", b"a2", b"a1"], [b"-"], [b"b2", b"b1"]]
    assert chosen(b"a1", b"a1") == [[b"a1", b"a1"]]
    assert chosen() == []


def test_known_shape_is_returned_typed() -> None:
    assert read(DECODER, b' {"x": 7, "other": [1]} ') == Point(7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not_json"),
        (b"\xff", "not_json"),
        (b'{"x": 7', "not_json"),
        (b'{"x": "\xff"}', "bad_shape"),
        (b'{"y": ' + b"[" * 100_000, "not_json"),
        (b'{"x": "7"}', "bad_shape"),
        (b"[7]", "bad_shape"),
        (b"{}", "bad_shape"),
    ],
)
def test_each_failure_has_a_known_reason(text: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        read(DECODER, text)
    assert caught.value.reason == reason
    assert reason in FRAME_ERROR_REASONS


def test_requests_are_compact_and_keep_foreign_letters() -> None:
    assert write({"params": ["币安btc"], "id": 1}) == '{"params":["币安btc"],"id":1}'


def framed(seq: int, soundness: str) -> bytes:
    """Return a frame of Binance; one that is not sound has an impossible level, or no end."""
    amount = "nan" if soundness == "bad level" else f"{seq + 1}"
    frame = (
        '{"stream":"ethbtc@depth20@100ms","data":{"lastUpdateId":'
        f'{seq},"bids":[["0.07","{amount}"]],"asks":[["0.08","1"]]}}}}'
    )
    return frame[: -9 if soundness == "cut" else None].encode()


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["sound", "sound", "bad level", "cut"])),
        max_size=7,  # eight older ones in a row are a reset
    ),
    st.data(),
)
def test_reading_the_newest_that_is_sound_ends_as_reading_each(
    sent: list[tuple[int, str]], data: st.DataObject
) -> None:
    frames = [framed(seq, soundness) for seq, soundness in sent]
    each, chosen = BinanceDecoder(10), BinanceDecoder(10)
    wanted = [event for frame in frames for event in read_first(each, [(frame, None)])]
    got: list[Event] = []
    while frames:
        together = data.draw(st.integers(1, len(frames)))
        for choice in choices(frames[:together], chosen.whole_book):
            got += read_first(chosen, choice)
        frames = frames[together:]
    assert chosen.seq("ethbtc") == each.seq("ethbtc")
    last_wanted, last_got = (
        [event for event in events if isinstance(event, BookTop)][-1:] for events in (wanted, got)
    )
    assert last_got == last_wanted


def read_first(decoder: BinanceDecoder, choice: Choice) -> Sequence[Event]:
    """Return what the first frame says that means something."""
    for frame, book in choice:
        with suppress(FrameError):
            return decoder.decode(frame, book)
    return ()


def test_an_id_that_is_none_of_ours_is_none() -> None:
    assert request_id("17") == 17
    for text in ("", "-1", "x7", "7" * 5000):
        assert request_id(text) is None


@given(st.binary(max_size=200))
def test_a_gzip_member_is_unpacked(content: bytes) -> None:
    assert gunzip(gzip.compress(content), 201) == content


BOMB = gzip.compress(bytes(10_000_000), mtime=0)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        BOMB,
        gzip.compress(b"abc", mtime=0)[:-1],
        gzip.compress(b"abc", mtime=0)[:-8] + bytes(8),
    ],
)
def test_another_frame_is_not_unpacked(frame: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        gunzip(frame, 1000)
    assert caught.value.reason == "not_gzip"
    assert caught.value.reason in FRAME_ERROR_REASONS


@given(st.binary(max_size=50), st.integers(0, 100))
def test_a_damaged_gzip_member_is_refused_or_read(noise: bytes, at: int) -> None:
    whole = gzip.compress(b"market.btcusdt" * 9)
    with suppress(FrameError):
        assert len(gunzip(whole[:at] + noise + whole[at:], 1000)) < 1000


def test_a_channels_symbol_stands_between_what_all_channels_have() -> None:
    assert symbol_of("market.btcusdt.mbp.150", prefix="market.", suffix=".mbp.150") == "btcusdt"
    assert symbol_of("ethbtc@depth", suffix="@depth") == "ethbtc"


@pytest.mark.parametrize(
    "channel", ["", "@depth", "ethbtc", "a@b@depth", "@depth@depth", "ethbtc@trade"]
)
def test_another_channel_has_none(channel: str) -> None:
    with pytest.raises(FrameError, match="unknown_channel"):
        symbol_of(channel, suffix="@depth")
