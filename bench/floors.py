"""The least that each hop can take here: bare libraries, two processes, the same sizes and rates.

For `end_to_end`: a WebSocket reader of each venue, a ZeroMQ PUB and SUB over ipc, and a grpc.aio
server stream and its reader.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Self

import grpc
import grpc.aio
import uvloop
import zmq
from dragonfly_venues.registry import find_venue
from dragonfly_venues.venue import Ask
from measuring import DRAINED_S, Worker, paced
from venue_sender import INSTRUMENT, Sent, run_sender
from websockets.asyncio.client import connect

__all__ = ["Floors"]

_METHOD: Final = "/floor.Floor/Stream"
_SYMBOL: Final = INSTRUMENT.replace("-", "").lower()
_STAMP_BYTES: Final = 8


class Floors:
    """All three, ready to be measured."""

    def __init__(self, venues: Sequence[str], ca_file: Path | None) -> None:
        """With `ca_file`, which is written, the WebSockets are over TLS."""
        with ExitStack() as stack:
            enter = stack.enter_context
            self._sender = enter(Worker(run_sender, venues, (INSTRUMENT,), ca_file))
            self._readers = {
                name: enter(Worker(_read_websocket, name, url["ws"], ca_file))
                for name, url in self._sender.answer().items()
            }
            address = f"ipc://{enter(tempfile.TemporaryDirectory())}/floor.ipc"
            self._pub = enter(Worker(_publish, address))
            self._sub = enter(Worker(_subscribe, address))
            self._server = enter(Worker(_serve))
            self._client = enter(Worker(_read_grpc, self._server.answer()))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def measure(
        self, rate: float, seconds: float, message: int, book: int
    ) -> dict[str, list[float]]:
        """Return ns from send to receive for each hop, at `rate` frames a second of each venue.

        `message` and `book` are the bytes of what goes over ZeroMQ and over gRPC.
        """
        both = rate * len(self._readers)
        return {
            "WebSocket": self._websocket(rate, seconds),
            "ZeroMQ": self._zeromq(both, seconds, message),
            "gRPC": self._grpc(both, seconds, book),
        }

    def _websocket(self, rate: float, seconds: float) -> list[float]:
        for reader in self._readers.values():
            reader.ask("read")
        sent: dict[str, Sent] = self._sender.ask("send", rate, seconds)
        return [
            came - went
            for name, reader in self._readers.items()
            for came, went in zip(
                reader.ask("judge", len(sent[name].ns)), sent[name].ns, strict=True
            )
        ]

    def _zeromq(self, rate: float, seconds: float, size: int) -> list[float]:
        self._sub.ask("read")
        self._pub.ask("send", rate, seconds, size)
        return list(self._sub.answer())

    def _grpc(self, rate: float, seconds: float, size: int) -> list[float]:
        self._client.tell("read")
        self._server.ask("send", rate, seconds, size)
        return list(self._client.answer())


def _read_websocket(pipe: Connection, venue_name: str, url: str, ca_file: Path | None) -> None:
    uvloop.run(_websocket(pipe, venue_name, url, ca_file))


async def _websocket(pipe: Connection, venue_name: str, url: str, ca_file: Path | None) -> None:
    venue = find_venue(venue_name)
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
    times = array("q")
    async with connect(
        venue.connect_url(url), ssl=tls, compression=None, ping_interval=None, max_queue=256
    ) as stream:
        for request in venue.requests(Ask(symbols=[_SYMBOL], request_id=1, depth=10)):
            await stream.send(request)

        async def read() -> None:
            # Its frames come in the order in which they were sent, and none is lost.
            while True:
                frame = await stream.recv(decode=False)
                now_ns = time.time_ns()
                if b'"bids"' in frame:
                    times.append(now_ns)

        reading = asyncio.create_task(read())
        try:
            while True:
                match await asyncio.to_thread(pipe.recv):
                    case ("read",):
                        times = array("q")
                        pipe.send("reading")
                    case (_, int(number)):
                        for _ in range(100):
                            if len(times) < number:
                                await asyncio.sleep(DRAINED_S / 10)
                        pipe.send(times)
        finally:
            reading.cancel()


def _publish(pipe: Connection, address: str) -> None:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    socket.bind(address)
    while True:
        _, rate, seconds, size = pipe.recv()
        rest = bytes(size - _STAMP_BYTES)
        for _ in paced(rate, seconds):
            socket.send(time.time_ns().to_bytes(_STAMP_BYTES, "big") + rest)
        socket.send(b"")
        pipe.send("sent")


def _subscribe(pipe: Connection, address: str) -> None:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(address)
    while True:
        pipe.recv()
        pipe.send("reading")
        taken = array("q")
        while payload := socket.recv():
            taken.append(time.time_ns() - int.from_bytes(payload[:_STAMP_BYTES], "big"))
        pipe.send(taken)


def _serve(pipe: Connection) -> None:
    uvloop.run(_server(pipe))


async def _server(pipe: Connection) -> None:
    due: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def stream(_: bytes, context: Any) -> None:
        while size := await due.get():
            await context.write(
                time.time_ns().to_bytes(_STAMP_BYTES, "big") + bytes(size - _STAMP_BYTES)
            )

    def pace(rate: float, seconds: float, size: int) -> None:
        for _ in paced(rate, seconds):
            loop.call_soon_threadsafe(due.put_nowait, size)
        loop.call_soon_threadsafe(due.put_nowait, 0)

    server = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(stream)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("floor.Floor", {"Stream": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    pipe.send(f"127.0.0.1:{port}")
    try:
        while True:
            _, rate, seconds, size = await asyncio.to_thread(pipe.recv)
            await asyncio.to_thread(pace, rate, seconds, size)
            pipe.send("sent")
    finally:
        await server.stop(0)


def _read_grpc(pipe: Connection, address: str) -> None:
    asyncio.run(_client(pipe, address))


async def _client(pipe: Connection, address: str) -> None:
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stream = channel.unary_stream(_METHOD)
        while True:
            await asyncio.to_thread(pipe.recv)
            taken = array("q")
            async for payload in stream(b""):
                taken.append(time.time_ns() - int.from_bytes(payload[:_STAMP_BYTES], "big"))
            pipe.send(taken)
