"""`dragonfly up` and `dragonfly demo`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
from dragonfly_common.cli import LoggedCommand
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.errors import ConfigError
from dragonfly_common.log import LOG_FORMATS
from dragonfly_common.options import (
    NumberRange,
    audit_options,
    bots_options,
    depth_option,
    equivalent_option,
    fees_option,
    instrument_option,
    linger_option,
    market_options,
)
from dragonfly_common.runtime import open_option
from dragonfly_common.status import split_host_port
from dragonfly_venues.registry import venue_names
from rich.console import Console

from supervisor.awake import DEVICE, awake
from supervisor.config_cli import config_option
from supervisor.demonstration import (
    SECONDS_WITHOUT_TERMINAL,
    demonstrate,
    usual_faults,
)
from supervisor.narration import LEVELS, Narrator
from supervisor.options import (
    FIX_EXAMPLES,
    PASSED_ON,
    by_venue,
    given_words,
    known_venues,
    usual_state_dir,
)
from supervisor.plan import USUAL_GATEWAY, USUAL_WEB, DeploymentOptions
from supervisor.session import running_system

__all__ = ["demo", "up"]

USUAL_VENUES: Final = ("binance", "bitstamp", "kraken")
"""The venues that are listened to where nothing else is asked for."""

DEMO_FEES: Final = ("*=20", "binance=10", "bitstamp=30", "kraken=26")
"""Taker fees in basis points, about what these venues ask of small customers."""

# The terminal may go away too (SIGHUP), and nothing may stay behind.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _venue_option(command: Any) -> Any:
    return click.option(
        "--venue",
        "venues",
        multiple=True,
        default=USUAL_VENUES,
        show_default=", ".join(USUAL_VENUES),
        metavar="NAME",
        help=f"A venue to listen to, of {', '.join(venue_names())}; may be repeated.",
    )(command)


def _accounts_option(goes_with: str) -> Callable[[Any], Any]:
    return click.option(
        "--accounts",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"With {goes_with}: have the engine trade at the simulated venues by their own"
        " protocols, with the accounts of this file (docs/execution.md). Else fills are assumed.",
    )


_instrument_option: Final = instrument_option(
    "Always followed; the first is the gateway's default; may be repeated.", ("ETH-BTC",)
)


@click.command(cls=LoggedCommand)
@config_option
@_venue_option
@_instrument_option
@equivalent_option
@depth_option()
@click.option(
    "--gateway",
    default=USUAL_GATEWAY,
    show_default=True,
    metavar="HOST:PORT",
    help="Where bots connect.",
)
@click.option(
    "--fix",
    metavar="HOST:PORT",
    help="Where customers connect over FIX.  [default: nowhere]",
)
@click.option(
    "--web",
    metavar="HOST:PORT",
    help="Where browsers find a page, and whoever speaks JSON the books.  [default: nowhere]",
)
@click.option(
    "--engine",
    metavar="JOURNAL",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Take orders, on paper unless its variables say otherwise, with this file as the engine's"
    " journal; as --apart.",
)
@_accounts_option("--simulated and --engine")
@bots_options
@fees_option
@linger_option("How long an instrument is kept after the last bot left it.")
@audit_options
@click.option(
    "--apart",
    is_flag=True,
    help="Run each listener, the aggregator and the gateway as a process of its own: when one ends"
    " the others run on, and they use several cores. In one process, the default, a quote takes"
    " less time and half the CPU.",
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
    "--protocol",
    "protocols",
    multiple=True,
    metavar="VENUE=fix",
    help="By which a venue's books come, where that is not WebSocket.",
)
@click.option("--fix-url", "fix_urls", multiple=True, metavar="VENUE=URL", help="Its address.")
@click.option(
    "--fix-key",
    "fix_keys",
    multiple=True,
    metavar="VENUE=FILE",
    help="The Ed25519 private key that signs our Logon there; mode 0600.",
)
@click.option(
    "--fix-api-key",
    "fix_api_keys",
    multiple=True,
    metavar="VENUE=FILE",
    help="The API key that the venue gave for it; mode 0600.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of a private authority that venues' certificates may be signed by.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep here until when a venue wants no requests of us, over a restart.  "
    "[default: $XDG_STATE_HOME/dragonfly or ~/.local/state/dragonfly; none if --simulated]",
)
@market_options
@open_option
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    help="Print all that the services log, from this level on.  [default: on a terminal what a"
    " person wants to know, elsewhere info]",
)
@click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    default="auto",
    show_default=True,
    help="auto is console on a terminal and json elsewhere.",
)
@click.pass_context
def up(
    context: click.Context,
    /,
    *,
    venues: tuple[str, ...],
    instruments: tuple[str, ...],
    equivalences: Equivalences,
    depth: int,
    gateway: str,
    fix: str | None,
    web: str | None,
    engine: Path | None,
    accounts: Path | None,
    apart: bool,
    status: str | None,
    keep_awake: bool,
    simulated: bool,
    ws_urls: tuple[str, ...],
    rest_urls: tuple[str, ...],
    protocols: tuple[str, ...],
    fix_urls: tuple[str, ...],
    fix_keys: tuple[str, ...],
    fix_api_keys: tuple[str, ...],
    ca_file: Path | None,
    state_dir: Path | None,
    log_level: str | None,
    log_format: str,
    **passed_on: object,
) -> None:
    """Run the whole system on this machine, and start again what dies.

    Any other option of a service is given by its variable, such as DRAGONFLY_GATEWAY_MAX_STREAMS,
    or in its table of the file.

    \b
    Example:
      dragonfly up --simulated
      dragonfly up --venue binance --venue bitstamp --instrument ETH-BTC
      dragonfly up --config dragonfly.toml
    """
    split_host_port(gateway)
    for address in filter(None, (fix, web)):
        split_host_port(address)
    if simulated and (ws_urls or rest_urls or ca_file or fix_urls or fix_keys or fix_api_keys):
        raise ConfigError(
            "--simulated venues are where the simulator puts them, and it makes the keys: "
            "leave out --simulated, or --ws-url, --rest-url, --ca-file and --fix-…"
        )
    if accounts is not None:
        _check_accounts(engine, simulated=simulated)
    # An engine has a life of its own: what ends another service must not end it.
    apart = apart or engine is not None
    more = {part: given_words(context, names) for part, names in PASSED_ON.items()}
    if more["simulator"] and not simulated:
        raise ConfigError(
            f"{more['simulator'][0]} is of simulated venues: add --simulated, or leave it out"
        )
    if apart and status:
        raise ConfigError(
            f"--apart leaves no one process whose status {status} could serve, and --engine is"
            " apart too: leave out one of them, or say where a service's is as"
            " DRAGONFLY_GATEWAY_STATUS"
        )
    options = DeploymentOptions(
        venues=known_venues(venues),
        instruments=instruments,
        gateway=gateway,
        depth=depth,
        ws_urls=by_venue("--ws-url", ws_urls, venues),
        rest_urls=by_venue("--rest-url", rest_urls, venues),
        by_fix={
            option: by_venue(option, pairs, venues, example)
            for (option, example), pairs in zip(
                FIX_EXAMPLES.items(), (protocols, fix_urls, fix_keys, fix_api_keys), strict=True
            )
        },
        ca_file=ca_file,
        state_dir=state_dir or (None if simulated else usual_state_dir()),
        apart=apart,
        equivalences=equivalences,
        fix=fix,
        web=web,
        engine=engine,
        accounts=accounts,
        status=status,
        more=more,
    )
    console = Console(stderr=True, highlight=False)
    for_people = log_format == "console" or (log_format == "auto" and console.is_terminal)
    narrator = Narrator(console, log_level, as_json=not for_people)
    with awake() if keep_awake else nullcontext():
        _run(_up(options, narrator, simulated=simulated))


def _check_accounts(engine: Path | None, *, simulated: bool) -> None:
    if engine is None or not simulated:
        raise ConfigError(
            "--accounts are of simulated venues, for an engine: add --simulated and --engine"
        )
    if engine.exists():
        raise ConfigError(
            f"{engine} has orders of simulated venues that have forgotten them: name a new --engine"
        )


@click.command()
@_venue_option
@_instrument_option
@depth_option()
@click.option(
    "--gateway",
    metavar="HOST:PORT",
    help=f"Where bots connect.  [default: {USUAL_GATEWAY}, or another port where that is taken]",
)
@click.option(
    "--web",
    metavar="HOST:PORT",
    help=f"Where the page is.  [default: {USUAL_WEB}, or another port where that is taken]",
)
@click.option(
    "--seconds",
    type=NumberRange(min=0, min_open=True),
    help=f"End so long after the first book.  [default: at Ctrl-C; "
    f"{SECONDS_WITHOUT_TERMINAL:g} without a terminal]",
)
@market_options
@click.option("--no-faults", is_flag=True, help="Let nothing go wrong.")
@click.option(
    "--liquidate",
    "liquidates",
    is_flag=True,
    help="Instead of a ladder: sell 20 of the first instrument in half a minute, on paper, and show"
    " what it cost.",
)
@_accounts_option("--liquidate")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Leave a picture of the last ladder, or of what the order cost, in this file.",
)
def demo(
    *,
    venues: tuple[str, ...],
    instruments: tuple[str, ...],
    depth: int,
    gateway: str | None,
    web: str | None,
    seconds: float | None,
    rate: float,
    seed: int,
    faults: tuple[str, ...],
    no_faults: bool,
    liquidates: bool,
    accounts: Path | None,
    svg: Path | None,
) -> None:
    """Run the whole system against simulated venues, and show a live ladder.

    In a terminal a ladder until Ctrl-C; elsewhere a line when the best prices move, and a summary.
    Without --fault each venue fails in turn. Bots of your own may connect as well.

    \b
    Example:
      dragonfly demo --seconds 20 --fault "kraken silence at=5 for=3"
      dragonfly demo --liquidate
    """
    if accounts is not None and not liquidates:
        raise ConfigError("--accounts are for an order: add --liquidate, or leave them out")
    venues = known_venues(venues)
    for address in filter(None, (gateway, web)):
        split_host_port(address)
    if no_faults:
        faults = ()
    elif not faults:
        faults = tuple(usual_faults(venues))
    simulator = ["--rate", str(rate), "--seed", str(seed)]
    options = DeploymentOptions(
        venues=venues,
        instruments=instruments,
        gateway=gateway or USUAL_GATEWAY,
        depth=depth,
        web=web or USUAL_WEB,
        more={"simulator": [*simulator, *(word for spec in faults for word in ("--fault", spec))]},
    )
    free = {option for option, at in (("gateway", gateway), ("web", web)) if at is None}
    with TemporaryDirectory(prefix="dragonfly-demo-") as folder:
        if liquidates:
            fees = ["--fees", ",".join(DEMO_FEES)]
            more = {**options.more, "gateway": fees, "engine": fees}
            journal = Path(folder) / "journal"
            options = replace(options, engine=journal, accounts=accounts, apart=True, more=more)
        scene = "liquidation" if liquidates else "ladder"
        _run(demonstrate(options, seconds, svg, scene=scene, moves=free))


async def _up(options: DeploymentOptions, narrator: Narrator, *, simulated: bool) -> None:
    with narrator:
        narrator.starting(simulated=simulated)
        async with running_system(
            options, simulated=simulated, on_log=narrator.log, on_notice=narrator.notice
        ) as system:
            narrator.ready(options, system.gateway, system.control, system.fix, system.web)
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
