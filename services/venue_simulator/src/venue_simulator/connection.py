"""A WebSocket connection that can be silenced, cut, and written to without waiting."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from venue_simulator.venue import Frame as Message

__all__ = [
    "MAX_REQUEST_BYTES",
    "MAX_UNSENT_BYTES",
    "VenueConnection",
    "reset_transport",
    "take_body",
]

MAX_UNSENT_BYTES: Final = 4 * 2**20
"""A client that lets more pile up is cut: it reads too slowly."""

MAX_REQUEST_BYTES: Final = 64 * 1024

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,5})[ \t]*(?=\r\n)", re.IGNORECASE)

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def reset_transport(transport: asyncio.Transport) -> None:
    """Cut a TCP connection so that the other side sees a reset, not an end."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:  # else it is closed by now
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


class VenueConnection(ServerConnection):
    """Overrides where bytes leave and where control frames come in."""

    body = b""
    """Of a request that has one."""
    _head = b""
    _is_head_read = False

    is_silent: Callable[[], bool] = staticmethod(lambda: False)
    """Nothing may leave now, not even a pong."""
    on_control: Callable[[], None] = staticmethod(lambda: None)
    """Called for each ping and pong of the client."""

    def push(self, message: Message) -> bool:
        """Send a frame without waiting; return False where too much is unsent already."""
        if self.protocol.state is not State.OPEN or self.transport.is_closing():
            return True
        if self.is_silent():
            return True
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self.send_data()
        return self.transport.get_write_buffer_size() <= MAX_UNSENT_BYTES

    def reset(self) -> None:
        """Cut the TCP connection so that the client sees a reset, not an end."""
        reset_transport(self.transport)

    def send_data(self) -> None:
        if self.is_silent():
            # Only control frames get here: dropping them leaves compression's state as it was.
            self.protocol.data_to_send()
        else:
            super().send_data()

    def data_received(self, data: bytes) -> None:
        """Keep a request's body from the library, which refuses requests that have one."""
        if self._is_head_read:
            super().data_received(data)
            return
        self._head += data
        whole = take_body(self._head)
        if whole is None and len(self._head) <= MAX_REQUEST_BYTES:
            return
        head, self.body = whole or (self._head, b"")
        self._is_head_read = True
        super().data_received(head)

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in {Opcode.PING, Opcode.PONG}:
            self.on_control()
        super().process_event(event)

    async def lost(self) -> None:
        """Wait until the TCP connection is gone."""
        await asyncio.shield(self.connection_lost_waiter)


def take_body(received: bytes) -> tuple[bytes, bytes] | None:
    """Return a request without its body, and the body; None: not all of it is there yet."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        # What is no request is for the library to refuse.
        return None if received[:1].isalpha() else (received, b"")
    head, rest = received[: end + 4], received[end + 4 :]
    lengths = _LENGTH.findall(head)
    if len(lengths) != 1 or not int(lengths[0]):
        return received, b""
    length = int(lengths[0])
    if len(rest) < length:
        return None
    return _LENGTH.sub(b"\r\nContent-Length: 0", head) + rest[length:], rest[:length]
