"""The half of the client that has orders worked: what the execution engine is asked, and tells."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from decimal import Decimal

from dragonfly_protos import execution_pb2 as pb
from google.protobuf.message import Message

from dragonfly_client._calls import Calls
from dragonfly_client._decode import parse
from dragonfly_client._follow import FollowPolicy, follow
from dragonfly_client._gets import Gets
from dragonfly_client._liveness import StreamLiveness
from dragonfly_client._orders import (
    check_amount,
    decode_engine,
    decode_estimate,
    decode_news,
    decode_order,
    encode_ticket,
)
from dragonfly_client.errors import ClientError
from dragonfly_client.orders import CostEstimate, EngineState, OrderNews, Ticket, WorkedOrder

__all__ = ["OrderClient"]


class OrderClient:
    """The orders of a `DragonflyClient`, which is what a bot makes."""

    def __init__(
        self, calls: Calls, gets: Gets, following: FollowPolicy, now_ns: Callable[[], int]
    ) -> None:
        self._calls = calls
        self._gets = gets
        self._following = following
        self._now_ns = now_ns

    async def liquidate(self, ticket: Ticket) -> WorkedOrder:
        """Have an order worked; return it as it was taken. `order_news` tells of its fills.

        Raises:
            UnknownOutcomeError: it may have been taken: send the same ticket again.
            DuplicateError: its `client_id` names another order.
        """
        return await self._command_order("Liquidate", encode_ticket(ticket))

    async def estimate(self, ticket: Ticket) -> CostEstimate:
        """Return what a ticket would do first, and what all of it would cost now."""
        payload = await self._get("PreTrade", encode_ticket(ticket))
        return decode_estimate(parse(pb.Estimate, payload), self._now_ns())

    async def cancel(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """End an order: nothing more is sent. It is "cancelled" when all it sent is resolved."""
        request = pb.OrderRequest(order_id=order_id, client_id=client_id)
        return await self._command_order("Cancel", request)

    async def pause(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """Send nothing more for now."""
        request = pb.OrderRequest(order_id=order_id, client_id=client_id)
        return await self._command_order("Pause", request)

    async def resume(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """Go on, also after a restart of the engine, which pauses all orders."""
        request = pb.OrderRequest(order_id=order_id, client_id=client_id)
        return await self._command_order("Resume", request)

    async def resolve(
        self,
        order_id: str = "",
        *,
        client_id: str = "",
        child_id: str,
        filled: Decimal,
        reason: str,
    ) -> WorkedOrder:
        """End the doubt about an order at a venue by your word.

        Look at the venue's own lists first: `filled` is what they show of it, and must be what is
        counted of it already.

        Raises:
            InvalidRequestError: the venue may still say what became of it, or `filled` is not what
                is counted.
        """
        request = pb.ResolveRequest(
            order_id=order_id,
            client_id=client_id,
            child_id=child_id,
            filled=check_amount("filled", filled),
            reason=reason,
        )
        return await self._command_order("Resolve", request)

    async def replace(
        self,
        order_id: str = "",
        *,
        client_id: str = "",
        quantity: Decimal | None = None,
        limit: Decimal | None = None,
    ) -> WorkedOrder:
        """Change an open order's total quantity, downwards, or its limit; what is None stays."""
        request = pb.ReplaceRequest(
            order_id=order_id,
            client_id=client_id,
            quantity=check_amount("quantity", quantity),
            limit=check_amount("limit", limit),
        )
        return await self._command_order("Replace", request)

    async def order(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """Return an order, by the engine's id or by this bot's own."""
        request = pb.OrderRequest(order_id=order_id, client_id=client_id)
        return decode_order(parse(pb.Order, await self._get("Get", request)))

    async def orders(self, *, everything: bool = False) -> tuple[WorkedOrder, ...]:
        """Return this bot's open orders; with `everything`, those that are over, too."""
        payload = await self._get("List", pb.ListRequest(all=everything))
        return tuple(map(decode_order, parse(pb.ListResponse, payload).orders))

    def order_news(
        self, order_id: str = "", *, after: Mapping[str, int] | None = None
    ) -> AsyncGenerator[OrderNews, None]:
        """Stream every fact of an order, or of all of this bot's, each once and in its order.

        `after` names, by order, the last `seq` that the bot has: the facts before are not told.
        The stream outlives its connections and the engine's restarts.
        """
        told = dict(after or {})
        liveness = StreamLiveness()

        def decode(payload: bytes) -> OrderNews:
            return decode_news(parse(pb.Report, payload))

        async def connect() -> AsyncGenerator[OrderNews, None]:
            request = pb.ReportsRequest(order_id=order_id, after=told)
            calls = self._calls.server_stream("StreamReports", request, decode, liveness)
            async with contextlib.aclosing(calls) as stream:
                async for news in stream:
                    if news.seq > told.get(news.order_id, 0):
                        told[news.order_id] = news.seq
                        yield news

        return follow(f"orders {order_id}".strip(), connect, self._following)

    async def engine(self) -> EngineState:
        """Return what the engine says of itself."""
        payload = await self._get("GetEngine", pb.GetEngineRequest())
        return decode_engine(parse(pb.Engine, payload))

    async def kill(self, reason: str = "") -> EngineState:
        """Stop everything, of every customer: all orders are cancelled, and none is taken."""
        payload = await self._command("Kill", pb.KillRequest(reason=reason))
        return decode_engine(parse(pb.Engine, payload))

    async def revive(self) -> EngineState:
        """Let the engine take orders again after a kill."""
        payload = await self._command("Revive", pb.ReviveRequest())
        return decode_engine(parse(pb.Engine, payload))

    async def _command_order(self, method: str, request: Message) -> WorkedOrder:
        return decode_order(parse(pb.Order, await self._command(method, request)))

    async def _get(self, method: str, request: Message) -> bytes:
        self._check_open()
        return await self._gets.ask(method, request)

    async def _command(self, method: str, request: Message) -> bytes:
        self._check_open()
        return await self._gets.command(method, request)

    def _check_open(self) -> None:
        if self._following.closed.is_set():
            raise ClientError("this client is closed")
