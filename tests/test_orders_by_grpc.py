"""A bot's orders by gRPC: client, gateway and engine as processes, over simulated venues."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from dragonfly_client import (
    AccessError,
    DragonflyClient,
    DuplicateError,
    InvalidRequestError,
    NotFoundError,
    OrderNews,
    Ticket,
    UnavailableError,
    WorkedOrder,
)
from dragonfly_views.tokens import hash_token
from order_accounts import accounts_file
from system import VENUES, System, eventually

SWEEP = Ticket("one", "ETH-BTC", "sell", Decimal(3), rounds=1000)


@asynccontextmanager
async def running(folder: Path, *gateway: str, token: str | None = None) -> AsyncIterator[System]:
    with System(folder) as system:
        await system.start_simulator("--rate=5", "--seed=4")
        await asyncio.gather(
            *(system.start_listener(venue) for venue in VENUES), system.start_aggregator()
        )
        await system.start_engine()
        await system.start_gateway(f"--engine={system.address('engine')}", "--fees=*=10", *gateway)
        await system.listed(token=token)
        yield system


async def taken(client: DragonflyClient, ticket: Ticket) -> WorkedOrder:
    """Give a ticket as soon as the engine knows the markets, over and over."""
    orders: list[WorkedOrder] = []

    async def accepted() -> bool:
        try:
            orders.append(await client.liquidate(ticket))
        except (InvalidRequestError, UnavailableError):
            return False
        return True

    await eventually(accepted, "the order is taken")
    return orders[-1]


async def news_of(client: DragonflyClient, order_id: str) -> list[OrderNews]:
    """Return all that is told of an order until it is over."""
    told: list[OrderNews] = []
    async for one in client.order_news(order_id):
        told.append(one)
        if one.over:
            break
    return told


async def test_a_bot_sells_over_three_venues_and_hears_of_each_fill(tmp_path: Path) -> None:
    async with running(tmp_path) as system, DragonflyClient(system.gateway_address) as client:
        order = await taken(client, SWEEP)
        told = await news_of(client, order.order_id)
        assert [one.seq for one in told] == list(range(1, len(told) + 1))
        fills = [one.fill for one in told if one.fill is not None]
        assert sum(fill.amount for fill in fills) == 3
        assert set(Counter((fill.venue, fill.trade_id) for fill in fills).values()) == {1}
        order = await client.order(client_id="one")
        assert (order.state, order.filled, order.over) == ("done", Decimal(3), True)
        assert order.fees.keys() == {"BTC"}
        assert order.interval is not None

        again = await client.liquidate(SWEEP)
        assert order.arrival
        assert again == replace(order, arrival=())
        with pytest.raises(DuplicateError, match="names another order"):
            await client.liquidate(replace(SWEEP, quantity=Decimal(4)))
        with pytest.raises(InvalidRequestError, match="multiple of the lot"):
            await client.liquidate(Ticket("odd", "ETH-BTC", "sell", Decimal("0.123456789")))
        with pytest.raises(NotFoundError, match="no order of"):
            await client.cancel("another")

        maybe = replace(SWEEP, client_id="maybe")

        async def names_all_venues() -> bool:
            return set((await client.estimate(maybe)).engine.venues) == set(VENUES)

        await eventually(names_all_venues, "the engine says again where it may trade")
        estimate = await client.estimate(maybe)
        assert estimate.engine.paper
        assert estimate.now.prices[0].complete
        assert estimate.first
        assert [one.client_id for one in await client.orders(everything=True)] == ["one"]


async def test_orders_outlive_the_gateway_and_the_engine(tmp_path: Path) -> None:
    async with running(tmp_path) as system, DragonflyClient(system.gateway_address) as client:
        slow = Ticket(
            "slow",
            "ETH-BTC",
            "buy",
            Decimal(40),
            "twap",
            end_ns=Ticket.ending_in(3600),
            interval_s=1.0,
        )
        order = await taken(client, slow)
        told: list[OrderNews] = []

        async def listen() -> None:
            async for one in client.order_news(order.order_id):
                told.append(one)  # noqa: PERF401 - the test looks at it meanwhile

        listening = asyncio.create_task(listen())
        await eventually(lambda: any(one.fill for one in told), "a first fill")
        system.processes["gateway"].kill()
        await system.restart("gateway")
        system.processes["engine"].kill()
        await system.restart("engine")
        await eventually(lambda: told[-1].state == "paused", "it is paused after a restart")
        assert "restarted" in told[-1].reason
        filled = told[-1].filled
        await taken_up(client, order.order_id)
        await eventually(lambda: told[-1].filled > filled, "more fills")
        await client.cancel(order.order_id)
        await eventually(lambda: told[-1].over, "the end")
        listening.cancel()
        assert [one.seq for one in told] == list(range(1, len(told) + 1))
        assert told[-1].state == "cancelled"
        interval = (await client.order(order.order_id)).interval
        assert interval is not None
        assert 0 < interval.seen_ns < interval.whole_ns  # the engine was down


async def test_a_person_orders_at_a_terminal(tmp_path: Path) -> None:
    async with running(tmp_path) as system:
        at = f"--gateway={system.gateway_address}"
        async with DragonflyClient(system.gateway_address) as client:
            await taken(client, SWEEP)
            await news_of(client, (await client.order(client_id="one")).order_id)

            async def said(*arguments: str) -> tuple[int, str]:
                process = system.run(*arguments, at)
                return await process.ended(), process.log.read_text()

            code, text = await said("liquidate", "eth-btc", "buy", "3", "--json", "--rounds=1000")
            told = json.loads(text)
            assert (code, told["state"], Decimal(told["filled"])) == (0, "done", Decimal(3))
            assert {one["name"] for one in told["alternatives"]} >= {"best split, at once"}
            assert sum(Decimal(one["filled"]) for one in told["venues"].values()) == 3
            code, text = await said("liquidate", "ETH-BTC", "sell", "3", "--plan")
            assert (code, "on PAPER" in text, "Traceback" in text) == (0, True, False)
            slow = system.run(
                "liquidate", "ETH-BTC", "sell", "40", "--twap=1h", "--client-id=slow", at
            )
            await eventually(lambda: "running (paper)" in slow.log.read_text(), "it is watched")
            slow.signal(signal.SIGINT)
            assert await slow.ended() == 0
            assert "it runs on" in slow.log.read_text()
            code, text = await said("orders", "--json")
            assert [one["client_id"] for one in json.loads(text)] == ["slow"]
            code, text = await said("orders", "slow", "--cancel")
            assert code == 0
            code, text = await said(
                "orders", "one", "--resolve=x", "--filled=0", "--reason=looked", "--yes"
            )
            assert (code, "names no UNKNOWN order at a venue: none is" in text) == (78, True)
            code, text = await said("orders", "one", "--json")
            assert "best split, at once" in text
            code, text = await said("orders", "nothing")
            assert (code, "names no order" in text) == (78, True)
            assert (await said("kill", "--reason=enough"))[0] == 0
            code, text = await said("liquidate", "ETH-BTC", "sell", "3")
            assert (code, "kill switch is thrown" in text) == (2, True)
            assert "Traceback" not in text
            assert (await said("kill", "--release", "--yes"))[0] == 0
            assert (await said("liquidate", "ETH-BTC", "sell", "3", "--detach"))[0] == 0


async def test_the_demo_sells_and_says_what_it_cost(tmp_path: Path) -> None:
    svg = tmp_path / "cost.svg"
    with System(tmp_path) as system:
        demo = system.run("demo", "--liquidate", "--seconds=6", "--no-faults", f"--svg={svg}")
        assert await demo.ended() == 0
        said = demo.log.read_text()
    assert "on PAPER" in said
    assert "shortfall" in said
    assert "best split, at once" in said
    assert "Traceback" not in said
    assert "<svg" in svg.read_text()


async def test_the_demo_orders_at_the_simulated_venues_too_and_an_interrupt_cancels(
    tmp_path: Path,
) -> None:
    with System(tmp_path) as system:
        accounts = f"--accounts={accounts_file(tmp_path)}"
        demo = system.run("demo", "--liquidate", "--seconds=3600", "--no-faults", accounts)
        await eventually(lambda: "running (paper): 0" in demo.log.read_text(), "it is watched")
        demo.signal(signal.SIGINT)
        assert await demo.ended() == 0
        said = demo.log.read_text()
    assert "the order is cancelled" in said
    assert "it runs on" not in said
    assert "Traceback" not in said


async def taken_up(client: DragonflyClient, order_id: str) -> None:
    async def resumed() -> bool:
        try:
            await client.resume(order_id)
        except (InvalidRequestError, UnavailableError):
            return False
        return True

    await eventually(resumed, "it is resumed")


async def test_each_bot_has_its_own_orders_and_the_kill_switch_ends_all(tmp_path: Path) -> None:
    scopes = {"alice": ["md", "trade"], "bob": ["trade"], "carol": ["md"]}
    file = tmp_path / "tokens.toml"
    file.write_text(
        "\n".join(
            f'[bots.{name}]\ntoken_sha256 = "{hash_token(name)}"\nscopes = {held}'
            for name, held in scopes.items()
        )
    )
    file.chmod(0o600)
    async with running(tmp_path, f"--tokens={file}", token="alice") as system:
        alice, bob, carol = (DragonflyClient(system.gateway_address, token=name) for name in scopes)
        async with alice, bob, carol:
            end_ns = Ticket.ending_in(3600)
            slow = Ticket("slow", "ETH-BTC", "sell", Decimal(40), "twap", end_ns=end_ns)
            order = await taken(alice, slow)
            assert await bob.orders() == ()
            with pytest.raises(NotFoundError):
                await bob.cancel(order.order_id)
            with pytest.raises(AccessError, match="have trade added to its scopes"):
                await carol.liquidate(SWEEP)
            assert (await bob.kill("enough")).killed
            told = await news_of(alice, order.order_id)
            assert (told[-1].state, "enough" in told[-1].reason) == ("cancelled", True)
            with pytest.raises(InvalidRequestError, match="kill switch"):
                await alice.liquidate(SWEEP)
            await bob.revive()
            assert (await taken(alice, SWEEP)).client_id == "one"
