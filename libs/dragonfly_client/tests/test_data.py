"""Streams as tables of Arrow, polars and pandas."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
from dragonfly_client import Bbo, Book, ClientError, DragonflyClient, SettingError
from dragonfly_client._decode import decode_bbo, decode_book
from dragonfly_client.data import collect, to_arrow, to_pandas, to_polars
from dragonfly_client.sync import Client
from dragonfly_protos import market_data_pb2 as pb
from stub_gateway import StubGateway, make_bbo, make_book

TIMES = ["ts_event", "ts_recv", "ts_pub", "ts_agg", "ts_out", "ts_in"]
HEAD = [*TIMES, "instrument", "live", "spread", "epoch", "seq", "replaced"]
WIDE = ["bid_px_00", "ask_px_00", "bid_sz_00", "ask_sz_00", "bid_venue_00", "ask_venue_00"]


def some_books() -> list[Book]:
    stale = dict.fromkeys(("binance", "bitstamp", "kraken"), (pb.STATE_STALE, "silent"))
    sent = [make_book(seq=1), make_book(seq=2, depth=3), make_book(seq=3, states=stale)]
    return [decode_book(one, ts_in=one.ts_agg + 1) for one in sent]


async def test_a_stream_is_collected_for_so_many_and_closed(gateway: StubGateway) -> None:
    async with DragonflyClient(gateway.address) as client:
        gateway.publish(make_book(seq=1))
        stream = client.book("ETH-BTC")
        [book] = await collect(stream, count=1)
        assert book.seq == 1
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_stream_is_collected_for_so_long(gateway: StubGateway) -> None:
    async with DragonflyClient(gateway.address) as client:
        gateway.publish(make_book(seq=1))
        assert await collect(client.book("ETH-BTC"), seconds=0.2, count=1000) != []
        with pytest.raises(SettingError, match="collect would not end: give seconds, count"):
            await collect(client.book("ETH-BTC"))


def test_a_plain_stream_collects_itself(stub_address: str) -> None:
    with Client(stub_address) as client:
        assert len(client.book("ETH-BTC").collect(count=3)) == 3


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ClientError, match="to_arrow needs pyarrow, which is not here: install"):
        to_arrow(some_books())


@pytest.mark.examples
def test_a_row_is_a_view_with_its_levels_side_by_side() -> None:
    books = some_books()
    table = to_arrow(books)
    assert table.column_names[:18] == HEAD + WIDE
    assert table.num_columns == 12 + 6 * 10
    assert [str(table.schema.field(name).type) for name in ("ts_agg", "live", "bid_venue_00")] == [
        "timestamp[ns, tz=UTC]",
        "bool",
        "string",
    ]
    first, short, nothing = table.to_pylist()
    assert first["ask_px_09"] == books[0].asks[9].price
    assert (short["bid_sz_02"], short["bid_sz_03"]) == (books[1].bids[2].amount, None)
    assert (nothing["live"], nothing["bid_px_00"], nothing["bid_venue_00"]) == (False, None, None)
    assert (first["spread"], nothing["spread"]) == (books[0].spread, None)
    assert to_arrow(books, depth=1).column_names == HEAD + WIDE


@pytest.mark.examples
def test_a_row_can_be_a_level() -> None:
    books = some_books()
    rows = to_arrow(books, depth=2, long=True).to_pylist()
    assert len(rows) == 8  # the last book has none
    told = [(one["seq"], one["side"], one["level"], one["price"], one["venue"]) for one in rows[:3]]
    assert told == [
        (1, side, place, level.price, level.venue)
        for side, place, level in (
            ("bid", 0, books[0].bids[0]),
            ("bid", 1, books[0].bids[1]),
            ("ask", 0, books[0].asks[0]),
        )
    ]


@pytest.mark.examples
def test_all_three_libraries_have_the_same_table() -> None:
    books = some_books()
    arrow, polars, pandas = to_arrow(books), to_polars(books), to_pandas(books)
    assert polars.columns == list(pandas.columns) == arrow.column_names
    assert polars["seq"].to_list() == pandas["seq"].to_list() == [1, 2, 3]
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=books[0].ts_agg // 1000)
    assert polars["ts_agg"][0] == at
    assert pandas["ts_agg"][0].value == books[0].ts_agg
    assert pandas["ask_px_00"].isna().tolist() == [False, False, True]


@pytest.mark.examples
def test_best_prices_are_a_table_of_one_level_and_nothing_is_an_empty_one() -> None:
    sent = make_bbo(make_book(seq=5))
    bbo: Bbo = decode_bbo(sent, ts_in=0)
    [row] = to_arrow([bbo]).to_pylist()
    assert (row["bid_px_00"], row["ask_venue_00"]) == (sent.bid.price, sent.ask.venue)
    assert to_polars([]).columns == HEAD
    assert to_pandas([], depth=1, long=True).shape == (0, 17)


def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(SettingError, match="str is no row of a table: give Books or Bbos"):
        to_arrow(["ETH-BTC"])  # type: ignore[list-item]  # that is the point
    with pytest.raises(SettingError, match="depth 0"):
        to_arrow([], depth=0)
