"""TLS handshakes that failed, of which gRPC tells nothing.

It tells of each handshake that begins, and the gateway sees each connection that makes a call. The
difference are those whose certificate was refused, or who refused the gateway's, and those who
connected and then wanted nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import structlog
from dragonfly_common.pace import SayOnce

from grpc_gateway import counters

__all__ = ["CALL_WITHIN_S", "HANDSHAKE_LIMIT_S", "Handshakes"]

HANDSHAKE_LIMIT_S: Final = 5.0
CALL_WITHIN_S: Final = 2 * HANDSHAKE_LIMIT_S
SAY_AGAIN_AFTER_S: Final = 10.0
MOST_CONNECTIONS: Final = 4096
"""Remembered at a time; one that is forgotten and calls again explains a handshake too many."""

logger = structlog.get_logger()


class Handshakes:
    """Counts handshakes that no call followed."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._unexplained: deque[float] = deque()
        self._connections: OrderedDict[str, None] = OrderedDict()
        self._unsaid = 0
        self._once = SayOnce(SAY_AGAIN_AFTER_S)

    def begun(self) -> None:
        """Take note of a handshake. Safe in any thread."""
        self._unexplained.append(self._monotonic())

    def called(self, peer: str) -> None:
        """Take note that the connection `peer` makes a call: a handshake of it went well."""
        if peer in self._connections:
            self._connections.move_to_end(peer)
            return
        self._connections[peer] = None
        if len(self._connections) > MOST_CONNECTIONS:
            self._connections.popitem(last=False)
        if self._unexplained:
            self._unexplained.popleft()

    def look(self) -> None:
        """Count and say what no call explained in time. Call it now and then."""
        now = self._monotonic()
        while self._unexplained and now - self._unexplained[0] > CALL_WITHIN_S:
            self._unexplained.popleft()
            counters.HANDSHAKES_REFUSED.inc()
            self._unsaid += 1
        if self._unsaid and self._once.due(now):
            logger.warning(
                "handshakes refused",
                count=self._unsaid,
                reason="no call followed: a certificate was missing, expired or not trusted",
            )
            self._unsaid = 0
