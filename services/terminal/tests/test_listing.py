"""What venues list, as a table and as JSON."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner, Result
from dragonfly_client import Instrument, Instruments, Market
from dragonfly_common.cli import main
from rich.cells import cell_len
from terminal.listing import joined, listed_as_json, rows_of, summary, table

BINANCE = Market(
    "binance",
    "btcusdt",
    False,
    "",
    Decimal("0.01"),
    Decimal("1E-8"),
    Decimal("0.00001"),
    Decimal(5),
)
KRAKEN = Market("kraken", "BTC/USDT", True, "OFF", Decimal("0.1"), None, None, None)
OKX = Market("okx", "BTC-USDT", False, "post_only", None, None, None, None)
LISTED = Instruments(
    [
        Instrument("BTC-USDT", ("binance", "kraken", "okx", "old"), (BINANCE, KRAKEN, OKX)),
        Instrument("币安人生-USDT", ("binance",), (BINANCE,)),
    ],
    {"binance": 2, "kraken": 0, "okx": 1},
)


def test_the_table_has_a_row_for_each_instrument_and_venue() -> None:
    assert [*table(rows_of(LISTED), None)] == [
        "venue    instrument     symbol    tick         lot  min amount  min notional  status",
        "binance  BTC-USDT       btcusdt   0.01  0.00000001     0.00001             5  trading",
        "kraken   BTC-USDT       BTC/USDT   0.1           -           -             -  halted: OFF",
        "okx      BTC-USDT       BTC-USDT     -           -           -             -  post_only",
        "old      BTC-USDT       -            -           -           -             -  -",
        "binance  币安人生-USDT  btcusdt   0.01  0.00000001     0.00001             5  trading",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_cell_is_cut_and_the_columns_that_are_left_out_are_named(width: int) -> None:
    lines = [*table(rows_of(LISTED), width)]
    assert all(cell_len(line) <= width for line in lines)
    cut = [name for name in ("min notional", "min amount", "symbol") if name not in lines[0]]
    assert lines[6:] == ([f"no room for {', '.join(cut)}"] if cut else [])
    assert bool(cut) is (width < 100)


def test_what_is_left_out_of_a_list_is_counted() -> None:
    assert [*summary(rows_of(LISTED), LISTED.left_out)] == [
        "5 markets at 4 venues",
        "left out of the list of binance: 2 markets that could not be read or named",
        "left out of the list of okx: 1 market that could not be read or named",
    ]


def test_json_has_numbers_as_exact_text() -> None:
    told = json.loads(listed_as_json(LISTED))
    assert told["left_out"] == {"binance": 2, "kraken": 0, "okx": 1}
    assert told["instruments"][0]["markets"][:2] == [
        {
            "venue": "binance",
            "symbol": "btcusdt",
            "halted": False,
            "status": "",
            "tick": "0.01",
            "lot": "0.00000001",
            "min_amount": "0.00001",
            "min_notional": "5",
        },
        {
            "venue": "kraken",
            "symbol": "BTC/USDT",
            "halted": True,
            "status": "OFF",
            "tick": "0.1",
            "lot": None,
            "min_amount": None,
            "min_notional": None,
        },
    ]


def test_venues_lists_are_joined_by_instrument() -> None:
    def of(market: Market, *names: str, left_out: int = 0) -> Instruments:
        listed = (Instrument(name, (market.venue,), (market,)) for name in names)
        return Instruments(listed, {market.venue: left_out})

    whole = joined([of(BINANCE, "B-USD", left_out=1), of(KRAKEN, "A-USD", "B-USD")])
    assert [*whole] == [
        Instrument("A-USD", ("kraken",), (KRAKEN,)),
        Instrument("B-USD", ("binance", "kraken"), (BINANCE, KRAKEN)),
    ]
    assert whole.left_out == {"binance": 1, "kraken": 0}


def run(gateway: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["instruments", "--gateway", gateway, *arguments])


def test_the_command_asks_each_venue(stub_address: str) -> None:
    ran = run(stub_address)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "venue    instrument  symbol    tick  lot  min amount  min notional  status",
        "binance  BTC-USD     btc-usd  0.010    -           -             -  trading",
        "binance  ETH-BTC     eth-btc  0.010    -           -             -  trading",
        "2 markets at 1 venue",
        "left out of the list of binance: 2 markets that could not be read or named",
    ]
    one = json.loads(run(stub_address, "--venue=Kraken", "--instrument=eth-btc", "--json").stdout)
    assert [market["venue"] for market in one["instruments"][0]["markets"]] == ["kraken"]


def test_an_instrument_that_is_none_is_one_sentence(stub_address: str) -> None:
    ran = run(stub_address, "--instrument", "ethbtc")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "'ethbtc' is not an instrument" in ran.stderr
    assert "Traceback" not in ran.stderr
