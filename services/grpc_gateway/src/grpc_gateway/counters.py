"""Every metric of the gateway, spelled once."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tally
from prometheus_client import Counter, Gauge

__all__ = [
    "BOTS_STALLED",
    "HANDSHAKES_REFUSED",
    "REFUSED",
    "SERVING",
    "STRANGERS_CLOSED",
    "STREAMS",
    "UPDATES_SENT",
]

STREAMS: Final = Gauge("dragonfly_gateway_streams", "Streams that bots have open.")
UPDATES_SENT: Final = Tally("dragonfly_gateway_sent_total", "Messages written to bots.")
REFUSED: Final = Counter(
    "dragonfly_gateway_refused_total", "Requests refused and streams ended, by status.", ["code"]
)
HANDSHAKES_REFUSED: Final = Counter(
    "dragonfly_gateway_handshakes_refused_total", "TLS handshakes that no call followed."
)
STRANGERS_CLOSED: Final = Counter(
    "dragonfly_gateway_strangers_closed_total",
    "Connections closed that had made no admitted call: too old, or too many of one address.",
)
BOTS_STALLED: Final = Counter(
    "dragonfly_gateway_stalled_total", "Times that a bot stopped reading for over a second."
)
SERVING: Final = Gauge("dragonfly_gateway_serving", "1 while health says SERVING.")
