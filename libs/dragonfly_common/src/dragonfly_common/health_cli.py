"""`dragonfly health`."""

from __future__ import annotations

import click

from dragonfly_common.health import DEFAULT_STATUS, ask

__all__ = ["health"]


@click.command()
@click.option(
    "--status",
    "status_address",
    metavar="HOST:PORT",
    default=DEFAULT_STATUS,
    show_default=True,
    help="Where the process serves its status page (its own --status).",
)
@click.pass_context
def health(ctx: click.Context, *, status_address: str) -> None:
    """Say whether a process has fresh data; exit with 1 if not.

    \b
    Example:
      dragonfly health --status 127.0.0.1:9100
    """
    reason = ask(status_address)
    click.echo(reason or "ready")
    ctx.exit(1 if reason else 0)
