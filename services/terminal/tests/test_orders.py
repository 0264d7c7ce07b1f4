"""An order as its news tell of it, what it cost, and how both look."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from decimal import Decimal

import pytest
from click.testing import CliRunner
from dragonfly_client.messages import Executable, ExecutablePrice, FeeSource, VenuePart
from dragonfly_client.orders import (
    ArrivalBook,
    CostEstimate,
    EngineState,
    IntervalMid,
    OrderNews,
    Ticket,
    VenueFill,
    VenueOrder,
    WorkedOrder,
)
from rich.console import Console
from terminal.gateway import run_bot
from terminal.order_analysis import analyse, analysis_as_json
from terminal.order_commands import liquidate, orders
from terminal.order_progress import OrderProgress
from terminal.order_screen import (
    analysis_picture,
    draw_analysis,
    draw_progress,
    news_line,
    order_table,
    plan_lines,
)
from terminal.ordering import ask

S = 10**9


def levels(*pairs: tuple[str, str]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(amount)) for price, amount in pairs)


TICKET = Ticket(
    "mine", "ETH-BTC", "sell", Decimal(4), "twap", limit=Decimal("0.05"), end_ns=1010 * S
)
ORDER = WorkedOrder(
    order_id="2f877560-d15c",
    client_id="mine",
    instrument="ETH-BTC",
    side="sell",
    quantity=Decimal(4),
    limit=Decimal("0.05"),
    algorithm="twap",
    state="running",
    reason="",
    filled=Decimal(0),
    leaves=Decimal(4),
    reserved=Decimal(0),
    average=None,
    fees={},
    unknown=0,
    last_seq=1,
    arrival_mid=Decimal("0.10"),
)


def told(
    seq: int,
    *,
    child: VenueOrder | None = None,
    fill: VenueFill | None = None,
    filled: int = 0,
    state: str = "running",
) -> OrderNews:
    return OrderNews(
        order_id=ORDER.order_id,
        seq=seq,
        kind="fill" if fill else "child",
        state=state,
        filled=Decimal(filled),
        leaves=Decimal(4 - filled),
        average=None,
        fees={},
        ts=1000 * S + seq * S,
        reason="the venue is slow" if state == "paused" else "",
        child=child,
        fill=fill,
    )


def child(state: str, venue: str = "kraken") -> VenueOrder:
    return VenueOrder(f"c-{venue}", venue, state, Decimal(2), Decimal("0.09"), Decimal(0), "")


def fill(price: str, trade: str, asset: str = "BTC", fee: str = "0.0002") -> VenueFill:
    return VenueFill("kraken", trade, Decimal(price), Decimal(1), Decimal(fee), asset, None)


@pytest.fixture
def progress() -> OrderProgress:
    progress = OrderProgress(ORDER, TICKET)
    for now, news in enumerate(
        [
            told(1, child=child("sent")),
            told(2, child=child("unknown")),
            told(3, fill=fill("0.098", "a"), filled=1),
            told(4, fill=fill("0.096", "b"), filled=2),
        ]
    ):
        progress.take(news, float(now))
    return progress


ARRIVAL = (
    ArrivalBook("kraken", levels(("0.099", "1"), ("0.097", "2"), ("0.095", "1")), Decimal(20)),
    ArrivalBook("okx", levels(("0.0955", "9")), Decimal(80)),
    ArrivalBook("bitstamp", levels(("0.0999", "9")), None),
)
EXECUTABLE = Executable(
    instrument="ETH-BTC",
    spread=0.0,
    venues=(),
    was_live=True,
    epoch=1,
    seq=1,
    ts_agg=0,
    replaced=0,
    ts_out=0,
    ts_in=0,
    conversions=(),
    side="sell",
    in_quote=False,
    prices=(
        ExecutablePrice(
            4, True, 4, 4 * 0.0968, 0.097, 0.0968, 0.097, 0.0, 0.0,
            (VenuePart("kraken", 4, 0.097, 0.097, 0.0, 20.0, exhausted=False, instrument=""),),
        ),
    ),
    left_out=(),
    mid=0.1,
    fee_source=FeeSource.GATEWAY,
)  # fmt: skip


def text_of(drawn: object, width: int = 110) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False, highlight=False)
    with console.capture() as captured:
        console.print(drawn)
    return captured.get()


def test_an_amount_in_doubt_is_shown_with_its_age_until_it_is_resolved(
    progress: OrderProgress,
) -> None:
    drawn = text_of(draw_progress(progress, 8.0, 1005 * S, paper=False))
    assert "UNKNOWN 2 for 7 s" in drawn
    assert "1 in doubt" in drawn
    assert "LIVE" in drawn
    assert "1 UNKNOWN" in news_line(progress, paper=False)
    progress.take(told(5, child=child("closed"), filled=2), 9.0)
    drawn = text_of(draw_progress(progress, 9.0, 1005 * S, paper=True))
    assert "UNKNOWN" not in drawn
    assert "PAPER" in drawn


def test_progress_shows_what_is_filled_planned_paid_and_left(progress: OrderProgress) -> None:
    drawn = text_of(draw_progress(progress, 4.0, 1006 * S, paper=True))
    assert "50.0%  2 of 4 ETH  4.0 s left" in drawn
    assert "average 0.097 " in drawn
    assert "after fees 0.0968 " in drawn
    assert "arrival 0.1 (320.0 bps worse)" in drawn
    assert "limit 0.05 (4,845.4 bps away)" in drawn
    assert "┃" in drawn
    progress.take(told(5, state="paused", filled=2), 5.0)
    assert "the venue is slow" in text_of(draw_progress(progress, 5.0, 0, paper=True))


def test_fees_in_the_base_change_what_was_sold() -> None:
    progress = OrderProgress(ORDER)
    progress.take(told(1, fill=fill("0.1", "a", "ETH", "0.25"), filled=1), 0.0)
    assert progress.net == Decimal("0.08")
    progress.take(told(2, fill=fill("0.1", "b", "BNB", "1"), filled=2), 0.0)
    assert "0.25 ETH" in text_of(draw_progress(progress, 0.0, 0, paper=True))


def test_the_shortfall_is_the_sum_of_its_parts(progress: OrderProgress) -> None:
    interval = IntervalMid(Decimal("0.098"), seen_ns=3 * S, whole_ns=5 * S)
    progress.order = replace(ORDER, arrival=ARRIVAL, interval=interval)
    analysis = analyse(progress, Decimal("0.099"))
    assert analysis.shortfall_bps == 320
    parts: tuple[object, ...] = (
        analysis.half_spread_bps,
        analysis.impact_bps,
        analysis.timing_bps,
        analysis.fees_bps,
    )
    # 0.099, then twice 0.097 and 0.0955; the venue whose fee is not known is left out.
    assert parts == (100, Decimal("187.5"), Decimal("12.5"), 20)
    assert analysis.opportunity == Decimal("0.002")
    assert analysis.seconds == 3.0
    named = {one.name: one.worse_bps for one in analysis.alternatives}
    assert named == {
        "best split, at once": Decimal("319.4"),
        "by price before fees": pytest.approx(Decimal("321.25"), abs=Decimal("1e-6")),
        "kraken alone": Decimal("319.4"),
    }
    assert analysis.interval_bps == pytest.approx(Decimal("122.449"), abs=Decimal("1e-3"))
    drawn = text_of(draw_analysis(analysis))
    assert "shortfall" in drawn
    assert "+320.00" in drawn
    assert "+122.45" in drawn
    assert "its mid by time is 0.098; 2.0 s of 5.0 s were not seen" in drawn
    assert "not filled: 2" in drawn
    assert "worse than at first" in drawn
    assert "<svg" in analysis_picture(analysis)
    read = json.loads(analysis_as_json(analysis))
    assert (read["net"], read["venues"]["kraken"]["filled"]) == ("0.0968", "2")
    assert (read["interval_mid"], read["interval_seen_s"], read["interval_s"]) == ("0.098", 3, 5)


def test_what_is_not_known_is_a_dash_and_no_error() -> None:
    analysis = analyse(OrderProgress(replace(ORDER, arrival_mid=None)), None)
    assert analysis.shortfall_bps is None
    assert re.search(r"shortfall +-", text_of(draw_analysis(analysis)))
    assert analysis_as_json(analysis)


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (EngineState("e", True, False, ("kraken",)), "on PAPER"),
        (EngineState("e", False, False, ("kraken",)), "REAL orders, by e, at kraken"),
        (EngineState("e", False, True, ()), "the kill switch is thrown"),
    ],
)
def test_a_plan_says_what_is_real_and_what_the_limit_leaves(engine: EngineState, says: str) -> None:
    estimate = CostEstimate("kraken 4 at 0.09", EXECUTABLE, engine)
    ticket = replace(TICKET, limit=Decimal("0.098"), venues=("kraken",))
    lines = "\n".join(plan_lines(ticket, estimate, 1000 * S))
    assert says in lines
    assert "the limit 0.098 leaves a part of it: 0.097 is beyond" in lines
    assert "worked over 10.0 s" in lines
    assert "net 0.0968 after fees" in lines


def test_orders_are_a_row_each() -> None:
    drawn = text_of(order_table([replace(ORDER, unknown=2, reason="why")]))
    assert "2f877560" in drawn
    assert "running, 2 UNKNOWN: why" in drawn


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--twap", "20"], "'20' is no time: write 90s, 20m or 4h"),
        (["--twap", "0s"], "is no time"),
        (["--limit", "-1"], "is not more than 0"),
        (["--limit", "x"], "'x' is no number"),
        (["--twap", "1m", "--shortfall", "1m"], "two ways to do it"),
        (["--interval", "1m"], "--interval is between slices"),
        (["--twap", "1m", "--rounds", "3"], "--rounds is of a sweep"),
        (["--pov", "10%"], "no listener follows trades: give --twap or --shortfall"),
        (["--vwap"], "no listener follows trades"),
    ],
)
def test_a_bad_option_of_an_order_is_one_sentence(arguments: list[str], says: str) -> None:
    outcome = CliRunner().invoke(liquidate, ["ETH-BTC", "sell", "1", *arguments])
    assert outcome.exit_code
    assert says in outcome.output + str(outcome.exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cancel"], "which order?"),
        (["one", "--resolve", "c1", "--filled", "0"], "goes with --filled and --reason"),
        (["one", "--resolve", "c1", "--filled", "0", "--reason", "r", "--cancel"], "no other"),
        (["one", "--resume", "--pause"], "--pause and --resume exclude each other: give one"),
        (["one", "--filled", "0"], "are of --resolve"),
        (["one", "--resolve", "c1", "--filled", "-1"], "is less than 0"),
    ],
)
def test_a_bad_change_is_one_sentence(arguments: list[str], says: str) -> None:
    outcome = CliRunner().invoke(orders, arguments)
    assert outcome.exit_code
    assert says in outcome.output + str(outcome.exception)


def test_ctrl_c_at_a_question_does_not_wait_for_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("click.confirm", lambda *_, **__: signal.raise_signal(signal.SIGINT))

    async def main() -> None:
        ask("Place REAL orders?")

    with pytest.raises(KeyboardInterrupt):
        run_bot(main())
