"""Orders as a bot gives them: in its words, once, and an outcome in doubt is said to be so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import grpc
import grpc.aio
import pytest
from dragonfly_client import (
    ClientError,
    DragonflyClient,
    DuplicateError,
    InvalidRequestError,
    LimitError,
    SettingError,
    Ticket,
    UnavailableError,
    UnknownOutcomeError,
)
from dragonfly_client.orders import IntervalMid
from dragonfly_client.sync import Client
from dragonfly_protos import execution_pb2 as pb
from dragonfly_protos import market_data_pb2
from google.protobuf.message import Message
from grpc import StatusCode

TICKET = Ticket("mine-1", "eth-btc", "sell", Decimal("1.50"), limit=Decimal("0.052"))
ORDER = pb.Order(
    order_id="order-1",
    client_id="mine-1",
    instrument="ETH-BTC",
    side=market_data_pb2.SIDE_SELL,
    quantity="1.5",
    state=pb.ORDER_STATE_RUNNING,
    filled="1",
    leaves="0.5",
    reserved="0",
    average="0.0525",
    fees={"BTC": "0.0001"},
    last_seq=3,
    arrival=[
        pb.ArrivalBook(venue="kraken", levels=[pb.ArrivalLevel(price="0.05", amount="2")]),
    ],
    interval=pb.IntervalMid(mid="0.051", seen_ns=3, whole_ns=5),
)


def news(seq: int) -> pb.Report:
    fill = pb.Fill(venue="kraken", trade_id=f"t{seq}", price="0.05", amount="1", fee="0")
    return pb.Report(
        order_id="order-1",
        seq=seq,
        kind=pb.REPORT_KIND_FILL,
        state=pb.ORDER_STATE_DONE if seq == 4 else pb.ORDER_STATE_RUNNING,
        cum=str(seq),
        leaves="0",
        fill=fill,
    )


class Desk:
    """A gateway that takes orders, as the test wants it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Message]] = []
        self.status: tuple[StatusCode, str] | None = None
        self.streams = [[news(1), news(2)], [news(2), news(3), news(4)]]
        self.address = ""
        self._server = grpc.aio.server()

    async def start(self) -> None:
        def unary(name: str, request: type[Message], reply: Message) -> grpc.RpcMethodHandler:
            async def answer(asked: Message, context: grpc.aio.ServicerContext) -> Message:
                self.asked.append((name, asked))
                if self.status is not None:
                    await context.abort(*self.status)
                return reply

            return grpc.unary_unary_rpc_method_handler(
                answer, request.FromString, type(reply).SerializeToString
            )

        async def reports(
            asked: pb.ReportsRequest, context: grpc.aio.ServicerContext
        ) -> AsyncIterator[pb.Report]:
            self.asked.append(("StreamReports", asked))
            for one in self.streams.pop(0):
                yield one
            await context.abort(StatusCode.UNAVAILABLE, "the execution engine is not there")

        changes = dict.fromkeys(("Cancel", "Pause", "Resume", "Get"), (pb.OrderRequest, ORDER))
        of_engine = pb.Engine(engine="stub", paper=True, venues=["kraken"])
        kinds: dict[str, tuple[type[Message], Message]] = {
            **changes,
            "Liquidate": (pb.LiquidateRequest, ORDER),
            "PreTrade": (
                pb.LiquidateRequest,
                pb.Estimate(first="kraken 1.5 at 0.05", engine=of_engine),
            ),
            "Replace": (pb.ReplaceRequest, ORDER),
            "Resolve": (pb.ResolveRequest, ORDER),
            "List": (pb.ListRequest, pb.ListResponse(orders=[ORDER])),
            "Kill": (pb.KillRequest, of_engine),
            "Revive": (pb.ReviveRequest, of_engine),
            "GetEngine": (pb.GetEngineRequest, of_engine),
        }
        handlers = {name: unary(name, *kind) for name, kind in kinds.items()}
        handlers["StreamReports"] = grpc.unary_stream_rpc_method_handler(
            reports, pb.ReportsRequest.FromString, pb.Report.SerializeToString
        )
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("dragonfly.v1.Execution", handlers)]
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[DragonflyClient]:
    async with DragonflyClient(desk.address) as client:
        yield client


async def test_a_ticket_goes_in_its_own_words(client: DragonflyClient, desk: Desk) -> None:
    order = await client.liquidate(TICKET)
    assert (order.order_id, order.filled, order.average, order.limit) == (
        "order-1",
        Decimal(1),
        Decimal("0.0525"),
        None,
    )
    assert (order.state, order.side, order.over) == ("running", "sell", False)
    estimate = await client.estimate(replace(TICKET, algorithm="is", end_ns=9, urgency="high"))
    assert (estimate.first, estimate.engine.paper) == ("kraken 1.5 at 0.05", True)
    await client.liquidate(replace(TICKET, algorithm="twap", end_ns=9, randomise=0.0))
    said = pb.LiquidateRequest(
        client_id="mine-1",
        instrument="ETH-BTC",
        side=market_data_pb2.SIDE_SELL,
        quantity="1.50",
        limit="0.052",
    )
    sweep = pb.LiquidateRequest(sweep=pb.Sweep())
    schedule = pb.LiquidateRequest(
        implementation_shortfall=pb.ImplementationShortfall(end_ns=9, urgency=pb.URGENCY_HIGH)
    )
    twap = pb.LiquidateRequest(twap=pb.Twap(end_ns=9, randomise=0.0))
    for algorithm in (sweep, schedule, twap):
        algorithm.MergeFrom(said)
    assert desk.asked == [("Liquidate", sweep), ("PreTrade", schedule), ("Liquidate", twap)]


async def test_an_order_is_found_changed_and_ended(client: DragonflyClient, desk: Desk) -> None:
    await client.cancel("order-1")
    await client.pause(client_id="mine-1")
    await client.resume("order-1")
    await client.replace("order-1", limit=Decimal("0.05"))
    order = await client.order("order-1")
    assert order.client_id == "mine-1"
    (book,) = order.arrival
    assert (book.venue, book.levels, book.fee_bps) == (
        "kraken",
        ((Decimal("0.05"), Decimal(2)),),
        None,
    )
    assert order.interval == IntervalMid(Decimal("0.051"), seen_ns=3, whole_ns=5)
    await client.resolve("order-1", child_id="c1", filled=Decimal(0), reason="looked")
    assert len(await client.orders(everything=True)) == 1
    assert (await client.kill("enough")).venues == ("kraken",)
    assert (await client.revive()).paper
    assert (await client.engine()).engine == "stub"
    assert [name for name, _ in desk.asked] == [
        "Cancel", "Pause", "Resume", "Replace", "Get", "Resolve", "List", "Kill", "Revive",
        "GetEngine",
    ]  # fmt: skip
    assert desk.asked[3][1] == pb.ReplaceRequest(order_id="order-1", limit="0.05")
    assert desk.asked[5][1] == pb.ResolveRequest(
        order_id="order-1", child_id="c1", filled="0", reason="looked"
    )


async def test_news_come_once_over_lost_connections(client: DragonflyClient, desk: Desk) -> None:
    told = []
    async for one in client.order_news("order-1", after={"old": 7}):
        told.append(one.seq)
        if one.over:
            break
    assert told == [1, 2, 3, 4]
    requests = [asked for name, asked in desk.asked if name == "StreamReports"]
    assert requests == [
        pb.ReportsRequest(order_id="order-1", after={"old": 7}),
        pb.ReportsRequest(order_id="order-1", after={"old": 7, "order-1": 2}),
    ]


@pytest.mark.parametrize(
    ("status", "sentence", "error", "in_doubt"),
    [
        (StatusCode.UNKNOWN, "the engine has not answered", UnknownOutcomeError, True),
        (StatusCode.UNAVAILABLE, "Socket closed", UnknownOutcomeError, True),
        (StatusCode.DEADLINE_EXCEEDED, "late", UnknownOutcomeError, True),
        (StatusCode.INTERNAL, "what?", UnknownOutcomeError, True),
        (StatusCode.UNAVAILABLE, "the execution engine is not there", UnavailableError, False),
        (StatusCode.ALREADY_EXISTS, "names another order", DuplicateError, False),
        (StatusCode.RESOURCE_EXHAUSTED, "over the limit", LimitError, False),
        (StatusCode.OUT_OF_RANGE, "no multiple of the lot", InvalidRequestError, False),
    ],
)
async def test_only_what_was_refused_was_surely_not_done(
    client: DragonflyClient,
    desk: Desk,
    status: StatusCode,
    sentence: str,
    error: type[ClientError],
    in_doubt: bool,
) -> None:
    desk.status = (status, sentence)
    with pytest.raises(error, match=sentence) as caught:
        await client.liquidate(TICKET)
    assert isinstance(caught.value, UnknownOutcomeError) is in_doubt
    assert len(desk.asked) == 1  # nothing is sent twice behind the bot's back


async def test_an_order_that_never_left_is_not_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragonfly_client._gets.COMMAND_TIMEOUT_S", 0.2)
    async with DragonflyClient("127.0.0.1:1") as client:
        with pytest.raises(UnavailableError) as caught:
            await client.liquidate(TICKET)
    assert not isinstance(caught.value, UnknownOutcomeError)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantity": 1.5}, "quantity 1.5: give a Decimal, or decimal text"),
        ({"quantity": "x"}, "quantity 'x' is no number"),
        ({"quantity": Decimal("NaN")}, "give a Decimal"),
        ({"limit": Decimal("1E+999")}, "give a Decimal"),
        ({"side": "short"}, "not a side"),
        ({"algorithm": "vwap"}, "give sweep, twap or is"),
        ({"algorithm": "is", "urgency": "now"}, "give low, medium or high"),
    ],
)
async def test_what_can_be_no_ticket_is_not_sent(
    client: DragonflyClient, desk: Desk, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingError, match=says):
        await client.liquidate(replace(TICKET, **changes))
    assert not desk.asked


def test_the_blocking_client_does_the_same(stub_address: str) -> None:
    names = ("liquidate", "estimate", "cancel", "pause", "resume", "replace", "order", "orders")
    for name in (*names, "order_news", "engine", "kill", "revive"):
        assert callable(getattr(Client, name))
    with Client(stub_address) as client, pytest.raises(ClientError, match="with --engine"):
        client.liquidate(TICKET)
