"""The gateway as bots see it: real connections, the real bus."""

from __future__ import annotations

import time

from dragonfly_protos import market_data_pb2 as pb
from dragonfly_protos import orderbook_pb2
from gateway_world import Aggregator, Bot, make_book


async def test_a_book_reaches_a_bot_with_its_trailer(aggregator: Aggregator, bot: Bot) -> None:
    said = aggregator.say(make_book())
    before = time.time_ns()
    book = await bot.stream("StreamBook", pb.BookRequest(instrument="ETH-BTC")).read(pb.Book)
    assert before <= book.ts_out <= time.time_ns()
    assert book.replaced == 0
    book.ClearField("ts_out")
    assert book == said


async def test_legacy_client(aggregator: Aggregator, bot: Bot) -> None:
    aggregator.say(make_book())
    summary = await bot.stream("BookSummary", orderbook_pb2.Empty()).read(orderbook_pb2.Summary)
    assert summary.spread == 1 / 32
    assert [level.exchange for level in summary.bids] == ["kraken"] * 3
