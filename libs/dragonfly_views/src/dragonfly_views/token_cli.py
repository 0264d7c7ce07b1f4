"""`dragonfly token`."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click
from dragonfly_common.cli import CommandGroup
from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import create_secret, exposed_to

from dragonfly_views.access import read_tokens
from dragonfly_views.tokens import check_name, hash_token, write_entry

__all__ = ["token"]


@click.group(cls=CommandGroup)
def token() -> None:
    """Make tokens, by which bots show who they are."""


@token.command()
@click.argument("name")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add the bot to this tokens file.  [default: print the lines to add]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this new file, which you alone can read.  [default: print it]",
)
def new(*, name: str, file: Path | None, out: Path | None) -> None:
    """Make a token for the bot NAME, and print it or write it to a file, this once.

    The gateway's file of tokens gets its hash, and quotas to edit. To replace a token without a
    pause, make a new one without --file, and add its hash to the bot's list until the bot has
    changed over. What the token is for (scopes) and the bot's names in FIX (comp_ids) are added
    there by hand.

    \b
    Example:
      dragonfly token new market-maker --file tokens.toml --out market-maker.token
    """
    check_name(name)
    if file is not None and file.exists() and name in read_tokens(file):
        raise ConfigError(
            f"{name} is in {file} already: leave out --file, and add the new hash to its list"
        )
    made = secrets.token_urlsafe(32)  # 256 bits
    entry = write_entry(name, hash_token(made))
    if out is not None:
        _create(out, made)
        click.echo(f"The token is in {out}, which you alone can read.", err=True)
    elif file is not None:
        click.echo(made)
    else:
        click.echo(f"{made}\n\n{entry}", nl=False)
        click.echo("The first line is the token; the rest is for the gateway's file.", err=True)
    if file is not None:
        _append(file, entry)
        once = "" if out is not None else "; its token is shown this once"
        click.echo(f"{name} was added to {file}{once}.", err=True)
    elif out is not None:
        click.echo(entry, nl=False)
        click.echo("These lines are for the gateway's file.", err=True)
    if out is None:
        _warn_of_exposed_output()


def _create(out: Path, made: str) -> None:
    try:
        create_secret(out, f"{made}\n")
    except FileExistsError:
        raise ConfigError(f"{out} exists: choose another --out, or remove it") from None
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}") from None


def _warn_of_exposed_output() -> None:
    try:
        others = exposed_to(sys.stdout.fileno())
    except (OSError, ValueError):  # it is no file at all
        return
    if others:
        click.echo(
            f"Warning: the file with the token can be read by {others}: chmod 600 it; "
            "--out makes one that you alone can read.",
            err=True,
        )


def _append(file: Path, entry: str) -> None:
    try:
        empty = not file.exists() or not file.stat().st_size
        with file.open("a", encoding="utf-8") as tokens:
            tokens.write(entry if empty else f"\n{entry}")
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from None
