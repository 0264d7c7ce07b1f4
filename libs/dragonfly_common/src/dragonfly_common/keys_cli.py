"""`dragonfly keys`."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path
from typing import Final

import click

from dragonfly_common.bus.curve import Role, new_pair, short
from dragonfly_common.cli import CommandGroup
from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import create_secret

__all__ = ["keys"]

TRUST: Final = "trust"


@click.group(cls=CommandGroup)
def keys() -> None:
    """Make the keys by which services know each other over tcp.

    \b
    Example:
      dragonfly keys new secrets
    """


@keys.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--role",
    type=click.Choice([one.value for one in Role]),
    help="Make one more pair, of this role only, to replace the one in use.",
)
def new(folder: Path, role: str | None) -> None:
    """Make a key pair for each role in DIR, and the file `trust` with all public keys.

    Existing files are never overwritten; `trust` is appended to.

    \b
    Example:
      dragonfly keys new secrets
      dragonfly aggregator --curve-key secrets/aggregator.key --curve-trust secrets/trust ...
      dragonfly keys new secrets --role listener
    """
    try:
        if role is None:
            paths = {one: folder / f"{one}.key" for one in Role}
            for path in (*paths.values(), folder / TRUST):
                if path.exists():
                    raise ConfigError(
                        f"{path} exists: add one more pair with --role, or choose a DIR"
                    )
        else:
            paths = {Role(role): _free(folder, role)}
        folder.mkdir(parents=True, exist_ok=True)
        for its, path in paths.items():
            _make_pair(path, its, folder / TRUST)
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}") from None
    click.echo(_next_step(folder, role, paths))


def _free(folder: Path, role: str) -> Path:
    names = chain([f"{role}.key"], (f"{role}-{number}.key" for number in count(2)))
    return next(path for name in names if not (path := folder / name).exists())


def _make_pair(path: Path, role: Role, trust: Path) -> None:
    public, secret = (key.decode() for key in new_pair())
    create_secret(path, f"public {public}\nsecret {secret}\n", 0o400)
    # In place, never by a new file under the old name: where this one file is mounted into a
    # container, only its own changes are seen there.
    with trust.open("a") as file:
        file.write(f"{role} {public} {path.name}\n")
    click.echo(f"{path}  secret, readable by you alone; public key {short(public.encode())}…")


def _next_step(folder: Path, role: str | None, paths: dict[Role, Path]) -> str:
    trust = folder / TRUST
    if role is None:
        return (
            f"{trust}  public keys of all; the same for all\n"
            f"Next: give each service --curve-key {folder}/ROLE.key --curve-trust {trust}"
        )
    return (
        f"{trust}  has the new key too: let all services have it, they read it by themselves\n"
        f"Next: restart each {role} with --curve-key {paths[Role(role)]}, then take the old key "
        f"out of {trust}"
    )
