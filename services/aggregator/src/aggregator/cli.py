"""`dragonfly aggregator`."""

from __future__ import annotations

import click
from dragonfly_common.assignment import Replicas
from dragonfly_common.bus import Keys, Role
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.options import (
    curve_options,
    depth_option,
    equivalent_option,
    instrument_option,
    linger_option,
    replica_options,
    upstream_option,
)
from dragonfly_common.runtime import RuntimeOptions, run_loop, runtime_options

from aggregator.service import AggregatorOptions, serve, serve_beside

__all__ = ["aggregator"]


@click.command()
@upstream_option("A listener's")
@click.option(
    "--bind",
    required=True,
    metavar="ADDRESS",
    help="Where gateways subscribe: ipc:///path, tcp://host:port.",
)
@instrument_option()
@equivalent_option
@depth_option()
@linger_option("How long a view is kept after the last gateway left it.")
@replica_options
@curve_options(Role.AGGREGATOR)
@runtime_options
def aggregator(
    *,
    upstreams: tuple[str, ...],
    bind: str,
    instruments: tuple[str, ...],
    equivalences: Equivalences,
    depth: int,
    linger_s: float,
    replicas: Replicas,
    keys: Keys | None,
    runtime: RuntimeOptions,
) -> None:
    """Merge the tops of many listeners into one book per instrument.

    \b
    Example:
      dragonfly aggregator --upstream ipc:///tmp/binance.ipc \\
          --upstream ipc:///tmp/kraken.ipc --bind ipc:///tmp/aggregator.ipc
    """
    options = AggregatorOptions(
        upstreams, bind, instruments, depth, linger_s, replicas, keys, equivalences
    )
    run_loop(
        "aggregator",
        runtime,
        lambda process: serve(process, options),
        beside=lambda process: serve_beside(process, options),
    )
