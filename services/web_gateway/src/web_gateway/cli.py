"""`dragonfly web`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import click
from dragonfly_client.client import DEFAULT_TARGET
from dragonfly_client.errors import SettingError
from dragonfly_client.tls import Tls
from dragonfly_common.errors import ConfigError
from dragonfly_common.runtime import RuntimeOptions, run_async, runtime_options
from dragonfly_common.status import split_host_port
from dragonfly_views.tls_files import tls_files
from dragonfly_views.watched_files import read_file

from web_gateway.service import WebGatewayOptions, serve

__all__ = ["web"]

FILE: Final = click.Path(dir_okay=False, path_type=Path)
TOKEN_VARIABLE: Final = "DRAGONFLY_WEB_TOKEN"  # noqa: S105 - the name, not the token
MOST: Final = 100_000
_ORIGIN: Final = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


@click.command()
@click.option(
    "--bind",
    default="127.0.0.1:50080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where browsers connect; port 0 takes a free one.",
)
@click.option(
    "--gateway",
    default=DEFAULT_TARGET,
    show_default=True,
    metavar="HOST:PORT",
    help="The gRPC gateway whose bot this is.",
)
@click.option(
    "--gateway-tls", is_flag=True, help="Encrypt towards the gateway; implied by --gateway-ca."
)
@click.option(
    "--gateway-ca", type=FILE, help="PEM file of the authority that signed the gateway's."
)
@click.option(
    "--gateway-name",
    metavar="NAME",
    help="Whom the gateway's certificate is for; implies --gateway-tls.  [default: the host of"
    " --gateway]",
)
@click.option(
    "--token-file",
    type=FILE,
    help="File that holds the token to show to the gateway; let it have no quotas.  [default: the"
    f" value of {TOKEN_VARIABLE}]",
)
@click.option("--tls-cert", type=FILE, help="PEM file of this server's certificate; turns TLS on.")
@click.option("--tls-key", type=FILE, help="PEM file of its key.")
@click.option(
    "--tokens",
    type=FILE,
    metavar="FILE",
    help="TOML file of bots, as the gateway's: whoever asks must show a token.  [default: no token"
    " is needed]",
)
@click.option(
    "--instrument",
    "instruments",
    multiple=True,
    metavar="BASE-QUOTE",
    help="Always keep the last minutes of this instrument; may be repeated.  [default: of those"
    " that somebody looked at within a quarter of an hour]",
)
@click.option(
    "--cors-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Pages of this origin may ask too; may be repeated.  [default: only our own page]",
)
@click.option(
    "--max-sockets",
    type=click.IntRange(1, MOST),
    default=1000,
    show_default=True,
    help="WebSockets at a time.",
)
@click.option(
    "--max-feeds",
    type=click.IntRange(2, MOST),
    default=256,
    show_default=True,
    help="Different streams that all of them together may ask of the gateway.",
)
@runtime_options
def web(
    *,
    bind: str,
    gateway: str,
    gateway_tls: bool,
    gateway_ca: Path | None,
    gateway_name: str | None,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tokens: Path | None,
    instruments: tuple[str, ...],
    origins: tuple[str, ...],
    max_sockets: int,
    max_feeds: int,
    runtime: RuntimeOptions,
) -> None:
    """Serve a page to people, and the books as JSON over WebSocket and REST.

    \b
    Example:
      dragonfly web --gateway 127.0.0.1:50051
    """
    split_host_port(gateway)
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(
                f"--cors-origin {origin!r} is no origin: write it as browsers do, without a path"
                " and in lower case, for example https://desk.example"
            )
    try:
        encrypts = gateway_tls or gateway_ca or gateway_name
        tls = Tls(ca_file=gateway_ca, server_name=gateway_name or None) if encrypts else None
    except SettingError as error:
        raise ConfigError(str(error)) from None
    options = WebGatewayOptions(
        bind=bind,
        gateway=gateway,
        gateway_tls=tls,
        gateway_token=_token(token_file),
        tls=tls_files(tls_cert, tls_key, None),
        tokens=tokens,
        instruments=instruments,
        origins=origins,
        max_sockets=max_sockets,
        max_feeds=max_feeds,
    )
    run_async("web", runtime, lambda process: serve(process, options))


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(TOKEN_VARIABLE)
    try:
        return read_file(file).decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"--token-file {file} is not text: give the token alone") from None
