"""`dragonfly config`, and the option `--config`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from dragonfly_common.cli import CommandGroup

from supervisor.config import Find, option_name, options_of, read_config, schema_of

__all__ = ["config", "config_option"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_SAID = {
    ParameterSource.ENVIRONMENT: "the environment",
    ParameterSource.DEFAULT_MAP: "the file",
    ParameterSource.DEFAULT: "default",
}


def _finder(context: click.Context) -> Find:
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    group = root.command
    return lambda name: group.get_command(root, name)


def _take(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Let the file at `path` stand in for defaults, and its other tables for variables."""
    if path is None:
        return
    find = _finder(context)
    file = read_config(path, find)
    context.default_map = file.defaults(context.command)
    for variable, text in file.variables(find).items():
        os.environ.setdefault(variable, text)


config_option = click.option(
    "--config",
    type=_FILE,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_take,
    help="TOML file of options: [up] has this command's, [gateway] and others what it starts takes."
    " Flags and the environment go before it. `dragonfly config check` reads it alone.",
)
"""The decorator of `--config`."""


@click.group(cls=CommandGroup)
def config() -> None:
    """Check, show and describe the file of `dragonfly up --config`.

    \b
    Example:
      dragonfly config check dragonfly.toml
    """


@config.command()
@click.argument("file", type=_FILE)
@click.pass_context
def check(context: click.Context, *, file: Path) -> None:
    """Say whether FILE can be used; of what cannot, the line and the remedy.

    \b
    Example:
      dragonfly config check dragonfly.toml
    """
    found = read_config(file, _finder(context))
    count = sum(map(len, found.tables.values()))
    click.echo(f"{file} can be used: {count} option{'s' * (count != 1)}")


@config.command()
@click.argument("file", type=_FILE)
@click.pass_context
def show(context: click.Context, *, file: Path) -> None:
    """Print what `dragonfly up --config FILE` would go by here, and where each value is from.

    \b
    Example:
      dragonfly config show dragonfly.toml
    """
    find = _finder(context)
    found = read_config(file, find)
    for table in ("up", *(name for name in found.tables if name != "up")):
        command = find(table)
        assert command is not None
        click.echo(f"[{table}]")
        given = found.tables.get(table, {})
        own = click.Context(command)
        own.default_map = {
            str(option.name): given[option_name(option)]
            for option in options_of(table, command)
            if option_name(option) in given
        }
        for option in options_of(table, command):
            value, source = option.consume_value(own, {})
            if table == "up" or source is not ParameterSource.DEFAULT:
                said = _literal(option, value, own)
                line = f"{option_name(option)} = {said}" if said else f"# {option_name(option)}"
                click.echo(f"{line}  # {_SAID[source]}")
        click.echo()


@config.command()
@click.pass_context
def schema(context: click.Context) -> None:
    """Print the file's JSON schema, by which an editor completes and checks it.

    \b
    Example:
      dragonfly config schema > dragonfly.schema.json
    """
    click.echo(json.dumps(schema_of(_finder(context)), indent=2, ensure_ascii=False))


def _literal(option: click.Option, value: Any, context: click.Context) -> str:
    """Return `value` as TOML, which is JSON here; empty where there is none."""
    if not isinstance(value, str | int | float | list | tuple):  # click has a mark of its own
        return ""
    return json.dumps(option.type_cast_value(context, value), default=str, ensure_ascii=False)
