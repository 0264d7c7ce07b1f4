"""The options that several commands share, each spelled once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from dragonfly_common.assignment import HANDOVER_S, Replicas
from dragonfly_common.bus import Keys, Role
from dragonfly_common.equivalence import EXAMPLE, Equivalences, normalise_market
from dragonfly_common.errors import ConfigError, InstrumentError
from dragonfly_common.types import MAX_DEPTH

__all__ = [
    "MAX_RATE",
    "NumberRange",
    "audit_options",
    "bots_options",
    "curve_options",
    "depth_option",
    "equivalent_option",
    "fees_option",
    "instrument_option",
    "linger_option",
    "market_options",
    "replica_options",
    "upstream_option",
]

FILE: Final = click.Path(dir_okay=False, path_type=Path)
MAX_REDUNDANCY: Final = 100
MAX_RATE: Final = 1000.0
"""Updates a second that a simulated venue makes of each instrument at most."""

MOST: Final = 1e9
"""The largest number of any option; as seconds, 31 years: no timer of any library overflows."""

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class NumberRange(click.FloatRange):
    """A `FloatRange` of numbers up to `MOST`; `nan` is neither below a bound nor above."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        if number > MOST:
            self.fail(f"{value!r} is more than {MOST:g}.", param, ctx)
        return number


def upstream_option(whose: str, more: str = "") -> Callable[[F], F]:
    """Return the decorator of `--upstream`: addresses on the bus, as `upstreams`."""
    return click.option(
        "--upstream",
        "upstreams",
        multiple=True,
        required=True,
        metavar="ADDRESS",
        help=f"{whose} address on the bus; may be repeated. A host name in tcp://host:port stands "
        f"for all its addresses, looked up again every second. {more}".rstrip(),
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
    says: str = "Always followed, asked for or not; may be repeated.",
    default: tuple[str, ...] = (),
    normal: Callable[[str], str] = normalise_market,
) -> Callable[[F], F]:
    """Return the decorator of `--instrument`: names in normal form, each once, as `instruments`.

    Equivalences are among them unless `normal` is `normalise_instrument`.
    """

    def taken(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(normal, names)))

    return click.option(
        "--instrument",
        "instruments",
        multiple=True,
        default=default,
        show_default=bool(default),
        callback=_refusing(taken),
        metavar="BASE-QUOTE",
        help=says,
    )


def equivalent_option(command: F) -> F:
    """Add `--equivalent`, as `equivalences`."""
    return click.option(
        "--equivalent",
        "equivalences",
        multiple=True,
        callback=_refusing(Equivalences),
        metavar="NAME=EQUIVALENCE",
        help="A name for instruments that are taken for one market by who asks for it:"
        f" BTC-ANYUSD={EXAMPLE}; may be repeated. Aggregator and gateway must be told the same.",
    )(command)


def _refusing(
    parse: Callable[[tuple[str, ...]], R],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], R]:
    """Return the callback of an option that is read by `parse`."""

    def read(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> R:
        try:
            return parse(given)
        except InstrumentError as error:
            raise click.BadParameter(str(error)) from None

    return read


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
        type=click.IntRange(1, MAX_REDUNDANCY),
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


class _FaultSpec(click.types.StringParamType):
    """Text with spaces in it; several in one environment variable stand between semicolons."""

    name = "spec"
    envvar_list_splitter = ";"


def _all_of(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return the decorator that adds `options` in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


bots_options: Final = _all_of(
    click.option(
        "--tls-cert",
        type=FILE,
        metavar="FILE",
        help="PEM file of the gateway's certificate and those above it; turns TLS on.",
    ),
    click.option("--tls-key", type=FILE, metavar="FILE", help="PEM file of its key."),
    click.option(
        "--tls-client-ca",
        type=FILE,
        metavar="FILE",
        help="PEM file of the authority whose certificates bots must show; its common name is the"
        " bot's.",
    ),
    click.option(
        "--tokens",
        type=FILE,
        metavar="FILE",
        help="TOML file of bots, hashes of their tokens, and quotas: `dragonfly token new` writes"
        " it.  [default: no token is needed]",
    ),
)
"""The decorator of what a gateway knows of bots: `--tls-…` and `--tokens`."""

fees_option: Final = click.option(
    "--fees",
    multiple=True,
    metavar="VENUE=BPS,…",
    help="Taker fees in basis points that executable prices are net of, such as"
    " binance=10,kraken=26; * stands for all other venues. A bot's own table in the tokens file"
    " goes before it, and one in a request before both.  [default: prices are without fees]",
)

audit_options: Final = _all_of(
    click.option(
        "--audit/--no-audit",
        default=True,
        show_default=True,
        help="Hold the books against what the venue says elsewhere (best prices, snapshots); a"
        " book that keeps disagreeing is subscribed anew. Checksums are verified in any case.",
    ),
    click.option(
        "--audit-interval-s",
        type=NumberRange(min=1),
        default=60.0,
        show_default=True,
        help="How often a snapshot of each book is asked for, within the venue's limits.",
    ),
    click.option(
        "--best-prices/--no-best-prices",
        default=True,
        show_default=True,
        help="Show a venue's best prices as soon as its channel of them says so, where that is"
        " ahead of the book.",
    ),
    click.option(
        "--list-interval-s",
        type=NumberRange(min=1),
        default=60.0,
        show_default=True,
        help="How often the venue is asked whether the followed markets are halted, where it does"
        " not tell by itself (Kraken does).",
    ),
)
"""The decorator of how a listener checks its books, and whether they are traded."""

market_options: Final = _all_of(
    click.option(
        "--rate",
        type=NumberRange(0, MAX_RATE),
        default=10.0,
        show_default=True,
        help="Updates a second, of each instrument at each simulated venue.",
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated market."),
    click.option(
        "--fault",
        "faults",
        multiple=True,
        type=_FaultSpec(),
        metavar="SPEC",
        help='What goes wrong: "VENUE KIND [at=S] [for=S] [every=S] [instrument=BASE-QUOTE]", such'
        ' as "kraken silence at=5 for=3"; may be repeated. For the kinds see `dragonfly fault'
        " --help`.",
    ),
)
"""The decorator of what simulated venues do."""
