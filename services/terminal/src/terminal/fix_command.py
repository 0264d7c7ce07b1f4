"""`dragonfly fix-client`: a customer of the FIX gateway."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import click
from dragonfly_client.errors import SettingError
from dragonfly_common.authorities import named_authority
from dragonfly_common.discovery import is_loopback
from dragonfly_common.equivalence import normalise_market
from dragonfly_common.errors import ConfigError
from dragonfly_common.status import split_host_port

from terminal.fix_client import run_fix_client
from terminal.fix_session import FixLogon, FixRequest
from terminal.gateway import FILE, RequestError, for_the_line, run_bot, seconds_option, token_of

__all__ = ["fix_client"]

FIX_TOKEN_VARIABLE: Final = "DRAGONFLY_FIX_CLIENT_TOKEN"  # noqa: S105 - the name, not the token
FIX_GATEWAY: Final = "127.0.0.1:9878"
LONGEST_ID: Final = 200


@click.command("fix-client")
@click.argument("instruments", nargs=-1, metavar="[INSTRUMENT]...")
@click.option(
    "--gateway",
    default=FIX_GATEWAY,
    show_default=True,
    metavar="HOST:PORT",
    help="The FIX gateway to log on to.",
)
@click.option("--tls", "encrypt", is_flag=True, help="Encrypt also on loopback.")
@click.option("--plain", is_flag=True, help="Do not encrypt, also towards another machine.")
@click.option("--ca-file", type=FILE, help="PEM file of the authority that signed the gateway's.")
@click.option("--cert-file", type=FILE, help="PEM file of the certificate to show.")
@click.option("--key-file", type=FILE, help="PEM file of its key.")
@click.option("--server-name", metavar="NAME", help="Whom the gateway's certificate is for.")
@click.option("--name", default="", help="Username (553): the name that the token is for.")
@click.option(
    "--token-file",
    type=FILE,
    help=f"File that holds the token to show.  [default: the value of {FIX_TOKEN_VARIABLE}]",
)
@click.option("--sender", default="", help="SenderCompID (49).  [default: --name, or FIX-CLIENT]")
@click.option(
    "--target", default="DRAGONFLY-MD", show_default=True, help="TargetCompID (56) of the gateway."
)
@click.option(
    "--heartbeat-s",
    type=click.IntRange(5, 60),
    default=10,
    show_default=True,
    help="HeartBtInt (108).",
)
@click.option(
    "--view",
    type=click.Choice(["bbo", "book", "merged"]),
    default="book",
    show_default=True,
    help="Best prices across venues, a level for each venue, or equal prices merged.",
)
@click.option(
    "--depth",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="Levels a side of a book; 0 asks for all.",
)
@click.option("--incremental", is_flag=True, help="Ask for differences (X), not for whole books.")
@click.option("--list", "list_all", is_flag=True, help="List every instrument and its venues.")
@click.option("--raw", is_flag=True, help="Print each message instead, with | for SOH.")
@seconds_option
def fix_client(
    *,
    instruments: tuple[str, ...],
    gateway: str,
    encrypt: bool,
    plain: bool,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
    server_name: str | None,
    name: str,
    token_file: Path | None,
    sender: str,
    target: str,
    heartbeat_s: int,
    view: str,
    depth: int,
    incremental: bool,
    list_all: bool,
    raw: bool,
    seconds: float | None,
) -> None:
    """Log on over FIX 4.4, and show what INSTRUMENT's market is.

    ETH-BTC's if none is named. In a terminal a ladder; elsewhere a line when the best prices move
    or a venue's state does, at most ten a second. It encrypts unless the gateway is on this
    machine, or --plain is given.

    \b
    Example:
      dragonfly fix-client ETH-BTC BTC-USD
      dragonfly fix-client --gateway fix.example.com:9878 --name desk-1 --token-file token --raw
    """
    host, port = split_host_port(gateway)
    loopback = is_loopback(gateway)
    wants_tls = encrypt or any((ca_file, cert_file, server_name)) or not (loopback or plain)
    if plain and wants_tls:
        raise ConfigError("--plain does not encrypt: leave out --tls and the files of TLS, or it")
    if view == "bbo":
        depth = 1
    elif view == "book" and depth == 1:
        raise ConfigError("--depth 1 asks for best prices across venues: give --view bbo, or more")
    try:
        token = token_of(token_file, FIX_TOKEN_VARIABLE)
    except SettingError as error:
        raise RequestError(for_the_line(error)) from None
    logon = FixLogon(
        host=host,
        port=port,
        tls=_tls_context(ca_file, cert_file, key_file) if wants_tls else None,
        server_name=server_name,
        sender=_comp_id("--sender", sender or name or "FIX-CLIENT"),
        target=_comp_id("--target", target),
        name=_comp_id("--name", name) if name else "",
        token=_comp_id("the token", token) if token else None,
        heartbeat_s=heartbeat_s,
    )
    request = FixRequest(
        [normalise_market(one) for one in instruments or ("ETH-BTC",)],
        depth,
        merged=view == "merged",
        incremental=incremental,
        lists=list_all,
    )
    client = run_fix_client(logon, request, seconds=seconds, raw=raw)
    run_bot(client, starts=f"up --fix {FIX_GATEWAY}", follows=not list_all)


def _tls_context(
    ca_file: Path | None, cert_file: Path | None, key_file: Path | None
) -> ssl.SSLContext:
    context = named_authority(ca_file) if ca_file else ssl.create_default_context()
    if (cert_file is None) != (key_file is None):
        raise ConfigError("--cert-file and --key-file belong together: give both or neither")
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:  # of ssl too
            raise ConfigError(
                f"--cert-file {str(cert_file)!r} and its --key-file are none, or do not belong"
                f" together ({error.strerror}): give PEM files"
            ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _comp_id(what: str, text: str) -> str:
    if not text.isprintable() or not text.isascii() or len(text) > LONGEST_ID:
        shown = "" if what == "the token" else f" {text[:LONGEST_ID]!r}"
        raise ConfigError(f"{what}{shown}: give at most {LONGEST_ID} printable characters of ASCII")
    return text
