"""Executable prices as a bot has them: asked as they are meant, decoded whole, refused early."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from dragonfly_client import DragonflyClient, FeeSource, SettingError
from dragonfly_client.sync import Client
from dragonfly_protos import market_data_pb2 as pb
from stub_gateway import StubGateway, make_book


@pytest.fixture
def priced(gateway: StubGateway) -> pb.Executable:
    """What the gateway answers."""
    book = make_book(seq=3)
    part = pb.VenuePart(
        venue="kraken", amount=2, gross_avg=5, worst=6, fee=0.5, fee_bps=26, exhausted=True
    )
    gateway.executable = pb.Executable(
        instrument="ETH-BTC",
        venues=book.venues,
        live=True,
        epoch=7,
        seq=3,
        side=pb.SIDE_SELL,
        prices=[
            pb.ExecutablePrice(
                size=3, filled=2, money=10, gross_avg=5, net_avg=4.9, worst=6, parts=[part]
            ),
            pb.ExecutablePrice(size=1),
        ],
        left_out=[pb.LeftOut(venue="okx", reason="DOWN: gone")],
        mid=5.5,
        fee_source=pb.FEE_SOURCE_BOT,
    )
    return gateway.executable


async def test_a_stream_and_a_get_say_what_was_asked(
    gateway: StubGateway, priced: pb.Executable
) -> None:
    async with DragonflyClient(gateway.address) as client:
        told = await anext(
            client.executable("eth-btc", "sell", 3, fees={"kraken": 26}, min_interval_ms=60)
        )
        again = await client.get_executable(
            "ETH-BTC", "buy", [3, Decimal("0.1")], in_quote=True, venues=["kraken"]
        )
    assert gateway.priced == [
        pb.ExecutableRequest(
            instrument="ETH-BTC",
            side=pb.SIDE_SELL,
            sizes=[3],
            fees={"kraken": 26},
            min_interval_ms=60,
        ),
        pb.ExecutableRequest(
            instrument="ETH-BTC",
            side=pb.SIDE_BUY,
            sizes=[3, 0.1],
            in_quote=True,
            venues=["kraken"],
        ),
    ]
    assert told.prices == again.prices
    assert (told.side, told.mid, told.fee_source) == ("sell", 5.5, FeeSource.BOT)
    assert (told.epoch, told.seq, told.was_live, len(told.venues)) == (7, 3, True, 3)
    full, empty = told.prices
    assert (full.complete, full.filled, full.net_avg, full.cost_bps) == (False, 2, 4.9, None)
    assert (full.parts[0].venue, full.parts[0].fee, full.parts[0].exhausted) == (
        "kraken",
        0.5,
        True,
    )
    assert (empty.net_avg, empty.parts) == (None, ())
    assert [(one.venue, one.reason) for one in told.left_out] == [("okx", "DOWN: gone")]
    assert str(told) == "ETH-BTC sell: 3 at 4.9, only 2; 1 at None, only 0"


def test_the_same_without_an_event_loop(stub_address: str) -> None:
    with Client(stub_address) as client:
        assert next(client.executable("ETH-BTC", "buy", 1)).prices == ()
        assert client.get_executable("ETH-BTC", "buy", 1).fee_source is FeeSource.UNSPECIFIED


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"side": "long"}, "'long' is not a side: give 'buy' or 'sell'"),
        ({"sizes": "50"}, "size '50': give a number"),
        ({"sizes": [True]}, "size True: give a number"),
        ({"fees": "kraken=26"}, "fees 'kraken=26': give {venue: basis points}"),
        ({"fees": {"kraken": "26"}}, "the fee of kraken '26': give a number"),
        ({"min_interval_ms": -1}, "min_interval_ms -1"),
    ],
)
async def test_what_no_request_can_carry_is_refused_at_once(
    given: dict[str, Any], says: str
) -> None:
    asked: dict[str, Any] = {"instrument": "ETH-BTC", "side": "buy", "sizes": 1} | given
    async with DragonflyClient("127.0.0.1:1") as client:
        with pytest.raises(SettingError) as refused:
            client.executable(**asked)
    assert says in str(refused.value)
