"""Orders in Binance's words: what replies and events mean for an order."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_venues.binance.orders import (
    account_state,
    commission,
    event_of,
    order_params,
    outcome_of_refusal,
    outcome_of_reply,
    read_message,
)
from dragonfly_venues.events import FrameError
from dragonfly_venues.orders import (
    ChildAccepted,
    ChildClosed,
    ChildFill,
    ChildOrder,
    ChildRefused,
    ChildUnresolved,
)

CHILD = ChildOrder(
    "df-1", "BTC-USDT", "btcusdt", OrderSide.SELL, Decimal("1E+2"), Decimal("0.00000001"), 0
)


def report(**changes: Any) -> bytes:
    told = {
        "e": "executionReport",
        "s": "BTCUSDT",
        "c": "df-1",
        "C": "",
        "x": "TRADE",
        "X": "PARTIALLY_FILLED",
        "i": 7,
        "l": "0.10000000",
        "L": "50000.10",
        "z": "0.10000000",
        "n": "0.00010000",
        "N": "BNB",
        "t": 99,
        "T": 1_790_000_000_000,
        "r": "NONE",
    }
    return json.dumps({**told, **changes}).encode()


def test_numbers_are_plain_decimal_text() -> None:
    params = order_params(CHILD)
    assert (params["quantity"], params["price"]) == ("100", "0.00000001")
    assert (params["symbol"], params["side"], params["timeInForce"]) == ("BTCUSDT", "SELL", "IOC")


def test_a_trade() -> None:
    fill = ChildFill(
        "df-1",
        "btcusdt",
        "99",
        Decimal("50000.10"),
        Decimal("0.1"),
        Decimal("0.0001"),
        "BNB",
        1_790_000_000_000_000_000,
    )
    assert event_of(report()) == ("executionReport", [fill])
    closed = ChildClosed("df-1", Decimal("0.1"), "FILLED")
    assert event_of(report(X="FILLED"))[1] == [fill, closed]


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        ({"x": "NEW", "X": "NEW", "N": None, "t": -1}, ChildAccepted("df-1", "7")),
        (
            {"x": "EXPIRED", "X": "EXPIRED", "eR": "UNFILLED_IOC_QUANTITY_EXPIRED"},
            ChildClosed("df-1", Decimal("0.1"), "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ),
        (
            {"x": "CANCELED", "X": "CANCELED", "c": "web_1", "C": "df-1"},
            ChildClosed("df-1", Decimal("0.1"), "CANCELED"),
        ),
        (
            {"x": "REJECTED", "X": "REJECTED", "z": "0", "r": "INSUFFICIENT_BALANCES"},
            ChildClosed("df-1", Decimal(0), "INSUFFICIENT_BALANCES"),
        ),
        (
            {"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH"},
            ChildClosed("df-1", Decimal("0.1"), "EXPIRED_IN_MATCH"),
        ),
    ],
)
def test_other_reports(changes: dict[str, Any], event: object) -> None:
    assert event_of(report(**changes))[1] == [event]


def test_other_events_say_nothing_of_orders() -> None:
    assert event_of(b'{"e":"outboundAccountPosition","B":[]}') == ("outboundAccountPosition", ())
    with pytest.raises(FrameError):
        event_of(b'{"e":"executionReport"}')


def test_a_reply_that_is_an_acknowledgement_alone_leaves_the_order_open() -> None:
    told = outcome_of_reply(CHILD, b'{"orderId":7,"transactTime":1}')
    assert told == [ChildAccepted("df-1", "7")]


@pytest.mark.parametrize(
    ("status", "code", "text", "kind"),
    [
        (400, -2010, "Account has insufficient balance for requested action.", ChildRefused),
        (400, -1013, "Filter failure: LOT_SIZE", ChildRefused),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", ChildRefused),
        (429, -1003, "Too many requests.", ChildRefused),
        (418, -1003, "Way too much request weight used.", ChildRefused),
        (400, -2010, "Duplicate order sent.", ChildUnresolved),
        (400, -1006, "An unexpected response was received.", ChildUnresolved),
        (504, -1007, "Timeout waiting for response from backend server.", ChildUnresolved),
        (400, -1007, "Timeout waiting for response from backend server.", ChildUnresolved),
        (500, -1000, "An unknown error occurred.", ChildUnresolved),
        (503, -2010, "whatever", ChildUnresolved),
        (0, -2010, "no status", ChildUnresolved),
    ],
)
def test_a_refusal_is_one_only_where_it_leaves_no_doubt(
    status: int, code: int, text: str, kind: type
) -> None:
    error = {"code": code, "msg": text}
    message = read_message(json.dumps({"id": 1, "status": status, "error": error}).encode())
    assert message.error is not None
    assert type(outcome_of_refusal(CHILD, message.status, message.error)) is kind


def test_how_long_to_wait() -> None:
    data = {"serverTime": 1000, "retryAfter": 3500}
    told = {"id": 1, "status": 418, "error": {"code": -1003, "msg": "", "data": data}}
    refusal = read_message(json.dumps(told).encode()).error
    assert refusal is not None
    assert (refusal.wait_s(418), refusal.wait_s(400)) == (2.5, 0.0)
    refusal.data = None
    assert (refusal.wait_s(429), refusal.wait_s(418)) == (60.0, 120.0)


def test_fees_of_a_side_are_added() -> None:
    rates = {"taker": "0.001", "maker": "0", "buyer": "0.0002", "seller": "0"}
    told = {"balances": [{"asset": "BTC", "free": "0.5"}], "commissionRates": rates}
    state = account_state(json.dumps(told).encode(), {"ethbtc": Decimal("0.002")})
    assert state.balances == {"BTC": Decimal("0.5")}
    assert state.taker_fees == {"": Decimal("0.0012"), "ethbtc": Decimal("0.002")}


def test_the_commission_of_a_symbol_is_the_sum_of_its_kinds() -> None:
    none = dict.fromkeys(("maker", "taker", "buyer", "seller"), "0.00000000")
    told = {
        "symbol": "BTCUSDT",
        "standardCommission": {**none, "taker": "0.00100000", "seller": "0.00010000"},
        "specialCommission": {**none, "taker": "0.00020000"},
        "taxCommission": {**none, "buyer": "0.00003000"},
        "discount": {"enabledForAccount": True, "discount": "0.75000000"},
    }
    assert commission(json.dumps(told).encode()) == Decimal("0.00133")
