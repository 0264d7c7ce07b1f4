"""What somebody takes for one market is written in one way, and what is not says so."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from dragonfly_common.equivalence import (
    MOST_TERMS,
    Equivalence,
    Equivalences,
    Term,
    is_market,
    normalise_market,
    parse_equivalence,
)
from dragonfly_common.errors import ExitCode, InstrumentError
from hypothesis import given
from hypothesis import strategies as st

assets = st.from_regex(r"[A-Z0-9]{1,8}", fullmatch=True)
numbers = st.decimals("0.00000001", 10**9, places=8)
units = st.sampled_from(["1000", "1000000", "0.01", "8", "0.5"]).map(Decimal)


@st.composite
def equivalences(draw: st.DrawFn) -> str:
    base, quote = draw(assets), draw(assets)
    others = st.lists(st.tuples(assets, assets), min_size=1, max_size=2, unique=True)
    text = f"{base}-{quote}"
    for own_base, own_quote in draw(others):
        if (own_base, own_quote) == (base, quote):
            continue
        factor = draw(numbers)
        scaled = f"/{draw(units)}" if draw(st.booleans()) else ""
        converted = f"*{own_quote}-{quote}" if draw(st.booleans()) else ""
        text += f"+{own_base}-{own_quote}{scaled}@{factor:f}{converted}"
    return text


@given(equivalences())
def test_what_is_written_reads_back(written: str) -> None:
    name = normalise_market(written)
    assert is_market(name)
    assert normalise_market(name) == normalise_market(name.lower()) == name
    if "+" in name:
        again = parse_equivalence(name)
        assert all(term.scale > 0 for term in again.terms)
        assert again.terms == parse_equivalence(written).terms
        assert str(again) == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("btc-usd", "BTC-USD"),
        (" btc-usd+btc-usdt*usdt-usd\n", "BTC-USD+BTC-USDT*USDT-USD"),
        ("BTC-USD+BTC-USDT@1.00", "BTC-USD+BTC-USDT@1"),
        ("BTC-USD+BTC-USDC@100+BTC-USDT@0.50", "BTC-USD+BTC-USDC@100+BTC-USDT@0.5"),
        ("SHIB-USD+1000SHIB-USD/1000", "SHIB-USD+1000SHIB-USD/1000"),
        (
            "SHIB-USD+1000SHIB-USDT/1000.0*USDT-USD",
            "SHIB-USD+1000SHIB-USDT/1000*USDT-USD",
        ),
        ("BTC-USD+WBTC-USDT@1*USDT-USD", "BTC-USD+WBTC-USDT@1*USDT-USD"),
        ("BTC-USD+BTC.P-USD/0.01@0.01", "BTC-USD+BTC.P-USD/0.01@0.01"),
    ],
)
def test_a_name_is_normalised(written: str, meant: str) -> None:
    assert normalise_market(written) == meant
    assert is_market(meant)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("BTC-USD+", "'' is no term: write BASE-QUOTE"),
        ("+BTC-USD", "'' is no term"),
        ("BTC-USD+BTC/USDT", "'BTC/USDT' is no term"),
        ("BTC-USD+BTC-USDT*USDT", r"'BTC-USDT\*USDT' is no term"),
        ("BTC-USD+BTC-USDT*USDT-USD@1", "is no term"),
        ("BTC-USD+BTC-USDT@-1", "is no term"),
        ("BTC-USD+BTC-USDT@1e3", "is no term"),
        ("BTC-USD+BTC-USDT@\N{ARABIC-INDIC DIGIT ONE}", "is no term"),
        ("BTC-USD+BTC-USDT@0.0", "write a number above 0"),
        ("SHIB-USD+1000SHIB-USD/3", "1/3 has no end in decimal: write units whose reciprocal"),
        ("BTC-USD@1+BTC-USDT@1", "the first is converted by nothing: write BTC-USD"),
        ("BTC-USD+BTC-USDT", r"write BTC-USDT\*USDT-USD to convert by that book, or BTC-USDT@1"),
        ("BTC-USD+BTC-USDT*USDC-USD", r"USDC-USD does not convert BTC-USDT to USD: write BTC-USDT"),
        ("BTC-USD+WBTC-USD", "WBTC-USD is not of BTC: write WBTC-USD/1000 if one is 1000 BTC, or"),
        ("BTC-USD+WBTC-USDT*USDT-USD", "WBTC-USDT is not of BTC"),
        ("BTC-USD+BTC-USD", "BTC-USD is in it twice: name each instrument once"),
        ("BTC-USD+BTC-USDT@1+BTC-USDT*USDT-USD", "BTC-USDT is in it twice"),
        ("A-B" + "+A-C@1" * MOST_TERMS, f"write 2 to {MOST_TERMS} instruments joined by"),
        ("A-B+" + "0" * 260, "it has 264 characters, 255 are allowed"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_one_sentence(written: str, rule: str) -> None:
    with pytest.raises(InstrumentError, match=rule) as caught:
        normalise_market(written)
    assert str(caught.value).startswith(f"{written[:60]!r} is not an equivalence: ")
    assert caught.value.exit_code is ExitCode.USAGE
    assert not is_market(written)


@given(st.text("ABD-+*/@.01 \n", max_size=60))
def test_whatever_is_accepted_is_normal(written: str) -> None:
    try:
        name = normalise_market(written)
    except InstrumentError:
        return
    assert is_market(name)
    assert normalise_market(name) == name


def test_a_term_says_how_it_is_converted() -> None:
    market = parse_equivalence("SHIB-USD+1000SHIB-USDT/1000@0.5*USDT-USD+SHIB-USDT*USDT-USD")
    assert market.terms == (
        Term("SHIB-USD"),
        Term("1000SHIB-USDT", Decimal(1000), Decimal("0.5"), "USDT-USD"),
        Term("SHIB-USDT", None, None, "USDT-USD"),
    )
    assert [term.scale for term in market.terms] == [1, Decimal("0.0005"), 1]
    assert market.conversions == ("USDT-USD",)
    assert market.instruments == ("SHIB-USD", "1000SHIB-USDT", "SHIB-USDT", "USDT-USD")


def test_the_longest_numbers_are_exact_too() -> None:
    units, factor = f"{2**79}", "999999999999.999999999999"
    _, term = parse_equivalence(f"A-B+C-B/{units[:12]}.{units[12:]}@{factor}").terms
    assert Fraction(term.scale) == Fraction(factor) / Fraction(2**79, 10**12)


def test_a_market_may_have_a_name_in_the_configuration() -> None:
    markets = Equivalences(["btc-anyusd=btc-usd+btc-usdt*usdt-usd", "A-B=A-C+A-D@1"])
    assert list(markets) == ["BTC-ANYUSD=BTC-USD+BTC-USDT*USDT-USD", "A-B=A-C+A-D@1"]
    assert str(markets.of("BTC-ANYUSD")) == "BTC-USD+BTC-USDT*USDT-USD"
    assert str(markets.of("BTC-USD+BTC-USDC@1")) == "BTC-USD+BTC-USDC@1"
    assert markets.of("BTC-USD").terms == Equivalence([Term("BTC-USD")]).terms
    asked = ["BTC-ANYUSD", "BTC-USD", "ETH-BTC"]
    assert markets.instruments(asked) == ("BTC-USD", "BTC-USDT", "USDT-USD", "ETH-BTC")


@pytest.mark.parametrize(
    ("declaration", "sentence"),
    [
        ("BTC-ANYUSD", "'BTC-ANYUSD' declares nothing: write NAME=EQUIVALENCE, for example"),
        ("ANYUSD=BTC-USD+BTC-USDT@1", "'ANYUSD' is not an instrument: write BASE-QUOTE"),
        ("BTC-ANYUSD=BTC-USD", "'BTC-USD' is not an equivalence: write 2 to 8 instruments"),
    ],
)
def test_a_declaration_that_declares_nothing_is_refused(declaration: str, sentence: str) -> None:
    with pytest.raises(InstrumentError, match=sentence):
        Equivalences([declaration])
