"""The command `dragonfly conformance`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import click
from dragonfly_common.errors import ConfigError
from dragonfly_venues.registry import WEBSOCKET, find_venue, venue_names

from dragonfly_conformance.cases import CASES
from dragonfly_conformance.suite import examine

__all__ = ["conformance"]

WIDTH: Final = max(map(len, CASES)) + 2


@click.command(short_help="Hold a venue to what every venue must do.")
@click.option(
    "--venue",
    "venues",
    multiple=True,
    metavar="NAME",
    help="The venue; may be given again.  [default: every one that is installed]",
)
@click.option(
    "--protocol",
    type=click.Choice([WEBSOCKET, "fix"]),
    default=WEBSOCKET,
    show_default=True,
    help="By which it is listened to.",
)
@click.option(
    "--case", "cases", multiple=True, metavar="NAME", help=f"Only this: {', '.join(CASES)}."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="error",
    show_default=True,
    help="Of the listener and the fake venue.",
)
def conformance(
    *, venues: tuple[str, ...], protocol: str, cases: tuple[str, ...], log_level: str
) -> None:
    """Listen to a fake of a venue, let all go wrong that can, and judge each book.

    A venue of your own is two entry points of your package: `dragonfly.venues` and
    `dragonfly.simulated_venues`. Ends with 1 where a case fails.

    \b
    Example:
      dragonfly conformance --venue kraken --case gap
    """
    unknown = [name for name in cases if name not in CASES]
    if unknown:
        raise ConfigError(f"{unknown[0][:60]!r} is no case: choose {', '.join(CASES)}")
    names = venues or [
        name for name in venue_names() if protocol in {WEBSOCKET, *find_venue(name).protocols}
    ]
    failed = _run(_examine(names, cases or tuple(CASES), log_level, protocol))
    if failed:
        click.echo(f"{failed} failed", err=True)
        sys.exit(1)


def _run(main: Coroutine[Any, Any, int]) -> int:
    return asyncio.run(main)


async def _examine(
    venues: Sequence[str], cases: Sequence[str], log_level: str, protocol: str
) -> int:
    failed = 0
    for venue in venues:
        click.secho(venue, bold=True)
        async for verdict in examine(venue, cases, log_level, protocol):
            failed += bool(verdict.trouble)
            mark = click.style("✗", fg="red") if verdict.trouble else click.style("✓", fg="green")
            meant = verdict.trouble or (CASES[verdict.case].__doc__ or "").partition("\n")[0]
            click.echo(f"  {mark} {verdict.case:{WIDTH}}{verdict.seconds:5.1f} s  {meant}")
    return failed
