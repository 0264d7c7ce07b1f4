"""The execution engine at simulated venues, by their own protocols, while things go wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from customer_desk import Desk
from dragonfly_orders.messages import OrderState, OrderStatus
from engine_at_venues import Verdict, is_over, judge, parent, trade, trading_system
from msgspec.structs import replace
from order_accounts import SECRETS
from patience import PATIENCE_S, eventually
from system import VENUES


async def over(desk: Desk, orders: Sequence[str]) -> list[OrderStatus]:
    """Return orders as they are when all are over, or when there is no more patience."""

    async def all_are() -> bool:
        return all([is_over(await desk.status(one)) for one in orders])

    with suppress(AssertionError):  # the verdict says which is not, and all about it
        await eventually(all_are, "all are over")
    return [await desk.status(one) for one in orders]


async def test_a_sweep_over_three_venues_that_fail(tmp_path: Path) -> None:
    async with trading_system(tmp_path, "--log-level=debug") as (system, desk):

        def all_may_be_used() -> bool:
            engine = desk.front_end.engine
            return engine is not None and set(engine.venues) == set(VENUES)

        await eventually(all_may_be_used, "all accounts are ready")
        # To the venue that is a request as an order is: a reply that gets lost would be its own.
        await system.processes["engine"].event("dead man's switch armed")
        for venue in VENUES:
            await system.fault(venue, "reply_lost")
            await system.fault(venue, "event_lost")
        wanted = [parent(0, Decimal(12))]
        wanted += [
            replace(parent(number, Decimal(1)), venues=(venue,))
            for number, venue in enumerate(VENUES, 1)
        ]
        orders = [await desk.order(one) for one in wanted]
        statuses = await over(desk, orders)
        verdict = Verdict()
        await judge(system, desk, statuses, verdict)
        assert not verdict.wrong, str(verdict)
        assert [one.state for one in statuses] == [OrderState.DONE] * 4
        assert [one.filled for one in statuses] == [12, 1, 1, 1]
        assert {one.fill.venue for one in desk.reports if one.fill is not None} == set(VENUES)
        # What is wrong is told with all that there is about it.
        again = next(one for one in desk.reports if one.fill is not None)
        desk.reports.append(again)
        await judge(system, desk, statuses, verdict := Verdict())
        assert again.fill is not None
        assert f"{again.order_id} at {again.fill.venue}: the fill of" in verdict.wrong[0]
        for one in ("is reported too often: by 1", '"type": "intent"', "status ", "venue  "):
            assert one in str(verdict)
    said = "".join(process.log.read_text() for process in system.processes.values())
    assert not any(secret in said for secret in SECRETS.values())
    assert not re.search(
        r"DFKEY|X-Auth|API-Sign|signature=", system.processes["engine"].log.read_text()
    )


async def test_an_engine_that_is_killed_over_and_over(tmp_path: Path) -> None:
    # Bitstamp takes 155 s to prove that it never had an order: two venues are enough here.
    venues = ("binance", "kraken")
    async with trading_system(tmp_path, "--resume", venues=venues) as (system, desk):
        verdict = await trade(
            system, desk, parents=2, kills=3, seed=1, venues=venues, within_s=PATIENCE_S
        )
    assert not verdict.wrong, str(verdict)
    assert verdict.kills == 3
    assert verdict.fills > 0
