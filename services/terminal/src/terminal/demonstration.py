"""The scenes of `dragonfly demo`: the supervisor finds them by the entry point `dragonfly.demo`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import ClientError
from dragonfly_client.orders import Ticket
from dragonfly_common.errors import ConfigError, ExitCode, UserError
from dragonfly_common.wording import command_name
from rich.console import Console

from terminal.ordering import Manner, NotFilledError, work
from terminal.pictures import check_picture
from terminal.state import Notices
from terminal.watch import run_watch

__all__ = ["prepare_ladder", "prepare_liquidation"]

AMOUNT: Final = Decimal(20)
SECONDS: Final = 30.0
INTERVAL_S: Final = 2.0
PATIENCE_S: Final = 20.0
"""Until all venues are there."""


class BotError(UserError):
    """The demo's own bot was refused."""

    exit_code = ExitCode.UNAVAILABLE


def _check(svg: Path | None) -> None:
    """Raise `ConfigError` where no picture can be left at `svg`."""
    try:
        check_picture(svg)
    except ClientError as error:
        raise ConfigError(str(error)) from None


def prepare_ladder(
    instruments: Sequence[str],
    *,
    seconds: float | None,
    console: Console,
    notices: Notices,
    svg: Path | None,
) -> Callable[[str], Awaitable[object]]:
    """Return what shows the ladder of the gateway at an address, as `run_watch` does.

    Raises:
        ConfigError: no picture can be left at `svg`.
    """
    _check(svg)

    async def show(gateway: str) -> None:
        try:
            await run_watch(
                gateway, instruments, seconds=seconds, console=console, notices=notices, svg=svg
            )
        except ClientError as error:
            raise BotError(str(error)) from None

    return show


def prepare_liquidation(
    instruments: Sequence[str],
    *,
    seconds: float | None,
    console: Console,
    notices: Notices,
    svg: Path | None,
) -> Callable[[str], Awaitable[object]]:
    """Return what has an order worked at the gateway of an address, and shows what it cost.

    Raises:
        ConfigError: no picture can be left at `svg`.
    """
    _check(svg)

    def ticket() -> Ticket:
        end_ns = Ticket.ending_in(seconds or SECONDS)
        return Ticket(
            "demo", instruments[0], "sell", AMOUNT, "twap", end_ns=end_ns, interval_s=INTERVAL_S
        )

    async def show(gateway: str) -> None:
        try:
            async with DragonflyClient(gateway) as client:
                await _until_plannable(client, ticket())
                await work(client, ticket(), Manner(svg=svg, ends_with_us=True), console)
        except NotFilledError as error:
            console.print(str(error))
        except ClientError as error:
            raise BotError(str(error)) from None
        console.print(
            f"\nThe venues were simulated. `{command_name()} up --engine JOURNAL` takes orders on"
            f" live books, on paper as well, and `{command_name()} liquidate` gives them.",
            style="dim",
        )

    return show


async def _until_plannable(client: DragonflyClient, ticket: Ticket) -> None:
    """Wait until the engine has the book, and could do it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            estimate = await client.estimate(ticket)
            if estimate.now.prices[0].complete and not estimate.first.startswith("nothing"):
                return
        except ClientError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.2)
