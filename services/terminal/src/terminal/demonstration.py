"""The ladder of `dragonfly demo`: the supervisor finds it by the entry point `dragonfly.demo`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from dragonfly_client.errors import ClientError
from dragonfly_common.errors import ConfigError, ExitCode, UserError
from rich.console import Console

from terminal.state import Notices
from terminal.watch import check_picture, run_watch

__all__ = ["prepare_ladder"]


class BotError(UserError):
    """The demo's own bot was refused."""

    exit_code = ExitCode.UNAVAILABLE


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
    try:
        check_picture(svg)
    except ClientError as error:
        raise ConfigError(str(error)) from None

    async def show(gateway: str) -> None:
        try:
            await run_watch(
                gateway, instruments, seconds=seconds, console=console, notices=notices, svg=svg
            )
        except ClientError as error:
            raise BotError(str(error)) from None

    return show
