"""The gateway's store fails before or after each of its commits, and the gateway starts anew.

A customer orders, changes and cancels meanwhile, over as many connections as it takes. Whatever
fails when: the engine is asked for each thing once, and each report is told once.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from customer_world import _NotingRuntime
from dragonfly_common.bus import drive
from dragonfly_common.errors import ConfigError
from dragonfly_fix.session import NotLoggedOnError
from dragonfly_fix.sqlite_store import SqliteFile
from dragonfly_orders import front_end
from fix_gateway.order_desk import DeskOptions
from fix_gateway.service import FixGatewayOptions, serve
from order_desk_customer import OrderCustomer, judge
from order_engine import Engine
from patience import eventually, patiently
from view_world import Aggregator, until

ORDER = "11=one|55=ETH-BTC|54=2|38=3|40=2|44=0.05"
STEPS = (
    ("D", "one", ORDER, (150, "F")),
    ("G", "two", "11=two|41=one|55=ETH-BTC|54=2|38=2|40=2|44=0.05", (150, "5")),
    ("F", "end", "11=end|41=two|55=ETH-BTC|54=2", (150, "4")),
)


@contextmanager
def failing(at: int, *, after: bool) -> Iterator[list[int]]:
    """Let the commit number `at` fail, before or after it; yield how many there were."""
    count = [0]
    transaction = SqliteFile.transaction

    @contextmanager
    def counted(file: SqliteFile) -> Iterator[None]:
        outermost = not file.in_transaction
        with transaction(file):
            yield
            count[0] += outermost
            if outermost and count[0] == at and not after:
                raise sqlite3.OperationalError("before the commit")
        if outermost and count[0] == at and after:
            raise sqlite3.OperationalError("after the commit")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteFile, "transaction", counted)
        yield count


async def run_gateway(options: FixGatewayOptions, address: list[str]) -> None:
    """Run a gateway, and another where its store has failed, at the same address."""
    while True:
        runtime = _NotingRuntime("critical")
        task = asyncio.create_task(serve(runtime, options))
        try:
            await until(lambda: "fix" in runtime.facts or task.done())  # noqa: B023 - of this turn
            if "fix" in runtime.facts:
                address[:] = [str(runtime.facts["fix"])]
                options = replace(options, bind=address[0])
            with suppress(sqlite3.Error, ConfigError):
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def trade(customer: OrderCustomer) -> None:
    """Do one step after the other; a line that breaks is made anew."""
    for kind, name, text, (tag, value) in STEPS:
        asked: int | None = None

        def reached(tag: int = tag, value: str = value) -> bool:
            return any(one.get(tag) == value.encode() for one in customer.received)

        while not reached():
            with suppress(ConnectionError):  # the next gateway is not there so far
                asked = await follow(customer, (kind, name, text), reached, asked)


async def follow(
    customer: OrderCustomer,
    wish: tuple[str, str, str],
    reached: Callable[[], bool],
    asked: int | None,
) -> int | None:
    """Be connected until a step is done, or the line breaks.

    `asked` is how much had been received when the wish was last sent, and so is what is returned.
    """
    kind, name, text = wish
    async with customer.line():
        while not reached() and not customer.is_lost():
            # The engine was not heard so far, or nobody was asked.
            if asked is None or any(
                one.type == b"j" and one.get(379) == name.encode()
                for one in customer.received[asked:]
            ):
                with suppress(NotLoggedOnError):
                    customer.send(kind, text)
                    asked = len(customer.received)
            await asyncio.sleep(0)  # the loop's turn
    return asked


async def outcome(folder: Path, options: FixGatewayOptions, at: int, *, after: bool) -> range:
    """Run it once; return the numbers of its commits, but for those of its start."""
    engine_at, address = f"ipc://{folder}/engine", [""]
    desk = DeskOptions(engine_at, folder / "store")
    engine = Engine(engine_at)
    with closing(engine.channel), failing(at, after=after) as count:
        driving = asyncio.create_task(drive((engine.channel,), engine.turn))
        serving = asyncio.create_task(run_gateway(replace(options, orders=desk), address))
        try:
            await eventually(lambda: bool(address[0]) or serving.done(), "the gateway")
            customer = OrderCustomer("ME", address[0])
            begun = count[0]
            async with patiently():
                await trade(customer)
        finally:
            for task in (serving, driving):
                task.cancel()
            await asyncio.gather(serving, driving, return_exceptions=True)
    assert engine.carried == {"Liquidate": 1, "Replace": 1, "Cancel": 1}, (at, after)
    told = [one for one in customer.received if one.type == b"8"]
    judge(told)
    ids = [(one.get(17) or b"").decode() for one in told]
    assert ids == [f"{engine.reports[0].order_id}-{one.seq}" for one in engine.reports], (at, after)
    return range(begun + 1, count[0] + 1)


# A line that is accepted just as the gateway ends is left to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_each_thing_is_done_and_told_once_whenever_the_store_fails(
    fix_options: FixGatewayOptions,
    aggregator: Aggregator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(front_end, "RESEND_INTERVAL_S", 0.05)

    def folder(name: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        return made

    commits = await outcome(folder("whole"), fix_options, 0, after=False)
    assert len(commits) > 8
    whole = request.config.getoption("--long")
    for at in commits if whole else commits[::5]:
        for after in (True, False):
            await outcome(folder(f"{at}{after}"), fix_options, at, after=after)
    caplog.clear()  # what is logged holds it
    gc.collect()
