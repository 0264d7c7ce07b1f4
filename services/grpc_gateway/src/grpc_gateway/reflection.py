"""The standard reflection service, for those whom the gateway knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from dragonfly_views.accounts import Caller
from google.protobuf.descriptor import ServiceDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2

from grpc_gateway.context import Context
from grpc_gateway.requests import parse
from grpc_gateway.streams import Streams

__all__ = ["Reflection"]


class Reflection:
    """Shows the contracts of `services`; each call is one of the bot's streams."""

    service: Final[ServiceDescriptor] = reflection_pb2.DESCRIPTOR.services_by_name[
        "ServerReflection"
    ]

    def __init__(self, services: Iterable[str], streams: Streams) -> None:
        self._servicer = reflection.aio.ReflectionServicer(services)
        self._streams = streams

    async def server_reflection_info(
        self, requests: AsyncIterator[bytes], context: Context, caller: Caller
    ) -> None:
        with self._streams.open(caller):
            replies = self._servicer.ServerReflectionInfo(_parsed(requests), context)
            async for reply in replies:
                await context.write(reply.SerializeToString())


async def _parsed(requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for payload in requests:
        yield parse(reflection_pb2.ServerReflectionRequest, payload)
