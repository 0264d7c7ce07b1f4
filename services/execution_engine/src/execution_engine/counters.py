"""Every metric of the engine, spelled once."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = [
    "ALARMS",
    "CHILDREN",
    "COMMANDS",
    "FILLS",
    "FOREIGN_ORDERS",
    "KILLED",
    "LIMIT_REFUSALS",
    "OPEN_PARENTS",
    "REPORTS_SENT",
    "UNKNOWN_CHILDREN",
    "UNREADABLE",
]

COMMANDS: Final = Counter(
    "dragonfly_engine_commands_total", "Commands by what was answered.", ["code"]
)
CHILDREN: Final = Counter(
    "dragonfly_engine_children_total",
    "Orders at venues by what became of them.",
    ["venue", "state"],
)
FILLS: Final = Counter("dragonfly_engine_fills_total", "Fills that were counted.", ["venue"])
LIMIT_REFUSALS: Final = Counter(
    "dragonfly_engine_limit_refusals_total", "Children that a limit held back.", ["rule"]
)
ALARMS: Final = Counter(
    "dragonfly_engine_alarms_total",
    "What must not be: overfill, through_limit, late_fill (after the end that was told),"
    " unsound_fill, fill_differs, refused_but_known, open_after_all, vanished.",
    ["what"],
)
FOREIGN_ORDERS: Final = Counter(
    "dragonfly_engine_foreign_orders_total",
    "Open orders and trades of the account that are none of this journal; never touched.",
    ["venue"],
)
UNKNOWN_CHILDREN: Final = Gauge(
    "dragonfly_engine_unknown_children", "Children whose outcome is in doubt.", ["venue"]
)
OPEN_PARENTS: Final = Gauge("dragonfly_engine_open_parents", "Orders that are not over.")
KILLED: Final = Gauge("dragonfly_engine_killed", "1 while the kill switch is thrown.")
REPORTS_SENT: Final = Counter(
    "dragonfly_engine_reports_sent_total", "Reports given to front ends, repeats included."
)
UNREADABLE: Final = Counter(
    "dragonfly_engine_unreadable_messages_total", "Messages of front ends that mean nothing."
)
