"""`dragonfly gateway`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from dragonfly_common.bus import Keys, Role
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.options import (
    NumberRange,
    bots_options,
    curve_options,
    depth_option,
    equivalent_option,
    fees_option,
    instrument_option,
    linger_option,
    upstream_option,
)
from dragonfly_common.runtime import RuntimeOptions, run_async, runtime_options
from dragonfly_pricing.fees import parse_fees
from dragonfly_views.tls_files import tls_files

from grpc_gateway.requests import MAX_WINDOW
from grpc_gateway.service import GatewayOptions, serve
from grpc_gateway.servicer import BotLimits

__all__ = ["gateway"]

MAX_STREAMS: Final = 1_000_000
"""The numbers that gRPC is given for it must fit into 32 bits."""


@click.command()
@upstream_option("An aggregator's")
@click.option(
    "--bind",
    default="127.0.0.1:50051",
    show_default=True,
    metavar="HOST:PORT",
    help="Where bots connect; port 0 takes a free one.",
)
@instrument_option(
    "Always followed, asked for or not; may be repeated. The first is BookSummary's default."
)
@equivalent_option
@depth_option("Levels a side that a bot may ask for.")
@linger_option("How long a view is asked for after the last bot left it.")
@click.option(
    "--max-streams",
    type=click.IntRange(1, MAX_STREAMS),
    default=64,
    show_default=True,
    help="Streams of one connection.",
)
@click.option(
    "--max-total-streams",
    type=click.IntRange(1, MAX_STREAMS),
    default=1000,
    show_default=True,
    help="Streams of all connections.",
)
@click.option(
    "--max-instruments",
    type=click.IntRange(1, MAX_STREAMS),
    default=64,
    show_default=True,
    help="Instruments of one stream or session.",
)
@click.option(
    "--window",
    type=click.IntRange(1, MAX_WINDOW),
    default=8,
    show_default=True,
    help="Updates in flight to a bot that acknowledges.",
)
@click.option(
    "--ack-timeout-s",
    type=NumberRange(0.1, 3600),
    default=20.0,
    show_default=True,
    help="A session is ended when nothing in flight is acknowledged for so long.",
)
@click.option(
    "--pong-timeout-s",
    type=NumberRange(0.5, 3600),
    default=20.0,
    show_default=True,
    help="A connection is ended when its bot's library answers no ping for so long: the bot is"
    " frozen or gone.",
)
@click.option(
    "--engine",
    metavar="ADDRESS",
    help="Where the execution engine takes orders (its --bind): bots may then liquidate.",
)
@curve_options(Role.GATEWAY)
@bots_options
@fees_option
@runtime_options
def gateway(
    *,
    upstreams: tuple[str, ...],
    bind: str,
    instruments: tuple[str, ...],
    equivalences: Equivalences,
    depth: int,
    linger_s: float,
    max_streams: int,
    max_total_streams: int,
    max_instruments: int,
    window: int,
    ack_timeout_s: float,
    pong_timeout_s: float,
    engine: str | None,
    keys: Keys | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    tokens: Path | None,
    fees: tuple[str, ...],
    runtime: RuntimeOptions,
) -> None:
    """Serve the consolidated books to bots over gRPC.

    The files of certificates and tokens are read again when they change.

    \b
    Example:
      dragonfly gateway --upstream ipc:///tmp/aggregator.ipc --instrument ETH-BTC
    """
    options = GatewayOptions(
        upstreams=upstreams,
        bind=bind,
        instruments=instruments,
        limits=BotLimits(depth, max_instruments, window, ack_timeout_s),
        linger_s=linger_s,
        max_streams=max_streams,
        max_total_streams=max_total_streams,
        pong_within_s=pong_timeout_s,
        keys=keys,
        tls=tls_files(tls_cert, tls_key, tls_client_ca),
        tokens=tokens,
        fees=parse_fees(fees) if fees else None,
        equivalences=equivalences,
        engine=engine,
    )
    run_async("gateway", runtime, lambda process: serve(process, options))
