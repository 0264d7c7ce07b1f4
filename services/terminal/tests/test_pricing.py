"""`dragonfly price`: what its table and its JSON say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from dragonfly_client.messages import (
    Executable,
    ExecutablePrice,
    FeeSource,
    LeftOut,
    State,
    VenueFeed,
    VenuePart,
)
from terminal.pricing import priced_as_lines
from terminal.text import told_as_json

FEED: Final = VenueFeed("kraken", State.LIVE, "", 0, 77, None, 5, 6)
PRICE: Final = ExecutablePrice(
    size=3.0,
    complete=True,
    filled=3.0,
    money=0.2103,
    gross_avg=0.07,
    net_avg=0.0701,
    worst=0.0702,
    fee_total=0.0003,
    cost_bps=14.2857,
    parts=(
        VenuePart("binance", 2.0, 0.07, 0.0701, 0.00014, 10.0, exhausted=True),
        VenuePart("kraken", 1.0, 0.0702, 0.0702, 0.00016, 26.0, exhausted=False),
    ),
)
TOLD: Final = Executable(
    instrument="ETH-BTC",
    spread=0.0,
    venues=(FEED,),
    was_live=True,
    epoch=7,
    seq=8,
    ts_agg=0,
    replaced=0,
    ts_out=0,
    ts_in=0,
    side="buy",
    in_quote=False,
    prices=(PRICE,),
    left_out=(LeftOut("okx", "DOWN: gone"),),
    mid=0.07,
    fee_source=FeeSource.REQUEST,
)


def test_a_row_for_each_venue_and_what_is_said_of_all() -> None:
    assert [*priced_as_lines(TOLD)] == [
        "buy 3 ETH on ETH-BTC",
        "net 0.0701 after fees, 14.29 bps from the mid; gross 0.07, worst 0.0702",
        "3 ETH costs 0.2103 BTC with fees of 0.0003 BTC",
        "venue    amount  share  average   worst  fee bps      fee",
        "binance       2  66.7%     0.07  0.0701       10  0.00014  all that it shows",
        "kraken        1  33.3%   0.0702  0.0702       26  0.00016",
        "",
        "left out: okx, DOWN: gone",
        "mid 0.07; fees as given",
        "book 7/8 of kraken 77",
    ]


def test_in_a_narrow_terminal_columns_give_way() -> None:
    assert [*priced_as_lines(TOLD, 60)][3:7] == [
        "venue    amount  average   worst",
        "binance       2     0.07  0.0701  all that it shows",
        "kraken        1   0.0702  0.0702",
        "no room for share, fee bps, fee",
    ]


def test_what_the_depth_does_not_reach_is_said_first() -> None:
    short = replace(PRICE, size=9.0, complete=False)
    lines = [*priced_as_lines(replace(TOLD, prices=(short,), in_quote=True, side="sell"))]
    assert lines[0] == "sell 9 BTC on ETH-BTC"
    assert lines[1].startswith("INCOMPLETE: the venues show 3 ETH, and all below is of that")
    assert lines[3] == "3 ETH brings 0.2103 BTC after fees of 0.0003 BTC"


def test_where_nothing_is_live_nothing_is_made_up() -> None:
    empty = ExecutablePrice(3.0, False, 0.0, 0.0, None, None, None, 0.0, None, ())
    told = replace(TOLD, prices=(empty,), mid=None, venues=(), fee_source=FeeSource.NONE)
    assert [*priced_as_lines(told)] == [
        "buy 3 ETH on ETH-BTC",
        "nothing can be taken of any venue",
        "",
        "left out: okx, DOWN: gone",
        "no mid: a side is empty; without fees: none are known, --fees gives them",
        "book 7/8 of no venue",
    ]


def test_json_is_the_message_with_names_of_states() -> None:
    said = json.loads(told_as_json(TOLD))
    assert said["prices"][0]["parts"][1]["amount"] == 1
    assert (said["fee_source"], said["venues"][0]["state"]) == ("REQUEST", "LIVE")
    assert "\n" not in told_as_json(TOLD)
