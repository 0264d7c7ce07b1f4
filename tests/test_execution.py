"""The execution engine as a process, on paper, between simulated venues and a front end."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path

import pytest
from customer_desk import Desk, desk_at
from dragonfly_common.clock import SystemClock
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    AnswerCode,
    Cancel,
    CommandAnswer,
    FinalStatusOf,
    Liquidate,
    OrderState,
    ReportKind,
    Resume,
    Revive,
    StatusOf,
    Sweep,
    Twap,
)
from execution_engine.journal import Journal
from execution_engine.rows import ChildIntended, ParentOpened
from proxy import Proxy
from system import VENUES, System, eventually

INSTRUMENT = "ETH-BTC"


@asynccontextmanager
async def running(folder: Path, *options: str) -> AsyncIterator[tuple[System, Desk]]:
    with System(folder) as system:
        await system.start_simulator("--rate=5", "--seed=4")
        await asyncio.gather(
            *(system.start_listener(venue) for venue in VENUES), system.start_aggregator()
        )
        await system.start_engine(*options)
        async with desk_at(system.address("engine")) as desk:
            yield system, desk


def sweep(client_id: str, quantity: str, side: OrderSide = OrderSide.SELL) -> Liquidate:
    return Liquidate(client_id, INSTRUMENT, side, Decimal(quantity), Sweep(rounds=1000))


async def test_a_sweep_is_filled_over_the_venues_and_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, desk):
        order_id = await desk.order(sweep("one", "3"))
        status = await desk.until(order_id, OrderState.DONE)
        assert (status.filled, status.leaves) == (Decimal(3), Decimal(0))
        assert status.arrival_mid is not None  # it waited for the first book of its instrument
        again = await desk.ask(sweep("one", "3"))
        assert (again.code, again.order_id) == (AnswerCode.ACCEPTED, order_id)
        later = await desk.order(sweep("two", "1"))  # whose book was left meanwhile, or not
        await desk.until(later, OrderState.DONE)
        other = await desk.ask(sweep("one", "4"))
        assert other.code is AnswerCode.ALREADY_EXISTS

        await eventually(
            lambda: bool(desk.of(order_id)) and desk.of(order_id)[-1].state is OrderState.DONE,
            "the last report",
        )
        reports = desk.of(order_id)
        assert [report.seq for report in reports] == list(range(1, len(reports) + 1))
        fills = [report.fill for report in reports if report.fill is not None]
        assert sum(fill.amount for fill in fills) == 3
        assert reports[-1].cum == 3
        assert sum(report.fees.get("BTC", Decimal(0)) for report in reports[-1:]) > 0


async def test_an_order_that_waits_for_its_book_is_not_denied(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, desk):
        # Until then nothing is sent, and the first that can be goes first.
        await eventually(lambda: desk.front_end.engine is not None, "the engine")
        answers: list[CommandAnswer] = []

        async def taken() -> bool:
            answers[:] = await asyncio.gather(
                desk.ask(sweep("one", "1")), desk.ask(StatusOf(client_id="one"))
            )
            return answers[0].code is AnswerCode.ACCEPTED

        await eventually(taken, "the engine knows the venues' lists")
        order, found = answers
        assert found.code is AnswerCode.ACCEPTED
        assert found.order_id == order.order_id


async def test_an_order_that_comes_after_it_was_denied_is_not_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, desk):
        await desk.order(sweep("first", "1"))  # the engine knows the markets
        old = Proxy(Path(system.address("engine").removeprefix("ipc://")))
        async with old.serving(), desk_at(f"tcp://127.0.0.1:{old.port}") as line:
            await eventually(lambda: line.front_end.engine is not None, "the engine")
            old.hold()
            late = asyncio.create_task(line.ask(sweep("one", "3")))
            # A question by another line changes places with it.
            denied = await desk.ask(FinalStatusOf("one"))
            assert denied.code is AnswerCode.NOT_FOUND
            assert not late.done()
            old.resume()
            assert (await late).code is AnswerCode.FAILED_PRECONDITION
        system.processes["engine"].kill()
        await system.restart("engine")
        refused = await desk.ask(sweep("one", "3"))
        assert "was denied for good before its order came" in refused.text
        await desk.order(sweep("two", "3"))


async def test_an_order_survives_kill_9_and_goes_on_when_it_is_told_to(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, desk):
        end_ns = SystemClock().now_ns() + 3600 * 10**9
        order = Liquidate(
            "slow", INSTRUMENT, OrderSide.BUY, Decimal(40), Twap(end_ns, interval_s=1.0)
        )
        order_id = await desk.order(order)
        await eventually(
            lambda: any(one.kind is ReportKind.FILL for one in desk.of(order_id)), "a first fill"
        )
        system.processes["engine"].kill()
        await system.restart("engine")
        status = await desk.until(order_id, OrderState.PAUSED)
        assert "restarted" in status.reason
        before = status.filled
        assert (await desk.ask(Resume(order_id))).code is AnswerCode.ACCEPTED

        async def went_on() -> bool:
            return (await desk.status(order_id)).filled > before

        await eventually(went_on, "more fills")
        await desk.ask(Cancel(order_id))
        status = await desk.until(order_id, OrderState.CANCELLED)
        await eventually(lambda: desk.of(order_id)[-1].seq == status.last_seq, "the last report")
        reports = desk.of(order_id)
        assert [report.seq for report in reports] == list(range(1, status.last_seq + 1))
        trades = Counter(report.fill.trade_id for report in reports if report.fill is not None)
        assert set(trades.values()) == {1}


async def test_the_kill_switch_survives_a_restart_until_it_is_released(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, desk):
        end_ns = SystemClock().now_ns() + 3600 * 10**9
        order_id = await desk.order(
            Liquidate("slow", INSTRUMENT, OrderSide.SELL, Decimal(40), Twap(end_ns))
        )
        system.processes["engine"].signal(signal.SIGUSR1)
        status = await desk.until(order_id, OrderState.CANCELLED)
        assert "SIGUSR1" in status.reason
        system.processes["engine"].kill()
        await system.restart("engine")
        refused = await desk.ask(sweep("two", "3"))
        assert refused.code is AnswerCode.FAILED_PRECONDITION
        assert "kill switch" in refused.text
        assert (await desk.ask(Revive())).code is AnswerCode.ACCEPTED
        await desk.until(await desk.order(sweep("two", "3")), OrderState.DONE)


async def test_a_second_engine_is_kept_from_the_journal(tmp_path: Path) -> None:
    async with running(tmp_path) as (system, _):
        other = system.run(
            "engine",
            f"--upstream={system.address('aggregator')}",
            f"--bind={system.address('other')}",
            f"--journal={tmp_path}/journal",
        )
        assert await other.ended() == 78
        assert "another engine writes" in other.log.read_text()
        system.processes["engine"].signal(signal.SIGTERM)
        assert await system.processes["engine"].ended() == 0


async def test_orders_in_doubt_at_a_venue_that_is_left_out_keep_an_engine_from_beginning(
    tmp_path: Path,
) -> None:
    order_id, one = "order", Decimal(1)
    order = Liquidate("one", INSTRUMENT, OrderSide.SELL, one, Sweep())
    with closing(Journal(tmp_path / "journal")) as journal:
        journal.append(
            [
                ParentOpened(order_id, "alice", order, 1, one, one, None),
                ChildIntended(
                    "child",
                    order_id,
                    1,
                    1,
                    "kraken",
                    "ETH/BTC",
                    INSTRUMENT,
                    OrderSide.SELL,
                    one,
                    one,
                    1,
                ),
            ]
        )
    with System(tmp_path) as system:
        process = system.run(
            "engine",
            f"--upstream={system.address('aggregator')}",
            f"--bind={system.address('engine')}",
            f"--journal={tmp_path}/journal",
            "--venue=binance",
        )
        assert await process.ended() == 78
        said = process.log.read_text()
        assert "has orders at kraken whose fate is not known" in said
        assert "give --venue kraken too" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--live=okx"], "is not a venue at which orders can be placed"),
        (["--key-file=binance=/nowhere"], "is for --live binance, or --paper: give one of them"),
        (["--paper=kraken"], "orders at kraken need its keys: give --key-file kraken=FILE"),
        (["--paper=kraken", "--live=binance"], "do not go together"),
        (["--live=kraken", "--key-file=kraken=/nowhere"], "real orders need limits: give --limits"),
        (["--paper=kraken", "--key-file=kraken=/nowhere"], "the keys /nowhere cannot be read"),
        (["--venue=mtgox"], "is not a venue that can be listened to"),
        (["--limits=/nowhere/limits"], "cannot read /nowhere/limits: No such file"),
        (["--fees=binance=much"], "the fee of binance is"),
        (["--journal=/nowhere/journal"], "cannot write /nowhere/journal.lock"),
    ],
)
async def test_a_bad_option_is_one_sentence(tmp_path: Path, options: list[str], says: str) -> None:
    with System(tmp_path) as system:
        process = system.run(
            "engine",
            f"--upstream={system.address('aggregator')}",
            f"--bind={system.address('engine')}",
            f"--journal={tmp_path}/journal",
            *options,
        )
        assert await process.ended() in {2, 78}
        said = process.log.read_text()
        assert says in said
        assert "Traceback" not in said
