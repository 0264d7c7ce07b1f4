"""Every metric of the listener, spelled once. Labels are bound here where the path is hot."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tallies
from prometheus_client import Counter, Gauge

__all__ = [
    "ACK_TIMEOUTS",
    "AGE",
    "AUDITS",
    "BROKEN",
    "CONNECTIONS",
    "CONNECTION_FAILURES",
    "CONNECTION_LOSSES",
    "FEEDS",
    "FIRST_BOOK_TIMEOUTS",
    "FRAMES",
    "IGNORED_INTEREST",
    "LEFT_OUT",
    "LIST_FAILURES",
    "MALFORMED",
    "PUBLISHED",
    "REFUSALS",
    "SCORE",
    "SEEDS",
    "SNAPSHOT_FAILURES",
    "SUPERSEDED",
]

FRAMES: Final = Tallies(
    "dragonfly_listener_frames_total", "Frames received from the venue.", ["venue"]
)
SUPERSEDED: Final = Tallies(
    "dragonfly_listener_superseded_total",
    "Frames that were not read, right or wrong, because a newer whole book of their instrument "
    "came with them.",
    ["venue"],
)
PUBLISHED: Final = Tallies(
    "dragonfly_listener_published_total", "Changed tops put on the bus.", ["venue"]
)
MALFORMED: Final = Counter(
    "dragonfly_listener_malformed_total",
    "Frames that mean nothing, by reason.",
    ["reason", "venue"],
)
BROKEN: Final = Counter(
    "dragonfly_listener_broken_total",
    "Books that were asked for anew, by cause.",
    ["cause", "venue"],
)
REFUSALS: Final = Counter(
    "dragonfly_listener_refusals_total",
    "Requests that the venue refused, in whole or in part.",
    ["venue"],
)
ACK_TIMEOUTS: Final = Counter(
    "dragonfly_listener_ack_timeouts_total",
    "Subscriptions whose acknowledgement stayed out.",
    ["venue"],
)
FIRST_BOOK_TIMEOUTS: Final = Counter(
    "dragonfly_listener_first_book_timeouts_total",
    "Subscriptions whose first book stayed out.",
    ["venue"],
)
CONNECTION_FAILURES: Final = Counter(
    "dragonfly_listener_connection_failures_total",
    "Attempts that failed, by kind.",
    ["kind", "venue"],
)
CONNECTION_LOSSES: Final = Counter(
    "dragonfly_listener_connection_losses_total",
    "Connections that ended: closed, silent, lagging, frozen, not_reading, replaced, unforeseen.",
    ["cause", "venue"],
)
LIST_FAILURES: Final = Counter(
    "dragonfly_listener_list_failures_total", "Instrument lists that could not be loaded."
)
LEFT_OUT: Final = Gauge(
    "dragonfly_listener_list_left_out",
    "Entries of the instrument list that are left out, by reason: malformed, unnamed, twin (of "
    "another market); and number, increments and minimums that are left out of theirs.",
    ["reason"],
)
IGNORED_INTEREST: Final = Counter(
    "dragonfly_listener_ignored_interest_total",
    "Subscriptions that were not followed: foreign (no book of an instrument), too_many.",
    ["reason", "venue"],
)
AUDITS: Final = Tallies(
    "dragonfly_listener_audits_total",
    "Books held against what the venue says elsewhere, by kind (checksum, bbo, snapshot, "
    "silence) and result (agreed, disagreed, not_comparable).",
    ["audit", "result", "venue"],
)
SNAPSHOT_FAILURES: Final = Counter(
    "dragonfly_listener_snapshot_failures_total",
    "Books asked for over REST, for audits or as first ones, that could not be had.",
    ["venue"],
)
SEEDS: Final = Counter(
    "dragonfly_listener_seeds_total",
    "First books that came from REST: their markets rest.",
    ["venue"],
)
SCORE: Final = Gauge(
    "dragonfly_listener_score_ratio",
    "Share of the audits of the last ten minutes that agreed; absent where there were none.",
    ["venue", "instrument"],
)
AGE: Final = Gauge(
    "dragonfly_listener_feed_age_seconds",
    "Since the venue last changed a book that is followed; NaN until it said any.",
    ["venue", "instrument"],
)
CONNECTIONS: Final = Gauge(
    "dragonfly_listener_connections", "Connections open at this moment.", ["venue"]
)
FEEDS: Final = Gauge(
    "dragonfly_listener_feeds", "Instruments followed, by state.", ["state", "venue"]
)
