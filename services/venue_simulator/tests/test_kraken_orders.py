"""Orders at Kraken: tokens and queries over REST, orders and `executions` over WebSocket v2."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from signed import KRAKEN_SECRET, now_ms, send, trading
from venue_client import Message, Wire, dial, eventually, last_state
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from venue_simulator.venues.kraken.orders import order_id, order_number
from venue_simulator.venues.kraken.private_rest import signature

Simulate = Callable[..., Awaitable[Simulator]]

_nonces = itertools.count(1_790_000_000_000)
_ids = itertools.count(1)


@pytest.fixture
async def simulator(simulate: Simulate) -> Simulator:
    return await simulate(venues=("kraken",), trading=trading())


async def rest(simulator: Simulator, method: str, **params: Any) -> Any:
    """Return what a private request got: its `result`, or its errors."""
    path = f"/0/private/{method}"
    nonce = str(params.pop("nonce", next(_nonces)))
    body = urlencode({"nonce": nonce, **params})
    digest = hashlib.sha256((nonce + body).encode()).digest()
    made = hmac.new(base64.b64decode(KRAKEN_SECRET), path.encode() + digest, hashlib.sha512)
    sign = params.pop("sign", base64.b64encode(made.digest()).decode())
    headers = {"API-Key": "DFKEY", "API-Sign": sign}
    answer = await send(simulator.rest_url("kraken") + path, "POST", body.encode(), headers)
    return answer.body["result"] if not answer.body["error"] else answer.body["error"]


class Session(Wire):
    """A connection that signs its requests with a token."""

    token: str

    async def request(self, method: str, **params: Any) -> Message:
        req_id = next(_ids)
        sent = {"method": method, "params": {"token": self.token, **params}, "req_id": req_id}
        await self.say(sent)
        return await self.hear_where(lambda message: message.get("req_id") == req_id)

    async def executions(self, until: str) -> list[Message]:
        """Return what the channel tells, to the first of that `exec_type`."""
        told: list[Message] = []
        while not told or told[-1]["exec_type"] != until:
            message = await self.hear_where(lambda one: one.get("channel") == "executions")
            told += [{**one, "sequence": message["sequence"]} for one in message["data"]]
        return told


@asynccontextmanager
async def signed_on(simulator: Simulator) -> AsyncIterator[Session]:
    token = (await rest(simulator, "GetWebSocketsToken"))["token"]
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        session = Session(wire.socket)
        session.token = token
        yield session


def limit(price: str, qty: str, side: str = "buy", **params: Any) -> dict[str, Any]:
    order = {"order_type": "limit", "symbol": "BTC/USD", "side": side, **params}
    return {**order, "limit_price": float(price), "order_qty": float(qty)}


def best_ask(simulator: Simulator) -> tuple[str, str]:
    return last_state(simulator, "kraken", "BTC-USD").asks[0]


def test_the_vectors_of_the_documents() -> None:
    body = b"nonce=1790000000000"
    made = signature(KRAKEN_SECRET, "/0/private/GetWebSocketsToken", "1790000000000", body)
    assert made == (
        "0F8ps1PcOY1Tk3NKySFCGUXfTVO9YlU+l5K2zGxk/gm/MTmgsfJB+b7chXR66SrAZWn4Fd2gYXuCAeyAwnnjYw=="
    )
    documented = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    secret = (
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    )
    assert signature(secret, "/0/private/AddOrder", "1616492376594", documented) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_an_order_id_is_its_number() -> None:
    assert order_number(order_id(1_790_000_000_123)) == 1_790_000_000_123
    assert order_number("nonsense") is None


async def test_an_order_that_fills_is_told_in_four_messages(simulator: Simulator) -> None:
    price, qty = best_ask(simulator)
    async with signed_on(simulator) as session:
        assert (await session.request("subscribe", channel="executions"))["success"] is True
        snapshot = await session.hear_where(lambda one: one.get("channel") == "executions")
        assert (snapshot["type"], snapshot["data"]) == ("snapshot", [])
        placed = {"time_in_force": "ioc", "cl_ord_id": "df-1"}
        await session.say(
            {
                "method": "add_order",
                "params": {**limit(price, qty, **placed), "token": session.token},
            }
        )
        told = await session.executions("filled")
    kinds = [(one["exec_type"], one["order_status"]) for one in told]
    assert kinds == [
        ("pending_new", "pending_new"),
        ("new", "new"),
        ("trade", "partially_filled"),
        ("filled", "filled"),
    ]
    assert [one["sequence"] for one in told] == [2, 3, 4, 5]
    trade = told[2]
    assert Decimal(trade["last_qty"]) == Decimal(trade["cum_qty"]) == Decimal(qty)
    assert Decimal(trade["last_price"]) == Decimal(price)
    assert (trade["liquidity_ind"], trade["cl_ord_id"]) == ("t", "df-1")
    fee = Decimal(trade["fees"][0]["qty"])
    assert fee == (Decimal(price) * Decimal(qty) * Decimal("0.004")).quantize(
        Decimal("1e-8"), "ROUND_DOWN"
    )
    assert trade["fees"][0]["asset"] == "USD"
    assert trade["exec_id"].startswith("T")


async def test_rest_reconciles(simulator: Simulator) -> None:
    price, qty = best_ask(simulator)
    async with signed_on(simulator) as session:
        ioc = await session.request("add_order", **limit(price, qty, time_in_force="ioc"))
        rests = await session.request("add_order", **limit("50000", "0.1", cl_ord_id="rests"))
    done, open_ = ioc["result"]["order_id"], rests["result"]["order_id"]
    listed = (await rest(simulator, "OpenOrders", cl_ord_id="rests"))["open"]
    assert [listed[open_][name] for name in ("status", "cl_ord_id")] == ["open", "rests"]
    closed = await rest(simulator, "ClosedOrders", trades="true")
    assert (closed["count"], list(closed["closed"])) == (1, [done])
    order = closed["closed"][done]
    assert (order["status"], Decimal(order["vol_exec"])) == ("closed", Decimal(qty))
    (trade,) = order["trades"]
    history = await rest(simulator, "TradesHistory")
    assert (history["count"], history["trades"][trade]["ordertxid"]) == (1, done)
    assert list(await rest(simulator, "QueryTrades", txid=trade)) == [trade]
    both = await rest(simulator, "QueryOrders", txid=f"{done},{open_}")
    assert set(both) == {done, open_}
    assert await rest(simulator, "QueryOrders", txid="OAAAAA-AAAAA-AAAAAA") == [
        "EOrder:Invalid order"
    ]
    balances = await rest(simulator, "Balance")
    assert Decimal(balances["XXBT"]) == 10 + Decimal(qty)
    held = (await rest(simulator, "BalanceEx"))["ZUSD"]["hold_trade"]
    assert Decimal(held) == Decimal(5000) * Decimal("1.004")
    volume = await rest(simulator, "TradeVolume", pair="XBTUSD")
    assert volume["fees"]["XXBTZUSD"]["fee"] == "0.4000"
    assert volume["fees_maker"]["XXBTZUSD"]["fee"] == "0.2500"


async def test_cancels(simulator: Simulator) -> None:
    async with signed_on(simulator) as session:
        await session.request("subscribe", channel="executions")
        for name in ("a", "b", "c"):
            await session.request("add_order", **limit("50000", "0.1", cl_ord_id=name))
        gone = await session.request("cancel_order", cl_ord_id=["a"])
        assert (gone["success"], gone["result"]["cl_ord_id"]) == (True, "a")
        again = await session.request("cancel_order", cl_ord_id=["a"])
        assert (again["success"], again["error"]) == (False, "EOrder:Unknown order")
        by_id = await session.request("cancel_order", order_id=[gone["result"]["order_id"]])
        assert by_id["error"] == "EOrder:Unknown order"
        assert (await session.request("cancel_all"))["result"] == {"count": 2}
    assert (await rest(simulator, "OpenOrders"))["open"] == {}


async def test_the_dead_mans_switch(simulator: Simulator) -> None:
    async with signed_on(simulator) as session:
        await session.request("add_order", **limit("50000", "0.1"))
        armed = await session.request("cancel_all_orders_after", timeout=60)
        assert armed["result"]["triggerTime"] > armed["result"]["currentTime"]
        off = await session.request("cancel_all_orders_after", timeout=0)
        assert off["result"]["triggerTime"] == "0"
        await session.request("cancel_all_orders_after", timeout=1)
    account = simulator.desk("kraken").accounts["DFKEY"]
    await eventually(
        lambda: not simulator.desk("kraken").orders(account, 0)[0].is_open, "all is cancelled"
    )


async def test_a_snapshot_has_orders_and_trades(simulator: Simulator) -> None:
    price, qty = best_ask(simulator)
    async with signed_on(simulator) as session:
        await session.request("add_order", **limit(price, qty, time_in_force="ioc"))
        await session.request("add_order", **limit("50000", "0.1"))
        await session.request("subscribe", channel="executions", snap_trades=True)
        snapshot = await session.hear_where(lambda one: one.get("channel") == "executions")
    assert [one["exec_type"] for one in snapshot["data"]] == ["new", "trade"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"symbol": "NOPE/USD"}, "Currency pair not supported NOPE/USD"),
        ({"order_qty": 9999}, "EOrder:Insufficient funds"),
        ({"order_qty": 1e-9}, "EOrder:Order minimum not met"),
        ({"order_qty": 0.00001}, "EOrder:Cost minimum not met"),
        ({"limit_price": 50000.123}, "EOrder:Invalid price:BTC/USD price can only"),
        ({"order_qty": "x"}, "EGeneral:Invalid arguments:volume"),
        ({"order_qty": True}, "EGeneral:Invalid arguments:volume"),
        ({"side": "up"}, "EGeneral:Invalid arguments:type"),
        ({"cl_ord_id": "nineteen-characters"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"limit_price": 99999, "post_only": True}, "EOrder:Post only order"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        ({"token": "no token"}, "ESession:Invalid session"),
    ],
)
async def test_a_mistake_has_the_venues_own_text(
    simulator: Simulator, changes: dict[str, Any], error: str
) -> None:
    async with signed_on(simulator) as session:
        refused = await session.request("add_order", **{**limit("50000", "0.1"), **changes})
    assert refused["success"] is False
    assert refused["error"].startswith(error)
    assert simulator.truth.orders == {}


async def test_a_deadline_that_has_passed_is_surely_not_accepted(simulator: Simulator) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    async with signed_on(simulator) as session:
        refused = await session.request("add_order", **limit("50000", "0.1", deadline=past))
        assert refused["error"] == "EService:Deadline elapsed"
        only_asked = await session.request("add_order", **limit("50000", "0.1", validate=True))
        assert only_asked["success"] is True
    assert simulator.truth.orders == {}


async def test_nonces_rise_and_signatures_hold(simulator: Simulator) -> None:
    await rest(simulator, "Balance", nonce=2_000_000_000_000)
    assert await rest(simulator, "Balance", nonce=2_000_000_000_000) == ["EAPI:Invalid nonce"]
    assert await rest(simulator, "Nothing", nonce=now_ms() * 2) == ["EGeneral:Unknown method"]
    url = simulator.rest_url("kraken") + "/0/private/Balance"
    wrong = await send(url, "POST", b"nonce=1", {"API-Key": "DFKEY", "API-Sign": "x"})
    assert wrong.body["error"] == ["EAPI:Invalid signature"]
    nobody = await send(url, "POST", b"nonce=1", {"API-Key": "NO", "API-Sign": "x"})
    assert (nobody.status, nobody.body["error"]) == (200, ["EAPI:Invalid key"])


async def test_a_token_expires(simulator: Simulator) -> None:
    async with signed_on(simulator) as session:
        with simulator.during("kraken", FaultKind.TOKEN_EXPIRED):
            refused = await session.request("subscribe", channel="executions")
            assert refused["error"] == "ESession:Invalid session"
        assert (await session.request("subscribe", channel="executions"))["success"] is True


async def test_faults_of_orders(simulator: Simulator) -> None:
    async with signed_on(simulator) as session:
        simulator.faults.inject("kraken", FaultKind.REPLY_5XX)
        unknown = await session.request("add_order", **limit("50000", "0.1", cl_ord_id="u"))
        assert unknown["error"] == "EService:Unavailable"
        assert len((await rest(simulator, "OpenOrders", cl_ord_id="u"))["open"]) == 1
        with simulator.during("kraken", FaultKind.ORDERS_429):
            limited = await session.request("cancel_all")
            assert limited["error"] == "EOrder:Rate limit exceeded"
            assert (await session.request("cancel_all"))["error"] == "EGeneral:Temporary lockout"
        simulator.faults.inject("kraken", FaultKind.CANCEL_TOO_LATE)
        late = await session.request("cancel_order", cl_ord_id=["u"])
        assert late["error"] == "EOrder:Unknown order"
        with simulator.during("kraken", FaultKind.HALT):
            halted = await session.request("add_order", **limit("50000", "0.1"))
            assert halted["error"] == "EService:Unavailable"
    closed = (await rest(simulator, "ClosedOrders"))["closed"]
    assert [order["vol_exec"] for order in closed.values()] == ["0.10000000"]


@pytest.mark.parametrize(
    "frame", ['{"method":"add_order"}', '{"method":"add_order","params":[1]}', '{"method":"x"}']
)
async def test_nonsense_is_answered(simulator: Simulator, frame: str) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await wire.hear()
        await wire.socket.send(frame)
        assert json.loads(await wire.frame())["success"] is False
