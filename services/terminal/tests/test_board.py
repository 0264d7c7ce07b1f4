"""The best prices of many instruments, as a table and as records."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner, Result
from dragonfly_client._decode import decode_book
from dragonfly_client.messages import Book
from dragonfly_common.cli import main
from dragonfly_protos import market_data_pb2 as pb
from rich.console import Console
from stub_gateway import StubGateway, make_book
from terminal.board import CSV_COLUMNS, BoardScreen, board, csv_record
from terminal.watch import run_watch

NAMES = ("ETH-BTC", "BTC-USD", "SOL-USD")
OUT = dict.fromkeys(("binance", "bitstamp", "kraken"), (pb.STATE_DOWN, "away"))


def book_of(name: str, **how: object) -> Book:
    return decode_book(make_book(name, seq=1, **how), 5)  # type: ignore[arg-type]


BOOKS = {
    "ETH-BTC": book_of("ETH-BTC", mid=0.07),
    "BTC-USD": book_of("BTC-USD", mid=65_000.0, states=OUT),
}


def lines_of(width: int | None) -> list[str]:
    return [line.plain for line in board(NAMES, BOOKS, {"ETH-BTC": 8}, lambda _: 34_000_000, width)]


def test_a_row_for_each_instrument_also_where_nothing_is_live_or_known() -> None:
    head, eth, btc, sol = lines_of(None)
    assert head.split("  ")[0] == "instrument"
    best = BOOKS["ETH-BTC"].best_bid
    assert best is not None
    assert f"{best.price:.8f}" in eth
    assert eth.endswith("3/3    34 ms")
    assert btc.split()[:4] == ["BTC-USD", "-", "-", "-"]
    assert "0/3" in btc
    assert sol.split() == ["SOL-USD", "awaited"]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_price_is_cut(width: int) -> None:
    book = BOOKS["ETH-BTC"]
    assert book.best_bid is not None
    assert book.best_ask is not None
    lines = lines_of(width)
    assert all(len(line) <= width for line in lines)
    assert f"{book.best_bid.price:.8f}" in lines[1]
    assert f"{book.best_ask.price:.8f}" in lines[1]


def test_a_record_has_the_best_prices_or_nothing_in_their_place() -> None:
    eth, btc = (
        dict(zip(CSV_COLUMNS, csv_record(BOOKS[name]).split(","), strict=True))
        for name in ("ETH-BTC", "BTC-USD")
    )
    best = BOOKS["ETH-BTC"].best_bid
    assert best is not None
    assert (eth["live"], eth["ts_in"]) == ("true", "5")
    assert (eth["bid_px_00"], eth["bid_venue_00"]) == (repr(best.price), best.venue)
    assert eth["spread"] == repr(BOOKS["ETH-BTC"].spread)
    assert (btc["live"], btc["bid_px_00"], btc["ask_venue_00"]) == ("false", "", "")
    assert btc["spread"] == ""


async def test_the_table_stays_with_the_summary_beneath(gateway: StubGateway) -> None:
    gateway.known = [*NAMES]
    for name in NAMES[:2]:
        gateway.publish(make_book(name, seq=1))
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=24)
    screen = BoardScreen(console)
    await run_watch(gateway.address, NAMES, seconds=0.3, console=console, screen=screen)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().rpartition("3 instruments of")[2]
    assert "SOL-USD" in last
    assert " books in " in last


def run(gateway: str, *arguments: str) -> Result:
    ran = CliRunner().invoke(main, ["watch", "--gateway", gateway, "--seconds=0.3", *arguments])
    assert ran.exit_code == 0, ran.output
    return ran


def test_the_command_prints_nothing_but_records(stub_address: str) -> None:
    ran = run(stub_address, "--csv", "ETH-BTC", "FOO-BAR")
    rows = [*csv.DictReader(ran.stdout.splitlines())]
    assert {row["instrument"] for row in rows} == {"ETH-BTC"}
    assert all(float(row["bid_px_00"]) < float(row["ask_px_00"]) for row in rows)
    assert "no venue lists FOO-BAR" in ran.stderr

    books = [*map(json.loads, run(stub_address, "--json", "BTC-USD").stdout.splitlines())]
    assert books[0]["instrument"] == "BTC-USD"
    assert books[0]["bids"][0]["venue"] in {"binance", "bitstamp", "kraken"}
