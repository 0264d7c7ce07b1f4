"""Orders in Kraken's words: what replies, executions and REST mean for an order."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_venues.decoding.frames import write
from dragonfly_venues.events import FrameError
from dragonfly_venues.kraken.orders import (
    account_state,
    events_of,
    is_of,
    limit_of,
    order_params,
    outcome,
    read_message,
    symbol_of_rest,
)
from dragonfly_venues.orders import (
    ChildAccepted,
    ChildClosed,
    ChildFill,
    ChildOrder,
    ChildRefused,
    ChildUnresolved,
)

CHILD = ChildOrder(
    "c-1", "BTC-USD", "BTC/USD", OrderSide.SELL, Decimal("1E+2"), Decimal("0.00000001"), 0
)


def execution(**changes: Any) -> bytes:
    told = {
        "exec_type": "trade",
        "order_id": "OABCDE-12345-FGHIJK",
        "cl_ord_id": "c-1",
        "symbol": "BTC/USD",
        "order_status": "partially_filled",
        "cum_qty": 0.3,
        "exec_id": "TABCDE-12345-FGHIJK",
        "last_qty": 0.1,
        "last_price": 50000.1,
        "fees": [{"asset": "USD", "qty": 13.00003}],
        "timestamp": "2026-09-21T00:00:00.123456789Z",
    }
    return json.dumps([{**told, **changes}]).encode()


def test_numbers_are_plain_decimals_without_quotes() -> None:
    text = write({"params": order_params(CHILD, 1_790_000_000_123_000_000)})
    assert '"order_qty":100,' in text
    assert '"limit_price":0.00000001,' in text
    assert '"deadline":"2026-09-21T14:13:20.123Z"' in text


def test_a_trade_is_a_fill_and_closes_nothing() -> None:
    (fill,) = events_of(execution())
    assert isinstance(fill, ChildFill)
    assert (fill.trade_id, fill.price, fill.amount, fill.fee, fill.fee_asset) == (
        "TABCDE-12345-FGHIJK",
        Decimal("50000.1"),
        Decimal("0.1"),
        Decimal("13.00003"),
        "USD",
    )
    assert fill.ts_event == 1_789_948_800_123_457_000


@pytest.mark.parametrize(
    ("changes", "events"),
    [
        ({"exec_type": "pending_new"}, []),
        ({"exec_type": "status"}, []),
        ({"exec_type": "new"}, [ChildAccepted("c-1", "OABCDE-12345-FGHIJK")]),
        ({"exec_type": "filled"}, [ChildClosed("c-1", Decimal("0.3"), "filled")]),
        (
            {"exec_type": "canceled", "reason": "Immediate or cancel"},
            [ChildClosed("c-1", Decimal("0.3"), "Immediate or cancel")],
        ),
        ({"exec_type": "expired"}, [ChildClosed("c-1", Decimal("0.3"), "expired")]),
    ],
)
def test_other_executions(changes: dict[str, Any], events: list[object]) -> None:
    assert events_of(execution(**changes)) == events


def test_what_is_no_execution_is_an_error() -> None:
    with pytest.raises(FrameError):
        events_of(b'[{"order_id":"O"}]')


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EOrder:Insufficient funds", ChildRefused),
        ("EOrder:Rate limit exceeded", ChildRefused),
        ("EGeneral:Invalid arguments:volume", ChildRefused),
        ("EService:Deadline elapsed", ChildRefused),
        ("EService:Market in cancel_only mode", ChildRefused),
        ("ESession:Invalid session", ChildRefused),
        ("EOrder:Duplicate client order id", ChildUnresolved),
        ("EService:Unavailable", ChildUnresolved),
        ("EService:Busy", ChildUnresolved),
        ("EService:Timeout", ChildUnresolved),
        ("EGeneral:Internal error", ChildUnresolved),
        ("something new", ChildUnresolved),
        (None, ChildUnresolved),
    ],
)
def test_an_error_is_a_refusal_only_where_it_leaves_no_doubt(error: str | None, kind: type) -> None:
    told = {"method": "add_order", "req_id": 1, "success": False, "error": error}
    assert type(outcome(CHILD, read_message(json.dumps(told).encode()))) is kind


def test_how_long_to_wait() -> None:
    assert limit_of("EGeneral:Temporary lockout") == 900
    assert limit_of("EAPI:Rate limit exceeded") == 10
    assert limit_of("EOrder:Insufficient funds") == 0


@pytest.mark.parametrize(
    ("pair", "symbol", "same"),
    [
        ("XXBTZUSD", "BTC/USD", True),
        ("XBTUSD", "BTC/USD", True),
        ("XETHXXBT", "ETH/BTC", True),
        ("ADAUSD", "ADA/USD", True),
        ("XDGUSD", "DOGE/USD", True),
        ("XXBTZEUR", "BTC/USD", False),
        ("XETHZUSD", "BTC/USD", False),
    ],
)
def test_pairs_by_their_other_names(pair: str, symbol: str, *, same: bool) -> None:
    assert is_of(pair, symbol) is same


def test_the_account() -> None:
    balances = {
        "XXBT": {"balance": "2.5", "hold_trade": "0.5"},
        "ZUSD": {"balance": "10", "hold_trade": "0"},
        "ZETA": {"balance": "7", "hold_trade": "0"},
        "SOL": {"balance": "0", "hold_trade": "0"},
    }
    volume = {"fees": {"XXBTZUSD": {"fee": "0.2600"}, "XETHXXBT": {"fee": "0.2400"}}}
    state = account_state(
        json.dumps(balances).encode(), json.dumps(volume).encode(), ("BTC/USD", "ETH/BTC")
    )
    assert state.balances == {"BTC": Decimal(2), "USD": Decimal(10), "ZETA": Decimal(7)}
    assert state.taker_fees == {
        "BTC/USD": Decimal("0.0026"),
        "ETH/BTC": Decimal("0.0024"),
        "": Decimal("0.0026"),
    }
    assert symbol_of_rest("DOGE/BTC") == "XDGXBT"
