"""Orders in Bitstamp's words: what replies and channels mean for an order."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_venues.bitstamp.orders import (
    account_state,
    events_of,
    order_form,
    order_path,
    outcome_of_refusal,
    read_message,
    read_placed,
    read_refusal,
    read_transactions,
    report_of,
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
    "c-1", "BTC-USD", "btcusd", OrderSide.SELL, Decimal("1E+2"), Decimal("0.00000001"), 0
)
TS = "2026-09-21 14:13:20.123456"
TS_NS = 1_790_000_000_123_456_000


def told(channel: str, event: str, **data: Any) -> list[object]:
    frame = {"channel": f"private-{channel}_btcusd-77", "event": event, "data": data}
    return list(events_of(read_message(json.dumps(frame).encode()), {"btcusd": "USD"}))


def test_numbers_are_plain_decimal_text() -> None:
    assert order_path(CHILD) == "/api/v2/sell/btcusd/"
    assert order_form(CHILD) == {
        "amount": "100",
        "price": "0.00000001",
        "client_order_id": "c-1",
        "ioc_order": "True",
    }


def test_a_trade() -> None:
    trade = {
        "id": 9,
        "order_id": 7,
        "client_order_id": "c-1",
        "amount": "0.10000000",
        "price": "50000.1",
        "fee": "15.00",
        "side": "sell",
        "microtimestamp": "1790000000123456",
    }
    fill = ChildFill(
        "c-1", "btcusd", "9", Decimal("50000.1"), Decimal("0.1"), Decimal(15), "USD", TS_NS
    )
    assert told("my_trades", "trade", **trade) == [fill]


@pytest.mark.parametrize(
    ("event", "left", "events"),
    [
        ("order_created", "0.5", [ChildAccepted("c-1", "7")]),
        ("order_changed", "0.2", []),
        ("order_deleted", "0.2", [ChildClosed("c-1", Decimal("0.3"), "cancelled")]),
        ("order_deleted", "0.0", [ChildClosed("c-1", Decimal("0.5"), "filled")]),
    ],
)
def test_orders(event: str, left: str, events: list[object]) -> None:
    order = {"id_str": "7", "amount_str": left, "amount_at_create": "0.5"}
    assert told("my_orders", event, client_order_id="c-1", **order) == events
    with pytest.raises(FrameError):
        told("my_orders", event, id_str="7")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "400.009", ChildRefused),
        (400, "400.002", ChildRefused),
        (403, "API0017", ChildRefused),
        (200, "400.020", ChildRefused),
        (400, "400.019", ChildUnresolved),
        (500, "500.001", ChildUnresolved),
        (504, "504.001", ChildUnresolved),
        (200, "500.001", ChildUnresolved),
        (503, "400.009", ChildUnresolved),
    ],
)
def test_a_refusal_is_one_only_where_it_leaves_no_doubt(status: int, code: str, kind: type) -> None:
    name = "code" if code.startswith("API") else "response_code"
    body = json.dumps({"status": "error", "reason": {"__all__": ["No."]}, name: code})
    refusal = read_refusal(body.encode())
    assert refusal is not None
    assert type(outcome_of_refusal(CHILD, status, refusal)) is kind


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"id":"7"}', b'{"status":"Open"}'])
def test_what_is_no_refusal(body: bytes) -> None:
    assert read_refusal(body) is None


def test_the_status_of_an_order() -> None:
    trade = {"tid": 9, "price": "50000.10", "btc": "0.1", "usd": "1", "fee": "15", "datetime": TS}
    status = {
        "id": 7,
        "status": "Canceled",
        "amount_remaining": "99.9",
        "transactions": [{**trade, "type": 2}],
    }
    report = report_of(CHILD, json.dumps(status).encode())
    assert (report.known, report.open, report.filled) == (True, False, Decimal("0.1"))
    (fill,) = report.fills
    assert (fill.trade_id, fill.amount, fill.fee_asset, fill.ts_event) == (
        "9",
        Decimal("0.1"),
        "USD",
        TS_NS,
    )
    del status["transactions"][0]["btc"]  # type: ignore[index]
    with pytest.raises(FrameError, match="no btc in a transaction"):
        report_of(CHILD, json.dumps(status).encode())
    assert read_placed(b'{"id":"7"}') == read_placed(b'{"id":7}') == "7"


def test_transactions_that_are_trades_of_the_market() -> None:
    trade = {
        "id": 9,
        "order_id": 7,
        "datetime": TS,
        "type": "2",
        "fee": "15",
        "btc": "-0.1",
        "usd": "5000.01",
        "btc_usd": "50000.1",
    }
    deposit = {"id": 8, "datetime": TS, "type": "0", "fee": "0", "btc": "1", "usd": 0}
    found, count = read_transactions("btcusd", json.dumps([trade, deposit]).encode())
    assert count == 2
    (one,) = found
    assert (one.id, one.order_id, one.amount, one.quote) == ("9", "7", Decimal("0.1"), "USD")
    assert read_transactions("ethusd", json.dumps([trade]).encode()) == ([], 1)


def test_the_account() -> None:
    balances = [{"currency": "btc", "available": "0.5"}, {"currency": "usd", "available": "0.0"}]
    fees = [{"market": "btcusd", "fees": {"maker": "0.3", "taker": "0.4000"}}]
    state = account_state(json.dumps(balances).encode(), json.dumps(fees).encode())
    assert state.balances == {"BTC": Decimal("0.5")}
    assert state.taker_fees == {"btcusd": Decimal("0.004"), "": Decimal("0.004")}
