"""The file of `dragonfly up --config`: a table for each command, its keys the options' names.

    [up]
    venue = ["binance", "kraken"]
    depth = 20

    [gateway]            # what `up` starts takes the rest as its variables
    max-streams = 500

A flag goes before the environment, the environment before the file, the file before the default.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from dragonfly_common.errors import ConfigError, UserError

__all__ = ["TABLES", "ConfigFile", "Find", "option_name", "options_of", "read_config", "schema_of"]

TABLES: Final = ("up", "listener", "aggregator", "gateway", "fix-gateway", "simulator")
"""`up`, and what it starts."""

Find = Callable[[str], click.Command | None]
"""Returns the command of a name, or None where it is not installed."""

OF_UP_ALONE: Final = frozenset(
    {"bind", "curve-key", "curve-trust", "depth", "id", "instrument", "log-format", "log-level"}
    | {"peer", "port", "upstream", "venue"}
)
"""Options that `up` decides for the parts that it starts."""

_TOML_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "string": ((str,), "a text in quotation marks"),
}


@dataclass(frozen=True)
class ConfigFile:
    """The settings of a file: values by table and by option."""

    tables: Mapping[str, Mapping[str, Any]]

    def defaults(self, up: click.Command) -> dict[str, Any]:
        """Return what stands in for the defaults of `up`, by parameter."""
        given = self.tables.get("up", {})
        return {
            str(option.name): given[option_name(option)]
            for option in options_of("up", up)
            if option_name(option) in given
        }

    def variables(self, find: Find) -> dict[str, str]:
        """Return the variables that tell the other tables to what `up` starts."""
        told: dict[str, str] = {}
        for table, given in self.tables.items():
            command = find(table) if table != "up" else None
            for option in options_of(table, command) if command else ():
                if option_name(option) in given:
                    told[str(option.envvar)] = _as_variable(option, given[option_name(option)])
        return told


def read_config(path: Path, find: Find) -> ConfigFile:
    """Return what the file at `path` says, each value taken as its option takes it.

    Raises:
        ConfigError: it cannot be read, is no TOML, or a table, option or value is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"--config {str(path)!r} cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"--config {path} is no TOML: {error}") from None
    for table, given in tables.items():
        at = _Place(path, text, table)
        if table not in TABLES or not isinstance(given, dict):
            at.refuse(f"{table!r} is no table of this file: there are {_listed(TABLES)}")
        command = find(table)
        if command is None:
            at.refuse(f"`dragonfly {table}` is not installed: leave out its table")
        options = {option_name(option): option for option in options_of(table, command)}
        for name, value in given.items():
            option = options.get(name)
            if option is None:
                near = difflib.get_close_matches(name, options, 1)
                hint = f"did you mean {near[0]}?" if near else "`dragonfly config schema` has all"
                at.refuse(f"{name!r} is no option here: {hint}", name)
            _check(option, value, command, at)
    return ConfigFile(tables)


def options_of(table: str, command: click.Command) -> Iterator[click.Option]:
    """Yield the options of `command` that a file may give."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.is_eager:
            name = option_name(parameter)
            if name != "help" and (table == "up" or name not in OF_UP_ALONE):
                yield parameter


def option_name(option: click.Option) -> str:
    """Return `linger-s` of `--linger-s`."""
    return max(option.opts, key=len).lstrip("-")


def schema_of(find: Find) -> dict[str, Any]:
    """Return the JSON schema (2020-12) of the file."""
    commands = {table: command for table in TABLES if (command := find(table))}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dragonfly.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            table: {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    option_name(option): _option_schema(option)
                    for option in options_of(table, command)
                },
            }
            for table, command in commands.items()
        },
    }


@dataclass(frozen=True)
class _Place:
    """Where in a file something is said; TOML's reader does not tell."""

    path: Path
    text: str
    table: str

    def refuse(self, sentence: str, key: str = "") -> NoReturn:
        line = self._line(key)
        where = f" line {line}" if line else ""
        option = f" {key}" if key else ""
        raise ConfigError(f"--config {self.path}{where}: [{self.table}]{option}: {sentence}")

    def _line(self, key: str) -> int | None:
        table = re.compile(rf"""\s*\[\s*["']?{re.escape(self.table)}["']?\s*\]""")
        wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
        inside = False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.lstrip().startswith("["):
                inside = bool(table.match(line))
                if inside and not key:
                    return number
            elif inside and wanted.match(line):
                return number
        return None


def _check(option: click.Option, value: Any, command: click.Command, at: _Place) -> None:
    name = option_name(option)
    kind = _kind(option)
    if option.multiple and not isinstance(value, list):
        example = '"…"' if kind == "string" else "1"
        at.refuse(f"{value!r} is not a list such as [{example}]", name)
    for one in value if option.multiple else [value]:
        types, said = _TOML_TYPES[kind]
        if not isinstance(one, types) or (isinstance(one, bool) and kind != "boolean"):
            at.refuse(f"{one!r} is not {said}", name)
    try:
        option.process_value(click.Context(command), value)
    except click.UsageError as error:
        at.refuse(error.message.rstrip("."), name)
    except UserError as error:
        at.refuse(str(error), name)


def _kind(option: click.Option) -> str:
    """Return the type of JSON schema of an option's value, or of each of its values."""
    if option.is_flag:
        return "boolean"
    if isinstance(option.type, click.types.IntParamType):
        return "integer"
    return "number" if isinstance(option.type, click.types.FloatParamType) else "string"


def _option_schema(option: click.Option) -> dict[str, Any]:
    one: dict[str, Any] = {"type": _kind(option)}
    if isinstance(option.type, click.Choice):
        one["enum"] = list(option.type.choices)
    if isinstance(option.type, click.IntRange | click.FloatRange):
        limits = {"inimum": (option.type.min, option.type.min_open)}
        limits["aximum"] = (option.type.max, option.type.max_open)
        for end, (limit, is_open) in limits.items():
            if limit is not None:
                one[("exclusiveM" if is_open else "m") + end] = limit
    schema = {"type": "array", "items": one} if option.multiple else one
    said: dict[str, Any] = {"description": " ".join((option.help or "").split())}
    if isinstance(option.default, str | int | float):
        said["default"] = option.default
    return {**said, **schema}


def _as_variable(option: click.Option, value: Any) -> str:
    if isinstance(value, list):
        return (option.type.envvar_list_splitter or " ").join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
