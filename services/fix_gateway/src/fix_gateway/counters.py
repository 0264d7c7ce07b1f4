"""Every metric of the FIX gateway, spelled once."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tally
from prometheus_client import Counter, Gauge

__all__ = [
    "CONNECTIONS_REFUSED",
    "GARBLED",
    "HANDSHAKES_REFUSED",
    "LOGONS_REFUSED",
    "REFUSED",
    "REJECTED",
    "SENT",
    "SESSIONS",
    "SUBSCRIPTIONS",
]

SESSIONS: Final = Gauge("dragonfly_fix_gateway_sessions", "Customers that are logged on.")
SUBSCRIPTIONS: Final = Gauge(
    "dragonfly_fix_gateway_subscriptions", "Requests of customers that go on."
)
SENT: Final = Tally("dragonfly_fix_gateway_sent_total", "Application messages written.")
REFUSED: Final = Counter(
    "dragonfly_fix_gateway_refused_total", "Requests refused, by message type.", ["type"]
)
REJECTED: Final = Counter(
    "dragonfly_fix_gateway_rejected_total", "Messages of ours that a customer's engine rejected."
)
GARBLED: Final = Counter(
    "dragonfly_fix_gateway_garbled_total", "Times that bytes were no message of FIX."
)
LOGONS_REFUSED: Final = Counter(
    "dragonfly_fix_gateway_logons_refused_total",
    "Connections that ended without having logged on.",
)
HANDSHAKES_REFUSED: Final = Counter(
    "dragonfly_fix_gateway_handshakes_refused_total", "TLS handshakes that failed."
)
CONNECTIONS_REFUSED: Final = Counter(
    "dragonfly_fix_gateway_connections_refused_total",
    "Connections closed at once: too many of one address, or of all, had not logged on.",
)
