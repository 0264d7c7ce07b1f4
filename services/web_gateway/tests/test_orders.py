"""Orders as a page follows them: looked at when there is news, and rarely without."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal

import grpc
import grpc.aio
import pytest
from dragonfly_client import DragonflyClient
from dragonfly_protos import execution_pb2 as pb
from google.protobuf.message import Message
from patience import patiently
from web_gateway import orders
from web_gateway.order_forms import IntervalForm, orders_form
from web_gateway.orders import OrdersTold, follow_orders

SERVICE = "dragonfly.v1.Execution"


class Engine:
    """A gateway's side of orders: one order, and the news that a test tells of it."""

    def __init__(self, *, tells_news: bool = True) -> None:
        self.order = pb.Order(
            order_id="order-1", quantity="2", filled="0", leaves="2", reserved="0", last_seq=1
        )
        self.order.interval.MergeFrom(pb.IntervalMid(mid="0.0510", seen_ns=3, whole_ns=2**60))
        self.order.state = pb.ORDER_STATE_RUNNING
        self.calls: Counter[str] = Counter()
        self.after: dict[str, int] = {}
        self.news: asyncio.Queue[pb.Report] = asyncio.Queue()
        self.server = grpc.aio.server()
        handlers = {
            "GetEngine": self._unary("GetEngine", pb.GetEngineRequest),
            "List": self._unary("List", pb.ListRequest),
        }
        if tells_news:
            handlers["StreamReports"] = grpc.unary_stream_rpc_method_handler(
                self._reports, pb.ReportsRequest.FromString, pb.Report.SerializeToString
            )
        self.server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, handlers)]
        )
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    def fill(self) -> None:
        self.order.filled = "1"
        self.order.last_seq = 2
        self.news.put_nowait(pb.Report(order_id="order-1", seq=2, cum="1", leaves="1"))

    def _unary(self, name: str, request: type[Message]) -> grpc.RpcMethodHandler:
        async def answer(asked: Message, _: grpc.aio.ServicerContext) -> Message:
            self.calls[name] += 1
            if name == "GetEngine":
                return pb.Engine(engine="stub", paper=True)
            return pb.ListResponse(orders=[self.order])

        return grpc.unary_unary_rpc_method_handler(
            answer, request.FromString, lambda reply: reply.SerializeToString()
        )

    async def _reports(
        self, asked: pb.ReportsRequest, _: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.Report]:
        self.after = dict(asked.after)
        while True:
            yield await self.news.get()


@asynccontextmanager
async def following(engine: Engine) -> AsyncIterator[AsyncGenerator[OrdersTold, None]]:
    """Follow the orders of `engine`."""
    await engine.server.start()
    try:
        async with (
            patiently(),
            DragonflyClient(engine.address) as client,
            aclosing(follow_orders(client)) as told,
        ):
            yield told
    finally:
        await engine.server.stop(None)


async def test_news_of_an_order_is_looked_at_and_nothing_is_asked_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.0)
    monkeypatch.setattr(orders, "ANYWAY_S", 1e6)
    engine = Engine()
    async with following(engine) as told:
        first = await anext(told)
        assert (first.engine.engine, first.orders[0].filled) == ("stub", Decimal(0))
        looking = asyncio.ensure_future(anext(told))
        engine.fill()
        assert (await looking).orders[0].filled == 1
        assert engine.after == {"order-1": 1}, "what is known already is not told again"
        assert engine.calls == {"List": 2, "GetEngine": 2}


async def test_an_order_says_where_the_market_stood_meanwhile() -> None:
    engine = Engine()
    async with following(engine) as told:
        [order] = orders_form(await anext(told)).orders
        assert order.interval == IntervalForm("0.0510", "3", str(2**60))


async def test_where_no_news_can_be_had_it_looks_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.0)
    monkeypatch.setattr(orders, "ANYWAY_S", 0.01)
    engine = Engine(tells_news=False)
    async with following(engine) as told:
        await anext(told)
        engine.fill()
        async for one in told:
            if one.orders[0].filled == 1:
                break
