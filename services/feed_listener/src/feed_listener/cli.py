"""`dragonfly listener`."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import click
from dragonfly_common.assignment import Replicas
from dragonfly_common.bus import Keys, Role
from dragonfly_common.discovery import check_address
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
from dragonfly_venues.registry import find_venue, venue_names
from dragonfly_venues.transport import REST_SCHEMES, STREAM_SCHEMES, check_url, trusted

from feed_listener.listener import Following
from feed_listener.service import ListenerOptions, serve

__all__ = ["listener"]


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
    venue = find_venue(venue_name)
    options = ListenerOptions(
        venue=venue,
        bind=check_address(bind),
        ws_url=check_url(ws_url or venue.ws_url, "--ws-url", STREAM_SCHEMES),
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
    )
    # On one machine the listeners of several venues must not share a name on the bus.
    name = runtime.instance or f"listener-{venue.name}@{socket.gethostname()}"
    run_async("listener", replace(runtime, instance=name), lambda process: serve(process, options))
