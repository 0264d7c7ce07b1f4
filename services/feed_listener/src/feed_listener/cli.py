"""`dragonfly listener`."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from dragonfly_common.assignment import Replicas
from dragonfly_common.bus import Keys, Role
from dragonfly_common.discovery import check_address
from dragonfly_common.errors import ConfigError
from dragonfly_common.options import (
    audit_options,
    curve_options,
    depth_option,
    instrument_option,
    linger_option,
    replica_options,
)
from dragonfly_common.runtime import RuntimeOptions, run_async, runtime_options
from dragonfly_common.types import normalise_instrument
from dragonfly_venues.registry import WEBSOCKET, find_venue, venue_names
from dragonfly_venues.transport import (
    REST_SCHEMES,
    STREAM_SCHEMES,
    check_fix_url,
    check_url,
    read_fix_key,
    trusted,
)
from dragonfly_venues.venue import FixKey, Venue

from feed_listener.listener import Following
from feed_listener.service import ListenerOptions, serve

__all__ = ["listener"]

ONLY_BY_FIX: Final = "is used by --protocol fix alone: add that, or leave it out"


@click.command()
@click.option(
    "--venue",
    "venue_name",
    required=True,
    metavar="NAME",
    help=f"The venue to listen to: {', '.join(venue_names())}.",
)
@click.option(
    "--bind",
    required=True,
    metavar="ADDRESS",
    help="Where aggregators subscribe: ipc:///path, tcp://host:port.",
)
@instrument_option(normal=normalise_instrument)
@depth_option()
@click.option("--ws-url", metavar="URL", help="Base of the WebSocket, instead of the venue's own.")
@click.option("--rest-url", metavar="URL", help="Base of the HTTP API, instead of the venue's own.")
@click.option(
    "--protocol",
    type=click.Choice([WEBSOCKET, "fix"]),
    default=WEBSOCKET,
    show_default=True,
    help="By which the books come, where the venue has several.",
)
@click.option("--fix-url", metavar="URL", help="Address for FIX, instead of the venue's own.")
@click.option(
    "--fix-key",
    type=click.Path(path_type=Path),
    help="File of mode 0600: the Ed25519 private key in PEM that a Logon by FIX is signed with.",
)
@click.option(
    "--fix-api-key",
    type=click.Path(path_type=Path),
    help="File of mode 0600: the API key that the venue gave for it.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    help="PEM file of a private authority, trusted beside the machine's own.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Keep here what must outlive a restart: until when the venue wants no requests of us.  "
    "[default: not kept]",
)
@audit_options
@linger_option("How long an instrument is kept after the last aggregator left it.")
@replica_options
@curve_options(Role.LISTENER)
@runtime_options
def listener(
    *,
    venue_name: str,
    bind: str,
    instruments: tuple[str, ...],
    depth: int,
    ws_url: str | None,
    rest_url: str | None,
    protocol: str,
    fix_url: str | None,
    fix_key: Path | None,
    fix_api_key: Path | None,
    ca_file: Path | None,
    state_dir: Path | None,
    audit: bool,
    audit_interval_s: float,
    best_prices: bool,
    list_interval_s: float,
    linger_s: float,
    replicas: Replicas,
    keys: Keys | None,
    runtime: RuntimeOptions,
) -> None:
    """Listen to one venue and publish its changed tops of book.

    \b
    Example:
      dragonfly listener --venue kraken --bind ipc:///tmp/kraken.ipc --instrument BTC-USD
    """
    venue = find_venue(venue_name, protocol)
    options = ListenerOptions(
        venue=venue,
        bind=check_address(bind),
        ws_url=_stream_url(venue, ws_url, fix_url),
        rest_url=check_url(rest_url or venue.rest_url, "--rest-url", REST_SCHEMES),
        trust=trusted(ca_file),
        bans=state_dir and state_dir / f"bans-{venue.name}.json",
        following=Following(
            instruments,
            depth,
            linger_s,
            audit_interval_s if audit else None,
            list_interval_s,
            best_prices,
            replicas=max(1, len(replicas.peers)),
        ),
        replicas=replicas,
        keys=keys,
        fix_key=_fix_key(venue, fix_key, fix_api_key),
    )
    # On one machine the listeners of several venues must not share a name on the bus.
    name = runtime.instance or f"listener-{venue.name}@{socket.gethostname()}"
    run_async("listener", replace(runtime, instance=name), lambda process: serve(process, options))


def _stream_url(venue: Venue, ws_url: str | None, fix_url: str | None) -> str:
    """Return where the books come from, by the protocol that was chosen."""
    if venue.fix is None:
        if fix_url is not None:
            raise ConfigError(f"--fix-url {fix_url} {ONLY_BY_FIX}")
        return check_url(ws_url or venue.ws_url, "--ws-url", STREAM_SCHEMES)
    if ws_url is not None:
        raise ConfigError(
            f"--ws-url {ws_url} is not connected to by --protocol fix: write --fix-url, or leave"
            " one of the two out"
        )
    return check_fix_url(fix_url or venue.ws_url, "--fix-url")


def _fix_key(venue: Venue, private_key: Path | None, api_key: Path | None) -> FixKey | None:
    if venue.fix is None:
        if given := private_key or api_key:
            raise ConfigError(f"the key {given} {ONLY_BY_FIX}")
        return None
    if private_key is None or api_key is None:
        raise ConfigError(
            f"{venue.name} wants the key of an account for --protocol fix: name its files with"
            " --fix-key and --fix-api-key"
        )
    return read_fix_key(private_key, api_key)
