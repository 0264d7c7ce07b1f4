from __future__ import annotations

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_views.refusals import (
    CallRefusedError,
    RefusalCode,
    check_depth,
    check_instrument,
    check_instruments,
    check_market,
    check_room,
    check_view_depth,
)


def nothing(name: str) -> bool:
    return False


def refused(error: pytest.ExceptionInfo[CallRefusedError]) -> tuple[RefusalCode, str]:
    return error.value.code, error.value.sentence


@pytest.mark.parametrize("text", ["ETH-BTC", "1INCH-USD", "USD.M-EUR"])
def test_a_normalised_name_is_an_instrument(text: str) -> None:
    assert check_instrument(text, nothing) == text


@pytest.mark.parametrize(
    "text", ["eth-btc", "ETHBTC", "ETH/BTC", "ETH-", " ETH-BTC", "ETH-BTC\n", "A" * 300, "\x00"]
)
def test_any_other_text_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(CallRefusedError) as error:
        check_instrument(text, nothing)
    code, sentence = refused(error)
    assert code is RefusalCode.INVALID
    assert sentence.endswith(
        "is not an instrument: write BASE-QUOTE in upper case, for example ETH-BTC"
    )
    assert len(sentence) < 300


@pytest.mark.parametrize("text", ["xbt/usd", "XBTUSD", "btc_usd", "XXBTZUSD", " BTC-USD"])
def test_another_spelling_is_refused_with_the_listed_name(text: str) -> None:
    with pytest.raises(CallRefusedError) as error:
        check_instrument(text, {"BTC-USD", "ETH-BTC"}.__contains__)
    assert refused(error) == (
        RefusalCode.INVALID,
        f"{text!r} is not an instrument: did you mean BTC-USD? Write BASE-QUOTE in upper case",
    )


def test_no_instrument_is_refused_with_the_rule() -> None:
    with pytest.raises(CallRefusedError, match="no instrument: write BASE-QUOTE"):
        check_instrument("", nothing)


def test_an_equivalence_is_asked_for_in_its_normal_form() -> None:
    assert check_market("BTC-USD+BTC-USDT@1", nothing) == "BTC-USD+BTC-USDT@1"
    assert check_market("ETH-BTC", nothing) == "ETH-BTC"
    for text, rule in (
        ("btc-usd+BTC-USDT@1", "is not in its normal form: write BTC-USD+BTC-USDT@1"),
        ("BTC-USD+BTC-USDT", "write BTC-USDT*USDT-USD to convert by that book, or BTC-USDT@1"),
        ("BTC-USD+" + "A" * 300, "it has 308 characters, 255 are allowed"),
        ("btc-usd", "is not an instrument: write BASE-QUOTE in upper case"),
    ):
        with pytest.raises(CallRefusedError) as error:
            check_market(text, nothing)
        code, sentence = refused(error)
        assert code is RefusalCode.INVALID
        assert rule in sentence
        assert len(sentence) < 300


def test_depth_0_asks_for_all() -> None:
    assert check_depth(0, 10) == 10
    assert check_depth(1, 10) == 1
    assert check_depth(10, 10) == 10


@pytest.mark.parametrize("depth", [11, 2**32 - 1])
def test_a_depth_out_of_range_is_refused_with_the_range(depth: int) -> None:
    with pytest.raises(CallRefusedError) as error:
        check_depth(depth, 10)
    assert refused(error) == (
        RefusalCode.INVALID,
        f"depth {depth} is out of range: give 1 to 10, or 0 for all 10",
    )


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        ([], RefusalCode.INVALID, "name at least one"),
        (["ETH-BTC", "x"], RefusalCode.INVALID, "'x' is not an instrument"),
        (["ETH-BTC", "ETH-BTC"], RefusalCode.INVALID, "ETH-BTC is named twice"),
        (["A-B", "A-C", "A-D"], RefusalCode.OVER_LIMIT, "3 instruments in one stream"),
    ],
)
def test_lists_of_instruments_are_refused(names: list[str], code: RefusalCode, words: str) -> None:
    with pytest.raises(CallRefusedError, match=words) as error:
        check_instruments(names, 2, nothing)
    assert error.value.code is code


def test_a_list_of_different_instruments_is_taken() -> None:
    assert check_instruments(["A-B", "A-C"], 2, nothing) == ("A-B", "A-C")


def test_room_is_counted_in_instruments_not_in_views() -> None:
    check_room(["A-B", "A-B", "A-C"], "A-C", 2)
    with pytest.raises(CallRefusedError, match="at most 2; open another stream") as error:
        check_room(["A-B", "A-C"], "A-D", 2)
    assert error.value.code is RefusalCode.OVER_LIMIT


def test_a_bbo_has_no_depth_beyond_its_one_level() -> None:
    assert check_view_depth(ViewKind.BBO, 0, 10) == check_view_depth(ViewKind.BBO, 1, 10)
    assert check_view_depth(ViewKind.BOOK, 0, 10) == 10
    with pytest.raises(CallRefusedError, match="depth 2 of a BBO, which is one level a side"):
        check_view_depth(ViewKind.BBO, 2, 10)
