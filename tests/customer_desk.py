"""A customer of the execution engine, behind a front end of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from dragonfly_common.clock import SystemClock
from dragonfly_orders.front_end import FrontEnd
from dragonfly_orders.messages import (
    AnswerCode,
    CommandAnswer,
    CommandBody,
    Liquidate,
    OrderState,
    OrderStatus,
    Report,
    StatusOf,
)
from driven import driven
from patience import eventually

__all__ = ["Desk", "desk_at"]


class Desk:
    """A customer behind a front end that keeps all reports."""

    def __init__(self, address: str) -> None:
        self.reports: list[Report] = []
        self.news = asyncio.Event()
        """Set with each report."""
        self.front_end = FrontEnd(address, "test", SystemClock(), self._take)

    def _take(self, report: Report) -> None:
        self.reports.append(report)
        self.news.set()

    async def ask(self, body: CommandBody) -> CommandAnswer:
        return await self.front_end.ask("alice", body)

    async def order(self, order: Liquidate) -> str:
        """Place an order, as soon as the engine knows the markets."""
        answers: list[CommandAnswer] = []

        async def taken() -> bool:
            answers.append(await self.ask(order))
            return answers[-1].code is AnswerCode.ACCEPTED

        await eventually(taken, "the order is taken")
        return answers[-1].order_id

    async def status(self, order_id: str) -> OrderStatus:
        return (await self.ask(StatusOf(order_id))).orders[0]

    async def until(self, order_id: str, state: OrderState) -> OrderStatus:
        async def reached() -> bool:
            return (await self.status(order_id)).state is state

        await eventually(reached, f"the order is {state}")
        return await self.status(order_id)

    def of(self, order_id: str) -> list[Report]:
        return [report for report in self.reports if report.order_id == order_id]


@asynccontextmanager
async def desk_at(address: str) -> AsyncIterator[Desk]:
    desk = Desk(address)
    with closing(desk.front_end):
        async with driven(desk.front_end, desk.front_end.channel):
            yield desk
