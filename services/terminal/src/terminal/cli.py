"""`dragonfly watch`, `status`, `explain`, `latency`, `price`, `instruments`: bots."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import click
from dragonfly_client.errors import NotFoundError
from dragonfly_client.explaining import explain as explanations_of
from dragonfly_client.messages import FeedStanding, Instrument, Venue, View
from dragonfly_common.equivalence import normalise_market
from dragonfly_common.types import normalise_instrument
from dragonfly_pricing.fees import parse_fees
from rich.console import Console
from rich.live import Live

from terminal.board import CSV_COLUMNS, BoardScreen, RecordScreen, csv_record
from terminal.gateway import (
    GatewayToAsk,
    for_the_line,
    gateway_options,
    one_of,
    run_bot,
    seconds_option,
)
from terminal.latency import LatencyScreen, as_json
from terminal.listing import joined, listed_as_json, rows_of, summary, table
from terminal.pricing import priced_as_lines
from terminal.reporting import explained_as_lines, status_as_lines
from terminal.text import told_as_json, wrapped
from terminal.watch import run_watch

__all__ = ["explain", "instruments", "latency", "price", "status", "watch"]

REDRAW_INTERVAL_MS: Final = 100
"""Of prices on a terminal: faster nobody reads."""

R = TypeVar("R")


def _bot_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` what `gateway_options` does, and instruments."""

    @click.argument("instruments", nargs=-1, metavar="[INSTRUMENT]...")
    @gateway_options
    @wraps(command)
    def with_names(gateway: GatewayToAsk, *, instruments: tuple[str, ...], **given: Any) -> R:
        names = [normalise_market(name) for name in instruments or ("ETH-BTC",)]
        return command(gateway, names, **given)

    return with_names


@click.command()
@_bot_options
@seconds_option
@click.option("--list", "list_all", is_flag=True, help="List every instrument and its venues.")
@click.option("--json", "prints_json", is_flag=True, help="Print each book, an object a line.")
@click.option("--csv", "prints_csv", is_flag=True, help="Print each book's best prices, as CSV.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Leave a picture of the last ladder in this file.",
)
def watch(
    gateway: GatewayToAsk,
    names: list[str],
    *,
    seconds: float | None,
    list_all: bool,
    prints_json: bool,
    prints_csv: bool,
    svg: Path | None,
) -> None:
    """Show the consolidated book of INSTRUMENT, live.

    In a terminal a ladder, or of several instruments a table of their best prices; elsewhere a line
    when the best prices move, at most ten a second. With --json or --csv every book that comes is a
    record, times in nanoseconds, and all else goes to standard error.

    \b
    Example:
      dragonfly watch ETH-BTC BTC-USD
      dragonfly watch ETH-BTC --csv --seconds 60 > eth-btc.csv
    """
    record = one_of(json=prints_json, csv=prints_csv)
    if list_all:
        run_bot(_list(gateway))
        return
    console = Console(highlight=False)
    run_bot(
        run_watch(
            gateway.target,
            names,
            seconds=seconds,
            console=console,
            tls=gateway.tls,
            token=gateway.token,
            proxy=gateway.proxy,
            svg=svg,
            screen=_screen(console, record, several=len(names) > 1),
            wording=for_the_line,
        ),
        follows=True,
    )


def _screen(
    console: Console, record: str | None, *, several: bool
) -> BoardScreen | RecordScreen | None:
    """Return what shows books, where it is not what shows one instrument's."""
    beside = Console(stderr=True, highlight=False)
    if record == "csv":
        return RecordScreen(console, beside, csv_record, ",".join(CSV_COLUMNS))
    if record == "json":
        return RecordScreen(console, beside, told_as_json)
    redraws = console.is_terminal and not console.is_dumb_terminal
    return BoardScreen(console) if several and redraws else None


@click.command()
@_bot_options
@seconds_option
@click.option("--json", "prints_json", is_flag=True, help="Print JSON, in nanoseconds, at the end.")
def latency(
    gateway: GatewayToAsk, names: list[str], *, seconds: float | None, prints_json: bool
) -> None:
    """Show where the time goes of quotes of INSTRUMENT on their way to this bot.

    A row for each hop and each venue, since the start. A hop is measured where the messages
    themselves were stamped: listener (its socket to its publishing), aggregator (to the view's
    computation, the bus included), gateway (to its writing) and bot (to this process). What quotes
    waited for this command, behind other quotes and its pictures, has a row and is in no other.

    \b
    Example:
      dragonfly latency ETH-BTC BTC-USD --seconds 60
    """
    console = Console(highlight=False)
    screen = LatencyScreen(console, as_json if prints_json else None)
    run_bot(
        run_watch(
            gateway.target,
            names,
            seconds=seconds,
            console=console,
            tls=gateway.tls,
            token=gateway.token,
            proxy=gateway.proxy,
            screen=screen,
            wording=for_the_line,
        ),
        follows=True,
    )


@click.command()
@click.argument("instrument")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("sizes", nargs=-1, required=True, type=float, metavar="SIZE...")
@gateway_options
@click.option(
    "--fees",
    multiple=True,
    metavar="VENUE=BPS,…",
    help="Your taker fees in basis points, such as binance=10,kraken=26; * stands for all other"
    " venues.  [default: the gateway's table for this bot, or for all]",
)
@click.option(
    "--venue", "venues", multiple=True, metavar="NAME", help="Only at this one; may be repeated."
)
@click.option("--quote", "in_quote", is_flag=True, help="SIZE is money with all fees.")
@click.option("--watch", "follows", is_flag=True, help="Go on with each change, until Ctrl-C.")
@click.option(
    "--json", "prints_json", is_flag=True, help="Print JSON; with --watch an object a line."
)
def price(
    gateway: GatewayToAsk,
    *,
    instrument: str,
    side: Literal["buy", "sell"],
    sizes: tuple[float, ...],
    fees: tuple[str, ...],
    venues: tuple[str, ...],
    in_quote: bool,
    follows: bool,
    prints_json: bool,
) -> None:
    """Show what it costs to buy or sell SIZE of INSTRUMENT now, after fees.

    The size is split over all live venues so that it costs least after fees; a row for each says
    how much, at which prices. Where the levels that venues show do not suffice, that is said, and
    nothing is guessed. Several sizes are priced on the same book.

    \b
    Example:
      dragonfly price ETH-BTC buy 50 --fees binance=10,kraken=26,bitstamp=30
      dragonfly price BTC-USD sell 100000 --quote --watch
    """
    name = normalise_market(instrument)
    table = {venue: float(bps) for venue, bps in parse_fees(fees).bps} if fees else None
    asked = _Asked(name, side, sizes, in_quote, [one.strip().lower() for one in venues], table)
    shown = _watch_price if follows else _show_price
    run_bot(shown(gateway, asked, prints_json=prints_json), follows=follows)


@dataclass(frozen=True)
class _Asked:
    """What is to be priced."""

    instrument: str
    side: Literal["buy", "sell"]
    sizes: Sequence[float]
    in_quote: bool
    venues: Sequence[str]
    fees: dict[str, float] | None


async def _show_price(gateway: GatewayToAsk, asked: _Asked, *, prints_json: bool) -> None:
    async with gateway.client() as client:
        told = await client.get_executable(**vars(asked))
    if prints_json:
        click.echo(told_as_json(told, indent=2))
    else:
        width = _width()
        _say(priced_as_lines(told, width), width)


async def _watch_price(gateway: GatewayToAsk, asked: _Asked, *, prints_json: bool) -> None:
    console = Console(highlight=False)
    redraws = console.is_terminal and not console.is_dumb_terminal and not prints_json
    interval_ms = REDRAW_INTERVAL_MS if redraws else 0
    async with gateway.client() as client:
        answers = client.executable(**vars(asked), min_interval_ms=interval_ms)
        with Live(console=console, auto_refresh=False) if redraws else nullcontext() as live:
            async for told in answers:
                if prints_json:
                    click.echo(told_as_json(told))
                elif live:
                    live.update("\n".join(priced_as_lines(told, console.width)), refresh=True)
                else:
                    click.echo("\n".join((*priced_as_lines(told), "")))


@click.command()
@gateway_options
@click.option("--venue", default="", metavar="NAME", help="Only what this venue lists.")
@click.option(
    "--instrument", default="", metavar="BASE-QUOTE", help="Only this one, at each venue."
)
@click.option("--json", "prints_json", is_flag=True, help="Print JSON, numbers as decimal text.")
def instruments(gateway: GatewayToAsk, *, venue: str, instrument: str, prints_json: bool) -> None:
    """Show what venues list: symbols, increments, least orders, and what is halted.

    A row for each instrument and venue. Prices are multiples of the tick, amounts of the lot; a
    venue that does not tell one has a dash. The status is of the venue's last list, which is read
    each hour, and each minute for what is followed.

    \b
    Example:
      dragonfly instruments --venue kraken
      dragonfly instruments --instrument BTC-USD --json
    """
    name = normalise_instrument(instrument) if instrument else ""
    run_bot(_show_instruments(gateway, venue.strip().lower(), name, prints_json=prints_json))


@click.command()
@click.argument("instruments", nargs=-1, metavar="[INSTRUMENT]...")
@gateway_options
@click.option("--json", "prints_json", is_flag=True, help="Print JSON, in nanoseconds.")
def status(gateway: GatewayToAsk, *, instruments: tuple[str, ...], prints_json: bool) -> None:
    """Show who feeds the gateway: each venue's listener, its state, and why.

    Of each INSTRUMENT that is named, also each venue's state in its book. "for" is how long the
    state lasts, "changed" and "audited" are how long ago that was. `dragonfly explain` says more
    of one.

    \b
    Example:
      dragonfly status ETH-BTC BTC-USD
    """
    names = list(dict.fromkeys(map(normalise_market, instruments)))
    run_bot(_show_status(gateway, names, prints_json=prints_json))


@dataclass(frozen=True)
class _Status:
    """What `status --json` prints."""

    gateway: str
    venues: tuple[Venue, ...]
    instruments: tuple[View, ...]
    feeds: dict[str, tuple[FeedStanding, ...]]


async def _show_status(gateway: GatewayToAsk, names: Sequence[str], *, prints_json: bool) -> None:
    async with gateway.client() as client:
        venues = await client.get_venues()
        views = tuple([await client.get_bbo(name) for name in names])
        listed: dict[str, Instrument] = {}
        for name in names:
            with suppress(NotFoundError):  # of an equivalence nobody has a list
                listed |= {one.instrument: one for one in await client.instruments("", name)}
    if prints_json:
        feeds = {name: one.feeds for name, one in listed.items()}
        click.echo(told_as_json(_Status(gateway.target, venues, views, feeds), indent=2))
        return
    width = _width()
    _say(status_as_lines(gateway.target, venues, views, listed, time.time_ns(), width), width)


@click.command()
@click.argument("instrument")
@gateway_options
@click.option("--venue", default="", metavar="NAME", help="Only of this venue.")
@click.option("--json", "prints_json", is_flag=True, help="Print an object a line, a venue each.")
def explain(gateway: GatewayToAsk, *, instrument: str, venue: str, prints_json: bool) -> None:
    """Say why each venue is in the book of INSTRUMENT, or is not, and what would bring it back.

    Whether the venue lists it and under which name, who listens, since when it is in its state,
    how old its last change is, and how many audits of its book agreed with what the venue says
    elsewhere, the last one among them.

    \b
    Example:
      dragonfly explain ETH-BTC --venue kraken
    """
    name = normalise_market(instrument)
    run_bot(_show_explanation(gateway, name, venue.strip().lower(), prints_json=prints_json))


async def _show_explanation(
    gateway: GatewayToAsk, name: str, venue: str, *, prints_json: bool
) -> None:
    async with gateway.client() as client:
        told = await explanations_of(client, name, venue)
    if prints_json:
        _say(map(told_as_json, told), None)
    else:
        _say(explained_as_lines(told, time.time_ns()), _width())


async def _show_instruments(
    gateway: GatewayToAsk, venue: str, instrument: str, *, prints_json: bool
) -> None:
    async with gateway.client() as client:
        listed = await client.instruments(venue, instrument)
        if not (venue or instrument):  # names alone: what is told of them is asked venue by venue
            venues = sorted({name for one in listed for name in one.venues})
            listed = joined([await client.instruments(name) for name in venues])
    if prints_json:
        click.echo(listed_as_json(listed))
        return
    rows = rows_of(listed)
    width = _width()
    _say(table(rows, width), width)
    _say(summary(rows, listed.left_out), width)


def _width() -> int | None:
    """Return how many cells a line has room for; a file has any."""
    return Console().width if sys.stdout.isatty() else None


def _say(lines: Iterable[str], width: int | None) -> None:
    for line in lines:
        for part in wrapped(line, width):
            click.echo(part)


async def _list(gateway: GatewayToAsk) -> None:
    async with gateway.client() as client:
        for one in await client.instruments():
            click.echo(f"{one.instrument:<14} {' '.join(one.venues)}")
