"""`dragonfly watch`, `latency` and `instruments`: bots that show what they receive."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from dragonfly_client.client import DEFAULT_TARGET, DragonflyClient
from dragonfly_client.errors import (
    WANTS_TLS,
    CertificateError,
    ClientError,
    NotReadyError,
    SettingError,
    UnavailableError,
)
from dragonfly_client.tls import Tls, warn_if_exposed
from dragonfly_common.equivalence import normalise_market
from dragonfly_common.errors import ExitCode, UserError
from dragonfly_common.options import NumberRange
from dragonfly_common.types import normalise_instrument
from dragonfly_common.wording import command_name
from rich.console import Console

from terminal.latency import LatencyScreen, as_json
from terminal.listing import joined, listed_as_json, rows_of, summary, table
from terminal.watch import run_watch

__all__ = ["instruments", "latency", "watch"]

FILE: Final = click.Path(dir_okay=False, path_type=Path)
TOKEN_VARIABLE: Final = "DRAGONFLY_WATCH_TOKEN"  # noqa: S105 - the name, not the token


TLS_OPTIONS: Final = ("ca_file", "cert_file", "key_file", "server_name")
_ARGUMENT: Final = re.compile(rf"\b(?:{'|'.join(TLS_OPTIONS)}|token_file)\b")
_TOKEN_TO_SEND: Final = re.compile(r"send metadata `authorization[^`]*`")


class NoGatewayError(UserError):
    """Nothing answers at the address, or nothing is behind it yet."""

    exit_code = ExitCode.UNAVAILABLE


class RequestError(UserError):
    """The gateway, or the client itself, says no; the message is its sentence."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class _GatewayOptions:
    """The gateway to ask: its address, and what it wants to see."""

    target: str
    tls: Tls | None
    token: str | None
    proxy: str | None

    def client(self) -> DragonflyClient:
        return DragonflyClient(self.target, tls=self.tls, token=self.token, proxy=self.proxy)


R = TypeVar("R")


def _gateway_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` every bot's options; it is called with `_GatewayOptions`."""

    @click.option(
        "--gateway",
        default=DEFAULT_TARGET,
        show_default=True,
        metavar="HOST:PORT",
        help="The gateway to ask.",
    )
    @click.option(
        "--proxy",
        metavar="http://HOST:PORT",
        help="Go through this proxy.  [default: that of the environment, for public addresses]",
    )
    @click.option("--tls", "encrypt", is_flag=True, help="Encrypt; implied by the files of TLS.")
    @click.option(
        "--ca-file", type=FILE, help="PEM file of the authority that signed the gateway's."
    )
    @click.option("--cert-file", type=FILE, help="PEM file of the certificate to show.")
    @click.option("--key-file", type=FILE, help="PEM file of its key.")
    @click.option("--server-name", metavar="NAME", help="Whom the gateway's certificate is for.")
    @click.option(
        "--token-file",
        type=FILE,
        help=f"File that holds the token to show.  [default: the value of {TOKEN_VARIABLE}]",
    )
    @wraps(command)
    def with_gateway(**given: Any) -> R:
        target, encrypt, token_file = map(given.pop, ("gateway", "encrypt", "token_file"))
        proxy = given.pop("proxy")
        of_tls = {name: given.pop(name) for name in TLS_OPTIONS}
        try:
            tls = Tls(**of_tls) if encrypt or any(of_tls.values()) else None
            gateway = _GatewayOptions(target, tls, _token(token_file), proxy)
        except SettingError as error:
            raise RequestError(_for_the_line(error)) from None
        return command(gateway, **given)

    return with_gateway


def _bot_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` what `_gateway_options` does, and instruments."""

    @click.argument("instruments", nargs=-1, metavar="[INSTRUMENT]...")
    @_gateway_options
    @wraps(command)
    def with_names(gateway: _GatewayOptions, *, instruments: tuple[str, ...], **given: Any) -> R:
        names = [normalise_market(name) for name in instruments or ("ETH-BTC",)]
        return command(gateway, names, **given)

    return with_names


_seconds = click.option(
    "--seconds",
    type=NumberRange(min=0, min_open=True),
    help="End so long after the first book.  [default: at Ctrl-C]",
)


@click.command()
@_bot_options
@_seconds
@click.option("--list", "list_all", is_flag=True, help="List every instrument and its venues.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Leave a picture of the last ladder in this file.",
)
def watch(
    gateway: _GatewayOptions,
    names: list[str],
    *,
    seconds: float | None,
    list_all: bool,
    svg: Path | None,
) -> None:
    """Show the consolidated book of INSTRUMENT, live.

    In a terminal a ladder; elsewhere a line when the best prices move, at most ten a second. Of
    several instruments the first has the ladder, the others a line each beneath it.

    \b
    Example:
      dragonfly watch ETH-BTC BTC-USD
    """
    if list_all:
        _run(_list(gateway))
        return
    _run(
        run_watch(
            gateway.target,
            names,
            seconds=seconds,
            console=Console(highlight=False),
            tls=gateway.tls,
            token=gateway.token,
            proxy=gateway.proxy,
            svg=svg,
            wording=_for_the_line,
        )
    )


@click.command()
@_bot_options
@_seconds
@click.option("--json", "prints_json", is_flag=True, help="Print JSON, in nanoseconds, at the end.")
def latency(
    gateway: _GatewayOptions, names: list[str], *, seconds: float | None, prints_json: bool
) -> None:
    """Show where the time goes of quotes of INSTRUMENT on their way to this bot.

    A row for each hop and each venue, since the start. A hop is measured where the messages
    themselves were stamped: listener (its socket to its publishing), aggregator (to the view's
    computation, the bus included), gateway (to its writing) and bot (to this process). What quotes
    waited for this command, behind other quotes and its pictures, has a row and is in no other.

    \b
    Example:
      dragonfly latency ETH-BTC BTC-USD --seconds 60
    """
    console = Console(highlight=False)
    screen = LatencyScreen(console, as_json if prints_json else None)
    _run(
        run_watch(
            gateway.target,
            names,
            seconds=seconds,
            console=console,
            tls=gateway.tls,
            token=gateway.token,
            proxy=gateway.proxy,
            screen=screen,
            wording=_for_the_line,
        )
    )


@click.command()
@_gateway_options
@click.option("--venue", default="", metavar="NAME", help="Only what this venue lists.")
@click.option(
    "--instrument", default="", metavar="BASE-QUOTE", help="Only this one, at each venue."
)
@click.option("--json", "prints_json", is_flag=True, help="Print JSON, numbers as decimal text.")
def instruments(
    gateway: _GatewayOptions, *, venue: str, instrument: str, prints_json: bool
) -> None:
    """Show what venues list: symbols, increments, least orders, and what is halted.

    A row for each instrument and venue. Prices are multiples of the tick, amounts of the lot; a
    venue that does not tell one has a dash. The status is of the venue's last list, which is read
    each hour, and each minute for what is followed.

    \b
    Example:
      dragonfly instruments --venue kraken
      dragonfly instruments --instrument BTC-USD --json
    """
    name = normalise_instrument(instrument) if instrument else ""
    _run(_show_instruments(gateway, venue.strip().lower(), name, prints_json=prints_json))


async def _show_instruments(
    gateway: _GatewayOptions, venue: str, instrument: str, *, prints_json: bool
) -> None:
    async with gateway.client() as client:
        listed = await client.instruments(venue, instrument)
        if not (venue or instrument):  # names alone: what is told of them is asked venue by venue
            venues = sorted({name for one in listed for name in one.venues})
            listed = joined([await client.instruments(name) for name in venues])
    if prints_json:
        click.echo(listed_as_json(listed))
        return
    rows = rows_of(listed)
    width = Console().width if sys.stdout.isatty() else None
    for line in table(rows, width):
        click.echo(line)
    for line in summary(rows, listed.left_out):
        click.echo(line)


def _for_the_line(error: ClientError | str) -> str:
    """Return what a bot's program would be told, in the words of the command line."""
    sentence = _ARGUMENT.sub(lambda found: f"--{found[0].replace('_', '-')}", str(error))
    sentence = _TOKEN_TO_SEND.sub(f"give --token-file FILE, or set {TOKEN_VARIABLE}", sentence)
    return sentence.replace("ListInstruments", f"`{command_name()} watch --list`")


def _token(file: Path | None) -> str | None:
    """Return the token to show. A command's arguments are seen by all who may list processes."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE)
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingError(f"token_file {str(file)!r} cannot be read: {reason}") from None
    warn_if_exposed("token_file", file)
    return token


async def _list(gateway: _GatewayOptions) -> None:
    async with gateway.client() as client:
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
    except CertificateError as error:
        raise RequestError(_for_the_line(error)) from None
    except NotReadyError as error:
        raise NoGatewayError(str(error)) from None
    except UnavailableError as error:
        if WANTS_TLS in str(error):
            raise NoGatewayError(
                f"{error}: give --tls, --ca-file or --cert-file, or name another with --gateway"
            ) from None
        raise NoGatewayError(
            f"{error}: start one with `{command_name()} up`, or name another with --gateway"
        ) from None
    except ClientError as error:
        raise RequestError(_for_the_line(error)) from None


async def _until_signal(main: Coroutine[Any, Any, object]) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await main
