"""Every metric that all gateways have, spelled once."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

__all__ = ["DENIED", "FILE_FAILURES"]

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
