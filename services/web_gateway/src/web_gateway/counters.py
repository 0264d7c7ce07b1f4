"""Every metric of the web gateway, spelled once."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tally
from prometheus_client import Counter, Gauge

__all__ = ["FEEDS", "REFUSED", "REQUESTS", "SENT", "SKIPPED", "SOCKETS", "SUBSCRIPTIONS"]

SOCKETS: Final = Gauge("dragonfly_web_sockets", "WebSockets that are open.")
SUBSCRIPTIONS: Final = Gauge("dragonfly_web_subscriptions", "Subscriptions of all WebSockets.")
FEEDS: Final = Gauge("dragonfly_web_feeds", "Streams that are open at the gRPC gateway.")
SENT: Final = Tally("dragonfly_web_sent_total", "Snapshots written to WebSockets.")
SKIPPED: Final = Tally(
    "dragonfly_web_skipped_total", "States that a newer one replaced before a WebSocket took them."
)
REQUESTS: Final = Counter("dragonfly_web_requests_total", "Answers of REST, by status.", ["status"])
REFUSED: Final = Counter("dragonfly_web_refused_total", "Requests on WebSockets that were refused.")
