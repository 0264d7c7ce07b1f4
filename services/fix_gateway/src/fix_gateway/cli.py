"""`dragonfly fix-gateway`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from dragonfly_common.bus import Keys, Role
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.errors import ConfigError
from dragonfly_common.options import (
    bots_options,
    curve_options,
    depth_option,
    equivalent_option,
    instrument_option,
    linger_option,
    upstream_option,
)
from dragonfly_common.runtime import RuntimeOptions, run_async, runtime_options
from dragonfly_views.tls_files import tls_files

from fix_gateway.md_session import CustomerLimits
from fix_gateway.order_desk import DeskOptions
from fix_gateway.service import FixGatewayOptions, serve

__all__ = ["fix_gateway"]

MOST: Final = 100_000


class _TimeOfDay(click.DateTime):
    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no time of a day: write HH:MM, 00:00 to 23:59", param, ctx)


@click.command("fix-gateway")
@upstream_option(
    "An aggregator's",
    "KIND=ADDRESS asks for views of that kind (book, bbo, liquidity) there alone.",
)
@click.option(
    "--bind",
    default="127.0.0.1:9878",
    show_default=True,
    metavar="HOST:PORT",
    help="Where customers connect; port 0 takes a free one.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="Serve other machines without TLS: it is meant, as behind a balancer that has it.",
)
@instrument_option()
@equivalent_option
@depth_option("Levels a side that a customer may ask for.")
@linger_option("How long a view is asked for after the last customer left it.")
@click.option(
    "--max-sessions",
    type=click.IntRange(1, MOST),
    default=1000,
    show_default=True,
    help="Customers that are logged on at a time.",
)
@click.option(
    "--max-instruments",
    type=click.IntRange(1, MOST),
    default=64,
    show_default=True,
    help="Instruments of one session, each as often as it is asked for.",
)
@click.option(
    "--engine",
    metavar="ADDRESS",
    help="Where the execution engine takes orders (its --bind): customers may then send orders, to"
    " TargetCompID DRAGONFLY-OE. Needs --order-store.",
)
@click.option(
    "--order-store",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What order sessions are told is kept here, to be sent again: begun where it is not there."
    " One gateway writes it at a time.",
)
@click.option(
    "--cancel-on-disconnect",
    multiple=True,
    metavar="COMPID",
    help="Cancel the orders of this SenderCompID when its line breaks; may be repeated. Else they"
    " go on, but for those with ExecInst (18) Q.",
)
@click.option(
    "--reset-at",
    type=_TimeOfDay(["%H:%M"]),
    default="22:00",
    show_default=True,
    metavar="HH:MM",
    help="When the numbers of order sessions begin anew, in UTC.",
)
@curve_options(Role.GATEWAY)
@bots_options
@runtime_options
def fix_gateway(
    *,
    upstreams: tuple[str, ...],
    bind: str,
    plain: bool,
    instruments: tuple[str, ...],
    equivalences: Equivalences,
    depth: int,
    linger_s: float,
    max_sessions: int,
    max_instruments: int,
    engine: str | None,
    order_store: Path | None,
    cancel_on_disconnect: tuple[str, ...],
    reset_at: datetime,
    keys: Keys | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    tokens: Path | None,
    runtime: RuntimeOptions,
) -> None:
    """Serve the consolidated books to customers over FIX 4.4.

    The files of certificates and tokens are read again when they change.

    \b
    Example:
      dragonfly fix-gateway --upstream ipc:///tmp/aggregator.ipc
      dragonfly fix-gateway --upstream bbo=ipc:///tmp/a.ipc --upstream liquidity=ipc:///tmp/b.ipc
    """
    if (engine is None) is not (order_store is None):
        raise ConfigError(
            "--engine and --order-store go together: where orders go, and where what customers are"
            " told is kept"
        )
    orders = None
    if engine is not None and order_store is not None:
        reset_at_s = reset_at.hour * 3600 + reset_at.minute * 60
        orders = DeskOptions(engine, order_store, frozenset(cancel_on_disconnect), reset_at_s)
    options = FixGatewayOptions(
        upstreams=upstreams,
        bind=bind,
        instruments=instruments,
        limits=CustomerLimits(depth, max_instruments),
        linger_s=linger_s,
        max_sessions=max_sessions,
        plain=plain,
        keys=keys,
        tls=tls_files(tls_cert, tls_key, tls_client_ca),
        tokens=tokens,
        orders=orders,
        equivalences=equivalences,
    )
    run_async("fix-gateway", runtime, lambda process: serve(process, options))
