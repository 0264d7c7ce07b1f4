"""Executable prices as bots see them: streams, gets, whose fees, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_pricing.fees import FeeTable
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.relay import ViewKey
from gateway_world import Bot, RunningGateway, running
from grpc import StatusCode
from grpc_gateway.service import GatewayOptions
from view_world import Aggregator, until, write_tokens

LEVELS = ViewKey(ViewKind.LEVELS, "ETH-BTC")
BUY = pb.ExecutableRequest(instrument="ETH-BTC", side=pb.SIDE_BUY, sizes=[2])


def say_asks(aggregator: Aggregator, asks: Sequence[tuple[float, float]]) -> pb.Book:
    """Publish all levels of a book of one venue, the asks as given."""
    book = pb.Book(
        instrument="ETH-BTC",
        bids=[pb.Level(venue="kraken", price=99.0, amount=1.0)],
        asks=[pb.Level(venue="kraken", price=price, amount=amount) for price, amount in asks],
        venues=[pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=7, ts_recv=5)],
        live=True,
    )
    said = aggregator.say(book, kind=ViewKind.LEVELS)
    assert isinstance(said, pb.Book)
    return said


def changed(**fields: Any) -> pb.ExecutableRequest:
    request = pb.ExecutableRequest()
    request.CopyFrom(BUY)
    for name, value in fields.items():
        if name in {"sizes", "venues"}:
            request.ClearField(name)
        request.MergeFrom(pb.ExecutableRequest(**{name: value}))
    return request


async def test_a_stream_tells_of_each_change_of_what_was_asked(
    aggregator: Aggregator, bot: Bot
) -> None:
    stream = bot.stream("StreamExecutable", BUY)
    await until(lambda: LEVELS in aggregator.wanted)
    said = say_asks(aggregator, [(100.0, 1.0), (102.0, 5.0)])
    told = await stream.read(pb.Executable)
    assert (told.epoch, told.seq, told.venues[0].venue_seq) == (said.epoch, said.seq, 7)
    assert (told.prices[0].net_avg, told.prices[0].complete) == (101.0, True)
    assert told.fee_source == pb.FEE_SOURCE_NONE
    assert told.ts_out > 0
    say_asks(aggregator, [(100.0, 1.0), (102.0, 6.0)])  # nothing of it is taken
    said = say_asks(aggregator, [(100.0, 1.0), (102.5, 6.0)])
    told = await stream.read(pb.Executable)
    assert (told.seq, told.prices[0].net_avg) == (said.seq, 101.25)
    await aggregator.close()
    told = await stream.read(pb.Executable)
    assert (told.live, told.epoch) == (False, 0)
    assert not told.prices[0].complete
    assert told.left_out[0].reason.startswith("DOWN: aggregator lost")


async def test_a_get_answers_several_sizes_and_money(aggregator: Aggregator, bot: Bot) -> None:
    say_asks(aggregator, [(100.0, 1.0), (102.0, 5.0)])
    told = await bot.get("GetExecutable", changed(sizes=[1, 7, 2]))
    assert isinstance(told, pb.Executable)
    assert [(one.size, one.complete, one.filled) for one in told.prices] == [
        (1, True, 1),
        (7, False, 6),
        (2, True, 2),
    ]
    assert told.prices[1].parts[0].exhausted
    told = await bot.get("GetExecutable", changed(sizes=[151], in_quote=True))
    assert isinstance(told, pb.Executable)
    assert (told.prices[0].filled, told.prices[0].money) == (1.5, 151)


async def test_the_nearest_table_of_fees_is_used_and_named(
    options: GatewayOptions, aggregator: Aggregator, tmp_path: Path
) -> None:
    say_asks(aggregator, [(100.0, 5.0)])
    file = tmp_path / "tokens.toml"
    write_tokens(file, {"plain": ["a"], "own": ["b"]})
    file.write_text(f"{file.read_text()}fees = {{kraken = 20}}\n")
    of_gateway = replace(options, tokens=file, fees=FeeTable.of({"*": 10}))
    async with running(of_gateway) as gateway:
        for token, fees, source, bps in (
            ("a", {}, pb.FEE_SOURCE_GATEWAY, 10),
            ("b", {}, pb.FEE_SOURCE_BOT, 20),
            ("b", {"kraken": 30.5}, pb.FEE_SOURCE_REQUEST, 30.5),
        ):
            async with gateway.bot(token=token) as bot:
                told = await bot.get("GetExecutable", changed(fees=fees))
                assert isinstance(told, pb.Executable)
                assert (told.fee_source, told.prices[0].parts[0].fee_bps) == (source, bps)
                assert told.prices[0].net_avg == 100 + bps / 100


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (pb.ExecutableRequest(instrument="ETH-BTC", sizes=[1]), "no side: give SIDE_BUY"),
        (changed(sizes=[]), "0 sizes: give 1 to 16"),
        (changed(sizes=[1.0] * 17), "17 sizes: give 1 to 16"),
        (changed(sizes=[0]), "size 0 is out of range"),
        (changed(sizes=[float("nan")]), "size nan is out of range"),
        (changed(sizes=[float("inf")]), "size inf is out of range"),
        (changed(sizes=[-1]), "size -1 is out of range"),
        (changed(fees={"kraken": 5000}), "the fee of kraken is '5000.0': give basis points"),
        (changed(venues=["kraken"] * 65), "more than 64 venues"),
        (changed(min_interval_ms=60_001), "min_interval_ms"),
        (
            pb.ExecutableRequest(instrument="eth/btc", side=pb.SIDE_BUY, sizes=[1]),
            "did you mean ETH-BTC",
        ),
    ],
)
async def test_what_cannot_be_priced_is_refused_in_a_sentence(
    aggregator: Aggregator, bot: Bot, asked: pb.ExecutableRequest, says: str
) -> None:
    for method in ("StreamExecutable", "GetExecutable"):
        code, sentence = await bot.refusal(method, asked)
        assert code is StatusCode.INVALID_ARGUMENT
        assert says in sentence


async def test_an_instrument_that_nobody_lists_is_refused(
    gateway: RunningGateway, aggregator: Aggregator
) -> None:
    async with gateway.bot() as bot:
        request = pb.ExecutableRequest(instrument="DOGE-BTC", side=pb.SIDE_BUY, sizes=[1])
        code, sentence = await bot.refusal("GetExecutable", request)
        assert code is StatusCode.NOT_FOUND
        assert "no venue lists DOGE-BTC" in sentence
