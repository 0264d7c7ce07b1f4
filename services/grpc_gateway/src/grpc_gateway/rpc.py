"""The contracts' methods as gRPC handlers: requests are parsed here, replies are bytes already.

The methods come from the services' descriptors: one that the servicer lacks fails at start.

To gRPC all of them are streams both ways, which on the wire is the same. Otherwise it would wait by
itself for the one request of a call, before anybody here knows of the call, and for ever: a
stranger could take all the places that there are with calls that never ask for anything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from dragonfly_protos import execution_pb2, market_data_pb2, orderbook_pb2
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from grpc_gateway import counters
from grpc_gateway.context import STATUS, Context
from grpc_gateway.requests import parse

__all__ = ["EXECUTION", "SERVICES", "Admit", "generic_handler"]

SERVICES: Final[tuple[ServiceDescriptor, ...]] = (
    orderbook_pb2.DESCRIPTOR.services_by_name["OrderbookAggregator"],
    market_data_pb2.DESCRIPTOR.services_by_name["MarketData"],
)
EXECUTION: Final[ServiceDescriptor] = execution_pb2.DESCRIPTOR.services_by_name["Execution"]
ABORT_WAIT_S: Final = 0.5
REQUEST_WITHIN_S: Final = 3.0

Admit = Callable[[Context], object]
# What it is asked, in which call, and by whom; bytes are the reply where there is but one.
Implementation = Callable[[Any, Context, Any], Awaitable[bytes | None]]


def generic_handler(
    service: ServiceDescriptor, servicer: object, admit: Admit
) -> grpc.GenericRpcHandler:
    """Return what a server needs to answer every method of a service.

    `servicer` has a method for each, in snake case; `admit` says who calls, or refuses.
    """
    return grpc.method_handlers_generic_handler(
        service.full_name,
        {method.name: _handler(method, servicer, admit) for method in service.methods},
    )


def _handler(method: MethodDescriptor, servicer: object, admit: Admit) -> grpc.RpcMethodHandler:
    implementation: Implementation = getattr(servicer, _snake_case(method.name))
    one = None if method.client_streaming else GetMessageClass(method.input_type)

    async def respond(requests: object, context: Context) -> None:
        """Find out who calls, and turn a refusal into the call's status."""
        try:
            caller = admit(context)
            asked = await _read_request(one, context) if one else requests
            reply = await implementation(asked, context, caller)
        except CallRefusedError as error:
            await _refuse(context, error)
            raise
        if reply is not None:
            await context.write(reply)

    return grpc.stream_stream_rpc_method_handler(respond)


async def _read_request(kind: type[Message], context: Context) -> Message:
    try:
        async with asyncio.timeout(REQUEST_WITHIN_S):
            payload = await context.read()
    except TimeoutError:
        raise CallRefusedError(
            RefusalCode.OVERDUE,
            f"no request followed its call within {REQUEST_WITHIN_S:g} s: send both together",
        ) from None
    if not isinstance(payload, bytes):
        name = kind.DESCRIPTOR.full_name
        raise CallRefusedError(RefusalCode.INVALID, f"a call without a request: send a {name}")
    return parse(kind, payload)


async def _refuse(context: Context, error: CallRefusedError) -> None:
    """Count a refusal and end the call with it."""
    status = STATUS[error.code]
    counters.REFUSED.labels(status.name).inc()
    try:
        async with asyncio.timeout(ABORT_WAIT_S):
            await context.abort(status, error.sentence)
    except TimeoutError:
        # The status waits behind what the bot never read. The transport keeps it until then; the
        # handler ends now, in the one way that grpc.aio takes for an orderly one.
        raise asyncio.CancelledError from None


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
