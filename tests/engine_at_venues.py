"""The execution engine as a process, trading at simulated venues by their own protocols.

python tests/engine_at_venues.py --parents 200 --kills 500

Orders are worked while replies and events go astray, and the engine's process is killed (`kill -9`)
at random moments. It is judged by the venues' own log: no order is filled beyond its quantity at
any moment, each child is placed once at most, and what the engine reports is what venues filled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from customer_desk import Desk, desk_at
from dragonfly_common.types import OrderSide
from dragonfly_orders.front_end import AnswerOverdueError
from dragonfly_orders.messages import (
    FINAL_STATES,
    AnswerCode,
    Liquidate,
    ListOrders,
    OrderStatus,
    Sweep,
)
from live_line import LiveLine, clock
from order_accounts import accounts_file, key_file
from system import VENUES, System, eventually

__all__ = ["Verdict", "is_over", "judge", "parent", "trade", "trading_system"]

INSTRUMENT: Final = "ETH-BTC"
FAULTS: Final = {
    "binance": ("reply_lost", "reply_5xx", "event_lost", "event_twice", "event_reordered", "reset"),
    "kraken": ("reply_lost", "reply_5xx", "event_lost", "event_twice", "event_reordered", "reset"),
    "bitstamp": ("reply_lost", "reply_5xx", "event_lost", "event_twice", "stream_closed"),
}
"""What goes wrong at each venue; a request that is lost takes Bitstamp's 155 s to be proven so."""
TIERS: Final = {"kraken": "pro"}
"""A starter's allowance for questions spreads three denials over most of a minute."""
LEAST_PAUSE_S, MOST_PAUSE_S = 0.05, 1.5
SHARE_AT_WORK, MOST_WAIT_S = 0.8, 10.0
"""Of the kills so many come soon after a report, for which is waited so long."""
AT_ONCE: Final = 4
"""Orders at the same time."""
PROGRESS_EVERY_S: Final = 10.0

Fill = tuple[str, str, Decimal, Decimal]
"""Its venue, child, price and amount."""


@dataclass
class Verdict:
    """What the venues' own log says, against what was asked for and reported."""

    orders: int = 0
    placed: int = 0
    fills: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    """What is: the order, the venue, the property that is broken."""
    evidence: dict[str, list[str]] = field(default_factory=dict)
    """By order of which something is wrong: all that there is about it."""
    recovered_s: list[float] = field(default_factory=list)
    """From each start after a kill until commands are answered."""

    def __str__(self) -> str:
        """All of it, as whoever has nothing else needs it."""
        lines = [
            f"{self.orders} orders, {self.placed} children, {self.fills} fills, {self.kills} kills",
            *(f"WRONG: {wrong}" for wrong in self.wrong),
        ]
        for name, evidence in self.evidence.items():
            lines += [f"ALL OF {name}:", *evidence]
        return "\n".join(lines)

    def quantile(self, share: float) -> float:
        times = sorted(self.recovered_s) or [0.0]
        return times[min(len(times) - 1, int(share * len(times)))]


@asynccontextmanager
async def trading_system(
    folder: Path, *options: str, venues: Sequence[str] = VENUES, seed: int = 1
) -> AsyncIterator[tuple[System, Desk]]:
    """Run venues, listeners, an aggregator and the engine, and a customer of it."""
    with System(folder) as system:
        await system.start_simulator(
            f"--accounts={accounts_file(folder)}",
            "--rate=10",
            f"--seed={seed}",
            "--resilience=1",
            "--order-latency-ms=1,1,1,3",
        )
        await asyncio.gather(
            *(system.start_listener(venue) for venue in venues),
            system.start_aggregator(venues=venues),
        )
        places = [
            word
            for venue in venues
            for word in (
                f"--paper={venue}",
                f"--key-file={venue}={key_file(folder, venue, TIERS.get(venue, ''))}",
                f"--ws-url={venue}={system.urls(venue)['ws']}",
                f"--rest-url={venue}={system.urls(venue)['rest']}",
            )
        ]
        await system.start_engine(*places, f"--instrument={INSTRUMENT}", *options)
        async with desk_at(system.address("engine")) as desk:
            yield system, desk


def parent(number: int, quantity: Decimal) -> Liquidate:
    side = OrderSide.SELL if number % 2 else OrderSide.BUY
    return Liquidate(f"parent-{number}", INSTRUMENT, side, quantity, Sweep(rounds=1000))


def is_over(status: OrderStatus) -> bool:
    return status.state in FINAL_STATES


async def statuses(desk: Desk) -> dict[str, OrderStatus]:
    """Return all orders; the engine may be away for a while."""
    while True:
        with suppress(AnswerOverdueError):
            answer = await desk.ask(ListOrders(open_only=False))
            return {one.order_id: one for one in answer.orders}


async def trade(
    system: System,
    desk: Desk,
    *,
    parents: int,
    kills: int,
    seed: int,
    venues: Sequence[str] = VENUES,
    quantity: Decimal = Decimal(3),
    within_s: float,
    on_progress: Callable[[Verdict], None] = lambda _verdict: None,
) -> Verdict:
    """Have orders worked while things go wrong, wait until all is at rest, and judge it.

    There are `parents` orders, and more for as long as it takes to kill the engine so often.
    `on_progress` is told many times a second how it stands.
    """
    chance, verdict = random.Random(seed), Verdict()
    open_orders: set[str] = set()

    async def place_what_fits() -> None:
        while is_wanted() and len(open_orders) < AT_ONCE:
            with suppress(AnswerOverdueError):
                answer = await desk.ask(parent(verdict.orders, quantity))
                if answer.code is AnswerCode.ACCEPTED:
                    open_orders.add(answer.order_id)
                    verdict.orders += 1
                    continue
            await asyncio.sleep(LEAST_PAUSE_S)

    async def go_wrong() -> None:
        while True:
            await asyncio.sleep(chance.uniform(LEAST_PAUSE_S, MOST_PAUSE_S))
            venue = chance.choice(venues)
            await system.fault(venue, chance.choice(FAULTS[venue]))

    async def kill_and_restart() -> None:
        for _ in range(kills):
            # Mostly while something is under way, which a slow machine would hardly ever reach.
            if chance.random() < SHARE_AT_WORK:
                desk.news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(desk.news.wait(), MOST_WAIT_S)
            await asyncio.sleep(chance.uniform(0.0, MOST_PAUSE_S) ** 2)
            system.processes["engine"].kill()
            verdict.kills += 1
            began = time.monotonic()
            while not system.processes["engine"].running:
                with suppress(AssertionError):  # on a machine that stood still it ended itself
                    await system.restart("engine")
            await statuses(desk)
            verdict.recovered_s.append(time.monotonic() - began)

    def is_wanted() -> bool:
        return verdict.orders < parents or not killing.done()

    trouble = asyncio.create_task(go_wrong())
    killing = asyncio.create_task(kill_and_restart())
    deadline = time.monotonic() + within_s
    try:
        while open_orders or is_wanted():
            on_progress(verdict)
            await place_what_fits()
            told = await statuses(desk)
            open_orders = {name for name in open_orders if not is_over(told[name])}
            if killing.done():
                killing.result()
            if time.monotonic() > deadline:
                verdict.wrong.append(f"not over within {within_s:g} s: {sorted(open_orders)}")
                break
            await asyncio.sleep(LEAST_PAUSE_S)
    finally:
        trouble.cancel()
        killing.cancel()
        await asyncio.gather(trouble, killing, return_exceptions=True)
        await system.clear()
    await judge(system, desk, list((await statuses(desk)).values()), verdict)
    return verdict


async def judge(
    system: System, desk: Desk, orders: Sequence[OrderStatus], verdict: Verdict
) -> None:
    """Hold what was asked for and reported against the venues' log, once all is reported."""
    with suppress(AssertionError):  # told below, as what is missing
        await eventually(
            lambda: all(len(desk.of(one.order_id)) >= one.last_seq for one in orders), "all reports"
        )
    case = Case(system, desk, orders, verdict)
    case.judge_placements()
    case.judge_ends()


class Case:
    """What is known of all orders, and what is wrong with it.

    That is told with the order, the venue and the property that is broken, and as evidence all that
    the journal, the reports and the venues' log have of the order.
    """

    def __init__(
        self, system: System, desk: Desk, orders: Sequence[OrderStatus], verdict: Verdict
    ) -> None:
        told = map(json.loads, system.truth_log.read_text().splitlines())
        self._there = [line for line in told if "order" in line]
        self._journal = read_journal(system.folder / "journal")
        self._whose: dict[str, str] = {
            row["child_id"]: row["order_id"] for row in self._journal if row["type"] == "intent"
        }
        self._desk = desk
        self._orders = {one.order_id: one for one in orders}
        self._fills: dict[str, Counter[Fill]] = {name: Counter() for name in self._orders}
        self._verdict = verdict

    def judge_placements(self) -> None:
        """Go through what the venues did: each child once, no order beyond its quantity."""
        reported = {one.child.child_id for one in self._desk.reports if one.child is not None}
        placed: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        for line in self._there:
            child, venue, name = line["client_id"], line["venue"], self._order_at(line)
            if name not in self._orders or child not in reported:
                self._wrong(name, venue, f"{child} is there, and was never reported")
                continue
            placed[child].add((venue, line["number"]))
            if "trade" not in line:
                continue
            price, amount = (Decimal(str(line["trade"][key])) for key in ("price", "amount"))
            self._verdict.fills += 1
            self._fills[name][venue, child, price, amount] += 1
            filled, quantity = total(self._fills[name]), self._orders[name].quantity
            if filled > quantity:
                self._wrong(name, venue, f"{filled} is filled of {quantity}")
        self._verdict.placed = len(placed)
        for child, numbers in placed.items():
            if len(numbers) > 1:
                self._wrong(self._whose[child], f"{numbers}", f"{child} is placed more than once")

    def judge_ends(self) -> None:
        """Go through the orders: each is over, and told as the venues' fills have it."""
        for name, one in self._orders.items():
            reports, fills = self._desk.of(name), self._fills[name]
            told = Counter(
                (report.fill.venue, report.child.child_id, report.fill.price, report.fill.amount)
                for report in reports
                if report.fill is not None and report.child is not None
            )
            for what, differing in (("too often", told - fills), ("too seldom", fills - told)):
                for (venue, child, price, amount), times in differing.items():
                    fill = f"the fill of {child}, {amount} at {price}"
                    self._wrong(name, venue, f"{fill}, is reported {what}: by {times}")
            for holds, what in (
                (is_over(one), f"it is {one.state}: {one.reason}"),
                (total(fills) == one.filled, f"{one.filled} is told, {total(fills)} is filled"),
                (len(reports) == one.last_seq, f"{len(reports)} of {one.last_seq} reports came"),
            ):
                if not holds:
                    self._wrong(name, "the end", what)

    def _wrong(self, name: str, where: str, what: str) -> None:
        self._verdict.wrong.append(f"{name} at {where}: {what}")
        self._verdict.evidence[name] = [
            f"status   {self._orders.get(name)}",
            *(f"reported {one}" for one in self._desk.of(name)),
            *(f"journal  {json.dumps(row)}" for row in self._journal if self._of(row) == name),
            *(f"venue    {json.dumps(one)}" for one in self._there if self._order_at(one) == name),
        ]

    def _order_at(self, line: Mapping[str, str]) -> str:
        """Return whose child is in a line of the venues' log; the child where that is unknown."""
        return self._whose.get(line["client_id"], line["client_id"])

    def _of(self, row: dict[str, Any]) -> str | None:
        """Return the order that a row of the journal is about."""
        about: dict[str, str] = row.get("report") or row.get("answer") or row
        return about.get("order_id") or self._whose.get(about.get("child_id", ""))


def total(fills: Counter[Fill]) -> Decimal:
    return sum((amount * times for (*_, amount), times in fills.items()), Decimal(0))


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a journal that an engine may be writing."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        rows = journal.execute("SELECT body FROM journal ORDER BY seq").fetchall()
    return [json.loads(body) for (body,) in rows]


async def _main(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="dragonfly-kills-") as folder:
        async with trading_system(Path(folder), "--resume", seed=arguments.seed) as (system, desk):
            began = time.monotonic()
            live_line = LiveLine(PROGRESS_EVERY_S)

            def progress(verdict: Verdict) -> str:
                return (
                    f"{clock(time.monotonic() - began)} · {verdict.kills} of {arguments.kills}"
                    f" kills · {verdict.orders} orders"
                    f" · slowest recovery {verdict.quantile(1.0):.2f} s"
                )

            verdict = await trade(
                system,
                desk,
                parents=arguments.parents,
                kills=arguments.kills,
                seed=arguments.seed,
                within_s=arguments.minutes * 60,
                on_progress=lambda verdict: live_line.show(progress(verdict), time.monotonic()),
            )
            live_line.end(progress(verdict))
    sys.stdout.write(
        f"in {time.monotonic() - began:.0f} s: {verdict}\n"
        f"commands are answered {verdict.quantile(0.5):.2f} s after a kill (median),"
        f" {verdict.quantile(0.99):.2f} s (p99)\n"
    )
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parents", type=int, default=200)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="for all of it")
    sys.exit(asyncio.run(_main(parser.parse_args())))
