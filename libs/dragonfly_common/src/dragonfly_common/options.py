"""The options that several commands share, each spelled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from dragonfly_common.types import MAX_DEPTH, normalise_instrument

__all__ = ["depth_option", "instrument_option", "linger_option", "replica_options"]

F = TypeVar("F", bound=Callable[..., Any])


def instrument_option(
    says: str = "Always followed, asked for or not; may be repeated.", default: tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Return the decorator of `--instrument`: names in normal form, each once, as `instruments`."""

    def normal(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(normalise_instrument(name) for name in names))

    return click.option(
        "--instrument",
        "instruments",
        multiple=True,
        default=default,
        show_default=bool(default),
        callback=normal,
        metavar="BASE-QUOTE",
        help=says,
    )


def depth_option(says: str = "Levels a side.") -> Callable[[F], F]:
    """Return the decorator of `--depth`."""
    return click.option(
        "--depth", type=click.IntRange(1, MAX_DEPTH), default=10, show_default=True, help=says
    )


def linger_option(says: str) -> Callable[[F], F]:
    """Return the decorator of `--linger-s`."""
    return click.option(
        "--linger-s", type=click.FloatRange(min=0), default=10.0, show_default=True, help=says
    )


def replica_options(command: F) -> F:
    """Add `--peer`, as `peers`, and `--redundancy`."""
    command = click.option(
        "--redundancy",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Replicas that carry each instrument; 2 is a hot standby.",
    )(command)
    return click.option(
        "--peer",
        "peers",
        multiple=True,
        metavar="ADDRESS",
        help="Where the replicas of this service publish, itself included; may be repeated. A host "
        "name stands for all its addresses. They share the instruments.",
    )(command)
