"""`dragonfly liquidate`, `orders`, `kill`: a person's way to the execution engine."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal

import click
from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import NotFoundError
from dragonfly_client.orders import Ticket, WorkedOrder
from dragonfly_common.errors import ConfigError
from dragonfly_common.types import normalise_instrument
from rich.console import Console

from terminal.gateway import FILE, GatewayToAsk, gateway_options, one_of, run_bot
from terminal.order_analysis import analyse
from terminal.order_progress import OrderProgress
from terminal.order_screen import order_table, wide_console
from terminal.ordering import Manner, ask, history_of, show_analysis, work

__all__ = ["kill", "liquidate", "orders"]

_DURATION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


class _Amount(click.ParamType[Decimal]):
    """Decimal text, of more than 0, or of 0 too."""

    name = "number"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            number = Decimal(str(value).replace("_", ""))
        except InvalidOperation:
            self.fail(f"{value[:40]!r} is no number", param, ctx)
        if not number.is_finite() or number < 0 or (number == 0 and not self._zero):
            less = "less than 0" if self._zero else "not more than 0"
            self.fail(f"{value[:40]!r} is {less}", param, ctx)
        return number


class _Duration(click.ParamType[float]):
    """A time with its unit, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        if found is None or not float(found[1]):
            self.fail(f"{value[:40]!r} is no time: write 90s, 20m or 4h", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


def _needs_volume(_: click.Context, option: click.Parameter, value: str | None) -> None:
    """Say why there is no algorithm that follows the market's volume, and what comes near."""
    if value is not None:
        raise ConfigError(
            f"{' and '.join(option.opts)} need the traded volume, and no listener follows trades:"
            " give --twap or --shortfall, and --max-child for the greatest amount at a venue;"
            " depth_share of the engine's limits bounds each by what the venue shows"
        )


AMOUNT: Final = _Amount()
DURATION: Final = _Duration()


@click.command()
@click.argument("instrument")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("amount", type=AMOUNT)
@gateway_options
@click.option("--twap", type=DURATION, metavar="TIME", help="Equal slices over 90s, 20m or 4h.")
@click.option(
    "--shortfall",
    type=DURATION,
    metavar="TIME",
    help="More at first, by --urgency: implementation shortfall, after Almgren and Chriss.",
)
@click.option(
    "--urgency",
    type=click.Choice(["low", "medium", "high"]),
    default="medium",
    show_default=True,
    help="Of --shortfall: how much of it comes early.",
)
@click.option(
    "--interval", type=DURATION, metavar="TIME", help="Between two slices.  [default: 30s]"
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    help="Of a sweep; then the rest is left.  [default: 10]",
)
@click.option(
    "--pov",
    "--vwap",
    is_flag=False,
    flag_value="",
    hidden=True,
    is_eager=True,
    expose_value=False,
    callback=_needs_volume,
)
@click.option("--limit", type=AMOUNT, metavar="PRICE", help="No fill is worse.")
@click.option(
    "--slippage", type=AMOUNT, metavar="BPS", help="No order is further from the mid at its time."
)
@click.option(
    "--venue", "venues", multiple=True, metavar="NAME", help="Only at this one; may be repeated."
)
@click.option("--min-child", type=AMOUNT, help="Least amount of an order at a venue.")
@click.option("--max-child", type=AMOUNT, help="Greatest amount of an order at a venue.")
@click.option(
    "--client-id", metavar="ID", help="Your name of the order: given twice, it is the same order."
)
@click.option("--plan", "plan_only", is_flag=True, help="Show what it would do; order nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before orders that are real.")
@click.option("--detach", is_flag=True, help="Do not watch it: leave it running.")
@click.option(
    "--json", "prints_json", is_flag=True, help="Print JSON at the end, and nothing before."
)
@click.option("--svg", type=FILE, help="Leave a picture of what it came to in this file.")
def liquidate(
    gateway: GatewayToAsk,
    *,
    instrument: str,
    side: Literal["buy", "sell"],
    amount: Decimal,
    twap: float | None,
    shortfall: float | None,
    urgency: Literal["low", "medium", "high"],
    interval: float | None,
    rounds: int | None,
    limit: Decimal | None,
    slippage: Decimal | None,
    venues: tuple[str, ...],
    min_child: Decimal | None,
    max_child: Decimal | None,
    client_id: str | None,
    plan_only: bool,
    yes: bool,
    detach: bool,
    prints_json: bool,
    svg: Path | None,
) -> None:
    """Have AMOUNT of INSTRUMENT bought or sold over all venues, and watch it.

    First the plan: how much where, at which prices, with which fees. Where the engine's orders are
    real, you are asked before anything is sent. Without --twap or --shortfall it is a sweep: all of
    it now. Ctrl-C asks whether to cancel the order or to leave it running. At the end stands what
    it cost, against the price when it was given, against the market's while it was worked, and
    against what else could have been done.

    \b
    Example:
      dragonfly liquidate ETH-BTC sell 120 --twap 20m --limit 0.052
      dragonfly liquidate ETH-BTC buy 5 --plan
    """
    if twap and shortfall:
        raise ConfigError("--twap and --shortfall are two ways to do it: give one")
    seconds = twap or shortfall
    if interval and not seconds:
        raise ConfigError("--interval is between slices: give --twap or --shortfall too")
    if rounds and seconds:
        raise ConfigError("--rounds is of a sweep: leave it out, or --twap and --shortfall")
    ticket = Ticket(
        client_id or f"cli-{secrets.token_hex(6)}",
        normalise_instrument(instrument),
        side,
        amount,
        "twap" if twap else "is" if shortfall else "sweep",
        limit=limit,
        max_slippage_bps=slippage,
        venues=tuple(dict.fromkeys(venue.strip().lower() for venue in venues)),
        min_child=min_child,
        max_child=max_child,
        rounds=rounds,
        end_ns=Ticket.ending_in(seconds) if seconds else 0,
        interval_s=interval,
        urgency=urgency,
    )
    manner = Manner(yes, plan_only, detach, prints_json, svg)

    async def main() -> None:
        async with gateway.client() as client:
            await work(client, ticket, manner, wide_console())

    run_bot(main())


@click.command()
@click.argument("order", default="", metavar="[ORDER]")
@gateway_options
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--cancel", is_flag=True, help="End ORDER.")
@click.option("--pause", is_flag=True, help="Send nothing more of ORDER for now.")
@click.option("--resume", is_flag=True, help="Let ORDER go on.")
@click.option(
    "--resolve",
    "child",
    metavar="CHILD",
    help="End the doubt about an UNKNOWN order at a venue, which has denied it, by your word: look"
    " at the venue's own lists first. Needs --filled and --reason, and asks.",
)
@click.option(
    "--filled",
    type=_Amount(zero=True),
    help="Of --resolve: what the venue's own lists show as filled of CHILD.",
)
@click.option("--reason", help="Of --resolve: where you looked; kept with your name.")
@click.option("--yes", is_flag=True, help="Do not ask before --resolve.")
@click.option("--json", "prints_json", is_flag=True, help="Print JSON; money is decimal text.")
@click.option("--svg", type=FILE, help="Leave a picture of what ORDER came to in this file.")
def orders(
    gateway: GatewayToAsk,
    *,
    order: str,
    everything: bool,
    cancel: bool,
    pause: bool,
    resume: bool,
    child: str | None,
    filled: Decimal | None,
    reason: str | None,
    yes: bool,
    prints_json: bool,
    svg: Path | None,
) -> None:
    """Show your open orders, or what ORDER came to so far; cancel, pause or resume it.

    What it came to is told against its arrival, against its interval, and against what else could
    have been done. ORDER is the beginning of its id, or your own client id; of an order by FIX its
    whole OrderID (37), where your token has its CompID.

    A restart of the engine pauses all orders: --resume lets one go on. What its venue has forgotten
    stays UNKNOWN, and reserved, until you say with --resolve how it ended.

    \b
    Example:
      dragonfly orders --all
      dragonfly orders 3f2a --cancel
      dragonfly orders 3f2a --resolve 77c0 --filled 0 --reason "not in Kraken's order history"
    """
    change = one_of(cancel=cancel, pause=pause, resume=resume)
    if (change or child or svg) and not order:
        raise ConfigError("which order? Name it, as `orders` lists it")
    word = None
    if child is not None:
        if change or filled is None or not reason:
            raise ConfigError("--resolve goes with --filled and --reason, and with no other change")
        word = _Word(child, filled, reason, yes)
    elif filled is not None or reason or yes:
        raise ConfigError(
            "--filled, --reason and --yes are of --resolve: add it, or leave them out"
        )

    async def main() -> None:
        async with gateway.client() as client:
            console = wide_console()
            if order:
                found = await _find(client, order)
                if change:
                    found = await getattr(client, change)(found.order_id)
                progress = await history_of(client, await client.order(found.order_id))
                if word is not None:
                    await _resolve(client, progress, word)
                    progress = await history_of(client, await client.order(found.order_id))
                manner = Manner(prints_json=prints_json, svg=svg)
                show_analysis(analyse(progress, None), manner, console)
                return
            _list(await client.orders(everything=everything), console, prints_json=prints_json)

    run_bot(main())


@dataclass(frozen=True)
class _Word:
    """What a person says of a child."""

    child: str
    filled: Decimal
    reason: str
    yes: bool


async def _resolve(client: DragonflyClient, progress: OrderProgress, word: _Word) -> None:
    order = progress.order
    found = [one for one in progress.unknown if one.child_id.startswith(word.child)]
    if len(found) != 1:
        known = ", ".join(f"{one.child_id} at {one.venue}" for one in progress.unknown) or "none is"
        raise ConfigError(f"{word.child[:60]!r} names no UNKNOWN order at a venue: {known}")
    (child,) = found
    if not word.yes:
        ask(
            f"{child.child_id} is to {order.side} {child.amount} at {child.venue}. If it is open"
            f" there, or more than {word.filled} of it is filled, your order can be filled beyond"
            " its quantity. Have you looked at the venue's own lists?"
        )
    await client.resolve(
        order.order_id, child_id=child.child_id, filled=word.filled, reason=word.reason
    )


async def _find(client: DragonflyClient, name: str) -> WorkedOrder:
    known = await client.orders(everything=True)
    exact = [one for one in known if name in {one.order_id, one.client_id}]
    found = exact or [one for one in known if one.order_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        with suppress(NotFoundError):
            return await client.order(name)  # one that was given by FIX is not listed
    told = f"{len(found)} orders begin so" if found else "no order of yours has it"
    raise ConfigError(
        f"{name[:60]!r} names no order: {told}; `orders --all` lists them, but those by FIX, which"
        " their whole OrderID (37) names, to the token that has the CompID"
    )


def _list(found: tuple[WorkedOrder, ...], console: Console, *, prints_json: bool) -> None:
    if prints_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2, default=str))
    elif found:
        console.print(order_table(found))
    else:
        click.echo("no order is open")


@click.command()
@gateway_options
@click.option(
    "--reason", default="", help="Kept in the journal, and told with each order that ends."
)
@click.option("--release", is_flag=True, help="Let orders be taken again instead.")
@click.option("--yes", is_flag=True, help="Do not ask before --release.")
def kill(gateway: GatewayToAsk, *, reason: str, release: bool, yes: bool) -> None:
    """Stop everything, of everybody: all orders are cancelled, and none is taken.

    You are not asked whether you mean it: seconds may count. It survives a restart of the engine;
    --release ends it, and asks. What was cancelled stays so.

    \b
    Example:
      dragonfly kill --reason "prices look wrong"
      dragonfly kill --release
    """

    async def main() -> None:
        async with gateway.client() as client:
            if not release:
                await client.kill(reason)
                click.echo("stopped: all orders are cancelled, and none is taken")
                return
            if not yes:
                ask("Let the engine take orders again?")
            await client.revive()
            click.echo("released: orders are taken again")

    run_bot(main())
