"""Every metric of the aggregator, spelled once."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tally
from prometheus_client import Counter

__all__ = [
    "BOOKS_CONTRADICTORY",
    "CROSSED",
    "FOREIGN_INTEREST",
    "MISPLACED_BODIES",
    "VIEWS_PUBLISHED",
]

VIEWS_PUBLISHED: Final = Tally(
    "dragonfly_aggregator_published_total", "Views and relayed states put on the bus."
)
BOOKS_CONTRADICTORY: Final = Counter(
    "dragonfly_aggregator_contradictory_books_total",
    "Books of venues that were not used: crossed, out_of_order, not_a_level.",
    ["reason"],
)
MISPLACED_BODIES: Final = Counter(
    "dragonfly_aggregator_misplaced_bodies_total",
    "Messages whose body does not belong under their topic.",
)
FOREIGN_INTEREST: Final = Counter(
    "dragonfly_aggregator_foreign_interest_total",
    "Subscriptions that name no view of an instrument.",
)
CROSSED: Final = Counter(
    "dragonfly_aggregator_crossed_seconds_total",
    "How long one venue bid more than another asked, counted when the book changes.",
    ["instrument"],
)
