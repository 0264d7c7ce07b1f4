"""`dragonfly aggregator`."""

from __future__ import annotations

import click
from dragonfly_common.runtime import RuntimeOptions, run_loop, runtime_options
from dragonfly_common.types import MAX_DEPTH, normalise_instrument

from aggregator.service import Options, serve

__all__ = ["aggregator"]


@click.command()
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    required=True,
    metavar="ADDRESS",
    help="A listener's address on the bus; may be repeated.",
)
@click.option(
    "--bind",
    required=True,
    metavar="ADDRESS",
    help="Where gateways subscribe: ipc:///path, tcp://host:port.",
)
@click.option(
    "--instrument",
    "instruments",
    multiple=True,
    metavar="BASE-QUOTE",
    help="Always followed, asked for or not; may be repeated.",
)
@click.option(
    "--depth",
    type=click.IntRange(1, MAX_DEPTH),
    default=10,
    show_default=True,
    help="Levels a side.",
)
@click.option(
    "--linger-s",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How long a view is kept after the last gateway left it.",
)
@runtime_options
def aggregator(
    *,
    upstreams: tuple[str, ...],
    bind: str,
    instruments: tuple[str, ...],
    depth: int,
    linger_s: float,
    runtime: RuntimeOptions,
) -> None:
    """Merge the tops of many listeners into one book per instrument.

    \b
    Example:
      dragonfly aggregator --upstream ipc:///tmp/binance.ipc \\
          --upstream ipc:///tmp/kraken.ipc --bind ipc:///tmp/aggregator.ipc
    """
    names = tuple(dict.fromkeys(normalise_instrument(name) for name in instruments))
    options = Options(upstreams, bind, names, depth, linger_s)
    run_loop("aggregator", runtime, lambda process: serve(process, options))
