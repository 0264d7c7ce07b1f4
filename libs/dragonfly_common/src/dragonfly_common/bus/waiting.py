"""Two ways to wait for the ends of the bus: a plain loop, and asyncio."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from dragonfly_common.bus.options import descriptor
from dragonfly_common.bus.publisher import Publisher
from dragonfly_common.bus.subscriber import Subscriber

__all__ = ["Waiter", "pump"]

Endpoint = Publisher | Subscriber

# ZeroMQ's file descriptor is edge-triggered; should an edge ever be missed, this wakes us anyway.
LONGEST_WAIT_S: Final = 0.25


class Waiter:
    """Waits in a plain loop. Measured: half an asyncio loop's cost per message."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints
        self._sockets: list[zmq.Socket[bytes]] = []
        self._poller = zmq.Poller()

    def wait(self, timeout_s: float) -> None:
        """Return when something arrived, when a timer of the bus is due, or after `timeout_s`."""
        due = min(endpoint.tick() for endpoint in self._endpoints)
        sockets = [socket for endpoint in self._endpoints for socket in endpoint.sockets()]
        if sockets != self._sockets:
            self._sockets = sockets
            self._poller = zmq.Poller()
            for socket in sockets:
                self._poller.register(socket, zmq.POLLIN)
        wait_s = max(0.0, min(timeout_s, due, LONGEST_WAIT_S))
        self._poller.poll(math.ceil(wait_s * 1000))


async def pump(endpoints: Sequence[Endpoint], on_activity: Callable[[], None]) -> None:
    """Call `on_activity`, which drains the ends, whenever there is something; until cancelled."""
    loop = asyncio.get_running_loop()
    wake = asyncio.Event()
    watched: set[int] = set()
    for endpoint in endpoints:
        if isinstance(endpoint, Publisher):
            endpoint.on_pending = wake.set
    try:
        while True:
            on_activity()
            due = min(LONGEST_WAIT_S, *(endpoint.tick() for endpoint in endpoints))
            _watch(loop, endpoints, watched, wake)
            if any(endpoint.pending() for endpoint in endpoints):
                await asyncio.sleep(0)
                continue
            timer = loop.call_later(max(0.0, due), wake.set)
            await wake.wait()
            timer.cancel()
            wake.clear()
    finally:
        for fd in watched:
            loop.remove_reader(fd)


def _watch(
    loop: asyncio.AbstractEventLoop,
    endpoints: Sequence[Endpoint],
    watched: set[int],
    wake: asyncio.Event,
) -> None:
    current = {descriptor(socket) for endpoint in endpoints for socket in endpoint.sockets()}
    if current == watched:
        return
    # A closed socket's number may be another's by now, so whatever changed is watched anew.
    for fd in watched:
        loop.remove_reader(fd)
    for fd in current:
        loop.add_reader(fd, wake.set)
    watched.clear()
    watched.update(current)
