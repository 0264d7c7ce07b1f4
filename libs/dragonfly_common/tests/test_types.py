"""Instruments are named in one way, and what is not a name says so."""

from __future__ import annotations

import pytest
from dragonfly_common.errors import ExitCode, InstrumentError
from dragonfly_common.types import is_instrument, normalise_instrument
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ETH-BTC", "ETH-BTC"),
        ("eth-btc", "ETH-BTC"),
        (" btc-usd\n", "BTC-USD"),
        ("1inch-usdt", "1INCH-USDT"),
        ("dot.s-eur", "DOT.S-EUR"),
        ("币安人生-USDT", "币安人生-USDT"),
    ],
)
def test_a_name_is_normalised(written: str, meant: str) -> None:
    assert normalise_instrument(written) == meant
    assert is_instrument(meant)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "ETHBTC",
        "ETH/BTC",
        "ETH_BTC",
        "ETH-",
        "-BTC",
        "ETH--BTC",
        "ETH-BTC-USD",
        "E TH-BTC",
        ".ETH-BTC",
        "ETH-BTC\x00",
        "A" * 21 + "-BTC",
        "view.book.ETH-",
    ],
)
def test_what_is_no_name_is_refused_in_one_sentence(written: str) -> None:
    with pytest.raises(InstrumentError, match="write BASE-QUOTE, for example ETH-BTC") as caught:
        normalise_instrument(written)
    assert repr(written[:60]) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.USAGE
    assert not is_instrument(written)


def test_the_normal_form_is_upper_case() -> None:
    assert not is_instrument("eth-btc")


@given(st.text(max_size=50))
def test_whatever_is_accepted_is_normal(written: str) -> None:
    try:
        name = normalise_instrument(written)
    except InstrumentError:
        return
    assert is_instrument(name)
    assert normalise_instrument(name) == name
