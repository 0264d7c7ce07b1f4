"""The service of orders, one method per rpc: relays them to the engine, and its reports to bots.

No order is kept here. A command has an id for as long as its call waits, and is sent again under it
until it is answered; each stream of reports is a front end of its own to the engine, which reads
from its journal what the bot has not: a gateway may die at any time and loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Final

from dragonfly_common.bus import Keys, drive
from dragonfly_common.clock import Clock
from dragonfly_orders.front_end import AnswerOverdueError, FrontEnd
from dragonfly_orders.messages import (
    LONGEST_ID,
    AnswerCode,
    Cancel,
    CommandAnswer,
    CommandBody,
    EngineHello,
    Kill,
    ListOrders,
    OrderStatus,
    Pause,
    Replace,
    Report,
    Resolve,
    Resume,
    Revive,
    StatusOf,
    owner_by_fix,
)
from dragonfly_protos import execution_pb2 as pb
from dragonfly_protos import market_data_pb2
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode, invalid

from grpc_gateway.context import Context
from grpc_gateway.orders import (
    REFUSALS,
    check_sendable,
    engine_of,
    liquidate_of,
    money_of,
    order_of,
    report_of,
)
from grpc_gateway.streams import Streams

__all__ = ["ExecutionServicer"]

ENGINE_WITHIN_S: Final = 3.0
"""A stream of reports ends where the engine is not there for so long."""
MOST_REPORTS: Final = 4096
"""That wait for a bot to read them; the engine keeps all."""
NOBODY: Final = "-"
"""No bot has this name: the front end of commands is sent no reports."""
WITHOUT_NAME: Final = "anyone"
"""The owner of orders at a gateway that asks for no token."""

AboutOrder = pb.OrderRequest | pb.ReplaceRequest | pb.ResolveRequest
GetExecutable = Callable[[market_data_pb2.ExecutableRequest, Context, Caller], Awaitable[bytes]]


class ExecutionServicer:
    """Answers bots from what the engine says."""

    def __init__(
        self,
        engine: str,
        streams: Streams,
        clock: Clock,
        get_executable: GetExecutable,
        *,
        instance: str,
        asks_tokens: bool,
        keys: Keys | None,
    ) -> None:
        """Connect to the engine at the address `engine`.

        Args:
            engine: where it takes orders.
            streams: the bots' streams.
            clock: the time.
            get_executable: answers what an amount costs now.
            instance: the gateway's own name.
            asks_tokens: no bot gets in without one.
            keys: for tcp.

        Raises:
            AddressError: the address is malformed.
        """
        self._address = engine
        self._streams = streams
        self._clock = clock
        self._get_executable = get_executable
        self._instance = instance
        self._asks_tokens = asks_tokens
        self._keys = keys
        self._front_end = self._connect((NOBODY,), lambda report: None)
        self.channel = self._front_end.channel
        self.turn = self._front_end.turn
        self.close = self._front_end.close

    async def liquidate(
        self, request: pb.LiquidateRequest, context: Context, caller: Caller
    ) -> bytes:
        self._engine(caller)
        answer = await self._ask(caller, liquidate_of(request))
        return _encoded(answer.orders)

    async def pre_trade(
        self, request: pb.LiquidateRequest, context: Context, caller: Caller
    ) -> bytes:
        engine = self._engine(caller)
        order = liquidate_of(request, dry_run=True)
        answer = await self._ask(caller, order)
        question = market_data_pb2.ExecutableRequest(
            instrument=order.instrument,
            side=request.side,
            sizes=[float(order.quantity)],
            venues=order.venues or engine.venues,
        )
        told = await self._get_executable(question, context, caller)
        return pb.Estimate(
            first=answer.text,
            executable=market_data_pb2.Executable.FromString(told),
            engine=engine_of(engine),
        ).SerializeToString()

    async def cancel(self, request: pb.OrderRequest, context: Context, caller: Caller) -> bytes:
        return await self._change(caller, request, Cancel)

    async def pause(self, request: pb.OrderRequest, context: Context, caller: Caller) -> bytes:
        return await self._change(caller, request, Pause)

    async def resume(self, request: pb.OrderRequest, context: Context, caller: Caller) -> bytes:
        return await self._change(caller, request, Resume)

    async def replace(self, request: pb.ReplaceRequest, context: Context, caller: Caller) -> bytes:
        has = request.HasField
        quantity = money_of("quantity", request.quantity) if has("quantity") else None
        limit = money_of("limit", request.limit) if has("limit") else None
        if quantity is None and limit is None:
            raise invalid("nothing to change: give a quantity, a limit or both")
        return await self._change(
            caller, request, lambda order_id: Replace(order_id, quantity, limit)
        )

    async def resolve(self, request: pb.ResolveRequest, context: Context, caller: Caller) -> bytes:
        if not request.reason:
            raise invalid("no reason: say who looked where, and what it showed")
        filled = money_of("filled", request.filled)
        return await self._change(
            caller,
            request,
            lambda order_id: Resolve(order_id, request.child_id, filled, request.reason),
            by_fix=True,
        )

    async def get(self, request: pb.OrderRequest, context: Context, caller: Caller) -> bytes:
        self._engine(caller)
        return _encoded((await self._status(caller, request),))

    async def list(self, request: pb.ListRequest, context: Context, caller: Caller) -> bytes:
        self._engine(caller)
        answer = await self._ask(caller, ListOrders(open_only=not request.all))
        return pb.ListResponse(orders=map(order_of, answer.orders)).SerializeToString()

    async def kill(self, request: pb.KillRequest, context: Context, caller: Caller) -> bytes:
        # Also where the engine is not heard: it may come within the time.
        await self._ask(caller, Kill(request.reason))
        return self._told(killed=True)

    async def revive(self, request: pb.ReviveRequest, context: Context, caller: Caller) -> bytes:
        self._engine(caller)
        await self._ask(caller, Revive())
        return self._told(killed=False)

    async def get_engine(
        self, request: pb.GetEngineRequest, context: Context, caller: Caller
    ) -> bytes:
        return engine_of(self._engine(caller)).SerializeToString()

    async def stream_reports(
        self, request: pb.ReportsRequest, context: Context, caller: Caller
    ) -> None:
        self._engine(caller)
        only, seqs, owner = request.order_id, dict(request.after), self._owner(caller)
        if only:
            owner = (await self._status(caller, pb.OrderRequest(order_id=only))).owner
            known = await self._ask(caller, ListOrders(open_only=False), owner)
            others = {one.order_id: one.last_seq for one in known.orders if one.order_id != only}
            seqs = {**others, only: seqs.get(only, 0)}
        with self._streams.open(caller) as stream:
            reports: deque[Report] = deque()

            def take(report: Report) -> None:
                if only in {"", report.order_id}:
                    reports.append(report)
                    stream.wake()

            front_end = self._connect((owner,), take, seqs)
            heard_at = self._clock.monotonic()

            def turn() -> float:
                nonlocal heard_at
                wait_s = front_end.turn()
                now = self._clock.monotonic()
                if front_end.engine is not None:
                    heard_at = now
                elif now - heard_at > ENGINE_WITHIN_S:
                    stream.end(_no_engine())
                if len(reports) > MOST_REPORTS:
                    stream.end(
                        CallRefusedError(
                            RefusalCode.STALLED,
                            f"{MOST_REPORTS} reports wait to be read: read faster, or open the"
                            " stream again after the last one that was read",
                        )
                    )
                return wait_s

            with closing(front_end):
                driving = asyncio.create_task(drive((front_end.channel,), turn))
                try:
                    while True:
                        while reports:
                            payload = report_of(reports.popleft()).SerializeToString()
                            await stream.write(context, payload, self._clock.monotonic())
                        await stream.woken()
                finally:
                    driving.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await driving

    def _connect(
        self,
        owners: tuple[str, ...],
        on_report: Callable[[Report], None],
        seqs: dict[str, int] | None = None,
    ) -> FrontEnd:
        name = f"{self._instance[:40]}.{secrets.token_hex(8)}"
        return FrontEnd(
            self._address,
            name,
            self._clock,
            on_report,
            owners=owners,
            seqs=seqs or {},
            keys=self._keys,
        )

    def _engine(self, caller: Caller) -> EngineHello:
        """Return what the engine says of itself.

        Raises:
            CallRefusedError: it is not there, or its orders are real and anybody could give them.
        """
        engine = self._front_end.engine
        if engine is None:
            raise _no_engine()
        if not (engine.paper or self._asks_tokens):
            raise CallRefusedError(
                RefusalCode.PRECONDITION,
                "the engine's orders are real, and this gateway asks nobody for a token: start it"
                " with --tokens",
            )
        return engine

    def _owner(self, caller: Caller) -> str:
        return caller.account.name or WITHOUT_NAME

    async def _ask(self, caller: Caller, body: CommandBody, owner: str = "") -> CommandAnswer:
        """Return the engine's answer, which is a yes; `owner` is the caller unless it is given.

        Raises:
            CallRefusedError: it says no, or has not answered in time.
        """
        check_sendable(body)
        try:
            answer = await self._front_end.ask(owner or self._owner(caller), body)
        except AnswerOverdueError as error:
            raise CallRefusedError(RefusalCode.UNKNOWN_OUTCOME, str(error)) from None
        if answer.code is not AnswerCode.ACCEPTED:
            raise CallRefusedError(REFUSALS[answer.code], answer.text)
        return answer

    async def _status(self, caller: Caller, request: AboutOrder) -> OrderStatus:
        if bool(request.order_id) == bool(request.client_id):
            raise invalid("which order? Give its order_id or its client_id, one of the two")
        question = StatusOf(request.order_id, request.client_id)
        missing: list[CallRefusedError] = []
        for owner in (self._owner(caller), *(_owners_by_fix(caller) if request.order_id else ())):
            try:
                return (await self._ask(caller, question, owner)).orders[0]
            except CallRefusedError as error:
                if error.code is not RefusalCode.NOT_FOUND:
                    raise
                missing.append(error)
        raise missing[0]

    async def _change(
        self,
        caller: Caller,
        request: AboutOrder,
        body: Callable[[str], CommandBody],
        *,
        by_fix: bool = False,
    ) -> bytes:
        """Have an order changed; one that the caller gave by FIX only where `by_fix` says so."""
        self._engine(caller)
        status = await self._status(caller, request)
        if status.owner in _owners_by_fix(caller) and not by_fix:
            raise CallRefusedError(
                RefusalCode.PRECONDITION,
                "the order was given by FIX: change it there; only its doubts are resolved here",
            )
        await self._ask(caller, body(status.order_id), status.owner)
        question = StatusOf(status.order_id)
        return _encoded((await self._ask(caller, question, status.owner)).orders)

    def _told(self, *, killed: bool) -> bytes:
        engine = self._front_end.engine
        told = engine_of(engine) if engine else pb.Engine()
        told.killed = killed
        return told.SerializeToString()


def _encoded(orders: tuple[OrderStatus, ...]) -> bytes:
    return order_of(orders[0]).SerializeToString()


def _owners_by_fix(caller: Caller) -> list[str]:
    """Return whose orders by FIX a caller may see: those of its token's CompIDs."""
    owners = map(owner_by_fix, sorted(caller.comp_ids or ()))
    return [one for one in owners if len(one) <= LONGEST_ID]


def _no_engine() -> CallRefusedError:
    return CallRefusedError(RefusalCode.UNAVAILABLE, "the execution engine is not there: try later")
