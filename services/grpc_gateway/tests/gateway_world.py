"""What surrounds the gateway in the tests: bots, and the gateway itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final, Self, TypeVar

import grpc
import grpc.aio
import pytest
from dragonfly_common.clock import SteadyClock
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_protos import execution_pb2, orderbook_pb2
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_gateway.service import GatewayOptions, serve
from patience import eventually, patiently
from view_world import until

M = TypeVar("M", bound=Message)

IMPATIENT: Final = pytest.mark.parametrize("patience_s", [0.4])
"""Of tests in which something never comes, and that is said."""

_METHODS: Final[dict[str, MethodDescriptor]] = {
    method.name: method
    for service in (
        pb.DESCRIPTOR.services_by_name["MarketData"],
        execution_pb2.DESCRIPTOR.services_by_name["Execution"],
        orderbook_pb2.DESCRIPTOR.services_by_name["OrderbookAggregator"],
    )
    for method in service.methods
}
# A bot's transport that reads little ahead: a bot that stops reading is noticed early.
READ_LITTLE_AHEAD: Final = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4096))


class Call:
    """One stream of a bot."""

    def __init__(self, call: grpc.aio.Call) -> None:
        self._call = call

    async def read(self, kind: type[M]) -> M:
        """Return the next message."""
        async with patiently():
            payload = await self._call.read()
        assert payload is not grpc.aio.EOF, "the stream ended"
        return kind.FromString(payload)

    async def quiet(self, seconds: float = 0.1) -> bool:
        """Return whether nothing comes for so long. The call is of no use after a True."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._call.read()
                return False
        return True

    async def send(self, request: Message | bytes) -> None:
        await self._call.write(_encode(request))

    async def done_sending(self) -> None:
        await self._call.done_writing()

    def cancel(self) -> None:
        self._call.cancel()

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """Read to the end; return the status."""
        with suppress(grpc.aio.AioRpcError):
            async with patiently():
                while await self._call.read() is not grpc.aio.EOF:
                    pass
        return await self._call.code(), await self._call.details()


class Bot:
    """A connection of its own to a gateway."""

    def __init__(
        self,
        address: str,
        options: Iterable[tuple[str, int]] = (),
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
    ) -> None:
        own = [("grpc.use_local_subchannel_pool", 1), *options]
        self.channel = (
            grpc.aio.secure_channel(address, credentials, options=own)
            if credentials
            else grpc.aio.insecure_channel(address, options=own)
        )
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self._calls: list[grpc.aio.Call] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in self._calls:
            call.cancel()
        await self.channel.close()

    def stream(
        self,
        method: str,
        request: Message | bytes = b"",
        metadata: Iterable[tuple[str, str]] = (),
    ) -> Call:
        """Open a server stream."""
        open_stream = self.channel.unary_stream(_path(method))
        return self._track(open_stream(_encode(request), metadata=[*metadata, *self.metadata]))

    def session(self) -> Call:
        return self._track(self.channel.stream_stream(_path("Session"))(metadata=self.metadata))

    async def get(
        self, method: str, request: Message | bytes = b"", timeout_s: float | None = None
    ) -> Message:
        """Call a unary method and return its decoded reply."""
        call = self.channel.unary_unary(_path(method))
        payload = await call(_encode(request), timeout=timeout_s, metadata=self.metadata)
        reply: Message = GetMessageClass(_METHODS[method].output_type).FromString(payload)
        return reply

    async def refusal(
        self, method: str, request: Message | bytes = b"", timeout_s: float | None = None
    ) -> tuple[grpc.StatusCode, str]:
        """Return the status of a call, which is not OK."""
        if _METHODS[method].server_streaming:
            return await self.stream(method, request).end()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.get(method, request, timeout_s)
        return error.value.code(), error.value.details() or ""

    async def status(self, method: str, payload: bytes) -> grpc.StatusCode:
        """Return how a unary method ends for a payload, whatever it is."""
        call = self.channel.unary_unary(_path(method))(payload, metadata=self.metadata)
        async with patiently():
            code: grpc.StatusCode = await call.code()
        return code

    async def listed(self, venue: str) -> None:
        """Wait until the gateway knows what a venue lists, however impatient it is itself."""
        request = pb.ListInstrumentsRequest(venue=venue).SerializeToString()

        async def known() -> bool:
            return await self.status("ListInstruments", request) is grpc.StatusCode.OK

        await eventually(known, f"the list of {venue}")

    def _track(self, call: grpc.aio.Call) -> Call:
        self._calls.append(call)
        return Call(call)


class RunningGateway:
    """A gateway in the test's own loop."""

    def __init__(self, address: str, task: asyncio.Task[None]) -> None:
        self.address = address
        self._task = task

    def bot(
        self,
        options: Iterable[tuple[str, int]] = (),
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
    ) -> Bot:
        return Bot(self.address, options, credentials=credentials, token=token)

    async def stop(self) -> None:
        """Stop it as SIGTERM does."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class _NotingRuntime(Runtime):
    address: str = ""

    def ready(self, **facts: object) -> None:
        self.address = str(facts.get("address", self.address))
        super().ready(**facts)


@asynccontextmanager
async def running(
    options: GatewayOptions, log_level: str = "error"
) -> AsyncIterator[RunningGateway]:
    """Run a gateway. What the machine takes from this process is nobody's silence."""
    clock = SteadyClock()
    runtime = _NotingRuntime("gateway", RuntimeOptions("gateway.test", log_level=log_level), clock)
    ticking = asyncio.create_task(clock.keep_running())
    task = asyncio.create_task(serve(runtime, options))
    await until(lambda: bool(runtime.address) or task.done())
    gateway = RunningGateway(runtime.address, task)
    try:
        yield gateway
    finally:
        await gateway.stop()
        ticking.cancel()


def _path(method: str) -> str:
    return f"/{_METHODS[method].containing_service.full_name}/{method}"


def _encode(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()
