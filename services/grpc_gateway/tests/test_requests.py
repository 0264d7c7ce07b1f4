from __future__ import annotations

from contextlib import suppress

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import Message
from grpc import StatusCode
from grpc_gateway.requests import (
    MAX_WINDOW,
    RefusedError,
    check_depth,
    check_instrument,
    check_instruments,
    check_interval,
    check_room,
    check_view,
    check_view_depth,
    check_window,
    legacy_instrument,
    legacy_interval,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st


def nothing(name: str) -> bool:
    return False


def refused(error: pytest.ExceptionInfo[RefusedError]) -> tuple[StatusCode, str]:
    return error.value.code, error.value.sentence


@pytest.mark.parametrize("text", ["ETH-BTC", "1INCH-USD", "USD.M-EUR"])
def test_a_normalised_name_is_an_instrument(text: str) -> None:
    assert check_instrument(text, nothing) == text


@pytest.mark.parametrize(
    "text", ["eth-btc", "ETHBTC", "ETH/BTC", "ETH-", " ETH-BTC", "ETH-BTC\n", "A" * 300, "\x00"]
)
def test_any_other_text_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(RefusedError) as error:
        check_instrument(text, nothing)
    code, sentence = refused(error)
    assert code is StatusCode.INVALID_ARGUMENT
    assert sentence.endswith(
        "is not an instrument: write BASE-QUOTE in upper case, for example ETH-BTC"
    )
    assert len(sentence) < 300


@pytest.mark.parametrize("text", ["xbt/usd", "XBTUSD", "btc_usd", "XXBTZUSD", " BTC-USD"])
def test_another_spelling_is_refused_with_the_listed_name(text: str) -> None:
    with pytest.raises(RefusedError) as error:
        check_instrument(text, {"BTC-USD", "ETH-BTC"}.__contains__)
    assert refused(error) == (
        StatusCode.INVALID_ARGUMENT,
        f"{text!r} is not an instrument: did you mean BTC-USD? Write BASE-QUOTE in upper case",
    )


def test_no_instrument_is_refused_with_the_rule() -> None:
    with pytest.raises(RefusedError, match="no instrument: write BASE-QUOTE"):
        check_instrument("", nothing)


def test_depth_0_asks_for_all() -> None:
    assert check_depth(0, 10) == 10
    assert check_depth(1, 10) == 1
    assert check_depth(10, 10) == 10


@pytest.mark.parametrize("depth", [11, 2**32 - 1])
def test_a_depth_out_of_range_is_refused_with_the_range(depth: int) -> None:
    with pytest.raises(RefusedError) as error:
        check_depth(depth, 10)
    assert refused(error) == (
        StatusCode.INVALID_ARGUMENT,
        f"depth {depth} is out of range: give 1 to 10, or 0 for all 10",
    )


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        ([], StatusCode.INVALID_ARGUMENT, "name at least one"),
        (["ETH-BTC", "x"], StatusCode.INVALID_ARGUMENT, "'x' is not an instrument"),
        (["ETH-BTC", "ETH-BTC"], StatusCode.INVALID_ARGUMENT, "ETH-BTC is named twice"),
        (["A-B", "A-C", "A-D"], StatusCode.RESOURCE_EXHAUSTED, "3 instruments in one stream"),
    ],
)
def test_lists_of_instruments_are_refused(names: list[str], code: StatusCode, words: str) -> None:
    with pytest.raises(RefusedError, match=words) as error:
        check_instruments(names, 2, nothing)
    assert error.value.code is code


def test_a_list_of_different_instruments_is_taken() -> None:
    assert check_instruments(["A-B", "A-C"], 2, nothing) == ("A-B", "A-C")


def test_room_is_counted_in_instruments_not_in_views() -> None:
    check_room(["A-B", "A-B", "A-C"], "A-C", 2)
    with pytest.raises(RefusedError, match="at most 2; open another stream") as error:
        check_room(["A-B", "A-C"], "A-D", 2)
    assert error.value.code is StatusCode.RESOURCE_EXHAUSTED


def test_views() -> None:
    assert check_view(pb.VIEW_BBO) is ViewKind.BBO
    with pytest.raises(RefusedError, match="no view: give VIEW_BOOK"):
        check_view(pb.VIEW_UNSPECIFIED)
    with pytest.raises(RefusedError, match="view 99 is not known: give VIEW_BOOK"):
        check_view(99)


def test_a_bbo_has_no_depth_beyond_its_one_level() -> None:
    assert check_view_depth(ViewKind.BBO, 0, 10) == check_view_depth(ViewKind.BBO, 1, 10)
    assert check_view_depth(ViewKind.BOOK, 0, 10) == 10
    with pytest.raises(RefusedError, match="depth 2 of a BBO, which is one level a side"):
        check_view_depth(ViewKind.BBO, 2, 10)


def test_windows() -> None:
    assert check_window(0, 64) == 64
    assert check_window(MAX_WINDOW, 64) == MAX_WINDOW
    with pytest.raises(RefusedError, match="window 1025 is out of range: give 1 to 1024"):
        check_window(MAX_WINDOW + 1, 64)


def test_intervals() -> None:
    assert check_interval(0) == 0
    assert check_interval(60) == 0.06
    assert legacy_interval([("user-agent", "x")]) == 0
    assert legacy_interval([("min-interval-ms", "60")]) == 0.06


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "60001", "9" * 5000, "\u0663"])
def test_a_legacy_interval_that_is_no_number_of_milliseconds_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"min.interval.ms") as error:
        legacy_interval([("min-interval-ms", text)])
    assert error.value.code is StatusCode.INVALID_ARGUMENT
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
    with pytest.raises(RefusedError, match=words) as error:
        legacy_instrument(metadata, None, nothing)
    assert error.value.code is StatusCode.INVALID_ARGUMENT


@given(st.binary(max_size=100))
def test_any_bytes_are_a_request_or_are_refused(payload: bytes) -> None:
    for kind in (pb.BookRequest, pb.BboRequest, pb.SessionRequest, pb.ListInstrumentsRequest):
        with suppress(RefusedError):
            assert isinstance(parse(kind, payload), kind)


def test_bytes_that_are_no_request_are_refused_with_its_name() -> None:
    with pytest.raises(
        RefusedError, match=r"3 bytes that are no dragonfly\.v1\.BookRequest"
    ) as error:
        parse(pb.BookRequest, b"\xff\xff\xff")
    assert error.value.code is StatusCode.INVALID_ARGUMENT


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
    with pytest.raises(RefusedError, match="bytes of this dragonfly") as error:
        parse(kind, payload)
    assert error.value.code is StatusCode.INVALID_ARGUMENT
