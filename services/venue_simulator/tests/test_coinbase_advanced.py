"""Coinbase Advanced Trade's protocol, as its documents have it."""

from __future__ import annotations

import json

import pytest
from dialects import dialled
from dragonfly_common.errors import ConfigError
from venue_client import Message, Wire, get, last_state
from venue_simulator.simulator import Simulator
from venue_simulator.venue import KeepaliveRules
from venue_simulator.venues.coinbase import listing
from venue_simulator.venues.coinbase_advanced import FakeCoinbaseAdvanced, session
from venue_simulator.venues.coinbase_advanced.recording import rebuild_books


def level2(*products: str, kind: str = "subscribe") -> Message:
    return {"type": kind, "product_ids": products or ("ETH-BTC",), "channel": "level2"}


HEARTBEATS = {"type": "subscribe", "channel": "heartbeats"}


async def followed(wire: Wire, *products: str) -> Message:
    """Subscribe to books, and return the first."""
    assert (await wire.ask(level2(*products)))["channel"] == "subscriptions"
    return await wire.hear()


async def test_every_message_has_a_number(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_INTERVAL_S", 0.01)
    async with dialled(simulator, "coinbase_advanced") as wire:
        heard = [await wire.ask(HEARTBEATS), await wire.hear()]
        assert [one["channel"] for one in heard] == ["subscriptions", "heartbeats"]
        await wire.say(level2())
        simulator.step(3)
        heard += [await wire.hear() for _ in range(8)]
        assert [one["sequence_num"] for one in heard] == list(range(10))


async def test_a_message_that_is_lost_leaves_its_number_out(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase_advanced") as wire:
        assert (await followed(wire))["sequence_num"] == 1
        simulator.faults.inject("coinbase_advanced", "gap")
        simulator.step(2)
        assert (await wire.hear())["sequence_num"] == 3


async def test_a_whole_book_and_its_changes_are_the_book(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase_advanced") as wire:
        first = await followed(wire)
        (book,) = first["events"]
        assert book["type"] == "snapshot"
        far = [one for one in book["updates"] if one["event_time"].startswith("1970-01-01")]
        assert len(far) == 2 * listing.FAR_LEVELS
        sides: dict[str, dict[float, float]] = {"bid": {}, "offer": {}}
        messages = [first]
        simulator.step(30)
        messages += [await wire.hear() for _ in range(30)]
        for event in (event for message in messages for event in message["events"]):
            for update in event["updates"]:
                price, quantity = float(update["price_level"]), float(update["new_quantity"])
                sides[update["side"]][price] = quantity
    assert any(len(message["events"]) > 1 for message in messages)
    state = last_state(simulator, "coinbase_advanced")
    for name, falling, true in (("bid", True, state.bids), ("offer", False, state.asks)):
        levels = sorted((one for one in sides[name].items() if one[1]), reverse=falling)
        assert levels[: len(true)] == [(float(price), float(size)) for price, size in true]


async def test_an_alias_delivers_the_book_whose_name_it_is_not(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase_advanced") as wire:
        answer = await wire.ask(level2("BTC-USDC"))
        assert answer["events"] == [{"subscriptions": {"level2": ["BTC-USD"]}}]
        (book,) = (await wire.hear())["events"]
        assert book["product_id"] == "BTC-USD"
        left = await wire.ask(level2("BTC-USD", kind="unsubscribe"))
        assert left["events"] == [{"subscriptions": {}}]


async def test_errors_have_no_number(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase_advanced") as wire:
        error = await wire.ask(level2("NOPE-USD"))
        assert error == {"type": "error", "message": "invalid product_ids: NOPE-USD"}
        assert (await wire.ask({"type": "subscribe", "channel": "dance"}))["type"] == "error"
        assert (await wire.ask(level2()))["sequence_num"] == 0


async def test_the_ticker_shows_the_best_prices(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase_advanced") as wire:
        await wire.ask({**level2(), "channel": "ticker"})
        (event,) = (await wire.hear())["events"]
        (ticker,) = event["tickers"]
        state = last_state(simulator, "coinbase_advanced")
        assert (ticker["best_bid"], ticker["best_ask"]) == (state.bids[0][0], state.asks[0][0])


async def test_heartbeats_keep_a_connection_that_hears_nothing_else(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_INTERVAL_S", 0.01)
    impatient = KeepaliveRules(idle_limit_s=0.2, silence_limit_s=0.2)
    monkeypatch.setattr(FakeCoinbaseAdvanced, "liveness", impatient)
    async with (
        dialled(simulator, "coinbase_advanced") as kept,
        dialled(simulator, "coinbase_advanced") as dropped,
    ):
        await kept.say(HEARTBEATS)
        assert await dropped.closed() == 1000
        assert (await kept.ask(level2()))["channel"] in {"subscriptions", "heartbeats"}


async def test_rest_lists_aliases_and_gives_books(simulator: Simulator) -> None:
    url = f"{simulator.rest_url('coinbase_advanced')}/api/v3/brokerage/market"
    products = {one["product_id"]: one for one in (await get(f"{url}/products")).body["products"]}
    assert products["ETH-BTC"]["quote_currency_id"] == "BTC"
    assert products["BTC-USDC"]["alias"] == "BTC-USD"
    book = (await get(f"{url}/product_book?product_id=BTC-USDC&limit=5")).body["pricebook"]
    assert book["product_id"] == "BTC-USD"
    assert len(book["bids"]) == 5
    assert (await get(f"{url}/product_book?product_id=NOPE-USD")).status == 404


PRODUCTS = (
    'x -> 1.0: {"products":[{"product_id":"A-B","base_currency_id":"A","quote_currency_id":"B"}]}'
)


def recorded(number: int, kind: str, *levels: tuple[str, str, str]) -> str:
    updates = [
        {"side": side, "price_level": price, "new_quantity": quantity}
        for side, price, quantity in levels
    ]
    event = {"type": kind, "product_id": "A-B", "updates": updates}
    times = {"timestamp": "1970-01-01T00:00:05.000000001Z", "sequence_num": number}
    return f"{number + 1}.0: {json.dumps({'channel': 'l2_data', **times, 'events': [event]})}"


def test_a_recording_is_proven_by_its_numbers() -> None:
    book = recorded(0, "snapshot", ("bid", "8", "1"), ("offer", "9", "1"))
    (rebuilt,) = rebuild_books([PRODUCTS], [book, recorded(1, "update", ("bid", "8", "0"))])
    assert (rebuilt.instrument, rebuilt.symbol) == ("A-B", "A-B")
    assert [state.venue_seq for state in rebuilt.states] == [5_000_000, 5_000_001]
    assert (rebuilt.states[1].bids, rebuilt.states[1].asks) == ((), (("9", "1"),))
    with pytest.raises(ConfigError, match="the message 2 comes where 1 is due"):
        rebuild_books([PRODUCTS], [book, recorded(2, "update")])
