"""Orders at Bitstamp: signed REST, and private channels."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from signed import SECRET, now_ms, send, trading
from venue_client import Answer, Wire, dial, get, last_state
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from venue_simulator.venues.bitstamp.private_rest import signature

Simulate = Callable[..., Awaitable[Simulator]]

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def simulator(simulate: Simulate) -> Simulator:
    return await simulate(venues=("bitstamp",), trading=trading())


async def ask(
    simulator: Simulator,
    path: str,
    *,
    host: str = "www.bitstamp.net",
    below: str = "",
    headers: dict[str, str] | None = None,
    **params: Any,
) -> Answer:
    """Return the answer to a signed request; `host` and `below` are what is signed for."""
    body = urlencode(params)
    sent = {
        "X-Auth": "BITSTAMP DFKEY",
        "X-Auth-Nonce": str(uuid.uuid4()),
        "X-Auth-Timestamp": str(now_ms()),
        "X-Auth-Version": "v2",
        **({"Content-Type": FORM} if body else {}),
        **(headers or {}),
    }
    text = "".join(
        (
            f"{sent['X-Auth']}POST{host}{below}/api/v2/{path}",
            sent.get("Content-Type", ""),
            sent["X-Auth-Nonce"],
            sent["X-Auth-Timestamp"],
            f"v2{body}",
        )
    )
    made = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    url = f"{simulator.rest_url('bitstamp')}/api/v2/{path}"
    return await send(url, "POST", body.encode(), {"X-Auth-Signature": made, **sent})


async def result(simulator: Simulator, path: str, **params: Any) -> Any:
    answer = await ask(simulator, path, **params)
    assert answer.status == 200, answer.body
    return answer.body


async def follow(simulator: Simulator, wire: Wire, *kinds: str) -> None:
    token = await result(simulator, "websockets_token/")
    assert token["valid_sec"] == 60
    for kind in kinds:
        channel = f"private-{kind}_btcusd-{token['user_id']}"
        data = {"channel": channel, "auth": token["token"]}
        acked = await wire.ask({"event": "bts:subscribe", "data": data})
        assert acked["event"] == "bts:subscription_succeeded"


def best_ask(simulator: Simulator) -> tuple[str, str]:
    return last_state(simulator, "bitstamp", "BTC-USD").asks[0]


def test_the_vectors_of_the_documents() -> None:
    head = "BITSTAMP DFKEYPOSTwww.bitstamp.net/api/v2/"
    nonce = "00000000-0000-4000-8000-000000000001"
    order = "amount=0.01000000&price=50000.00&client_order_id=df-01J9Z3Q8-0001&ioc_order=True"
    text = f"{head}sell/btcusd/{FORM}{nonce}1790000000000v2{order}"
    assert signature(SECRET, text) == (
        "0b4a4fcb632399e1d36cb33ac2ed77328d830af8ba49a83e42f779712ee7b80f"
    )
    text = f"{head}websockets_token/{nonce}1790000000000v2"
    assert signature(SECRET, text) == (
        "30f47fd012c8bee08bb18823bd2890d69db2e1fb81c3fd3ef8c9bba9a04d21c1"
    )


@pytest.mark.parametrize("lists", ["markets", "trading-pairs-info"])
async def test_amounts_are_taken_by_the_step_that_is_listed(
    simulator: Simulator, lists: str
) -> None:
    listed = (await get(f"{simulator.rest_url('bitstamp')}/api/v2/{lists}/")).body
    (pair,) = (one for one in listed if one["name"] == "BTC/USD")
    price, step = best_ask(simulator)[0], Decimal(1).scaleb(-pair["base_decimals"])
    await result(simulator, "buy/btcusd/", amount=str(1 + step), price=price, ioc_order="True")
    finer = await ask(simulator, "buy/btcusd/", amount=str(1 + step / 10), price=price)
    assert finer.body["response_code"] == "400.026"


async def test_an_order_that_fills(simulator: Simulator) -> None:
    price, amount = best_ask(simulator)
    order: dict[str, Any] = {
        "amount": amount,
        "price": price,
        "client_order_id": "df-1",
        "ioc_order": "True",
    }
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await follow(simulator, wire, "my_orders", "my_trades")
        placed = await result(simulator, "buy/btcusd/", **order)
        told = [await wire.hear() for _ in range(3)]
    assert (placed["type"], placed["market"], placed["client_order_id"]) == ("0", "BTC/USD", "df-1")
    assert [one["event"] for one in told] == ["order_created", "order_deleted", "trade"]
    deleted, trade = told[1]["data"], told[2]["data"]
    assert (float(deleted["amount_str"]), deleted["id_str"]) == (0.0, placed["id"])
    assert Decimal(deleted["amount_traded"]) == Decimal(amount)
    fee = (Decimal(price) * Decimal(amount) * Decimal("0.004")).quantize(
        Decimal("1e-8"), "ROUND_DOWN"
    )
    assert (Decimal(trade["fee"]), trade["side"]) == (fee, "buy")
    status = await result(simulator, "order_status/", client_order_id="df-1")
    assert (status["status"], float(status["amount_remaining"])) == ("Finished", 0.0)
    (transaction,) = status["transactions"]
    assert (transaction["tid"], Decimal(transaction["btc"])) == (trade["id"], Decimal(amount))
    (listed,) = await result(simulator, "user_transactions/btcusd/")
    assert (listed["id"], listed["order_id"]) == (trade["id"], int(placed["id"]))
    assert Decimal(listed["usd"]) == -Decimal(price) * Decimal(amount)
    balances = {one["currency"]: one for one in await result(simulator, "account_balances/")}
    assert Decimal(balances["btc"]["available"]) == 10 + Decimal(amount)


async def test_an_order_rests_and_is_cancelled(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await follow(simulator, wire, "my_orders")
        for name in ("a", "b"):
            order: dict[str, Any] = {"amount": "0.1", "price": "50000.00", "client_order_id": name}
            placed = await result(simulator, "buy/btcusd/", **order)
        for path in ("open_orders/", "open_orders/all/", "open_orders/btcusd/"):
            listed = await result(simulator, path)
            assert [one["client_order_id"] for one in listed] == ["a", "b"]
        gone = await result(simulator, "cancel_order/", id=placed["id"])
        assert (gone["id"], Decimal(gone["amount"])) == (int(placed["id"]), Decimal("0.1"))
        again = await ask(simulator, "cancel_order/", id=placed["id"])
        assert (again.status, again.body["response_code"]) == (404, "404.002")
        all_ = await result(simulator, "cancel_all_orders/btcusd/")
        assert (all_["success"], len(all_["canceled"])) == (True, 1)
        events = [(await wire.hear())["event"] for _ in range(4)]
    assert events == ["order_created"] * 2 + ["order_deleted"] * 2
    status = await result(simulator, "order_status/", id=placed["id"], omit_transactions="true")
    assert status["status"] == "Canceled"
    assert "transactions" not in status


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": "50000.001"}, "400.021"),
        ({"amount": "0.0000001"}, "400.020"),
        ({"amount": "0.00001"}, "400.020"),
        ({"amount": "1.123456789"}, "400.026"),
        ({"amount": "9999"}, "400.009"),
        ({"amount": ""}, "400.005"),
        ({"price": ""}, "400.006"),
        ({"amount": "1e5"}, "400.026"),
        ({"ioc_order": "True", "fok_order": "True"}, "400.024"),
        ({"price": "99999.00", "moc_order": "True"}, "400.001"),
        ({"gtd_order": "True"}, "400.001"),
    ],
)
async def test_a_mistake_has_the_venues_own_code(
    simulator: Simulator, changes: dict[str, str], code: str
) -> None:
    order: dict[str, Any] = {"amount": "0.1", "price": "50000.00", **changes}
    refused = await ask(simulator, "buy/btcusd/", **order)
    assert (refused.status, refused.body["status"]) == (400, "error")
    assert refused.body["response_code"] == code
    assert simulator.truth.orders == {}


async def test_an_id_is_never_taken_again(simulator: Simulator) -> None:
    order: dict[str, Any] = {"amount": "0.1", "price": "50000.00", "client_order_id": "once"}
    await result(simulator, "buy/btcusd/", **order)
    await result(simulator, "cancel_order/", client_order_id="once")
    assert (await ask(simulator, "buy/btcusd/", **order)).body["response_code"] == "400.019"
    assert (await ask(simulator, "buy/nopeusd/", **order)).body["response_code"] == "404.001"


async def test_who_signed(simulator: Simulator) -> None:
    address = f"{simulator.address.host}:{simulator.address.port}"
    for host, below in (("www.bitstamp.net", ""), (address, ""), (address, "/bitstamp")):
        assert (await ask(simulator, "account_balances/", host=host, below=below)).status == 200
    nonce = {"X-Auth-Nonce": str(uuid.uuid4())}
    await ask(simulator, "account_balances/", headers=nonce)
    for code, headers in (
        ("API0004", nonce),
        ("API0005", {"X-Auth-Signature": "0" * 64}),
        ("API0011", {"X-Auth": "BITSTAMP NOBODY"}),
        ("API0017", {"X-Auth-Timestamp": str(now_ms() - 151_000)}),
    ):
        refused = await ask(simulator, "account_balances/", headers=headers)
        assert (refused.status, refused.body["code"]) == (403, code)


async def test_fees(simulator: Simulator) -> None:
    (told,) = await result(simulator, "fees/trading/btcusd/")
    assert told["fees"] == {"maker": "0.3000", "taker": "0.4000"}
    assert len(await result(simulator, "fees/trading/")) > 5


async def test_at_the_market(simulator: Simulator) -> None:
    placed = await result(simulator, "sell/market/btcusd/", amount="0.01")
    assert (await result(simulator, "order_status/", id=placed["id"]))["status"] == "Finished"


async def test_private_channels_are_private(simulator: Simulator) -> None:
    token = await result(simulator, "websockets_token/")
    mine = f"private-my_orders_btcusd-{token['user_id']}"
    async with dial(simulator.ws_url("bitstamp")) as wire:
        for channel, auth in ((mine, "x"), (mine + "0", token["token"])):
            data = {"channel": channel, "auth": auth}
            refused = await wire.ask({"event": "bts:subscribe", "data": data})
            assert refused["data"] == {"code": 4009, "message": "Connection is unauthorized."}
        data = {"channel": mine, "auth": token["token"]}
        with simulator.during("bitstamp", FaultKind.TOKEN_EXPIRED):
            refused = await wire.ask({"event": "bts:subscribe", "data": data})
            assert refused["data"]["code"] == 4009
        bad = {"channel": "private-nothing", "auth": token["token"]}
        refused = await wire.ask({"event": "bts:subscribe", "data": bad})
        assert refused["data"]["message"] == "Invalid channel provided."
        await wire.ask({"event": "bts:subscribe", "data": data})
        assert len(json.dumps({"event": "bts:subscribe", "data": data})) < 512
        await wire.ask({"event": "bts:unsubscribe", "data": {"channel": mine}})
        await result(simulator, "buy/btcusd/", amount="0.1", price="50000.00")
        await wire.quiet({"event": "bts:heartbeat"}, lambda one: one["event"] == "bts:heartbeat")


async def test_faults_of_orders(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venue_simulator.private_side.ENGINE_TIMEOUT_S", 0.01)
    monkeypatch.setattr("venue_simulator.private_side.LOST_REPLY_S", 0.01)
    order: dict[str, Any] = {"amount": "0.1", "price": "50000.00"}
    for number, (kind, status) in enumerate(
        ((FaultKind.REPLY_5XX, 500), (FaultKind.REPLY_LATE, 504)), start=1
    ):
        simulator.faults.inject("bitstamp", kind)
        assert (await ask(simulator, "buy/btcusd/", **order)).status == status
        assert len(await result(simulator, "open_orders/")) == number
    for kind, count in ((FaultKind.REQUEST_LOST, 2), (FaultKind.REPLY_LOST, 3)):
        simulator.faults.inject("bitstamp", kind)
        with pytest.raises(OSError, match=r".") as raised:
            await ask(simulator, "buy/btcusd/", **order)
        assert "timed out" not in str(raised.value)
        assert len(await result(simulator, "open_orders/")) == count
    with simulator.during("bitstamp", FaultKind.ORDERS_429):
        limited = await ask(simulator, "open_orders/")
        assert (limited.status, limited.headers["Retry-After"]) == (429, "1")
        assert limited.body["response_code"] == "400.002"
    with simulator.during("bitstamp", FaultKind.HALT):
        assert (await ask(simulator, "buy/btcusd/", **order)).body["response_code"] == "400.003"
