"""Reading JSON of a known shape."""

from __future__ import annotations

import msgspec
import pytest
from feed_listener.frames import newest, read, write
from feed_listener.venue import FRAME_ERROR_REASONS, FrameError


class Point(msgspec.Struct):
    x: int


DECODER = msgspec.json.Decoder(Point)


def test_the_last_of_each_whole_book_stays_and_all_that_is_none() -> None:
    frames = [b"a1", b"-", b"b1", b"a2", b"-", b"b2", b"a3"]
    books = {b"a": b"a", b"b": b"b"}
    assert newest(frames, lambda frame: books.get(frame[:1])) == [b"-", b"-", b"b2", b"a3"]
    assert newest(frames, lambda frame: None) == frames
    assert newest([], lambda frame: frame) == []


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
