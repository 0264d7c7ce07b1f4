"""Any venue's list: odd entries are counted, numbers exact, an instrument is one market."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from dragonfly_common.types import is_instrument
from dragonfly_venues.binance import Binance
from dragonfly_venues.bitstamp import Bitstamp
from dragonfly_venues.events import FrameError, Trading
from dragonfly_venues.instruments import Markets, Number, increment, plain_decimal
from dragonfly_venues.kraken import Kraken
from dragonfly_venues.kucoin import Kucoin
from dragonfly_venues.okx import Okx
from dragonfly_venues.venue import Market, Venue
from hypothesis import given
from hypothesis import strategies as st

HALTED = Trading(halted=True, word="BREAK")

# A sound entry of BTC-USD, and what is around a list of them.
LISTS: list[tuple[Venue, dict[str, object], str]] = [
    (
        Binance(),
        {"symbol": "BTCUSD", "baseAsset": "BTC", "quoteAsset": "USD", "status": "TRADING"},
        '{"symbols": %s}',
    ),
    (Bitstamp(), {"name": "BTC/USD", "url_symbol": "btcusd", "trading": "Enabled"}, "%s"),
    (
        Kraken(),
        {"symbol": "BTC/USD", "status": "online"},
        '{"channel": "instrument", "type": "snapshot", "data": {"pairs": %s}}',
    ),
    (
        Kucoin(),
        {
            "symbol": "BTC-USD",
            "baseCurrency": "BTC",
            "quoteCurrency": "USD",
            "enableTrading": True,
        },
        '{"code": "200000", "data": %s}',
    ),
    (
        Okx(),
        {"instId": "BTC-USD", "baseCcy": "BTC", "quoteCcy": "USD", "state": "live"},
        '{"code": "0", "data": %s}',
    ),
]
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.01000000", "0.01"),
        ("1.00000000", "1"),
        ("100", "100"),
        (100, "100"),
        (1e-08, "0.00000001"),
        ("1E-8", "0.00000001"),
        ("1e3", "1000"),
        (0.1, "0.1"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
        ("0.00000000", None),
        (0, None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_is_plain_decimal_text(number: Number, text: str | None) -> None:
    assert plain_decimal(number) == text


@pytest.mark.parametrize(
    "number",
    [
        "-1",
        -0.5,
        "NaN",
        "Infinity",
        "1e999",
        "1_0",
        "\u0661",
        "0x1",
        " 1",
        "1 USD",
        "9" * 61,
        "1e-59",
    ],
)
def test_what_is_no_positive_number_is_counted(number: Number) -> None:
    with pytest.raises(ValueError, match="is not a positive number"):
        plain_decimal(number)
    markets = Markets()
    markets.add("BTC-USD", "btcusd", tick=number, lot="0.1")
    assert markets == {"BTC-USD": Market("btcusd", lot="0.1")}
    assert (markets.bad_numbers, markets.left_out.total()) == (1, 0)


@given(st.decimals(min_value=0, max_value=10**12, places=18) | st.floats(0, 1e12))
def test_a_number_stays_exactly_what_it_was(value: Decimal | float) -> None:
    given_as: Number = value if isinstance(value, float) else str(value)
    try:
        text = plain_decimal(given_as)
    except ValueError:  # a float of many places, such as 1e-200
        assert float(value) < 1e-10
        return
    assert Decimal(text or "0") == Decimal(str(value))
    assert text is None or (text == plain_decimal(text) and not {*text} - {*"0123456789."})


@given(st.text() | st.integers() | st.floats() | st.none())
def test_any_number_is_read_or_refused(number: Number) -> None:
    try:
        text = plain_decimal(number)
    except ValueError:
        return
    assert text is None or Decimal(text) > 0


@pytest.mark.parametrize(("decimals", "text"), [(0, "1"), (2, "0.01"), (8, "0.00000001")])
def test_decimals_are_an_increment(decimals: int, text: str) -> None:
    assert plain_decimal(increment(decimals)) == text
    assert plain_decimal(increment(str(decimals))) == text


def test_decimals_that_are_none_are_no_increment() -> None:
    assert increment(None) is None
    for odd in (-1, 2.5, "two", 1000):
        with pytest.raises(ValueError, match="is not a positive number"):
            plain_decimal(increment(odd))


def test_of_two_markets_of_an_instrument_the_first_that_can_be_traded_stands() -> None:
    markets = Markets()
    markets.add("sick-btc", "sick1", HALTED)
    markets.add("SICK-BTC", "sick2")
    markets.add("SICK-BTC", "sick3")
    markets.add("SICK-BTC-2", "leveraged")
    markets.add("NONE-BTC", "")
    assert markets == {"SICK-BTC": Market("sick2")}
    assert markets.left_out == {"twin": 2, "unnamed": 2}


@given(
    st.lists(st.tuples(st.sampled_from(("A-B", "a-b", "C-D", "?")), st.text("xyz"), st.booleans()))
)
def test_an_instrument_is_one_market_and_none_is_lost_uncounted(
    entries: list[tuple[str, str, bool]],
) -> None:
    markets = Markets()
    for name, symbol, halted in entries:
        markets.add(name, symbol, Trading(halted=halted))
    assert all(map(is_instrument, markets))
    assert len(markets) + markets.left_out.total() == len(entries)
    tradable = {name.upper() for name, symbol, halted in entries if symbol and not halted} - {"?"}
    assert tradable == {name for name, market in markets.items() if not market.trading.halted}


@pytest.mark.parametrize(("venue", "entry", "around"), LISTS, ids=lambda case: str(case)[:20])
@given(odd=st.lists(ANY_JSON, max_size=4), at=st.integers(0, 4))
def test_odd_entries_spoil_no_others(
    venue: Venue, entry: dict[str, object], around: str, odd: list[Any], at: int
) -> None:
    entries = [*odd[:at], entry, *odd[at:]]
    markets = venue.instruments.parse((around % json.dumps(entries)).encode())
    assert isinstance(markets, Markets)
    assert [*markets] == ["BTC-USD"]
    assert markets.left_out == ({"malformed": len(odd)} if odd else {})


@pytest.mark.parametrize(("venue", "entry", "around"), LISTS, ids=lambda case: str(case)[:20])
@given(reply=ANY_JSON)
def test_what_is_no_list_is_refused(
    venue: Venue, entry: dict[str, object], around: str, reply: Any
) -> None:
    try:
        assert not venue.instruments.parse(msgspec.json.encode(reply))
    except FrameError as error:
        if error.reason != "not_instruments":
            raise
