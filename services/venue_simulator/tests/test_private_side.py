"""What orders leave: in the truth log, in no log, and in balances; and bodies over HTTP."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from signed import BALANCES, KRAKEN_SECRET, SECRET, binance_params, send, trading
from structlog.testing import capture_logs
from venue_client import dial, last_state
from venue_simulator.connection import take_body
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from venue_simulator.venues.binance import orders as binance
from venue_simulator.venues.binance.signing import BinanceError
from venue_simulator.venues.bitstamp.orders import BitstampError, SignedCall, find_method
from venue_simulator.venues.kraken.orders import KrakenError, add_order

Simulate = Callable[..., Awaitable[Simulator]]


async def buy(simulator: Simulator, **params: Any) -> Any:
    """Buy all of the best level of BTC-USD at Binance."""
    price, quantity = last_state(simulator, "binance", "BTC-USD").asks[0]
    order = {"symbol": "BTCUSD", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC"}
    sent = binance_params(**order, price=price, quantity=quantity, **params)
    async with dial(simulator.ws_url("binance") + "/ws-api/v3") as wire:
        return await wire.ask({"id": 1, "method": "order.place", "params": sent})


async def test_the_truth_log_has_every_event_and_no_log_a_secret(
    simulate: Simulate, tmp_path: Path
) -> None:
    path = tmp_path / "truth.ndjson"
    with capture_logs() as logs:
        simulator = await simulate(venues=("binance",), trading=trading(), truth_log=path)
        filled = (await buy(simulator, newClientOrderId="t"))["result"]
        await send(simulator.rest_url("binance") + "/api/v3/order", "POST", b"x=1")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line for line in lines if "order" in line]
    assert [line["order"] for line in told] == ["new", "trade"]
    new, trade = told
    assert (new["client_id"], new["stage"], new["account"]) == ("t", "new", "DFKEY")
    assert trade["trade"]["number"] == filled["fills"][0]["tradeId"]
    assert Decimal(trade["filled"]) == Decimal(filled["executedQty"])
    free = Decimal(trade["balances"]["BTC"]["free"])
    assert free == 10 + Decimal(filled["executedQty"]) - Decimal(trade["trade"]["fee"])
    # The order is written down before the book that it leaves.
    after = lines[lines.index(trade) + 1 :]
    assert any("bids" in line and line["instrument"] == "BTC-USD" for line in after)
    everything = json.dumps([str(log) for log in logs]) + path.read_text()
    for secret in (SECRET, KRAKEN_SECRET):
        assert secret not in everything


async def test_nothing_is_made_or_lost_while_the_market_moves(simulate: Simulate) -> None:
    simulator = await simulate(trading=trading(), venues=("binance", "bitstamp", "kraken"))
    chance = random.Random(5)
    for venue, symbol in (("binance", "BTCUSD"), ("bitstamp", "btcusd"), ("kraken", "BTC/USD")):
        desk = simulator.desk(venue)
        for _ in range(60):
            account = chance.choice(list(desk.accounts.values()))
            state = last_state(simulator, venue, "BTC-USD")
            price = chance.choice([*state.bids[:9], *state.asks[:9]])[0]
            side = chance.choice(["buy", "sell"])
            qty = f"0.{chance.randrange(1, 99_999):05d}"
            ticket = {"symbol": symbol, "side": side, "order_type": "limit", "order_qty": qty}
            with contextlib.suppress(KrakenError):  # as others than Kraken count decimals
                add_order(simulator.books(venue), account, {**ticket, "limit_price": price}, 0, 1)
            simulator.step()
            shown = last_state(simulator, venue, "BTC-USD")
            assert Decimal(shown.bids[0][0]) < Decimal(shown.asks[0][0])
        assert simulator.truth.orders[venue]
        for asset, deposit in BALANCES:
            accounts = [one.total(asset) for one in desk.accounts.values()]
            elsewhere = desk.market_balances.get(asset, 0) + desk.fees.get(asset, 0)
            assert sum(accounts) + elsewhere == deposit * len(accounts)
            assert all(one.free[asset] >= 0 for one in desk.accounts.values())


NAMES = (
    *("symbol", "side", "type", "timeInForce", "price", "quantity", "newClientOrderId", "limit"),
    *("orderId", "origClientOrderId", "fromId", "startTime", "endTime", "newOrderRespType"),
    *("order_type", "limit_price", "order_qty", "time_in_force", "cl_ord_id", "deadline"),
    *("amount", "id", "client_order_id", "ioc_order", "since_id", "offset", "sort", "validate"),
)
VALUES = (
    *("BTCUSD", "btcusd", "BTC/USD", "BUY", "buy", "SELL", "sell", "LIMIT", "MARKET", "limit"),
    *("GTC", "IOC", "ioc", "fok", "0.1", "61000.00", "1", "0", "", "-1", "1e9", "nan", "Infinity"),
    *("9" * 40, "0." + "1" * 40, "x" * 80, "\u00e9", "\u0661", "true", "2026-01-01", "asc"),
)


async def test_no_parameters_are_more_than_a_mistake(simulate: Simulate) -> None:
    simulator = await simulate(trading=trading(), venues=("binance", "bitstamp", "kraken"))
    chance = random.Random(7)
    for _ in range(1000):
        names = chance.sample(NAMES, chance.randrange(9))
        params = {name: chance.choice(VALUES) for name in names}
        for venue in simulator.venues:
            books = simulator.books(venue)
            account = books.desk.accounts["DFKEY"]
            try:
                if venue == "binance":
                    method = chance.choice(list(binance.METHODS))
                    binance.perform(method, books, account, params, 10**18)
                elif venue == "kraken":
                    add_order(books, account, params, 10**18, 10**18)
                else:
                    path = chance.choice(["buy/btcusd", "order_status", "user_transactions"])
                    found = find_method(f"/api/v2/{path}/")
                    assert found is not None
                    found[0](SignedCall(books, account, params, 10**18), found[1])
            except (BinanceError, BitstampError, KrakenError):
                continue


async def test_an_event_that_waits_for_a_successor_is_not_lost(simulate: Simulate) -> None:
    simulator = await simulate(venues=("binance",), trading=trading())
    async with dial(simulator.ws_url("binance") + "/ws-api/v3") as wire:
        params = binance_params()
        sent = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
        await wire.ask(sent)
        simulator.faults.inject("binance", FaultKind.EVENT_REORDERED, "BTC-USD")
        await buy(simulator)
        told = [(await wire.hear())["event"] for _ in range(4)]
    assert [one["x"] for one in told if one["e"] == "executionReport"] == ["TRADE", "NEW"]


@pytest.mark.parametrize(
    ("sent", "head", "body"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b""),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nA: b\r\n\r\nabc",
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\nA: b\r\n\r\n",
            b"abc",
        ),
        (b"\x16\x03\x01", b"\x16\x03\x01", b""),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"",
        ),
    ],
)
def test_a_body_is_taken_from_its_request(sent: bytes, head: bytes, body: bytes) -> None:
    assert take_body(sent) == (head, body)


def test_half_a_request_is_waited_for() -> None:
    assert take_body(b"POST / HT") is None
    assert take_body(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab") is None
