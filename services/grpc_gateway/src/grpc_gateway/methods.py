"""The contracts' methods as gRPC handlers: requests are parsed here, replies are bytes already.

The methods come from the services' descriptors: one that the servicer lacks fails at start.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
from dragonfly_protos import market_data_pb2, orderbook_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from grpc_gateway import counters
from grpc_gateway.accounts import Caller
from grpc_gateway.context import Context
from grpc_gateway.requests import RefusedError, parse
from grpc_gateway.servicer import Servicer

__all__ = ["SERVICES", "Admit", "generic_handlers", "refuse"]

SERVICES: Final[tuple[ServiceDescriptor, ...]] = (
    orderbook_pb2.DESCRIPTOR.services_by_name["OrderbookAggregator"],
    market_data_pb2.DESCRIPTOR.services_by_name["MarketData"],
)
ABORT_WAIT_S: Final = 0.5

Handler = Callable[[object, Context], Awaitable[bytes | None]]
Admit = Callable[[Context], Caller]
Implementation = Callable[[object, Context, Caller], Awaitable[bytes | None]]


def generic_handlers(servicer: Servicer, admit: Admit) -> list[grpc.GenericRpcHandler]:
    """Return what a server needs to answer every method of both contracts.

    `admit` says who calls, or refuses.
    """
    return [
        grpc.method_handlers_generic_handler(
            service.full_name,
            {method.name: _handler(method, servicer, admit) for method in service.methods},
        )
        for service in SERVICES
    ]


def _handler(method: MethodDescriptor, servicer: Servicer, admit: Admit) -> grpc.RpcMethodHandler:
    implementation: Implementation = getattr(servicer, _snake_case(method.name))
    if method.client_streaming:
        return grpc.stream_stream_rpc_method_handler(_answering(implementation, admit))
    kind = GetMessageClass(method.input_type)
    answer = _answering(_parsing(kind, implementation), admit)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(answer)
    return grpc.unary_unary_rpc_method_handler(answer)


def _parsing(kind: type[Message], implementation: Implementation) -> Implementation:
    async def respond(payload: object, context: Context, caller: Caller) -> bytes | None:
        assert isinstance(payload, bytes)
        return await implementation(parse(kind, payload), context, caller)

    return respond


def _answering(implementation: Implementation, admit: Admit) -> Handler:
    """Find out who calls, and turn a refusal into the call's status."""

    async def respond(request: object, context: Context) -> bytes | None:
        try:
            return await implementation(request, context, admit(context))
        except RefusedError as error:
            await refuse(context, error)
            raise

    return respond


async def refuse(context: Context, error: RefusedError) -> None:
    """Count a refusal and end the call with it."""
    counters.REFUSED.labels(error.code.name).inc()
    try:
        async with asyncio.timeout(ABORT_WAIT_S):
            await context.abort(error.code, error.sentence)
    except TimeoutError:
        # The status waits behind what the bot never read. The transport keeps it until then; the
        # handler ends now, in the one way that grpc.aio takes for an orderly one.
        raise asyncio.CancelledError from None


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
