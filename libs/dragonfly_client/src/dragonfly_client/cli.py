"""`dragonfly watch`: a bot that shows what it receives."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
from dragonfly_common.errors import ExitCode, UserError
from dragonfly_common.types import normalise_instrument
from rich.console import Console

from dragonfly_client.client import DEFAULT_TARGET, DragonflyClient
from dragonfly_client.errors import ClientError, NotReadyError, UnavailableError
from dragonfly_client.watch import run_watch

__all__ = ["watch"]


class NoGatewayError(UserError):
    """Nothing answers at the address, or nothing is behind it yet."""

    exit_code = ExitCode.UNAVAILABLE


class RequestError(UserError):
    """The gateway, or the client itself, says no; the message is its sentence."""

    exit_code = ExitCode.USAGE


@click.command()
@click.argument("instruments", nargs=-1, metavar="[INSTRUMENT]...")
@click.option(
    "--gateway",
    default=DEFAULT_TARGET,
    show_default=True,
    metavar="HOST:PORT",
    help="The gateway to watch.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="End so long after the first book.  [default: at Ctrl-C]",
)
@click.option("--list", "list_all", is_flag=True, help="List every instrument and its venues.")
@click.option("--token", metavar="TEXT", help="Shown to a gateway that asks who you are.")
@click.option(
    "--ca-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PEM file of the authority that signed the gateway's certificate; turns TLS on.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Leave a picture of the last ladder in this file.",
)
def watch(
    *,
    instruments: tuple[str, ...],
    gateway: str,
    seconds: float | None,
    list_all: bool,
    token: str | None,
    ca_file: Path | None,
    svg: Path | None,
) -> None:
    """Show the consolidated book of INSTRUMENT, live.

    In a terminal a ladder; elsewhere a line when the best prices move, at most ten a second. Of
    several instruments the first has the ladder, the others a line each beneath it.

    \b
    Example:
      dragonfly watch ETH-BTC BTC-USD
    """
    names = [normalise_instrument(name) for name in instruments or ("ETH-BTC",)]
    if list_all:
        _run(_list(gateway, token, ca_file))
        return
    _run(
        run_watch(
            gateway,
            names,
            seconds=seconds,
            console=Console(highlight=False),
            token=token,
            ca_file=ca_file,
            svg=svg,
        )
    )


async def _list(target: str, token: str | None, ca_file: Path | None) -> None:
    async with DragonflyClient(target, token=token, ca_file=ca_file) as client:
        for one in await client.instruments():
            click.echo(f"{one.instrument:<14} {' '.join(one.venues)}")


def _run(main: Coroutine[Any, Any, object]) -> None:
    """Run `main` until it ends, or a signal ends it.

    Raises:
        NoGatewayError: the gateway cannot be reached.
        RequestError: the gateway refused.
    """
    try:
        asyncio.run(_until_signal(main))
    except asyncio.CancelledError:
        pass  # Asked to stop: the summary has been printed.
    except NotReadyError as error:
        raise NoGatewayError(str(error)) from None
    except UnavailableError as error:
        raise NoGatewayError(
            f"{error}: start one with `dragonfly up`, or name another with --gateway"
        ) from None
    except ClientError as error:
        raise RequestError(str(error)) from None


async def _until_signal(main: Coroutine[Any, Any, object]) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await main
