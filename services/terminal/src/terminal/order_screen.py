"""An order on a terminal: its plan, its progress, its analysis. Pure: the time is a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from dragonfly_client.orders import CostEstimate, Ticket, WorkedOrder
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from terminal.order_analysis import OrderAnalysis
from terminal.order_progress import OrderProgress, worse_bps
from terminal.pictures import svg_of
from terminal.pricing import priced_as_lines
from terminal.text import duration_text

__all__ = [
    "analysis_picture",
    "draw_analysis",
    "draw_progress",
    "news_line",
    "order_table",
    "plan_lines",
    "ticket_line",
    "wide_console",
]

BAR: Final = 30
WIDE: Final = 200
PICTURE_WIDTH: Final = 100
SHORT: Final = 8
"""Characters of an order's id in a table."""
DASH: Final = "-"
STYLES: Final = {
    "running": "green",
    "done": "bold green",
    "paused": "yellow",
    "cancelling": "yellow",
    "cancelled": "magenta",
    "expired": "magenta",
}


def wide_console() -> Console:
    """Return a console for tables, which are cut nowhere but at a terminal's edge."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def ticket_line(ticket: Ticket) -> str:
    """Return what is asked for."""
    parts = [f"{ticket.side} {ticket.quantity} {ticket.instrument}", ticket.algorithm]
    if ticket.limit is not None:
        parts.append(f"limit {ticket.limit}")
    if ticket.max_slippage_bps is not None:
        parts.append(f"at most {ticket.max_slippage_bps} bps from the mid")
    if ticket.venues:
        parts.append(f"at {', '.join(ticket.venues)}")
    return ", ".join(parts)


def plan_lines(ticket: Ticket, estimate: CostEstimate, now_ns: int) -> Iterable[str]:
    """Yield what an order would do and cost."""
    engine = estimate.engine
    yield ticket_line(ticket)
    if ticket.end_ns:
        yield f"worked over {duration_text(ticket.end_ns - max(now_ns, ticket.start_ns))}"
    yield ""
    yield "All at once, it would be now:"
    # Without the last line, which names the book for `dragonfly price`.
    yield from list(priced_as_lines(estimate.now))[:-1]
    price = estimate.now.prices[0]
    if ticket.limit is not None and price.worst is not None:
        worst = Decimal(repr(price.worst))
        if (worse_bps(ticket.side, worst, ticket.limit) or 0) > 0:
            yield f"the limit {ticket.limit} leaves a part of it: {price.worst!r} is beyond"
    yield ""
    yield f"first: {estimate.first}"
    if engine.killed:
        yield "the kill switch is thrown: nothing is taken until it is released"
    elif engine.paper:
        yield f"on PAPER, by {engine.engine}: no money is at stake"
    else:
        yield f"REAL orders, by {engine.engine}, at {', '.join(engine.venues)}"


def draw_progress(
    progress: OrderProgress, now: float, now_ns: int, *, paper: bool, hint: str = ""
) -> RenderableType:
    """Draw an order as it stands."""
    order = progress.order
    base, _, quote = order.instrument.partition("-")
    head = Text.assemble(
        (f"{order.side.upper()} {_n(order.quantity)} {base}", "bold"),
        f" for {quote}  {order.algorithm}  ",
        (progress.state.upper(), STYLES.get(progress.state, "")),
        ("  PAPER" if paper else "  LIVE", "dim" if paper else "bold red"),
    )
    if progress.reason and progress.state not in {"running", "done"}:
        head.append(f"  {progress.reason}", "dim")
    lines: list[RenderableType] = [head, _bar(progress, base, now_ns), _prices(progress)]
    if progress.venues():
        lines.append(_venues(progress, now))
    if progress.unknown:
        lines.append(
            Text(
                f"{len(progress.unknown)} in doubt: the venue is asked, and the amount stays"
                " reserved",
                "bold red",
            )
        )
    if hint:
        lines.append(Text(hint, "dim"))
    return Group(*lines)


def _bar(progress: OrderProgress, base: str, now_ns: int) -> Text:
    done = progress.share_done()
    full = int(done * BAR)
    planned = progress.share_planned(now_ns)
    bar = ["█"] * full + ["░"] * (BAR - full)
    if planned is not None and not progress.over:
        bar[min(BAR - 1, int(planned * BAR))] = "┃"
    text = Text.assemble(
        ("".join(bar), "cyan"),
        f" {done:6.1%}  {_n(progress.filled)} of {_n(progress.order.quantity)} {base}",
    )
    ticket = progress.ticket
    if ticket is not None and ticket.end_ns and not progress.over:
        left = ticket.end_ns - now_ns
        text.append(f"  {duration_text(left)} left (┃)" if left > 0 else "  its time is over")
    return text


def _prices(progress: OrderProgress) -> Text:
    order, side = progress.order, progress.order.side
    net = progress.net
    parts = [f"average {_p(progress.totals.gross)}", f"after fees {_p(net)}"]
    if order.arrival_mid is not None:
        against = _bps(worse_bps(side, net, order.arrival_mid))
        parts.append(f"arrival {_p(order.arrival_mid)} ({against})")
    if order.limit is not None:
        room = worse_bps(side, order.limit, progress.totals.gross)
        parts.append(f"limit {_p(order.limit)} ({'' if room is None else f'{room:,.1f} bps away'})")
    return Text("   ".join(parts).replace(" ()", ""))


def _venues(progress: OrderProgress, now: float) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("venue", "orders", "filled", "average", "fees", "at the venue now"):
        table.add_column(name, justify="left" if name[0] in "va" and name != "average" else "right")
    for venue, one in progress.venues().items():
        now_there = Text()
        for child, since in one.pending[-3:]:
            if len(now_there):
                now_there.append(", ")
            if since is None:
                now_there.append(f"{child.state} {_n(child.amount)} at {_p(child.limit)}")
            else:
                now_there.append(
                    f"UNKNOWN {_n(child.amount)} for {max(0.0, now - since):.0f} s", "bold red"
                )
        table.add_row(
            venue,
            str(one.orders),
            _n(one.totals.amount),
            _p(one.totals.gross),
            _fees(one.totals.fees),
            now_there,
        )
    return table


def news_line(progress: OrderProgress, *, paper: bool) -> str:
    """Return one line for where nothing can be redrawn."""
    order = progress.order
    average = _p(progress.totals.gross)
    doubt = f", {len(progress.unknown)} UNKNOWN" if progress.unknown else ""
    return (
        f"{progress.state}{' (paper)' if paper else ''}: {_n(progress.filled)} of"
        f" {_n(order.quantity)} at {average}{doubt}"
        + (f": {progress.reason}" if progress.reason and progress.state != "running" else "")
    )


def order_table(orders: Sequence[WorkedOrder]) -> RenderableType:
    """Draw orders, one a row."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    columns = ("order", "client id", "instrument", "side", "quantity", "filled", "average", "state")
    for name in columns:
        number = name in {"quantity", "filled", "average"}
        table.add_column(name, justify="right" if number else "left", no_wrap=name == "order")
    for one in orders:
        state = Text(one.state, STYLES.get(one.state, ""))
        if one.unknown:
            state.append(f", {one.unknown} UNKNOWN", "bold red")
        if one.reason:
            state.append(f": {one.reason}", "dim")
        table.add_row(
            one.order_id[:SHORT],
            one.client_id,
            one.instrument,
            one.side,
            _n(one.quantity),
            _n(one.filled),
            _p(one.average),
            state,
        )
    return table


def draw_analysis(analysis: OrderAnalysis) -> RenderableType:
    """Draw what an order came to."""
    base, _, quote = analysis.instrument.partition("-")
    head = Text.assemble(
        (f"{analysis.side.upper()} {_n(analysis.quantity)} {base}", "bold"),
        f" for {quote}  {analysis.algorithm}  ",
        (analysis.state.upper(), STYLES.get(analysis.state, "")),
        f"  {_n(analysis.filled)} in {analysis.fills:,} fills over {analysis.seconds:.1f} s",
    )
    prices = Text(
        f"arrival {_p(analysis.arrival_mid)}   average {_p(analysis.gross)}   after fees"
        f" {_p(analysis.net)}   end {_p(analysis.end_mid)}   fees {_fees(analysis.fees)}"
    )
    return Group(
        head,
        prices,
        Text(),
        _split(analysis, quote),
        Text(),
        _alternatives(analysis),
        Text(),
        _by_venue(analysis),
    )


def _split(analysis: OrderAnalysis, quote: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("cost against arrival")
    table.add_column("bps", justify="right")
    table.add_column("")
    rows = {
        "half spread": analysis.half_spread_bps,
        "impact": analysis.impact_bps,
        "timing": analysis.timing_bps,
        "fees": analysis.fees_bps,
    }
    most = max([abs(one) for one in rows.values() if one is not None], default=Decimal(1))
    for name, bps in rows.items():
        length = 0 if bps is None or not most else int(abs(bps) / most * 30)
        style = "red" if bps is not None and bps > 0 else "green"
        table.add_row(name, _number(bps), Text("█" * length, style))
    table.add_row(Text("shortfall", "bold"), Text(_number(analysis.shortfall_bps), "bold"), "")
    table.add_row("against the interval", _number(analysis.interval_bps), _interval(analysis))
    if analysis.quantity > analysis.filled and analysis.opportunity is not None:
        left, lost = analysis.quantity - analysis.filled, analysis.opportunity
        word = "worse" if lost > 0 else "better"
        table.add_row(
            f"not filled: {_n(left)}",
            "",
            f"at the end {_n(abs(lost))} {quote} {word} than at first",
        )
    return table


def _interval(analysis: OrderAnalysis) -> str:
    if analysis.interval_mid is None:
        return "its mid is not known"
    told = f"its mid by time is {_p(analysis.interval_mid)}"
    unseen = analysis.interval_s - analysis.interval_seen_s
    if round(unseen, 1):
        told += f"; {unseen:,.1f} s of {analysis.interval_s:,.1f} s were not seen"
    return told


def _alternatives(analysis: OrderAnalysis) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("all of it at arrival")
    table.add_column("after fees", justify="right")
    table.add_column("bps", justify="right")
    table.add_column("")
    for one in analysis.alternatives:
        note = "" if one.complete else "of what the book showed"
        table.add_row(one.name, _p(one.net), _number(one.worse_bps), Text(note, "dim"))
    table.add_row("this order", _p(analysis.net), _number(analysis.shortfall_bps), "")
    return table


def _by_venue(analysis: OrderAnalysis) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("venue", "orders", "filled", "average", "after fees", "fees"):
        table.add_column(name, justify="left" if name == "venue" else "right")
    for venue, one in analysis.venues.items():
        table.add_row(
            venue,
            str(one["orders"]),
            _n(one["filled"]),
            _p(one["gross"]),
            _p(one["net"]),
            _fees(one["fees"]),
        )
    return table


def analysis_picture(analysis: OrderAnalysis) -> str:
    """Return the analysis as an SVG document."""
    title = f"dragonfly liquidate {analysis.instrument}"
    return svg_of(draw_analysis(analysis), title, PICTURE_WIDTH)


def _n(amount: Decimal) -> str:
    text = f"{round(amount, 8):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _p(price: Decimal | None) -> str:
    """Return a price in seven figures, or a dash."""
    return DASH if price is None else f"{float(price):,.7g}"


def _number(bps: Decimal | None) -> str:
    return DASH if bps is None else f"{bps:+,.2f}"


def _bps(bps: Decimal | None) -> str:
    return "" if bps is None else f"{abs(bps):,.1f} bps {'worse' if bps > 0 else 'better'}"


def _fees(fees: Mapping[str, Decimal]) -> str:
    return " ".join(f"{float(fee):,.4g} {asset}" for asset, fee in sorted(fees.items())) or DASH
