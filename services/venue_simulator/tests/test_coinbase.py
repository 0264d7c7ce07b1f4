"""Coinbase Exchange's protocol, as its documents have it."""

from __future__ import annotations

from itertools import count

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state, texts
from venue_simulator.simulator import Simulator
from venue_simulator.venue import KeepaliveRules
from venue_simulator.venues.coinbase import FakeCoinbase, session
from venue_simulator.venues.coinbase.listing import FAR_LEVELS


def level2(*products: str, kind: str = "subscribe", channel: str = "level2_batch") -> Message:
    return {"type": kind, "product_ids": products or ("ETH-BTC",), "channels": [channel]}


async def followed(wire: Wire, *products: str) -> Message:
    """Subscribe to books, and return the first."""
    assert (await wire.ask(level2(*products)))["type"] == "subscriptions"
    return await wire.hear()


async def test_a_whole_book_and_its_changes_are_the_book(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase") as wire:
        first = await followed(wire)
        sides = {"buy": dict(first["bids"]), "sell": dict(first["asks"])}
        assert len(first["bids"]) > FAR_LEVELS
        assert len(first["asks"]) > FAR_LEVELS
        simulator.step(30)
        removed = 0
        for _ in range(30):
            update = await wire.hear()
            assert (update["type"], update["product_id"]) == ("l2update", "ETH-BTC")
            for side, price, size in update["changes"]:
                sides[side][price] = size
                removed += not float(size)
    assert removed
    state = last_state(simulator, "coinbase")
    for name, sign, true in (("buy", -1, state.bids), ("sell", 1, state.asks)):
        levels = [level for level in sides[name].items() if float(level[1])]
        levels.sort(key=lambda level: sign * float(level[0]))
        assert [list(level) for level in levels[: len(true)]] == texts(true)


async def test_the_list_of_subscriptions_is_of_all_and_calls_the_channel_otherwise(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "coinbase") as wire:
        await followed(wire)
        answer = await wire.ask(level2("BTC-USD"))
        books = {"name": "level2_50", "product_ids": ["ETH-BTC", "BTC-USD"], "account_ids": None}
        assert answer == {"type": "subscriptions", "channels": [books]}
        await wire.hear()
        left = await wire.ask(level2("ETH-BTC", kind="unsubscribe"))
        assert [one["product_ids"] for one in left["channels"]] == [["BTC-USD"]]
        simulator.step()
        assert (await wire.hear())["product_id"] == "BTC-USD"


async def test_one_bad_product_spoils_no_others(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase") as wire:
        error = await wire.ask(level2("NOPE-USD", "ETH-BTC"))
        assert error == {
            "type": "error",
            "message": "Failed to subscribe",
            "reason": "NOPE-USD is not a valid product",
        }
        assert (await wire.hear())["channels"][0]["product_ids"] == ["ETH-BTC"]
        assert (await wire.hear())["type"] == "snapshot"


async def test_some_channels_want_a_key(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase") as wire:
        error = await wire.ask(level2(channel="level2"))
        assert "require authentication" in error["reason"]
        assert "valid channel" in (await wire.ask(level2(channel="dance")))["reason"]
        assert (await wire.ask({"type": "sing"}))["type"] == "error"


async def test_a_heartbeat_comes_by_the_clock_for_each_product(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_INTERVAL_S", 0.01)
    async with dialled(simulator, "coinbase") as wire:
        await wire.ask(level2("ETH-BTC", "BTC-USD", channel="heartbeat"))
        beats = [await wire.hear() for _ in range(4)]
    assert {beat["type"] for beat in beats} == {"heartbeat"}
    assert [beat["product_id"] for beat in beats] == ["ETH-BTC", "BTC-USD"] * 2


async def test_the_ticker_shows_the_best_prices_when_they_change(simulator: Simulator) -> None:
    async with dialled(simulator, "coinbase") as wire:
        await wire.ask(level2(channel="ticker"))
        for _ in count():
            ticker = await wire.hear()
            state = last_state(simulator, "coinbase")
            best = ticker["best_bid"], ticker["best_bid_size"], ticker["best_ask"]
            assert best == (*state.bids[0], state.asks[0][0])
            if ticker["sequence"] != state.venue_seq % 10**9:
                break
            while (state.bids[0], state.asks[0]) == (
                last_state(simulator, "coinbase").bids[0],
                last_state(simulator, "coinbase").asks[0],
            ):
                simulator.step()
            if last_state(simulator, "coinbase").venue_seq - state.venue_seq:
                return


async def test_who_subscribes_to_nothing_is_dropped(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCoinbase, "liveness", KeepaliveRules(idle_limit_s=0.05))
    async with dialled(simulator, "coinbase") as wire:
        assert await wire.closed() == 1000


async def test_rest_lists_products_and_gives_books(simulator: Simulator) -> None:
    url = simulator.rest_url("coinbase")
    products = {one["id"]: one for one in (await get(f"{url}/products")).body}
    assert products["ETH-BTC"]["quote_currency"] == "BTC"
    assert [name for name, one in products.items() if one["trading_disabled"]] == ["LUNA-USD"]
    whole = (await get(f"{url}/products/ETH-BTC/book?level=2")).body
    best = (await get(f"{url}/products/ETH-BTC/book")).body
    assert len(whole["asks"]) > FAR_LEVELS
    assert best["asks"] == whole["asks"][:1]
    assert (await get(f"{url}/products/NOPE-USD/book")).status == 404
    assert (await get(f"{url}/products/ETH-BTC/book?level=3")).status == 400
