"""A person's order: the plan, the question, the screen, Ctrl-C, and what it came to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, Self

import click
from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import ClientError, InvalidRequestError, UnknownOutcomeError
from dragonfly_client.orders import CostEstimate, Ticket, WorkedOrder
from dragonfly_common.errors import ConfigError, ExitCode, UserError
from dragonfly_common.wording import command_name
from rich.console import Console
from rich.live import Live

from terminal.order_analysis import OrderAnalysis, analyse, analysis_as_json
from terminal.order_progress import OrderProgress
from terminal.order_screen import (
    analysis_picture,
    draw_analysis,
    draw_progress,
    news_line,
    plan_lines,
)
from terminal.pictures import check_picture, leave_picture
from terminal.text import told_as_json

__all__ = ["Manner", "NotFilledError", "ask", "history_of", "show_analysis", "work"]

REDRAW_S: Final = 0.2
LINE_S: Final = 1.0
TRIES: Final = 3


class NotFilledError(UserError):
    """The order is over, and something of it is left; or it was left to run."""

    exit_code = ExitCode.UNFINISHED


@dataclass(frozen=True)
class Manner:
    """How a person wants it."""

    yes: bool = False
    """Do not ask."""
    plan_only: bool = False
    detach: bool = False
    """Leave it running as soon as it is taken."""
    prints_json: bool = False
    svg: Path | None = None
    ends_with_us: bool = False
    """The engine does, as a demo's: Ctrl-C cancels the order, which cannot be left running."""


async def work(client: DragonflyClient, ticket: Ticket, manner: Manner, console: Console) -> None:
    """Show what a ticket would do, ask where orders are real, have it worked, show how it goes.

    Raises:
        NotFilledError: something is left at the end.
        ClientError: the gateway or the engine says no, or no picture can be left.
    """
    check_picture(manner.svg)
    say = _silent if manner.prints_json else _say
    estimate = await client.estimate(ticket)
    for line in plan_lines(ticket, estimate, time.time_ns()):
        say(line)
    if manner.plan_only:
        if manner.prints_json:
            click.echo(_plan_as_json(ticket, estimate))
        return
    if not estimate.engine.paper and not manner.yes:
        _ask_first(ticket, estimate)
    order = await client.order((await _give(client, ticket)).order_id)
    say(f"\ntaken as {order.order_id}, client id {order.client_id}")
    progress = OrderProgress(order, ticket)
    if manner.detach:
        say(f"it runs: `{command_name()} orders` shows it")
        if manner.prints_json:
            click.echo(analysis_as_json(analyse(progress, None), indent=2))
        return
    left = await _follow(client, progress, manner, console, paper=estimate.engine.paper)
    if left:
        say(f"it runs on: `{command_name()} orders {order.order_id}` shows it")
    with contextlib.suppress(ClientError):
        progress.order = await client.order(order.order_id)
    analysis = analyse(progress, await _mid(client, order.instrument))
    show_analysis(analysis, manner, console)
    if progress.state != "done" and not left:
        raise NotFilledError(
            f"the order is {progress.state}, {progress.filled} of {order.quantity} filled"
            + (f": {progress.reason}" if progress.reason else "")
        )


async def history_of(client: DragonflyClient, order: WorkedOrder) -> OrderProgress:
    """Return an order with all that was told of it so far."""
    progress = OrderProgress(order)
    if order.last_seq:
        async with contextlib.aclosing(client.order_news(order.order_id)) as stream:
            async for news in stream:
                progress.take(news, time.monotonic())
                if news.seq >= order.last_seq:
                    break
    return progress


def show_analysis(analysis: OrderAnalysis, manner: Manner, console: Console) -> None:
    """Print what an order came to, and leave its picture.

    Raises:
        SettingError: the picture cannot be left there.
    """
    if manner.prints_json:
        click.echo(analysis_as_json(analysis, indent=2))
    else:
        console.print()
        console.print(draw_analysis(analysis))
    if manner.svg is not None:
        leave_picture(manner.svg, analysis_picture(analysis))


def ask(question: str) -> None:
    """Ask a person; the event loop stands still meanwhile, so Ctrl-C must not wait for it.

    Raises:
        Abort: the answer is no, or Ctrl-C.
    """
    handled = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        click.confirm(question, abort=True, err=True)
    finally:
        signal.signal(signal.SIGINT, handled)


def _ask_first(ticket: Ticket, estimate: CostEstimate) -> None:
    if not sys.stdin.isatty():
        raise ConfigError("these orders are real, and nobody is here to ask: give --yes")
    at = ", ".join(estimate.engine.venues)
    ask(f"\nPlace REAL orders at {at} to {ticket.side} {ticket.quantity}?")


async def _give(client: DragonflyClient, ticket: Ticket) -> WorkedOrder:
    for left in reversed(range(TRIES)):
        try:
            return await client.liquidate(ticket)
        except UnknownOutcomeError as error:
            if not left:
                raise
            click.echo(f"{error}; asking again for the same order", err=True)
    raise AssertionError


async def _follow(
    client: DragonflyClient,
    progress: OrderProgress,
    manner: Manner,
    console: Console,
    *,
    paper: bool,
) -> bool:
    """Show an order until it is over, or left; return whether it was left running."""
    redraws = console.is_terminal and not console.is_dumb_terminal and not manner.prints_json
    shows = _Nothing()
    if redraws:
        hint = "cancel it" if manner.ends_with_us else "cancel it, or leave it running"
        shows = _Redrawn(console, progress, f"Ctrl-C: {hint}", paper=paper)
    elif not manner.prints_json:
        shows = _Lines(progress, paper=paper)

    async def listen() -> None:
        order_id = progress.order.order_id
        async with contextlib.aclosing(client.order_news(order_id)) as stream:
            async for news in stream:
                progress.take(news, time.monotonic())
                if news.over:
                    return

    with _interrupts() as interrupted:
        listening = asyncio.create_task(listen())
        try:
            while not listening.done():
                with shows:
                    while not (listening.done() or interrupted.is_set()):
                        shows.show()
                        await asyncio.wait([listening], timeout=REDRAW_S)
                if interrupted.is_set() and not listening.done():
                    interrupted.clear()
                    if not manner.ends_with_us and not (redraws and await _wants_cancel()):
                        return True
                    with contextlib.suppress(InvalidRequestError):  # it is over meanwhile
                        await client.cancel(progress.order.order_id)
            listening.result()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    return False


class _Nothing:
    """Shows nothing while an order is worked."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.show()

    def show(self) -> None:
        pass


class _Redrawn(_Nothing):
    """Draws it over itself; where it ends, a last picture stays."""

    def __init__(
        self, console: Console, progress: OrderProgress, hint: str, *, paper: bool
    ) -> None:
        self._console = console
        self._progress = progress
        self._hint = hint
        self._paper = paper
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.show()
        assert self._live is not None
        self._live.stop()

    def show(self) -> None:
        assert self._live is not None
        progress = self._progress
        hint = "" if progress.over else self._hint
        drawn = draw_progress(
            progress, time.monotonic(), time.time_ns(), paper=self._paper, hint=hint
        )
        self._live.update(drawn, refresh=True)


class _Lines(_Nothing):
    """Prints a line where something changed, one a second at most, and the last one."""

    def __init__(self, progress: OrderProgress, *, paper: bool) -> None:
        self._progress = progress
        self._paper = paper
        self._said = ""
        self._said_at = 0.0

    def __exit__(self, *_: object) -> None:
        self._said_at = 0.0
        self.show()

    def show(self) -> None:
        now = time.monotonic()
        line = news_line(self._progress, paper=self._paper)
        if line != self._said and now - self._said_at >= LINE_S:
            self._said, self._said_at = line, now
            click.echo(line)


@contextmanager
def _interrupts() -> Iterator[asyncio.Event]:
    """Take the signals that end other commands at once."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.current_task()
    assert task is not None
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in numbers:
            loop.add_signal_handler(number, task.cancel)


async def _wants_cancel() -> bool:
    """Ask whether to cancel the order or to leave it running."""
    try:
        chosen = await asyncio.to_thread(
            click.prompt,
            "Cancel the order, or leave it running?",
            type=click.Choice(["cancel", "leave", "c", "l"]),
            default="leave",
            show_choices=False,
            show_default=False,
            prompt_suffix=" [cancel/leave] ",
            err=True,
        )
    except (click.Abort, EOFError):
        return False
    return str(chosen).startswith("c")


async def _mid(client: DragonflyClient, instrument: str) -> Decimal | None:
    try:
        mid = (await client.get_bbo(instrument)).mid
    except ClientError:
        return None
    return None if mid is None else Decimal(repr(mid))


def _plan_as_json(ticket: Ticket, estimate: CostEstimate) -> str:
    told = {
        "ticket": asdict(ticket),
        "first": estimate.first,
        "engine": asdict(estimate.engine),
        "now": json.loads(told_as_json(estimate.now)),
    }
    return json.dumps(told, indent=2, default=str, ensure_ascii=False)


def _say(line: str) -> None:
    click.echo(line)


def _silent(line: str) -> None:
    pass
