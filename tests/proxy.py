"""A TCP proxy that does to a connection what networks do, at the moment a test says.

    async with Proxy(target).serving():     # a path is a Unix socket: ipc:// becomes tcp://
        proxy.latency_s = 0.2               # later: 0.0
        proxy.hold()                        # half-open peers; later: proxy.resume()
        proxy.reset()

Bytes wait in order, both ways alike. What a proxy holds is bounded; then the sender waits, as it
does when a network is slow.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final, cast

__all__ = ["Proxy"]

MOST_HELD: Final = 256 * 1024
"""Bytes of one direction, beside what the kernel's own buffers take."""
MOST_SLICE: Final = 200

_RESET: Final = struct.pack("ii", 1, 0)

Target = Path | tuple[str, int]


class Proxy:
    """All connections to one target."""

    def __init__(self, target: Target | None = None, seed: int = 0) -> None:
        self.target = target
        """None while nobody is there: connections are reset."""
        self.port = 0
        self.latency_s = 0.0
        self.bytes_per_s: float | None = None
        self.slicing = False
        self.refusing = False
        """Connections are reset, also those that are open when `reset` is called."""
        self.random = Random(seed)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._ends: set[_End] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen at `port` on loopback."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _End(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            self.reset()
            await asyncio.gather(
                *self._tasks, *(end.gone for end in self._ends), return_exceptions=True
            )

    @property
    def held(self) -> bool:
        return not self._flowing.is_set()

    def hold(self) -> None:
        """Let no byte pass, and say nothing of it to either side."""
        self._flowing.clear()
        for end in self._ends:
            end.check()

    def resume(self) -> None:
        """Let what was held pass."""
        self._flowing.set()
        for end in [*self._ends]:
            end.check()
            end.flush()
            if end.peer is not None:
                end.peer.flush()

    def reset(self) -> None:
        """Cut every connection with a TCP reset."""
        for end in [*self._ends]:
            end.reset()

    def joined(self, end: _End) -> None:
        self._ends.add(end)
        if end.peer is None:
            task = asyncio.ensure_future(self._connect(end))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def left(self, end: _End) -> None:
        self._ends.discard(end)

    async def _connect(self, end: _End) -> None:
        loop = asyncio.get_running_loop()
        await self._flowing.wait()
        try:
            if self.refusing or self.target is None:
                raise ConnectionRefusedError
            if isinstance(self.target, Path):
                await loop.create_unix_connection(lambda: _End(self, end), str(self.target))
            else:
                await loop.create_connection(lambda: _End(self, end), *self.target)
        except OSError:
            end.reset()


class _End(asyncio.Protocol):
    """One side of a connection: what it sends, its peer writes."""

    def __init__(self, proxy: Proxy, peer: _End | None = None) -> None:
        self.peer = peer
        self.open = False
        self.ended = False
        """Whether it has sent all that it ever will."""
        self._finished = False
        self._proxy = proxy
        self._waiting: deque[tuple[float, bytes]] = deque()
        """What the peer has yet to write, with the time from which it may."""
        self._waiting_bytes = 0
        self._last_due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._peer_full = False
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self.gone = self._loop.create_future()
        """Done once the connection is over."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.open = True
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.family == socket.AF_INET:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.peer is not None:
            if not self.peer.open:
                self._transport.abort()
                return
            self.peer.peer = self
            self.peer.flush()
        self._proxy.joined(self)
        self.check()

    def data_received(self, data: bytes) -> None:
        proxy = self._proxy
        if not (self._waiting or proxy.latency_s or proxy.bytes_per_s or proxy.slicing) and (
            self.peer is not None and not proxy.held
        ):
            self.peer.write(data)
            return
        for piece in self._pieces(data):
            due = max(self._last_due, self._loop.time() + proxy.latency_s)
            if proxy.bytes_per_s:
                due += len(piece) / proxy.bytes_per_s
            self._last_due = due
            self._waiting.append((due, piece))
            self._waiting_bytes += len(piece)
        self.check()
        self.flush()

    def eof_received(self) -> bool:
        self.ended = True
        self.flush()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self.gone.set_result(None)
        self._proxy.left(self)
        if self._timer:
            self._timer.cancel()
        # Held bytes stay unsaid, and so does the end: the peer is half-open.
        if self.peer is not None and self.peer.open:
            if error is not None and not self._proxy.held:
                self.peer.reset()
            else:
                self.ended = True
                self.flush()

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.wait_for_room(full=True)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.wait_for_room(full=False)

    def wait_for_room(self, *, full: bool) -> None:
        self._peer_full = full
        self.check()
        self.flush()

    def write(self, data: bytes) -> None:
        if self.open:
            self._transport.write(data)

    def check(self) -> None:
        """Read on, or let the sender wait."""
        pause = self._proxy.held or self._peer_full or self._waiting_bytes > MOST_HELD
        if pause is not self._paused and self.open:
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def flush(self) -> None:
        """Let the peer write what is due."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self.peer is None or self._proxy.held or self._peer_full:
            return
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now and not self._peer_full:
            _, piece = self._waiting.popleft()
            self._waiting_bytes -= len(piece)
            self.peer.write(piece)
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self.flush)
        elif self.ended and self.peer.open:
            self.peer.finish(half=self.open and not self.peer.ended)
        self.check()

    def finish(self, *, half: bool) -> None:
        """Say that no more will be written; with `half` what it sends is still read."""
        if not half:
            self._transport.close()
        elif not self._finished:
            self._finished = True
            self._transport.write_eof()

    def reset(self) -> None:
        if self.open:
            raw = self._transport.get_extra_info("socket")
            if raw is not None and raw.family == socket.AF_INET:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if not (self._proxy.slicing or self._proxy.bytes_per_s):
            yield data
            return
        start = 0
        while start < len(data):
            size = self._proxy.random.randrange(1, MOST_SLICE) if self._proxy.slicing else 1024
            end = start + size
            yield data[start:end]
            start = end
