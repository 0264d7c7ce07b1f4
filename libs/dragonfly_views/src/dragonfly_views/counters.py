"""Every metric that all gateways have, spelled once."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tally
from prometheus_client import Counter

__all__ = [
    "DENIED",
    "FILE_FAILURES",
    "MISPLACED_BODIES",
    "REPLACED",
    "UNREADABLE_VIEWS",
    "VIEWS_HEARD",
]

VIEWS_HEARD: Final = Tally("dragonfly_gateway_heard_total", "Views taken off the bus.")
REPLACED: Final = Counter(
    "dragonfly_gateway_replaced_total", "States that a newer one replaced before a bot took them."
)
UNREADABLE_VIEWS: Final = Counter(
    "dragonfly_gateway_unreadable_views_total", "Views whose bytes are no protobuf message."
)
MISPLACED_BODIES: Final = Counter(
    "dragonfly_gateway_misplaced_bodies_total",
    "Messages whose body does not belong under their topic.",
)
DENIED: Final = Counter(
    "dragonfly_gateway_denied_total",
    "Calls of unknown bots, and calls beyond a bot's quota, by reason.",
    ["reason"],
)
FILE_FAILURES: Final = Counter(
    "dragonfly_gateway_file_failures_total",
    "Changed certificate or tokens files that could not be taken.",
    ["files"],
)
