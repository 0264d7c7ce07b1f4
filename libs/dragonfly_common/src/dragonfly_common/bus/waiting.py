"""Two ways to wait for the ends of the bus: a plain loop, and asyncio."""

from __future__ import annotations

import asyncio
import math
import os
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
    wake = asyncio.Event()
    watch = _Watch(wake.set)
    publishers = [endpoint for endpoint in endpoints if isinstance(endpoint, Publisher)]
    for publisher in publishers:
        publisher.on_pending = wake.set
    try:
        while True:
            on_activity()
            due = min(LONGEST_WAIT_S, *(endpoint.tick() for endpoint in endpoints))
            watch.follow([socket for endpoint in endpoints for socket in endpoint.sockets()])
            if any(endpoint.pending() for endpoint in endpoints):
                await asyncio.sleep(0)
            else:
                await _wait(wake, max(0.0, due))
            wake.clear()
    finally:
        watch.follow([])
        for publisher in publishers:
            publisher.on_pending = None


async def _wait(wake: asyncio.Event, longest_s: float) -> None:
    timer = asyncio.get_running_loop().call_later(longest_s, wake.set)
    try:
        await wake.wait()
    finally:
        timer.cancel()


class _Watch:
    """Calls back when a socket may have something, through a copy of its file descriptor.

    A copy, because a socket is closed without a word to the loop, and its number is soon another's:
    the copy is ours until it is taken out of the loop.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._copies: dict[zmq.Socket[bytes], int] = {}

    def follow(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Watch exactly `sockets` from now on."""
        if self._copies.keys() == set(sockets):
            return
        for socket in self._copies.keys() - set(sockets):
            copy = self._copies.pop(socket)
            self._loop.remove_reader(copy)
            os.close(copy)
        for socket in sockets:
            if socket not in self._copies:
                self._copies[socket] = os.dup(descriptor(socket))
                self._loop.add_reader(self._copies[socket], self._call)
