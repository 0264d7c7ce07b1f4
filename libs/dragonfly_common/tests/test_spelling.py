from __future__ import annotations

import pytest
from dragonfly_common.errors import InstrumentError
from dragonfly_common.spelling import LONGEST_NAME, did_you_mean, meant
from dragonfly_common.types import normalise_instrument
from hypothesis import given
from hypothesis import strategies as st

LISTED = {"BTC-USD", "ETH-BTC", "DOGE-EUR", "BTC-USDT", "USDC-USDT", "ABC-D", "AB-CD"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("XBT-USD", "BTC-USD"),
        ("xbt/usd", "BTC-USD"),
        ("XDG-EUR", "DOGE-EUR"),
        ("eth-btc", "ETH-BTC"),
        ("ETH/BTC", "ETH-BTC"),
        ("eth_xbt", "ETH-BTC"),
        ("ETH:BTC", "ETH-BTC"),
        (" ETH BTC\n", "ETH-BTC"),
        ("ETHBTC", "ETH-BTC"),
        ("btcusdt", "BTC-USDT"),
        ("XXBTZUSD", "BTC-USD"),
        ("XETHXXBT", "ETH-BTC"),
        # Two are listed that it may be.
        ("ABCD", None),
        # Not listed, already right, or nothing at all.
        ("XMR-USD", None),
        ("ETH-BTC", None),
        ("USD-BTC", None),
        ("BTC-USD-PERP", None),
        ("", None),
        ("-", None),
    ],
)
def test_another_spelling_means_what_is_listed(text: str, name: str | None) -> None:
    assert meant(text, LISTED.__contains__) == name
    assert did_you_mean(text, LISTED.__contains__, "look") == (
        ": look" if name is None else f": did you mean {name}?"
    )


@given(st.text())
def test_only_what_is_listed_is_suggested_and_little_is_looked_up(text: str) -> None:
    asked: list[str] = []

    def lists(name: str) -> bool:
        asked.append(name)
        return True

    name = meant(text, lists)
    assert name is None or name in asked
    assert len(asked) < 9 * LONGEST_NAME


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("eth/eur", "ETH-EUR"),
        ("XBT_USD", "BTC-USD"),
        ("SOLUSDT", "SOL-USDT"),
        ("XXBTZUSD", "BTC-USD"),
        ("USD", "ETH-BTC"),
        ("nonsense", "ETH-BTC"),
    ],
)
def test_what_is_no_name_is_refused_with_the_one_it_may_be(text: str, example: str) -> None:
    with pytest.raises(InstrumentError, match=f"write BASE-QUOTE, for example {example}$"):
        normalise_instrument(text)
