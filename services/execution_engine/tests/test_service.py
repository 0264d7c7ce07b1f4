"""The engine's process, without the process: what it keeps from one order to the next."""

from __future__ import annotations

from contextlib import AsyncExitStack, closing
from decimal import Decimal
from pathlib import Path

from dragonfly_common.clock import ManualClock
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import Command, Liquidate, Sweep
from execution_engine.paper import BALANCE
from execution_engine.service import BOOK_PATIENCE_S, EngineOptions, _EngineService
from patience import eventually


async def test_an_account_on_paper_keeps_its_assets_between_orders(tmp_path: Path) -> None:
    options = EngineOptions(
        upstreams=(f"ipc://{tmp_path}/nobody",),
        bind=f"ipc://{tmp_path}/engine",
        journal=tmp_path / "journal",
        venues=("kraken",),
    )
    clock = ManualClock()
    async with AsyncExitStack() as opened:
        runtime = opened.enter_context(
            closing(Runtime("engine", RuntimeOptions(log_level="error"), clock))
        )
        service = _EngineService(runtime, options, opened)
        await service.start(opened)
        order = Liquidate("one", "ETH-BTC", OrderSide.SELL, Decimal(1), Sweep())
        service._take_command(b"desk", Command("1", "alice", order))
        service.turn()
        assert service._followed == {"ETH-BTC"}
        clock.advance(BOOK_PATIENCE_S + 1)
        service.turn()
        assert not service._followed  # no book came, and nobody has an order
        desk = service._engine.desks["kraken"]
        desk.entry.ask_account()
        await eventually(lambda: desk.account is not None, "the account is told")
        assert desk.balances == {"ETH": BALANCE, "BTC": BALANCE}
