"""The options that several commands share, each spelled once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dragonfly_common.bus import Keys, Role
from dragonfly_common.errors import ConfigError
from dragonfly_common.ranges import NumberRange
from dragonfly_common.sharing import HANDOVER_S, Replicas
from dragonfly_common.types import MAX_DEPTH, normalise_instrument

__all__ = [
    "curve_options",
    "depth_option",
    "instrument_option",
    "linger_option",
    "replica_options",
    "upstream_option",
]

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


def upstream_option(whose: str) -> Callable[[F], F]:
    """Return the decorator of `--upstream`: addresses on the bus, as `upstreams`."""
    return click.option(
        "--upstream",
        "upstreams",
        multiple=True,
        required=True,
        metavar="ADDRESS",
        help=f"{whose} address on the bus; may be repeated. A host name in tcp://host:port stands "
        "for all its addresses, looked up again every second.",
    )


def curve_options(role: Role) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return the decorator of `--curve-key` and `--curve-trust`, which are read, as `keys`."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @click.option(
            "--curve-key",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="This process's key pair: with it, all tcp:// on the bus is encrypted and only "
            "trusted keys are spoken with. `dragonfly keys new` makes one.",
        )
        @click.option(
            "--curve-trust",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Public keys of all, `role key` a line; read again when it changes.",
        )
        @functools.wraps(command)
        def with_keys(
            *args: Any, curve_key: Path | None, curve_trust: Path | None, **options: Any
        ) -> R:
            if bool(curve_key) is not bool(curve_trust):
                raise ConfigError("--curve-key and --curve-trust belong together: give both")
            keys = Keys(role, curve_key, curve_trust) if curve_key and curve_trust else None
            return command(*args, keys=keys, **options)

        return with_keys

    return decorate


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
        "--linger-s", type=NumberRange(min=0), default=10.0, show_default=True, help=says
    )


def replica_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add `--peer`, `--redundancy` and `--handover-s`, as `replicas`."""

    @click.option(
        "--peer",
        "peers",
        multiple=True,
        metavar="ADDRESS",
        help="Where the replicas of this service publish, itself included; may be repeated. A host "
        "name stands for all its addresses. They share the instruments.",
    )
    @click.option(
        "--redundancy",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Replicas that carry each instrument; 2 is a hot standby.",
    )
    @click.option(
        "--handover-s",
        type=NumberRange(min=0),
        default=HANDOVER_S,
        show_default=True,
        help="How long an instrument is kept after its new owner has it live: longer than it takes "
        "consumers to learn the new owner's address.",
    )
    @functools.wraps(command)
    def with_replicas(
        *args: Any, peers: tuple[str, ...], redundancy: int, handover_s: float, **options: Any
    ) -> R:
        return command(*args, replicas=Replicas(peers, redundancy, handover_s), **options)

    return with_replicas
