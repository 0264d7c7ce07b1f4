from __future__ import annotations

from contextlib import suppress

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.refusals import (
    CallRefusedError,
    RefusalCode,
)
from google.protobuf.message import Message
from grpc_gateway.requests import (
    MAX_WINDOW,
    check_interval,
    check_view,
    check_window,
    legacy_instrument,
    legacy_interval,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st


def nothing(name: str) -> bool:
    return False


def refused(error: pytest.ExceptionInfo[CallRefusedError]) -> tuple[RefusalCode, str]:
    return error.value.code, error.value.sentence


def test_views() -> None:
    assert check_view(pb.VIEW_BBO) is ViewKind.BBO
    with pytest.raises(CallRefusedError, match="no view: give VIEW_BOOK"):
        check_view(pb.VIEW_UNSPECIFIED)
    with pytest.raises(CallRefusedError, match="view 99 is not known: give VIEW_BOOK"):
        check_view(99)


def test_windows() -> None:
    assert check_window(0, 64) == 64
    assert check_window(MAX_WINDOW, 64) == MAX_WINDOW
    with pytest.raises(CallRefusedError, match="window 1025 is out of range: give 1 to 1024"):
        check_window(MAX_WINDOW + 1, 64)


def test_intervals() -> None:
    assert check_interval(0) == 0
    assert check_interval(60) == 0.06
    assert legacy_interval([("user-agent", "x")]) == 0
    assert legacy_interval([("min-interval-ms", "60")]) == 0.06


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "60001", "9" * 5000, "\u0663"])
def test_a_legacy_interval_that_is_no_number_of_milliseconds_is_refused(text: str) -> None:
    with pytest.raises(CallRefusedError, match=r"min.interval.ms") as error:
        legacy_interval([("min-interval-ms", text)])
    assert error.value.code is RefusalCode.INVALID
    assert len(error.value.sentence) < 300


def test_the_legacy_instrument_is_the_metadata_or_the_default() -> None:
    other = [("user-agent", "x")]
    assert legacy_instrument(other, "ETH-BTC", nothing) == "ETH-BTC"
    assert legacy_instrument([*other, ("instrument", "LTC-BTC")], "ETH-BTC", nothing) == "LTC-BTC"
    assert legacy_instrument([("instrument", b"LTC-BTC")], None, nothing) == "LTC-BTC"


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ([], "no default instrument: send one as request metadata 'instrument'"),
        ([("instrument", "ltc")], "'ltc' is not an instrument"),
        ([("instrument", b"\xff")], "is not an instrument"),
        ([("instrument", "A-B"), ("instrument", "A-C")], "sent twice"),
    ],
)
def test_legacy_metadata_is_refused(metadata: list[tuple[str, str | bytes]], words: str) -> None:
    with pytest.raises(CallRefusedError, match=words) as error:
        legacy_instrument(metadata, None, nothing)
    assert error.value.code is RefusalCode.INVALID


@given(st.binary(max_size=100))
def test_any_bytes_are_a_request_or_are_refused(payload: bytes) -> None:
    for kind in (pb.BookRequest, pb.BboRequest, pb.SessionRequest, pb.ListInstrumentsRequest):
        with suppress(CallRefusedError):
            assert isinstance(parse(kind, payload), kind)


def test_bytes_that_are_no_request_are_refused_with_its_name() -> None:
    with pytest.raises(
        CallRefusedError, match=r"3 bytes that are no dragonfly\.v1\.BookRequest"
    ) as error:
        parse(pb.BookRequest, b"\xff\xff\xff")
    assert error.value.code is RefusalCode.INVALID


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (
            pb.BookRequest,
            pb.BookRequest(instrument="ETH-BTC").SerializeToString() + b"\x98\x06\x01",
        ),
        (pb.VenuesRequest, b"\x98\x06\x01"),
        (pb.SessionRequest, b"\x0a\x03\x98\x06\x01"),  # within its subscription
    ],
)
def test_a_field_that_is_not_known_is_refused(kind: type[Message], payload: bytes) -> None:
    with pytest.raises(CallRefusedError, match="bytes of this dragonfly") as error:
        parse(kind, payload)
    assert error.value.code is RefusalCode.INVALID
