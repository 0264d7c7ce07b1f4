"""Every metric of the listener, spelled once. Labels are bound here where the path is hot."""

from __future__ import annotations

from typing import Final

from dragonfly_common.hot_counters import Tallies, Tally
from prometheus_client import Counter, Gauge

__all__ = [
    "ACK_TIMEOUTS",
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

FRAMES: Final = Tally("dragonfly_listener_frames_total", "Frames received from the venue.")
SUPERSEDED: Final = Tally(
    "dragonfly_listener_superseded_total",
    "Frames that were not read, right or wrong, because a newer whole book of their instrument "
    "came with them.",
)
PUBLISHED: Final = Tally("dragonfly_listener_published_total", "Changed tops put on the bus.")
MALFORMED: Final = Counter(
    "dragonfly_listener_malformed_total", "Frames that mean nothing, by reason.", ["reason"]
)
BROKEN: Final = Counter(
    "dragonfly_listener_broken_total", "Books that were asked for anew, by cause.", ["cause"]
)
REFUSALS: Final = Counter(
    "dragonfly_listener_refusals_total", "Requests that the venue refused, in whole or in part."
)
ACK_TIMEOUTS: Final = Counter(
    "dragonfly_listener_ack_timeouts_total", "Subscriptions whose acknowledgement stayed out."
)
FIRST_BOOK_TIMEOUTS: Final = Counter(
    "dragonfly_listener_first_book_timeouts_total", "Subscriptions whose first book stayed out."
)
CONNECTION_FAILURES: Final = Counter(
    "dragonfly_listener_connection_failures_total", "Attempts that failed, by kind.", ["kind"]
)
CONNECTION_LOSSES: Final = Counter(
    "dragonfly_listener_connection_losses_total",
    "Connections that ended: closed, silent, lagging, frozen, not_reading, replaced, unforeseen.",
    ["cause"],
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
    ["reason"],
)
AUDITS: Final = Tallies(
    "dragonfly_listener_audits_total",
    "Books held against what the venue says elsewhere, by kind (checksum, bbo, snapshot, "
    "silence) and result (agreed, disagreed, not_comparable).",
    ["audit", "result"],
)
SNAPSHOT_FAILURES: Final = Counter(
    "dragonfly_listener_snapshot_failures_total",
    "Books asked for over REST, for audits or as first ones, that could not be had.",
)
SEEDS: Final = Counter(
    "dragonfly_listener_seeds_total", "First books that came from REST: their markets rest."
)
SCORE: Final = Gauge(
    "dragonfly_listener_score",
    "Share of the audits of the last ten minutes that agreed; absent where there were none.",
    ["instrument"],
)
CONNECTIONS: Final = Gauge("dragonfly_listener_connections", "Connections open at this moment.")
FEEDS: Final = Gauge("dragonfly_listener_feeds", "Instruments followed, by state.", ["state"])
