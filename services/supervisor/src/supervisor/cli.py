"""`dragonfly up` and `dragonfly demo`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Final

import click
from dragonfly_common.errors import ConfigError
from dragonfly_common.options import depth_option, instrument_option
from dragonfly_common.ranges import NumberRange
from dragonfly_common.status import split_host_port
from rich.console import Console

from supervisor.awake import DEVICE, awake
from supervisor.demonstration import SECONDS_WITHOUT_TERMINAL, demonstrate, usual_faults
from supervisor.narration import LEVELS, Narrator
from supervisor.plan import Options
from supervisor.session import running_system

__all__ = ["demo", "up"]

VENUES: Final = ("binance", "bitstamp", "kraken")
# The terminal may go away too (SIGHUP), and nothing may stay behind.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _FaultSpec(click.types.StringParamType):
    """Text with spaces in it; several in one environment variable stand between semicolons."""

    name = "spec"
    envvar_list_splitter = ";"


def _venue_option(command: Any) -> Any:
    return click.option(
        "--venue",
        "venues",
        multiple=True,
        default=VENUES,
        show_default="all of " + ", ".join(VENUES),
        metavar="NAME",
        help="A venue to listen to; may be repeated.",
    )(command)


_instrument_option: Final = instrument_option(
    "Always followed; the first is the gateway's default; may be repeated.", ("ETH-BTC",)
)


@click.command()
@_venue_option
@_instrument_option
@depth_option()
@click.option(
    "--gateway",
    default="127.0.0.1:50051",
    show_default=True,
    metavar="HOST:PORT",
    help="Where bots connect.",
)
@click.option(
    "--apart",
    is_flag=True,
    help="Run each listener, the aggregator and the gateway as a process of its own: what ends one"
    " ends no other, and they use several cores. In one process, as they are otherwise, a quote"
    " takes less time and half of the processor.",
)
@click.option(
    "--status",
    metavar="HOST:PORT",
    help="Serve /metrics, /healthz and /readyz of the one process here.  [default: not served]",
)
@click.option(
    "--keep-awake",
    is_flag=True,
    help="Let no core of this machine sleep meanwhile: it wakes up sooner, and takes more"
    f" electricity. Needs the right to write {DEVICE}.",
)
@click.option(
    "--simulated", is_flag=True, help="Simulate the venues instead of connecting to them."
)
@click.option(
    "--ws-url", "ws_urls", multiple=True, metavar="VENUE=URL", help="Another stream address."
)
@click.option(
    "--rest-url", "rest_urls", multiple=True, metavar="VENUE=URL", help="Another REST address."
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of a private authority that venues' certificates may be signed by.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    help="The least that is worth a line.",
)
def up(
    *,
    venues: tuple[str, ...],
    instruments: tuple[str, ...],
    depth: int,
    gateway: str,
    apart: bool,
    status: str | None,
    keep_awake: bool,
    simulated: bool,
    ws_urls: tuple[str, ...],
    rest_urls: tuple[str, ...],
    ca_file: Path | None,
    log_level: str,
) -> None:
    """Run the whole system on this machine, and start again what dies.

    \b
    Example:
      dragonfly up --venue binance --venue bitstamp --instrument ETH-BTC
    """
    split_host_port(gateway)
    if simulated and (ws_urls or rest_urls or ca_file):
        raise ConfigError(
            "--simulated venues are where the simulator puts them: "
            "leave out --simulated, or --ws-url, --rest-url and --ca-file"
        )
    if apart and status:
        raise ConfigError(
            f"--apart leaves no one process whose status {status} could serve: leave out one of "
            "them, or say where a service's is as DRAGONFLY_GATEWAY_STATUS"
        )
    options = Options(
        venues=_venues(venues),
        instruments=instruments,
        gateway=gateway,
        depth=depth,
        ws_urls=_by_venue("--ws-url", ws_urls, venues),
        rest_urls=_by_venue("--rest-url", rest_urls, venues),
        ca_file=ca_file,
        apart=apart,
        status=status,
    )
    with awake() if keep_awake else nullcontext():
        _run(_up(options, log_level, simulated=simulated))


@click.command()
@_venue_option
@_instrument_option
@depth_option()
@click.option(
    "--seconds",
    type=NumberRange(min=0, min_open=True),
    help=f"End so long after the first book.  [default: at Ctrl-C; "
    f"{SECONDS_WITHOUT_TERMINAL:g} without a terminal]",
)
@click.option(
    "--rate",
    type=NumberRange(min=0),
    default=10.0,
    show_default=True,
    help="Updates a second of each venue and instrument.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated market.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=_FaultSpec(),
    metavar="SPEC",
    help='What goes wrong, such as "kraken silence at=5 for=3".  [default: each venue, in turn]',
)
@click.option("--no-faults", is_flag=True, help="Let nothing go wrong.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Leave a picture of the last ladder in this file.",
)
def demo(
    *,
    venues: tuple[str, ...],
    instruments: tuple[str, ...],
    depth: int,
    seconds: float | None,
    rate: float,
    seed: int,
    faults: tuple[str, ...],
    no_faults: bool,
    svg: Path | None,
) -> None:
    """Run the whole system against simulated venues, and show a live ladder.

    In a terminal a ladder until Ctrl-C; elsewhere a line when the best prices move, and a summary.

    \b
    Example:
      dragonfly demo --seconds 20 --fault "kraken silence at=5 for=3"
    """
    venues = _venues(venues)
    if no_faults:
        faults = ()
    elif not faults:
        faults = tuple(usual_faults(venues))
    simulator = ["--rate", str(rate), "--seed", str(seed)]
    options = Options(
        venues=venues,
        instruments=instruments,
        gateway="127.0.0.1:0",
        depth=depth,
        simulator=[*simulator, *(word for spec in faults for word in ("--fault", spec))],
    )
    _run(demonstrate(options, seconds, svg))


async def _up(options: Options, log_level: str, *, simulated: bool) -> None:
    with Narrator(Console(stderr=True, highlight=False), log_level) as narrator:
        async with running_system(
            options, simulated=simulated, on_log=narrator.log, on_notice=narrator.notice
        ) as system:
            narrator.ready(options, system.gateway, system.control)
            await system.until_refused()


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` until it ends or a signal does; what a signal ended is no failure."""

    async def until_signal() -> None:
        task = asyncio.ensure_future(main)
        loop = asyncio.get_running_loop()

        def end() -> None:
            # Once: a second Ctrl-C would only interrupt the ending, which is soon over.
            for number in _ENDING:
                loop.add_signal_handler(number, lambda: None)
            task.cancel()

        for number in _ENDING:
            loop.add_signal_handler(number, end)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_signal())


def _venues(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in VENUES:
            raise ConfigError(f"{name!r} is not a venue: choose of {', '.join(VENUES)}")
    return tuple(dict.fromkeys(names))


def _by_venue(option: str, pairs: Sequence[str], venues: Sequence[str]) -> dict[str, str]:
    """Return {venue: url} of `binance=wss://…` words; the listener judges the URL itself."""
    found = {}
    for pair in pairs:
        venue, equals, url = pair.partition("=")
        if not equals or not url:
            raise ConfigError(f"{option} {pair!r} is not VENUE=URL: write binance=wss://host")
        if venue not in venues:
            raise ConfigError(
                f"{option} {pair!r} names a venue that is not run: add --venue {venue}, "
                f"or name one of {', '.join(venues)}"
            )
        found[venue] = url
    return found
