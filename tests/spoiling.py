"""A venue's connection that spoils frames: a proxy between a listener and a simulated venue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

__all__ = ["SpoilingProxy", "spoil"]

_MAX_SIZE = 2**20


def spoil(text: str, random: Random) -> str:
    """Return `text` with one of six kinds of damage, at a random place."""
    start = random.randrange(len(text)) if text else 0
    end = min(len(text), start + random.randrange(1, 40))
    kind = random.randrange(6)
    if kind == 0:
        return text[:start]
    if kind == 1:
        return text[:start] + text[end:]
    if kind == 2:
        return text[:end] + text[start:]
    if kind == 3:
        return text[:start] + chr(random.randrange(1, 0xD7FF)) + text[start + 1 :]
    if kind == 4:
        return text[:start] + random.choice('{}[]",:0-.eE') + text[start + 1 :]
    return text[:start] + "".join(random.sample(text[start:end], end - start)) + text[end:]


class SpoilingProxy:
    """Hands every frame on; while `copies` is not 0, so many spoilt copies go before each.

    As many go behind it, at once with it: who reads only the last of what came reads damage.
    """

    def __init__(self, venue_url: str, seed: int) -> None:
        self.copies = 0
        self.spoilt = 0
        self.connections = 0
        """How often a listener connected."""
        self._venue_url = venue_url
        self._random = Random(seed)
        self._listeners: set[ServerConnection] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve; yield the URL to give to a listener."""
        async with serve(self._join, "127.0.0.1", 0, compression=None) as server:
            host, port = next(iter(server.sockets)).getsockname()[:2]
            yield f"ws://{host}:{port}"

    async def cut(self) -> None:
        """Close every connection, as a venue may at any time."""
        await asyncio.gather(*(listener.close() for listener in self._listeners))

    def _spoilt(self, frame: str) -> str:
        self.spoilt += 1
        return spoil(frame, self._random)

    async def _join(self, listener: ServerConnection) -> None:
        assert listener.request is not None
        url = self._venue_url + listener.request.path
        async with connect(url, compression=None, max_size=_MAX_SIZE) as venue:

            async def hand_on_requests() -> None:
                # However the listener leaves, the venue's frames go nowhere from then on.
                with contextlib.suppress(ConnectionClosed):
                    async for frame in listener:
                        await venue.send(frame)
                await venue.close()

            requests = asyncio.create_task(hand_on_requests())
            self._listeners.add(listener)
            self.connections += 1
            try:
                async for frame in venue:
                    assert isinstance(frame, str)
                    for _ in range(self.copies):
                        await listener.send(self._spoilt(frame))
                    behind = [self._spoilt(frame) for _ in range(self.copies)]
                    said = [Frame(Opcode.TEXT, text.encode()) for text in (frame, *behind)]
                    if listener.transport.is_closing():
                        break
                    listener.transport.write(b"".join(one.serialize(mask=False) for one in said))
            except ConnectionClosed:
                pass
            finally:
                self._listeners.discard(listener)
                requests.cancel()
                await asyncio.gather(requests, return_exceptions=True)
