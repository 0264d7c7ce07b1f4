"""The demo: the whole system against simulated venues that fail now and then, and a bot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

from dragonfly_common.errors import ConfigError, UserError
from rich.console import Console

from supervisor.narration import Ticker
from supervisor.plan import USUAL_GATEWAY, DeploymentOptions
from supervisor.session import System, running_system

__all__ = [
    "SECONDS_WITHOUT_TERMINAL",
    "demonstrate",
    "usual_faults",
]

ANY_PORT: Final = "127.0.0.1:0"
ENTRY_POINT: Final = "dragonfly.demo"
"""Where the terminal registers its scenes: no service imports another."""

SECONDS_WITHOUT_TERMINAL: Final = 30.0

# So that a viewer sees venues leave the book and come back: one at once, one that cannot be reached
# for a while, one that goes silent on an open socket. All of it within half a minute.
_USUAL_FAULTS: Final = (
    "kraken bad_checksum at=8 every=30",
    "bitstamp not_accepting at=13 for=2 every=30",
    "bitstamp close at=13.1 every=30",
    "binance silence at=20 for=7 every=30",
)


class PrepareScene(Protocol):
    """Return what shows something of the gateway at an address; both raise a `UserError`."""

    def __call__(
        self,
        instruments: Sequence[str],
        *,
        seconds: float | None,
        console: Console,
        notices: Callable[[], list[str]],
        svg: Path | None,
    ) -> Callable[[str], Awaitable[object]]: ...


def usual_faults(venues: Sequence[str]) -> list[str]:
    """Return what goes wrong unless somebody says otherwise, of `venues`."""
    return [spec for spec in _USUAL_FAULTS if spec.split()[0] in venues]


async def demonstrate(
    options: DeploymentOptions,
    seconds: float | None,
    svg: Path | None,
    *,
    scene: str = "ladder",
    moves: Collection[str] = (),
) -> None:
    """Run the system of `options` and watch it: `seconds`, or until cancelled in a terminal.

    `scene` is what is shown: the ladder, or a liquidation, which ends by itself.

    What `moves` (the gateway, the web) has another port if the one of `options` is taken.

    Raises:
        UserError: a process cannot run as it was told to, or refused the bot.
    """
    console = Console(highlight=False)
    if seconds is None and not console.is_terminal and scene == "ladder":
        seconds = SECONDS_WITHOUT_TERMINAL
    ticker = Ticker()
    page: list[str] = []
    show = _find_scene(scene)(
        options.instruments,
        seconds=seconds,
        console=console,
        notices=lambda: [*ticker.lines, *page],
        svg=svg,
    )
    console.print("Starting the venues' simulator and the three layers …", style="dim")
    async with AsyncExitStack() as running:

        async def run(options: DeploymentOptions) -> System:
            system = running_system(
                options, simulated=True, on_log=ticker.log, on_notice=ticker.notice
            )
            return await running.enter_async_context(system)

        asked, moving = options, {*moves}
        while True:
            try:
                system = await run(asked)
                break
            except UserError as error:
                taken = next((one for one in moving if getattr(asked, one) in str(error)), None)
                if taken is None:
                    raise
                moving.discard(taken)
                asked = (
                    replace(asked, gateway=ANY_PORT)
                    if taken == "gateway"
                    else replace(asked, web=ANY_PORT)
                )
        console.print(_where(options, system), style="dim", soft_wrap=True)
        if console.is_terminal and not console.is_dumb_terminal:  # where the ladder hides that
            page.append(f"the page is {system.web}")
        await _while_it_runs(system, asyncio.ensure_future(show(system.gateway)))


def _find_scene(name: str) -> PrepareScene:
    try:
        (found,) = entry_points(group=ENTRY_POINT, name=name)
        prepare: PrepareScene = found.load()
    except (ValueError, ModuleNotFoundError) as error:
        missing = getattr(error, "name", None) or "dragonflybot-terminal"
        raise ConfigError(
            f"`demo` shows a {name} and needs the package {missing}, which is not installed: "
            "install it, or run `up --simulated`"
        ) from None
    return prepare


def _where(options: DeploymentOptions, system: System) -> str:
    moved = options.gateway == USUAL_GATEWAY != system.gateway
    taken = f" ({USUAL_GATEWAY} is taken)" if moved else ""
    return (
        f"The page is {system.web}\n"
        f"Bots of your own connect to {system.gateway}{taken}, as long as this runs."
    )


async def _while_it_runs(system: System, watching: asyncio.Future[object]) -> None:
    refused = asyncio.ensure_future(system.until_refused())
    try:
        either: tuple[asyncio.Future[Any], ...] = (watching, refused)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            refused.result()
        await watching
    finally:
        refused.cancel()
        watching.cancel()
        await asyncio.gather(watching, refused, return_exceptions=True)
