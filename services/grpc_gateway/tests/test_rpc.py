from __future__ import annotations

import random

import pytest
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.refusals import RefusalCode
from gateway_world import IMPATIENT, Bot
from grpc import StatusCode
from grpc_gateway.context import STATUS
from grpc_gateway.rpc import SERVICES, generic_handler
from grpc_gateway.servicer import Servicer
from view_world import Aggregator, make_book, make_caller

SENSIBLE = {
    StatusCode.OK,
    StatusCode.INVALID_ARGUMENT,
    StatusCode.NOT_FOUND,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.UNAVAILABLE,
}
UNARY = ["GetBook", "GetBbo", "GetLiquidity", "GetVenues", "ListInstruments"]


def test_a_servicer_that_lacks_a_method_of_the_contract_fails_at_start() -> None:
    class Lacking(Servicer):
        def __init__(self) -> None: ...
        def __getattribute__(self, name: str) -> object:
            if name == "get_bbo":
                raise AttributeError(name)
            return super().__getattribute__(name)

    with pytest.raises(AttributeError, match="get_bbo"):
        generic_handler(SERVICES[1], Lacking(), lambda _: make_caller())


def test_both_contracts_are_served() -> None:
    assert [service.full_name for service in SERVICES] == [
        "orderbook.OrderbookAggregator",
        "dragonfly.v1.MarketData",
    ]


@IMPATIENT
async def test_arbitrary_bytes_are_answered_or_refused_and_the_next_request_works(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say(make_book())
    seeded = random.Random(5)
    for _ in range(200):
        payload = _mutated(seeded)
        for method in seeded.sample(UNARY, 2):
            assert await bot.status(method, payload) in SENSIBLE, (method, payload)
    book = await bot.get("GetBook", pb.BookRequest(instrument="ETH-BTC"))
    assert isinstance(book, pb.Book)


async def test_arbitrary_bytes_in_a_session_are_refused_and_the_next_session_works(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say(make_book())
    seeded = random.Random(6)
    for _ in range(50):
        session = bot.session()
        await session.send(_mutated(seeded))
        await session.done_sending()
        session.cancel()
    session = bot.session()
    subscription = pb.Subscription(view=pb.VIEW_BOOK, instrument="ETH-BTC")
    await session.send(pb.SessionRequest(subscribe=subscription))
    assert (await session.read(pb.SessionUpdate)).book.live


def _mutated(seeded: random.Random) -> bytes:
    payload = bytearray(pb.BookRequest(instrument="ETH-BTC", depth=3).SerializeToString())
    for _ in range(seeded.randint(1, 4)):
        payload[seeded.randrange(len(payload))] = seeded.randrange(256)
    return bytes(payload[: seeded.randint(0, len(payload))])


def test_every_refusal_is_a_status_of_its_own() -> None:
    assert set(STATUS) == set(RefusalCode)
    assert len(set(STATUS.values())) == len(STATUS)
