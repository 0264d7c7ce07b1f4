"""A WebSocket connection that can be silenced, cut, and written to without waiting."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from venue_simulator.venue import Frame as Message

__all__ = ["MAX_UNSENT_BYTES", "VenueConnection"]

MAX_UNSENT_BYTES: Final = 4 * 2**20
"""A client that lets more pile up is cut: it reads too slowly."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class VenueConnection(ServerConnection):
    """Overrides where bytes leave and where control frames come in."""

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
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()

    def send_data(self) -> None:
        if self.is_silent():
            # Only control frames get here: dropping them leaves compression's state as it was.
            self.protocol.data_to_send()
        else:
            super().send_data()

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in {Opcode.PING, Opcode.PONG}:
            self.on_control()
        super().process_event(event)

    async def lost(self) -> None:
        """Wait until the TCP connection is gone."""
        await asyncio.shield(self.connection_lost_waiter)
