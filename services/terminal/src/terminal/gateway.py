"""What every command of a bot shares: the gateway that it asks, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
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
from dragonfly_common.errors import ConfigError, ExitCode, UserError
from dragonfly_common.options import NumberRange
from dragonfly_common.wording import command_name

__all__ = [
    "FILE",
    "GatewayToAsk",
    "NoGatewayError",
    "RequestError",
    "for_the_line",
    "gateway_options",
    "one_of",
    "run_bot",
    "seconds_option",
    "token_of",
    "until_signal",
]

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
class GatewayToAsk:
    """The gateway to ask: its address, and what it wants to see."""

    target: str
    tls: Tls | None
    token: str | None
    proxy: str | None

    def client(self) -> DragonflyClient:
        return DragonflyClient(self.target, tls=self.tls, token=self.token, proxy=self.proxy)


R = TypeVar("R")

seconds_option: Final = click.option(
    "--seconds",
    type=NumberRange(min=0, min_open=True),
    help="End so long after the first book.  [default: at Ctrl-C]",
)


def gateway_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` every bot's options; it is called with `GatewayToAsk`."""

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
            gateway = GatewayToAsk(target, tls, token_of(token_file, TOKEN_VARIABLE), proxy)
        except SettingError as error:
            raise RequestError(for_the_line(error)) from None
        return command(gateway, **given)

    return with_gateway


def for_the_line(error: ClientError | str) -> str:
    """Return what a bot's program would be told, in the words of the command line."""
    sentence = _ARGUMENT.sub(lambda found: f"--{found[0].replace('_', '-')}", str(error))
    sentence = _TOKEN_TO_SEND.sub(f"give --token-file FILE, or set {TOKEN_VARIABLE}", sentence)
    return sentence.replace("ListInstruments", f"`{command_name()} instruments`")


def one_of(**flags: bool) -> str | None:
    """Return the name of the flag that is given, None where none is.

    Raises:
        ConfigError: several are.
    """
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise ConfigError(
            f"{' and '.join(f'--{name}' for name in given)} exclude each other: give one"
        )
    return given[0] if given else None


def token_of(file: Path | None, variable: str) -> str | None:
    """Return the token to show. A command's arguments are seen by all who may list processes."""
    if file is None:
        return os.environ.get(variable)
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingError(f"token_file {str(file)!r} cannot be read: {reason}") from None
    warn_if_exposed("token_file", file)
    return token


def run_bot(
    main: Coroutine[Any, Any, object], *, starts: str = "up", follows: bool = False
) -> None:
    """Run `main` until it ends, or a signal ends it. `starts` is the command for a gateway.

    What `follows` is meant to be ended so.

    Raises:
        KeyboardInterrupt: a signal ended what does not follow.
        NoGatewayError: the gateway cannot be reached.
        RequestError: the gateway refused.
    """
    try:
        asyncio.run(until_signal(main))
    except asyncio.CancelledError:
        if not follows:
            raise KeyboardInterrupt from None
    except CertificateError as error:
        raise RequestError(for_the_line(error)) from None
    except NotReadyError as error:
        raise NoGatewayError(str(error)) from None
    except UnavailableError as error:
        if WANTS_TLS in str(error):
            raise NoGatewayError(
                f"{error}: give --tls, --ca-file or --cert-file, or name another with --gateway"
            ) from None
        raise NoGatewayError(
            f"{error}: start one with `{command_name()} {starts}`, or name another with --gateway"
        ) from None
    except ClientError as error:
        raise RequestError(for_the_line(error)) from None


async def until_signal(main: Coroutine[Any, Any, object]) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await main
