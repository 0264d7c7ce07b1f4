"""Who is up, and why a venue is in a book or is not."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from dragonfly_client.explaining import Explanation
from dragonfly_client.messages import Bbo, FeedStanding, Instrument, State, Venue, VenueFeed
from dragonfly_common.cli import main
from patience import PATIENCE_S
from terminal.reporting import explained_as_lines, status_as_lines

NOW = 1_764_000_000_000_000_000
BINANCE = Venue("binance", State.LIVE, "", "listener.binance-0", 2, 12, 11, 1, NOW - 720 * 10**9)
KRAKEN = Venue("kraken", State.DOWN, "no answer within 5 s", "", 0, 0, 0, 1)
BBO = Bbo(
    instrument="ETH-BTC",
    spread=0.0,
    venues=(
        VenueFeed("binance", State.LIVE, "", 85_000_000, 7, 1, 1, 1, 1.0, 0.999, 10),
        VenueFeed("kraken", State.DOWN, "no answer within 5 s", 0, 0, None, None, None),
    ),
    was_live=True,
    epoch=1,
    seq=1,
    ts_agg=1,
    replaced=0,
    ts_out=1,
    ts_in=1,
    bid=None,
    ask=None,
)
LISTED = Instrument(
    "ETH-BTC",
    ("binance", "kraken"),
    feeds=(
        FeedStanding("binance", State.LIVE, NOW - 5 * 10**9, NOW - 3 * 10**9, audit_agreed=True),
        FeedStanding("kraken", State.LIVE, NOW - 9 * 10**9),
    ),
)
OUT = Explanation(
    instrument="ETH-BTC",
    venue="kraken",
    listed=True,
    symbol="ETH/BTC",
    followed=True,
    state=State.STALE,
    reason="silent for 3.0 s",
    since=NOW - 3 * 10**9,
    age_ns=3_000_000_000,
    score=0.9999,
    score_total=1.0,
    audited_at=NOW - 61 * 10**9,
    audit_agreed=False,
    depth=10,
    listener="listener.kraken",
    connections=1,
    sentence="kraken is not in the book of ETH-BTC, it is STALE: silent for 3.0 s",
    remedy="wait",
)


def test_status_has_a_row_for_each_venue_and_for_each_in_a_book() -> None:
    told = status_as_lines("here:1", [BINANCE, KRAKEN], [BBO], {"ETH-BTC": LISTED}, NOW)
    assert [*told] == [
        "gateway here:1: 1 of 2 venues live",
        "",
        "venue    state     for  listener            connections  instruments  live  why",
        "binance  LIVE   12 min  listener.binance-0            2           12    11",
        "kraken   DOWN        -  -                             0            0     0"
        "  no answer within 5 s",
        "",
        "instrument  venue    state    for  changed     score  audited  depth  why",
        "ETH-BTC     binance  LIVE   5.0 s    85 ms  100.00 %    3.0 s     10",
        "ETH-BTC     kraken   DOWN       -        -         -        -      -"
        "  no answer within 5 s",
    ]
    assert [*status_as_lines("here:1", [], [], {}, NOW)] == ["gateway here:1: 0 of 0 venues live"]


def test_in_a_narrow_terminal_columns_give_way() -> None:
    told = [*status_as_lines("here:1", [BINANCE, KRAKEN], [BBO], {"ETH-BTC": LISTED}, NOW, 60)]
    assert told[2:6] == [
        "venue    state     for  live  why",
        "binance  LIVE   12 min    11",
        "kraken   DOWN        -     0  no answer within 5 s",
        "no room for connections, listener, instruments",
    ]
    assert told[7] == "instrument  venue    state    for  why"
    assert told[10] == "no room for audited, depth, score, changed"


def test_an_explanation_is_a_sentence_and_what_is_known() -> None:
    assert [*explained_as_lines([OUT], NOW)] == [
        "kraken is not in the book of ETH-BTC, it is STALE: silent for 3.0 s",
        "  listed         as ETH/BTC",
        "  followed       yes",
        "  listener       listener.kraken, 1 connection to the venue",
        "  state          STALE since 2025-11-24 15:59:57 UTC, for 3.0 s",
        "  last change    3.0 s ago",
        "  audits agreed  99.99 % in the last ten minutes, 100.00 % ever",
        "  last audit     disagreed, 61.0 s ago",
        "  proven depth   10 levels a side",
        "  remedy         wait",
    ]
    unheard = replace(OUT, symbol="", listed=False, listener="", age_ns=None, score=None, depth=0)
    unheard = replace(unheard, since=None, audited_at=None)
    assert [*explained_as_lines([unheard], NOW)][1:] == [
        "  listed    no",
        "  followed  yes",
        "  listener  none is heard",
        "  remedy    wait",
    ]


def run(command: str, gateway: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [command, "--gateway", gateway, *arguments])


def test_the_commands_ask_a_gateway(stub_address: str) -> None:
    told = json.loads(run("status", stub_address, "eth-btc", "--json").stdout)
    assert [one["state"] for one in told["venues"]] == ["LIVE"] * 3
    assert [one["instrument"] for one in told["instruments"]] == ["ETH-BTC"]
    assert run("status", stub_address).stdout.startswith(f"gateway {stub_address}: 3 of 3 venues")

    ran = run("explain", stub_address, "eth-btc", "--venue", "Kraken", "--json")
    (line,) = ran.stdout.splitlines()
    assert json.loads(line)["sentence"] == "kraken is in the book of ETH-BTC"
    assert "binance is in the book" in run("explain", stub_address, "ETH-BTC").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ethbtc"], "'ethbtc' is not an instrument"),
        (["ETH-BTC", "--venue=nowhere"], "the venues are binance, bitstamp, kraken"),
        (["ETH-EUR"], "no venue lists ETH-EUR"),
    ],
)
def test_a_mistake_is_one_sentence(stub_address: str, arguments: list[str], sentence: str) -> None:
    ran = run("explain", stub_address, *arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_answer_is_told_by_the_exit_code(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "dragonfly_common.cli", "status", "--gateway", address]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as ran:
            silent.settimeout(PATIENCE_S)
            with silent.accept()[0]:
                ran.send_signal(number)
                said, _ = ran.communicate(timeout=PATIENCE_S)
    assert (ran.returncode, said) == (130, "\n")
