"""Orders at Binance: the WebSocket API, REST, user data streams, and their faults."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from patience import patiently
from signed import ED25519_KEY, SECRET, binance_params, now_ms, send, trading
from venue_client import Message, Wire, dial, eventually, last_state
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.delays import LegDelays
from venue_simulator.venues.binance.signing import BinanceError, authenticate, ws_payload

Simulate = Callable[..., Awaitable[Simulator]]

_ids = itertools.count(1)

SHEET = (
    "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&quantity=0.01000000&price=50000.00"
    "&newClientOrderId=df-01J9Z3Q8-0001&recvWindow=5000&timestamp=1790000000000"
)
SHEET_REST = "e0fb03c1c8fdf83d1b0366c9d010f758a6cd4ee61e3ea3d4995bc763c22f087c"
SHEET_WS = "3ad47dda556846c20bf9cd141bb31308b82445f03b0793f9871abe8e56368f6d"
SHEET_ED25519 = (
    "GD6cpqvyO7wFpn4Z6uhVwO3IF/6bYG7Gyfc2alPkd/dYXcuUSImlla3NLGSeehe86bdiLqR5gd1ecNO3OhrvCw=="
)


@pytest.fixture
async def simulator(simulate: Simulate) -> Simulator:
    return await simulate(venues=("binance",), trading=trading())


@asynccontextmanager
async def api(simulator: Simulator) -> AsyncIterator[Wire]:
    async with dial(simulator.ws_url("binance") + "/ws-api/v3") as wire:
        yield wire


async def ask(wire: Wire, method: str, **params: Any) -> Message:
    """Return the reply to a signed request; what comes before it is lost."""
    request_id = f"q{next(_ids)}"
    await wire.say({"id": request_id, "method": method, "params": binance_params(**params)})
    return await wire.hear_where(lambda message: message.get("id") == request_id)


def limit(price: str, quantity: str, side: str = "BUY", **params: Any) -> dict[str, Any]:
    order = {"symbol": "BTCUSD", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
    return {**order, "price": price, "quantity": quantity, **params}


def best(simulator: Simulator) -> tuple[tuple[str, str], tuple[str, str]]:
    state = last_state(simulator, "binance", "BTC-USD")
    return state.bids[0], state.asks[0]


async def test_the_vectors_of_the_documents(simulator: Simulator) -> None:
    desk = simulator.desk("binance")
    params = dict(pair.split("=") for pair in SHEET.split("&"))
    assert isinstance(authenticate(desk, "DFKEY", SHEET, SHEET_REST), TradingAccount)
    payload = ws_payload({**params, "apiKey": "DFKEY"})
    assert payload.startswith("apiKey=DFKEY&newClientOrderId=")
    assert isinstance(authenticate(desk, "DFKEY", payload, SHEET_WS), TradingAccount)
    assert isinstance(authenticate(desk, "ED", payload, SHEET_ED25519), TradingAccount)
    for key, text, signature in (
        ("DFKEY", SHEET + "0", SHEET_REST),
        ("ED", payload + "0", SHEET_ED25519),
        ("ED", payload, "no base64"),
        ("DFKEY", SHEET, ""),
    ):
        with pytest.raises(BinanceError, match="Signature for this request is not valid"):
            authenticate(desk, key, text, signature)


async def test_an_order_that_is_filled_at_once_says_all(simulator: Simulator) -> None:
    _, (price, amount) = best(simulator)
    async with api(simulator) as wire:
        reply = await ask(
            wire, "order.place", **limit(price, amount, timeInForce="IOC", newClientOrderId="df-1")
        )
        assert reply["status"] == 200
        order = reply["result"]
        assert (order["status"], order["executedQty"], order["price"]) == ("FILLED", amount, price)
        assert order["clientOrderId"] == "df-1"
        (fill,) = order["fills"]
        assert (fill["price"], fill["qty"], fill["commissionAsset"]) == (price, amount, "BTC")
        assert Decimal(fill["commission"]) == (Decimal(amount) / 1000).quantize(Decimal("1e-8"))
        status = await ask(wire, "order.status", symbol="BTCUSD", origClientOrderId="df-1")
        assert status["result"]["status"] == "FILLED"
        trades = await ask(wire, "myTrades", symbol="BTCUSD", orderId=order["orderId"])
        assert [trade["id"] for trade in trades["result"]] == [fill["tradeId"]]
        balances = (await ask(wire, "account.status"))["result"]["balances"]
        btc = next(one for one in balances if one["asset"] == "BTC")
        bought = Decimal(amount) - Decimal(fill["commission"])
        assert Decimal(btc["free"]) == 10 + bought
    # What it took is gone from the book that everybody sees.
    assert best(simulator)[1][0] != price


async def test_an_order_rests_fills_and_is_told_on_the_stream(simulator: Simulator) -> None:
    (bid, _), _ = best(simulator)
    async with api(simulator) as wire:
        stamp = {"id": 1, "method": "session.logon", "params": binance_params("ED")}
        assert (await wire.ask(stamp))["result"]["apiKey"] == "ED"
        subscribed = await wire.ask({"id": 2, "method": "userDataStream.subscribe"})
        assert subscribed["result"] == {"subscriptionId": 0}
        placed = {**limit(bid, "0.5", newClientOrderId="r"), "timestamp": now_ms()}
        await wire.say({"id": 3, "method": "order.place", "params": placed})
        told = await wire.hear_where(lambda message: "event" in message)
        report = told["event"]
        assert (report["e"], report["x"], report["X"]) == ("executionReport", "NEW", "NEW")
        assert (report["c"], report["t"], report["N"]) == ("r", -1, None)
        position = (await wire.hear())["event"]
        usd = next(one for one in position["B"] if one["a"] == "USD")
        assert Decimal(usd["l"]) == Decimal(bid) / 2
        await wire.hear_where(lambda message: message.get("id") == 3)
        state = last_state(simulator, "binance", "BTC-USD")
        simulator.set_book("binance", "BTC-USD", state.bids[5:], ((bid, "0.20000"),))
        report = (await wire.hear_where(lambda message: "event" in message))["event"]
        assert (report["x"], report["X"], report["l"]) == (
            "TRADE",
            "PARTIALLY_FILLED",
            "0.20000000",
        )
        assert report["m"] is True
        cancel = {"symbol": "BTCUSD", "origClientOrderId": "r", "timestamp": now_ms()}
        await wire.say({"id": 4, "method": "order.cancel", "params": cancel})
        is_report = lambda message: message.get("event", {}).get("e") == "executionReport"  # noqa: E731
        report = (await wire.hear_where(is_report))["event"]
        assert (report["x"], report["X"], report["C"]) == ("CANCELED", "CANCELED", "r")
        assert report["z"] == "0.20000000"


async def test_open_orders_and_cancel_all(simulator: Simulator) -> None:
    async with api(simulator) as wire:
        for number in range(3):
            await ask(
                wire, "order.place", **limit("50000.00", "0.1", newClientOrderId=f"o{number}")
            )
        listed = (await ask(wire, "openOrders.status", symbol="BTCUSD"))["result"]
        assert [order["clientOrderId"] for order in listed] == ["o0", "o1", "o2"]
        gone = await ask(wire, "openOrders.cancelAll", symbol="BTCUSD")
        assert [order["status"] for order in gone["result"]] == ["CANCELED"] * 3
        assert (await ask(wire, "openOrders.status"))["result"] == []


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"price": "60000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "9999"}, -2010, "Account has insufficient balance for requested action."),
        ({"type": "LIMIT_MAKER", "timeInForce": None, "price": "99999"}, -2010, "Order would imm"),
        ({"side": "UP"}, -1117, "Invalid side."),
        ({"type": "MAGIC"}, -1116, "Invalid orderType."),
        ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce' was not sent"),
        ({"price": "1e5"}, -1100, "Illegal characters found in parameter 'price'"),
        ({"price": "50000.123456789"}, -1111, "Parameter 'price' has too much precision."),
        ({"newClientOrderId": "no spaces"}, -1100, "Illegal characters"),
        ({"recvWindow": 60001}, -1131, "recvWindow must be less than 60000"),
        ({"timestamp": 1}, -1021, "Timestamp for this request is outside of the recvWindow."),
        (
            {"timestamp": 9_999_999_999_999},
            -1021,
            "Timestamp for this request was 1000ms ahead of the server's time.",
        ),
        ({"key": "NOBODY"}, -2015, "Invalid API-key, IP, or permissions for action."),
    ],
)
async def test_a_mistake_has_the_venues_own_code(
    simulator: Simulator, changes: dict[str, Any], code: int, text: str
) -> None:
    asked = {**limit("50000.00", "0.1"), **changes}
    params = {name: value for name, value in asked.items() if value is not None}
    async with api(simulator) as wire:
        reply = await ask(wire, "order.place", **params)
    assert reply["error"]["code"] == code
    assert reply["error"]["msg"].startswith(text)
    assert simulator.truth.orders == {}


async def test_ids_cancels_and_queries_of_nothing(simulator: Simulator) -> None:
    async with api(simulator) as wire:
        order = limit("50000.00", "0.1", newClientOrderId="x")
        await ask(wire, "order.place", **order)
        assert (await ask(wire, "order.place", **order))["error"]["msg"] == "Duplicate order sent."
        named = {"symbol": "BTCUSD", "origClientOrderId": "x"}
        assert (await ask(wire, "order.cancel", **named))["result"]["status"] == "CANCELED"
        gone = (await ask(wire, "order.cancel", **named))["error"]
        assert gone == {"code": -2011, "msg": "Unknown order sent."}
        named["origClientOrderId"] = "never"
        gone = (await ask(wire, "order.status", **named))["error"]
        assert gone == {"code": -2013, "msg": "Order does not exist."}
        assert "result" in await ask(wire, "order.place", **order), "free again once it is closed"


async def test_only_ed25519_logs_on(simulator: Simulator) -> None:
    async with api(simulator) as wire:
        assert (await ask(wire, "session.logon"))["error"]["code"] == -4056
        signed = await ask(wire, "userDataStream.subscribe.signature")
        assert signed["result"] == {"subscriptionId": 0}


@pytest.mark.parametrize(
    "frame",
    [
        *("{", "[]", "1", "[" * 5000, '{"id":1}', '{"id":1,"method":"x","params":[]}'),
        '{"id":%s,"method":"order.place","params":{}}' % ("9" * 5000),
    ],
)
async def test_nonsense_is_answered(simulator: Simulator, frame: str) -> None:
    async with api(simulator) as wire:
        await wire.socket.send(frame)
        assert "error" in await wire.hear()
        assert (await wire.ask({"id": 1, "method": "time"}))["status"] == 200


async def rest(
    simulator: Simulator, method: str, path: str, *, in_body: bool = False, **params: Any
) -> Any:
    sent = urlencode({**params, "timestamp": now_ms()})
    signature = hmac.new(SECRET.encode(), sent.encode(), hashlib.sha256).hexdigest()
    sent = f"{sent}&signature={signature}"
    url = simulator.rest_url("binance") + path
    headers = {"X-MBX-APIKEY": "DFKEY"}
    if in_body:
        return await send(url, method, sent.encode(), headers)
    return await send(f"{url}?{sent}", method, None, headers)


async def test_rest(simulator: Simulator) -> None:
    for in_body in (False, True):
        placed = await rest(
            simulator, "POST", "/api/v3/order", in_body=in_body, **limit("50000.00", "0.1")
        )
        assert (placed.status, placed.body["status"]) == (200, "NEW")
    listed = await rest(simulator, "GET", "/api/v3/openOrders")
    assert len(listed.body) == 2
    named = {"symbol": "BTCUSD", "orderId": placed.body["orderId"]}
    assert (await rest(simulator, "GET", "/api/v3/order", **named)).body["status"] == "NEW"
    assert (await rest(simulator, "DELETE", "/api/v3/order", **named)).body["status"] == "CANCELED"
    refused = await rest(simulator, "DELETE", "/api/v3/order", **named)
    assert (refused.status, refused.body["code"]) == (400, -2011)
    account = (await rest(simulator, "GET", "/api/v3/account", omitZeroBalances="true")).body
    assert {one["asset"] for one in account["balances"]} == {"BTC", "ETH", "USD"}


async def test_what_is_lost_is_never_answered(simulator: Simulator) -> None:
    order = limit("50000.00", "0.1", newClientOrderId="lost")
    async with api(simulator) as wire:
        for kind, count in ((FaultKind.REQUEST_LOST, 0), (FaultKind.REPLY_LOST, 1)):
            simulator.faults.inject("binance", kind)
            params = binance_params(**order)
            await wire.say({"id": 1, "method": "order.place", "params": params})
            await wire.quiet({"id": 2, "method": "time"}, lambda answer: answer["id"] == 2)
            listed = await ask(wire, "openOrders.status")
            assert len(listed["result"]) == count


async def test_an_order_is_done_though_the_venue_says_it_does_not_know(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("venue_simulator.private_side.ENGINE_TIMEOUT_S", 0.01)
    async with api(simulator) as wire:
        for kind, status, code in (
            (FaultKind.REPLY_LATE, 504, -1007),
            (FaultKind.REPLY_5XX, 500, -1000),
        ):
            simulator.faults.inject("binance", kind)
            reply = await ask(
                wire, "order.place", **limit("50000.00", "0.1", newClientOrderId=kind)
            )
            assert (reply["status"], reply["error"]["code"]) == (status, code)
            known = await ask(wire, "order.status", symbol="BTCUSD", origClientOrderId=kind)
            assert known["result"]["status"] == "NEW"


async def test_a_request_outlives_its_client(simulate: Simulate) -> None:
    delays = LegDelays(request_ms=20.0)
    simulator = await simulate(venues=("binance",), trading=trading(delays=delays))
    async with api(simulator) as wire:
        params = binance_params(**limit("50000.00", "0.1"))
        await wire.say({"id": 1, "method": "order.place", "params": params})
        await (await wire.socket.ping())
        wire.socket.transport.abort()
    await eventually(lambda: bool(simulator.truth.orders.get("binance")), "the order is placed")


async def test_who_does_not_wait_is_banned(simulator: Simulator) -> None:
    with simulator.during("binance", FaultKind.ORDERS_429):
        async with api(simulator) as wire:
            first = await ask(wire, "openOrders.status")
            again = await ask(wire, "openOrders.status")
        assert (first["status"], again["status"]) == (429, 418)
        assert first["error"]["code"] == again["error"]["code"] == -1003
        data = first["error"]["data"]
        assert int(data["retryAfter"]) == int(data["serverTime"]) + 1000
        over_http = await rest(simulator, "GET", "/api/v3/openOrders")
        assert (over_http.status, over_http.headers["Retry-After"]) == (418, "2")
    assert (await rest(simulator, "GET", "/api/v3/openOrders")).status == 200


async def test_one_order_too_many_in_ten_seconds_is_refused(simulator: Simulator) -> None:
    async with api(simulator) as wire:
        told = [await ask(wire, "order.place", **limit("10000.00", "0.1")) for _ in range(51)]
        assert [one["status"] for one in told] == [200] * 50 + [429]
        assert (await ask(wire, "openOrders.status"))["status"] == 200


async def test_a_clock_that_is_ahead_refuses_and_tells(simulator: Simulator) -> None:
    with simulator.during("binance", FaultKind.CLOCK_SKEW):
        async with api(simulator) as wire:
            refused = await ask(wire, "openOrders.status")
            assert refused["error"]["code"] == -1021
            told = await wire.ask({"id": 1, "method": "time"})
            server_ms = int(told["result"]["serverTime"])
            assert "result" in await ask(wire, "openOrders.status", timestamp=server_ms)


async def test_a_halted_market_is_closed(simulator: Simulator) -> None:
    with simulator.during("binance", FaultKind.HALT, "BTC-USD"):
        async with api(simulator) as wire:
            refused = await ask(wire, "order.place", **limit("50000.00", "0.1"))
    assert refused["error"] == {"code": -1013, "msg": "Market is closed."}


async def events_of_a_fill(simulator: Simulator, wire: Wire, kind: FaultKind) -> list[str]:
    """Return the execution types that a filled order told while the fault was on."""
    _, (price, _) = best(simulator)
    simulator.faults.inject("binance", kind)
    await wire.say(
        {
            "id": "o",
            "method": "order.place",
            "params": binance_params(**limit(price, "0.001", timeInForce="IOC")),
        }
    )
    heard = []
    while (message := await wire.hear()).get("id") != "o":
        if message["event"]["e"] == "executionReport":
            heard.append(message["event"]["x"])
    return heard


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        (FaultKind.EVENT_LOST, ["TRADE"]),
        (FaultKind.EVENT_TWICE, ["NEW", "NEW", "TRADE"]),
        (FaultKind.EVENT_REORDERED, ["TRADE", "NEW"]),
    ],
)
async def test_events_are_lost_doubled_and_reordered(
    simulator: Simulator, kind: FaultKind, heard: list[str]
) -> None:
    async with api(simulator) as wire:
        await ask(wire, "userDataStream.subscribe.signature")
        assert await events_of_a_fill(simulator, wire, kind) == heard


async def test_a_stream_that_is_closed_at_a_fill(simulator: Simulator) -> None:
    _, (price, _) = best(simulator)
    async with api(simulator) as stream, api(simulator) as wire:
        await ask(stream, "userDataStream.subscribe.signature")
        simulator.faults.inject("binance", FaultKind.STREAM_CLOSED)
        filled = await ask(wire, "order.place", **limit(price, "0.001", timeInForce="IOC"))
        assert filled["result"]["status"] == "FILLED"
        assert await stream.closed() == 1001


async def test_a_query_that_lags(simulator: Simulator) -> None:
    async with api(simulator) as wire:
        with simulator.during("binance", FaultKind.ORDERS_LAG):
            await ask(wire, "order.place", **limit("50000.00", "0.1", newClientOrderId="new"))
            assert (await ask(wire, "openOrders.status"))["result"] == []
            named = {"symbol": "BTCUSD", "origClientOrderId": "new"}
            assert (await ask(wire, "order.status", **named))["error"]["code"] == -2013
        assert len((await ask(wire, "openOrders.status"))["result"]) == 1


async def test_legs_are_drawn_from_the_seed_and_replies_pass_events(simulate: Simulate) -> None:
    delays = LegDelays(1.0, 1.0, 1.0, 60.0)
    simulator = await simulate(venues=("binance",), trading=trading(delays=delays))
    async with api(simulator) as wire, patiently():
        await ask(wire, "userDataStream.subscribe.signature")
        await wire.say(
            {
                "id": "o",
                "method": "order.place",
                "params": binance_params(**limit("50000.00", "0.1")),
            }
        )
        assert (await wire.hear())["id"] == "o", "the reply passed the event"
        assert (await wire.hear())["event"]["x"] == "NEW"


async def test_events_keep_their_order_however_long_each_takes(simulate: Simulate) -> None:
    delays = LegDelays(0.5, 0.0, 0.5, 3.0)
    simulator = await simulate(venues=("binance",), trading=trading(delays=delays))
    levels = last_state(simulator, "binance", "BTC-USD").asks[:20]
    quantity = str(sum(Decimal(amount) for _, amount in levels))
    async with api(simulator) as wire:
        await ask(wire, "userDataStream.subscribe.signature")
        order = limit(levels[-1][0], quantity, timeInForce="IOC")
        params = binance_params(**order)
        await wire.say({"id": "o", "method": "order.place", "params": params})
        heard: list[tuple[str, str]] = []
        while len(heard) < 1 + len(levels):
            event = (await wire.hear()).get("event", {})
            if event.get("e") == "executionReport":
                heard.append((event["x"], event["z"]))
    assert heard[0][0] == "NEW"
    assert heard == [heard[0], *sorted(heard[1:], key=lambda one: Decimal(one[1]))]


def test_the_key_of_the_sheet_is_that_of_the_seed() -> None:
    assert ED25519_KEY.private_bytes_raw() == bytes(range(32))
