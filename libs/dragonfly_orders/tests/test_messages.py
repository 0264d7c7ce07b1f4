"""Messages of the order channel: to bytes and back, and what is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    Command,
    FrontEndHello,
    Liquidate,
    Twap,
    decode_from_engine,
    decode_from_front_end,
    encode,
)

ORDER = Liquidate(
    "a-1", "ETH-BTC", OrderSide.SELL, Decimal("120.10"), Twap(end_ns=10), limit=Decimal("0.0520")
)


def test_money_comes_back_digit_by_digit() -> None:
    command = Command("01J", "alice", ORDER)
    again = decode_from_front_end(encode(command))
    assert again == command
    assert isinstance(again, Command)
    assert isinstance(again.body, Liquidate)
    assert (str(again.body.quantity), str(again.body.limit)) == ("120.10", "0.0520")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", encode(FrontEndHello("")), encode(FrontEndHello("two words")), b"\x93" * 5000],
)
def test_what_means_nothing_is_one_error(payload: bytes) -> None:
    with pytest.raises(DecodeError, match="bad_order_message"):
        decode_from_front_end(payload)


def test_each_end_reads_what_the_other_one_says() -> None:
    with pytest.raises(DecodeError):
        decode_from_engine(encode(FrontEndHello("gateway")))
