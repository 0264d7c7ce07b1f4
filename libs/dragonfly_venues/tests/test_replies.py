"""REST replies that wrap what was asked for with a code and a text."""

from __future__ import annotations

import msgspec
import pytest
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.events import FrameError


class Point(msgspec.Struct):
    x: int


POINT = RestEnvelope(ok="0").of(Point)
RENAMED = RestEnvelope(ok="0", code="retCode", text="retMsg", content="result").of(Point)


@pytest.mark.parametrize("code", ["0", '"0"'])
def test_a_code_is_a_number_or_text(code: str) -> None:
    assert read(POINT, f'{{"code":{code},"data":{{"x":"7"}},"msg":[]}}'.encode()) == Point(7)


def test_venues_name_the_parts_as_they_like() -> None:
    assert read(RENAMED, b'{"retCode":0,"retMsg":"OK","result":{"x":7},"time":1}') == Point(7)


@pytest.mark.parametrize(
    ("reply", "reason", "said"),
    [
        (b'{"code":"51001","msg":"no such pair","data":[]}', "bad_shape", "no such pair"),
        (b'{"code":0}', "bad_shape", "Expected"),
        (b'{"code":"0","data":{"x":[]}}', "bad_shape", "Expected"),
        (b"{}", "bad_shape", "code null"),
        (b"[]", "bad_shape", "Expected"),
        (b'{"code":"\xff"}', "not_json", "utf-8"),
        (b'{"code":"0","data":{"x":7}', "not_json", "truncated"),
        (b"<html>", "not_json", "malformed"),
    ],
)
def test_a_refusal_says_what_the_venue_said(reply: bytes, reason: str, said: str) -> None:
    with pytest.raises(FrameError, match=said) as caught:
        read(POINT, reply)
    assert caught.value.reason == reason
