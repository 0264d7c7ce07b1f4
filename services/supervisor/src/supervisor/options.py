"""What the options of `dragonfly up` and `demo` are for what they start."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource
from dragonfly_common.errors import ConfigError
from dragonfly_venues.registry import venue_names

__all__ = [
    "FIX_EXAMPLES",
    "PASSED_ON",
    "by_venue",
    "given_words",
    "known_venues",
    "usual_state_dir",
]

FIX_EXAMPLES: Final = {
    "--protocol": "fix",
    "--fix-url": "fix+tls://host:9000",
    "--fix-key": "key.pem",
    "--fix-api-key": "key.txt",
}
"""Options of the listener of a venue by FIX, with an example of how each is written."""

PASSED_ON: Final[Mapping[str, Collection[str]]] = {
    "simulator": ("rate", "seed", "faults"),
    "listener": (
        "linger_s",
        "audit",
        "audit_interval_s",
        "best_prices",
        "list_interval_s",
        "open_",
    ),
    "aggregator": ("linger_s", "open_", "equivalences"),
    "engine": ("linger_s", "open_", "fees"),
    "together": ("open_",),
    "fix-gateway": (
        *("linger_s", "open_", "equivalences"),
        *("tls_cert", "tls_key", "tls_client_ca", "tokens"),
    ),
    "gateway": (
        *("linger_s", "open_", "equivalences"),
        *("tls_cert", "tls_key", "tls_client_ca", "tokens", "fees"),
    ),
    "web": ("open_", "tls_cert", "tls_key", "tokens"),
}
"""Which options of `up` are its parts' own, by their parameters' names."""


def given_words(context: click.Context, names: Collection[str]) -> list[str]:
    """Return the words that give a part those of `names` that were given to this command."""
    words: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in names or source is ParameterSource.DEFAULT:
            continue
        value = context.params[parameter.name]
        for one in value if parameter.multiple else (value,):
            if isinstance(one, bool):
                words.append((parameter.opts if one else parameter.secondary_opts)[0])
            else:
                words += (parameter.opts[0], str(one))
    return words


def known_venues(names: Sequence[str]) -> tuple[str, ...]:
    """Return the venues that are named, each once.

    Raises:
        ConfigError: one is none.
    """
    for name in names:
        if name not in venue_names():
            raise ConfigError(f"{name!r} is not a venue: choose of {', '.join(venue_names())}")
    return tuple(dict.fromkeys(names))


def by_venue(
    option: str, pairs: Sequence[str], venues: Sequence[str], example: str = "wss://host"
) -> dict[str, str]:
    """Return {venue: value} of `binance=wss://…` words; the listener judges the value itself.

    Raises:
        ConfigError: a word names no venue, or one that is not run.
    """
    found = {}
    for pair in pairs:
        venue, equals, value = pair.partition("=")
        if not equals or not value:
            raise ConfigError(
                f"{option} {pair!r} does not say of which venue: write {option} binance={example}"
            )
        if venue not in venues:
            raise ConfigError(
                f"{option} {pair!r} names a venue that is not run: add --venue {venue}, "
                f"or name one of {', '.join(venues)}"
            )
        found[venue] = value
    return found


def usual_state_dir() -> Path | None:
    """Return where programs keep their state (XDG Base Directory Specification), if anywhere."""
    with suppress(RuntimeError):  # there is no home
        named = Path(os.environ.get("XDG_STATE_HOME", ""))
        home = named if named.is_absolute() else Path.home() / ".local" / "state"
        return home / "dragonfly"
    return None
