"""Tables of fees, as text and as mappings."""

from decimal import Decimal

import pytest
from dragonfly_pricing.fees import FREE, FeeError, FeeTable, parse_fees


def test_a_table_is_read_from_one_text_or_several() -> None:
    table = parse_fees(["binance=10, kraken=26", "*=7.50"])
    assert table == FeeTable.of({"kraken": 26, "*": 7.5, "binance": "10"})
    assert table.of_venue("kraken") == 26
    assert table.of_venue("bitstamp") == Decimal("7.5")
    assert str(table) == "*=7.5,binance=10,kraken=26"
    assert parse_fees([str(table)]) == table


def test_who_is_not_named_has_no_fee() -> None:
    assert parse_fees(["binance=10"]).of_venue("kraken") is None
    assert FREE.of_venue("kraken") == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("binance", "'binance' is no fee: write VENUE=BASIS_POINTS"),
        ("", "'' is no fee"),
        ("binance=10,binance=11", "the fee of binance is given twice"),
        ("binance=ten", "the fee of binance is 'ten': give basis points, -100 to 1000"),
        ("binance=nan", "the fee of binance is 'nan'"),
        ("binance=1e9", "the fee of binance is '1e9'"),
        ("=10", "'' is no venue of a fee"),
        ("bin ance=10", "'bin ance' is no venue of a fee"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(FeeError, match=says.replace("*", r"\*")):
        parse_fees([text])


def test_a_truth_value_is_no_fee() -> None:
    with pytest.raises(FeeError, match="the fee of kraken is 'True'"):
        FeeTable.of({"kraken": True})
