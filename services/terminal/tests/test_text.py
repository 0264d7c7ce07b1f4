from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal.text import (
    amount_text,
    basis_points,
    decimals_of,
    duration_text,
    price_text,
    share_text,
    wrapped,
)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 µs"),
        (812_400, "812 µs"),
        (999_600, "1.00 ms"),
        (1_240_000, "1.24 ms"),
        (86_000_000, "86 ms"),
        (999_600_000, "1.0 s"),
        (3_100_000_000, "3.1 s"),
        (720_000_000_000, "12 min"),
        (7_200_000_000_000, "2 h"),
        (-500_000, "-500 µs"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


@given(st.integers(0, 10**15))
def test_a_duration_fits_its_column(nanoseconds: int) -> None:
    assert len(duration_text(nanoseconds)) <= 7


@pytest.mark.parametrize(
    ("prices", "decimals"),
    [((0.07, 0.07001234), 8), ((65000.0,), 2), ((65000.125,), 3), ((1e-12,), 10), ((), 2)],
)
def test_decimals(prices: tuple[float, ...], decimals: int) -> None:
    assert decimals_of(prices) == decimals


@given(st.decimals("0.00000001", "99999", places=8))
def test_a_price_is_written_in_full(price: object) -> None:
    value = float(str(price))
    assert float(price_text(value, decimals_of([value])).replace(",", "")) == value


@given(st.floats(1e-8, 1e8))
def test_an_amount_fits_its_column(amount: float) -> None:
    assert len(amount_text(amount)) <= 11


def test_a_share_short_of_the_whole_never_looks_whole() -> None:
    assert [share_text(share) for share in (1.0, 0.999999, 0.5, 0.0)] == [
        "100.00 %",
        "99.99 %",
        "50.00 %",
        "0.00 %",
    ]


def test_basis_points() -> None:
    assert basis_points(0.5, 100.0) == 50
    assert basis_points(0.5, None) is None


@given(st.floats(min_value=0, max_value=1e12), st.integers(6, 9))
def test_an_amount_is_rounded_where_there_is_less_room(amount: float, most: int) -> None:
    text = amount_text(amount, most)
    assert len(text) <= most
    assert (float(text.replace(",", "")) == 0) is (amount == 0)


def test_a_line_is_wrapped_between_words_where_there_is_a_width() -> None:
    line = "kraken  DOWN  no answer within 5.0000000001 s"
    assert wrapped(line, None) == wrapped(line, len(line)) == [line]
    assert wrapped(line, 30) == ["kraken  DOWN  no answer within", "    5.0000000001 s"]
    assert wrapped(line, 9)[-2:] == ["    5.0000000001", "    s"]
