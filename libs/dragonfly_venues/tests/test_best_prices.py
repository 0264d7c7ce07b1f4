"""Best prices with the letters that several venues share."""

from __future__ import annotations

import msgspec
import pytest
from dragonfly_venues.decoding.best_prices import BestPrices
from dragonfly_venues.events import Bbo, FrameError


def said(b: str, B: str, a: str, A: str) -> Bbo:  # noqa: N803 -- the venues' spelling
    text = msgspec.json.encode({"u": 7, "s": "x", "b": b, "B": B, "a": a, "A": A})
    return msgspec.json.decode(text, type=BestPrices).bbo("ethbtc")


def test_both_sides() -> None:
    assert said("0.0024", "10", "2.6e-3", "9") == Bbo("ethbtc", 7, (0.0024, 10.0), (0.0026, 9.0))


@pytest.mark.parametrize("nothing", ["", "0", "0.00000000"])
def test_a_side_may_be_empty(nothing: str) -> None:
    assert said(nothing, nothing, "3", "9") == Bbo("ethbtc", 7, None, (3.0, 9.0))
    assert said("2", "1", nothing, "0") == Bbo("ethbtc", 7, (2.0, 1.0), None)


@pytest.mark.parametrize(
    ("number", "reason"),
    [("x", "bad_shape"), ("nan", "bad_level"), ("-1", "bad_level"), ("inf", "bad_level")],
)
def test_what_is_no_number_is_refused(number: str, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        said(number, "1", "3", "9")
    assert refused.value.reason == reason
