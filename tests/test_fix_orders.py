"""Orders over FIX: real processes from the venues to the customer, the engine on paper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from dragonfly_fix.codec import FixMessage
from dragonfly_views.tokens import hash_token
from order_desk_customer import OrderCustomer, judge, shown
from system import VENUES, System, eventually

ETH = "55=ETH-BTC"
SWEEP = "848=max_slippage_bps=500;rounds=1000"


@asynccontextmanager
async def running(folder: Path, *options: str) -> AsyncIterator[tuple[System, OrderCustomer]]:
    with System(folder) as system:
        await system.start_simulator("--rate=5", "--seed=4")
        await asyncio.gather(
            *(system.start_listener(venue) for venue in VENUES), system.start_aggregator()
        )
        await system.start_engine("--instrument=ETH-BTC")
        await start_gateway(system, *options)
        yield system, OrderCustomer("DESK", system.gateway_address)


async def start_gateway(system: System, *options: str) -> None:
    engine = f"--engine={system.address('engine')}"
    store = f"--order-store={system.folder}/fix-orders"
    system.gateway_address = await system.start_fix_gateway(engine, store, *options)


def twap(name: str, quantity: str, *, minutes: float = 60, more: str = "") -> str:
    end = datetime.now(UTC) + timedelta(minutes=minutes)
    return (
        f"11={name}|{ETH}|54=1|38={quantity}|40=1|126={end:%Y%m%d-%H:%M:%S}|847=1001"
        f"|848=interval_s=1;max_slippage_bps=500{more}"
    )


async def ready(customer: OrderCustomer) -> None:
    """Wait until the engine knows the markets: an order is taken, and cancelled."""
    names = count(1)

    async def taken() -> bool:
        name = f"ready-{next(names)}"
        answer = await customer.ask("D", twap(name, "30"))
        if answer.get(150) != b"0":
            return False
        customer.send("F", f"11={name}-x|41={name}|{ETH}|54=1")
        await customer.until(name, "4")
        return True

    await eventually(taken, "the engine takes orders")
    customer.received.clear()


def of(customer: OrderCustomer, order_id: bytes | None) -> list[FixMessage]:
    return [one for one in customer.received if one.get(37) == order_id]


async def test_a_sweep_is_filled_and_told(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, customer), customer.line():
        await ready(customer)
        order = f"11=one|{ETH}|54=2|38=3|40=1|59=1|{SWEEP}"
        new = await customer.ask("D", order)
        assert shown(new, 11, 14, 38, 39, 54, 55, 150, 151, 848) == (
            "35=8|11=one|14=0|38=3|39=0|54=2|55=ETH-BTC|150=0|151=3"
            "|848=strategy=sweep;rounds=1000;max_slippage_bps=500"
        )
        assert b"goes on" in (new.get(58) or b"")

        async def filled() -> bool:
            return customer.received[-1].get(39) == b"2"

        await eventually(filled, "all is filled")
        reports = of(customer, new.get(37))
        judge(reports)
        fill = reports[1]
        assert (fill.get(150), fill.get(136), fill.get(138)) == (b"F", b"1", b"BTC")
        assert (fill.get(30) or b"").decode().lower() in VENUES
        # The same again: its state, where it may be a repetition; else a refusal.
        again = await customer.ask("D", order, again=True)
        assert shown(again, 11, 14, 39, 150) == "35=8|11=one|14=3|39=2|150=I"
        refused = await customer.ask("D", order)
        assert shown(refused, 11, 37, 39, 103, 150) == "35=8|11=one|37=NONE|39=8|103=6|150=8"
        late = await customer.ask("F", f"11=late|41=one|{ETH}|54=2")
        assert shown(late, 11, 39, 41, 102, 434) == "35=9|11=late|39=2|41=one|102=0|434=1"
        assert customer.rejections == []


async def test_an_order_is_changed_asked_for_and_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, customer), customer.line():
        await ready(customer)
        await customer.ask("D", twap("slow", "40"))
        await customer.until("slow", "F")
        customer.send("G", f"11=less|41=slow|{ETH}|54=1|40=1|38=30")
        changed = await customer.until("less", "5")
        assert shown(changed, 11, 38, 39, 41, 150) == "35=8|11=less|38=30|39=1|41=slow|150=5"
        for name, text, says in (
            ("G", "11=g1|41=less|{eth}|54=1|40=1|38=300", (102, "99")),
            ("G", "11=g2|41=less|{eth}|54=1|40=1|38=30|126=20360101-00:00:00", (102, "99")),
            ("F", "11=less|41=less|{eth}|54=1", (102, "6")),
            ("F", "11=f1|41=nobody|{eth}|54=1", (102, "1")),
        ):
            customer.send(name, text.format(eth=ETH))
            await customer.having(*says)
        customer.send("H", f"11=slow|790=q1|{ETH}|54=1")
        status = await customer.until("less", "I")
        assert shown(status, 17, 38, 39, 790) == "35=8|17=0|38=30|39=1|790=q1"
        customer.send("AF", "584=m1|585=7")
        answer = await customer.having(584, "m1")
        assert shown(answer, 11, 584, 911, 912) == "35=8|11=less|584=m1|911=1|912=Y"
        customer.send("F", f"11=end|41=less|{ETH}|54=1")
        await customer.until("end", "6")
        gone = await customer.until("end", "4")
        assert shown(gone, 11, 39, 41, 151) == "35=8|11=end|39=4|41=less|151=0"
        judge(of(customer, gone.get(37)))
        assert customer.rejections == []


async def test_who_lost_the_line_gets_what_was_missed(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, customer):
        async with customer.line():
            await ready(customer)
            new = await customer.ask("D", twap("slow", "40"))
            await customer.until("slow", "F")

        # Its order goes on meanwhile.
        lines = count(1)

        async def missed_some() -> bool:
            async with customer.line():
                number = next(lines)
                customer.send("H", f"11=slow|{ETH}|54=1|790=line-{number}")
                await customer.having(790, f"line-{number}")
            return any(one.get(43) == b"Y" for one in customer.received)

        await eventually(missed_some, "reports are missed, and sent again")
        system.processes["fix-gateway"].kill()
        await system.restart("fix-gateway")
        async with customer.line():
            system.processes["engine"].kill()
            await system.restart("engine")
            paused = await customer.until("slow", "9")
            assert shown(paused, 39, 150) == "35=8|39=9|150=9"
            assert b"restarted" in (paused.get(58) or b"")
            customer.send("G", f"11=on|41=slow|{ETH}|54=1|40=1|38=40")
            goes_on = await customer.until("on", "5")
            assert shown(goes_on, 11, 38, 39, 41, 150) == "35=8|11=on|38=40|39=1|41=slow|150=5"
            customer.send("F", f"11=end|41=on|{ETH}|54=1")
            await customer.until("end", "4")
        judge(of(customer, new.get(37)))
        assert customer.rejections == []


async def test_an_order_goes_on_over_a_new_start_of_the_gateway(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, customer):

        def fills() -> int:
            return sum(one.get(150) == b"F" for one in of(customer, order))

        async with customer.line():
            await ready(customer)
            order = (await customer.ask("D", twap("slow", "40"))).get(37)
            await customer.until("slow", "F")
        system.processes["fix-gateway"].kill()
        await system.restart("fix-gateway")
        async with customer.line():
            enough = fills() + 3
            await eventually(lambda: fills() >= enough, "the engine's reports come again")
            customer.send("F", f"11=end|41=slow|{ETH}|54=1")
            await customer.until("end", "4")
        judge(of(customer, order))
        assert customer.rejections == []


async def test_orders_end_with_the_line_where_that_was_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, customer):
        async with customer.line():
            await ready(customer)
            new = await customer.ask("D", twap("keep", "30"))
            customer.send("D", "18=e Q|" + twap("end", "30"))
            ends = await customer.until("end", "0")  # the other may be filled before
            assert b"is cancelled" in (ends.get(58) or b"")
        async with customer.line():
            gone = await customer.until("end", "4")
            assert b"line broke" in (gone.get(58) or b"")
            await customer.ask("H", f"11=keep|{ETH}|54=1")
            customer.send("q", "11=all|530=7")
            answer = await customer.having(530, "7")
            assert shown(answer, 11, 530, 531, 533) == "35=r|11=all|530=7|531=7|533=1"
            gone = await customer.until("keep", "4")
            assert gone.get(58) == b"mass cancel all"
        judge(of(customer, new.get(37)))


async def test_an_engine_that_is_away_is_said(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, customer), customer.line():
        await ready(customer)

        async def is_there() -> bool:
            answer = await customer.ask("q", "11=q|530=7")
            return shown(answer, 380) != "35=j|380=4"

        async def is_away() -> bool:
            return not await is_there()

        system.processes["engine"].kill()
        await eventually(is_away, "the engine is missed")
        answer = await customer.ask("D", twap("no", "30"))
        assert shown(answer, 372, 379, 380) == "35=j|372=D|379=no|380=4"
        await system.restart("engine")
        await eventually(is_there, "the engine is back")


async def test_a_doubt_about_it_is_for_a_person_who_has_the_token_of_its_comp_id(
    tmp_path: Path,
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(
        "\n".join(
            f'[bots.{name}]\ntoken_sha256 = "{hash_token(name)}"\nscopes = ["trade"]\n'
            f'comp_ids = ["{comp_id}"]'
            for name, comp_id in (("alice", "DESK"), ("bob", "ANOTHER"))
        )
    )
    tokens.chmod(0o600)
    async with running(tmp_path) as (system, customer), customer.line():
        await system.start_gateway(f"--engine={system.address('engine')}", f"--tokens={tokens}")
        await ready(customer)
        order = ((await customer.ask("D", twap("slow", "40"))).get(37) or b"").decode()

        async def said(name: str, *words: str) -> tuple[int, str]:
            (tmp_path / name).write_text(name)
            (tmp_path / name).chmod(0o600)
            at = (f"--gateway={system.gateway_address}", f"--token-file={tmp_path / name}")
            process = system.run("orders", order, *words, *at)
            return await process.ended(), process.log.read_text()

        word = ("--resolve=x", "--filled=0", "--reason=looked", "--yes")
        code, text = await said("alice", *word)
        assert (code, "names no UNKNOWN order at a venue: none is" in text) == (78, True)
        code, text = await said("alice", "--cancel")
        assert (code, "given by FIX" in text) == (2, True)
        code, text = await said("bob", *word)
        assert (code, "to the token that has the CompID" in text) == (78, True)
        assert "Traceback" not in text
        assert customer.received[-1].get(39) in {b"0", b"1"}
