"""`dragonfly engine`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from dragonfly_common.bus import Keys, Role
from dragonfly_common.errors import ConfigError
from dragonfly_common.options import (
    NumberRange,
    curve_options,
    instrument_option,
    linger_option,
    upstream_option,
)
from dragonfly_common.runtime import RuntimeOptions, run_async, runtime_options
from dragonfly_common.secret_files import check_not_for_all
from dragonfly_common.types import normalise_instrument
from dragonfly_pricing.fees import parse_fees
from dragonfly_venues.orders import EntrySettings
from dragonfly_venues.registry import find_order_entry, find_venue
from msgspec.structs import replace

from execution_engine.limits import OrderLimits
from execution_engine.service import EngineOptions, serve

__all__ = ["engine"]

FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command()
@upstream_option("An aggregator's")
@click.option(
    "--bind",
    required=True,
    metavar="ADDRESS",
    help="Where front ends connect for orders: ipc:///path, tcp://host:port.",
)
@click.option(
    "--journal",
    required=True,
    type=FILE,
    help="The journal: begun where it is not there. One engine writes it at a time.",
)
@click.option(
    "--venue",
    "venues",
    multiple=True,
    metavar="NAME",
    help="Where fills are assumed; may be repeated.  [default: every venue there is]",
)
@click.option(
    "--live",
    "live",
    multiple=True,
    metavar="VENUE",
    help="Place real orders there, with real money; needs --key-file and --limits too. Without it"
    " all is paper: fills are assumed on the live books.",
)
@click.option(
    "--paper",
    "paper",
    multiple=True,
    metavar="VENUE",
    help="Place orders by the venue's own protocol where no money is at stake, a simulator or a"
    " testnet: needs --key-file, --ws-url and --rest-url.",
)
@click.option(
    "--key-file",
    "key_files",
    multiple=True,
    metavar="VENUE=FILE",
    help="The keys of the account there, a file that its owner alone may read (chmod 600).",
)
@click.option(
    "--ws-url",
    "ws_urls",
    multiple=True,
    metavar="VENUE=URL",
    help="Instead of the venue's own, for orders: a testnet, or the simulator.",
)
@click.option("--rest-url", "rest_urls", multiple=True, metavar="VENUE=URL", help="The same.")
@click.option("--ca-file", type=FILE, help="Of a private certificate authority, for these.")
@click.option(
    "--limits",
    "limits_file",
    type=FILE,
    help="What may be traded, and how much at most (TOML; docs/execution.md has an example).",
)
@click.option(
    "--fees",
    multiple=True,
    default=("*=10",),
    show_default=True,
    metavar="VENUE=BPS",
    help="Taker fees on paper; real accounts tell their own.",
)
@click.option(
    "--paper-latency-ms",
    type=NumberRange(0, 60_000),
    default=50.0,
    show_default=True,
    help="From a decision on paper to the book that it meets.",
)
@click.option(
    "--kill-file",
    type=FILE,
    help="While this file is there, nothing is sent and all orders are cancelled. SIGUSR1 does the"
    " same.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Let orders go on by themselves after a restart; else they wait, paused.",
)
@instrument_option(
    "Its book is followed from the start; may be repeated.", (), normalise_instrument
)
@linger_option("How long a book is asked for after its last order.")
@curve_options(Role.ENGINE)
@runtime_options
def engine(
    *,
    upstreams: tuple[str, ...],
    bind: str,
    journal: Path,
    venues: tuple[str, ...],
    live: tuple[str, ...],
    paper: tuple[str, ...],
    key_files: tuple[str, ...],
    ws_urls: tuple[str, ...],
    rest_urls: tuple[str, ...],
    ca_file: Path | None,
    limits_file: Path | None,
    fees: tuple[str, ...],
    paper_latency_ms: float,
    kill_file: Path | None,
    resume: bool,
    instruments: tuple[str, ...],
    linger_s: float,
    keys: Keys | None,
    runtime: RuntimeOptions,
) -> None:
    """Work big orders over many venues: SWEEP, TWAP, implementation shortfall.

    All is paper unless --live says otherwise.

    \b
    Example:
      dragonfly engine --upstream ipc:///tmp/aggregator.ipc \\
          --bind ipc:///tmp/engine.ipc --journal /tmp/paper.journal
    """
    if bind.startswith("tcp://") and live and keys is None:
        raise ConfigError(
            "real orders over tcp need keys: give --curve-key and --curve-trust, or --bind ipc://"
        )
    if live and paper:
        raise ConfigError(
            "--live and --paper do not go together: an engine's orders are one or other"
        )
    accounts = _accounts(
        live or paper, key_files, ws_urls, rest_urls, EntrySettings(ca_file=ca_file, paper=not live)
    )
    if accounts and venues:
        raise ConfigError(
            "--venue is where fills are assumed: with --live or --paper, orders go to these venues"
            " alone"
        )
    if live and limits_file is None:
        raise ConfigError("real orders need limits: give --limits FILE")
    for venue in venues:
        find_venue(venue)
    options = EngineOptions(
        upstreams=upstreams,
        bind=bind,
        journal=journal,
        instruments=instruments,
        limits=_read_limits(limits_file) if limits_file else OrderLimits.for_paper(),
        venues=tuple(dict.fromkeys(venue.strip().lower() for venue in venues)),
        accounts=accounts,
        live=bool(live),
        fees=parse_fees(fees),
        latency_s=paper_latency_ms / 1000,
        kill_file=kill_file,
        resume=resume,
        linger_s=linger_s,
        keys=keys,
    )
    run_async("engine", runtime, lambda process: serve(process, options))


def _accounts(
    venues: tuple[str, ...],
    key_files: tuple[str, ...],
    ws_urls: tuple[str, ...],
    rest_urls: tuple[str, ...],
    settings: EntrySettings,
) -> dict[str, EntrySettings]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in venues))
    files, streams, rests = (
        _by_venue(option, given, names)
        for option, given in (
            ("--key-file", key_files),
            ("--ws-url", ws_urls),
            ("--rest-url", rest_urls),
        )
    )
    accounts: dict[str, EntrySettings] = {}
    for name in names:
        find_order_entry(name)
        if name not in files:
            raise ConfigError(f"orders at {name} need its keys: give --key-file {name}=FILE")
        accounts[name] = replace(
            settings,
            key_file=Path(files[name]),
            ws_url=streams.get(name),
            rest_url=rests.get(name),
        )
    return accounts


def _by_venue(option: str, given: tuple[str, ...], venues: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().lower()
        if not equals or not value:
            raise ConfigError(f"{option} {text[:60]!r} names no venue: write VENUE=…")
        if name not in venues:
            raise ConfigError(
                f"{option} {name[:60]}=… is for --live {name[:60]}, or --paper: give one of them"
            )
        if name in found:
            raise ConfigError(f"{option} is given twice for {name}: give it once")
        found[name] = value
    return found


def _read_limits(path: Path) -> OrderLimits:
    try:
        check_not_for_all(path)
        return OrderLimits.parse(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {path}: it is not plain text") from None
