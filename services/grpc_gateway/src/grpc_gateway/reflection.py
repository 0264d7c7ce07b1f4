"""The standard reflection service, for those whom the gateway knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from grpc_reflection.v1alpha import reflection

from grpc_gateway.context import Context
from grpc_gateway.methods import refuse
from grpc_gateway.requests import RefusedError

__all__ = ["Reflection"]


class Reflection(reflection.aio.ReflectionServicer):  # type: ignore[misc]  # ships no types
    """Shows the contracts of `services` to whom `admit` lets in."""

    def __init__(self, services: Iterable[str], admit: Callable[[Context], object]) -> None:
        super().__init__(services)
        self._admit = admit

    async def ServerReflectionInfo(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[Any], context: Context
    ) -> AsyncIterator[Any]:
        try:
            self._admit(context)
        except RefusedError as error:
            await refuse(context, error)
            raise
        async for reply in super().ServerReflectionInfo(request_iterator, context):
            yield reply
