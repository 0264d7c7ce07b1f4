"""Every metric of the shared code, spelled once. A service spells its own in its `counters.py`."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Info

from dragonfly_common.hot_counters import Delays, Tally

__all__ = [
    "BUILD",
    "BUS_CUT_OFF",
    "BUS_DROPPED",
    "BUS_GAPS",
    "BUS_HANDSHAKE_FAILURES",
    "BUS_LOST_PUBLISHERS",
    "BUS_PUBLISHED",
    "BUS_REASKED",
    "BUS_RECEIVED",
    "BUS_REOPENED",
    "BUS_UNDECODABLE",
    "HOPS",
    "NAME_FAILURES",
    "PAUSES",
    "READY",
    "TRUST_FAILURES",
]

HOPS: Final = Delays(
    "dragonfly_hop_seconds",
    "A book's time on its way, by hop: listener, from the venue's socket to the bus; aggregator, "
    "until its view was computed; gateway, until a gateway had that.",
    "hop",
)
BUS_PUBLISHED: Final = Tally("dragonfly_bus_published_total", "Messages put on the bus.")
BUS_RECEIVED: Final = Tally("dragonfly_bus_received_total", "Messages taken off the bus.")
BUS_CUT_OFF: Final = Counter(
    "dragonfly_bus_cut_off_total",
    "Subscribers that a publisher hung up on, by what they subscribed: too_many, too_many_in_all, "
    "malformed, flood.",
    ["reason"],
)
BUS_DROPPED: Final = Counter(
    "dragonfly_bus_dropped_total",
    "Messages not passed on: duplicate; old_epoch, new_epoch, foreign_publisher (another process "
    "spoke where one is followed); wild_seq; replaced (a newer one came with it); void (its "
    "publisher was lost before it could be); oversized (not sent).",
    ["reason"],
)
BUS_GAPS: Final = Counter(
    "dragonfly_bus_gaps_total", "Messages that a publisher numbered and this process never saw."
)
BUS_UNDECODABLE: Final = Counter(
    "dragonfly_bus_undecodable_total", "Bus messages that mean nothing, by reason.", ["reason"]
)
BUS_REASKED: Final = Counter(
    "dragonfly_bus_reasked_total", "Last values asked for again after a heartbeat showed a loss."
)
BUS_LOST_PUBLISHERS: Final = Counter(
    "dragonfly_bus_lost_publishers_total",
    "Publishers lost: silent, late, disconnected, handshake, bye, superseded, untrusted.",
    ["reason"],
)
BUS_REOPENED: Final = Counter(
    "dragonfly_bus_reopened_total", "Sockets replaced by fresh ones, by reason.", ["reason"]
)
BUS_HANDSHAKE_FAILURES: Final = Counter(
    "dragonfly_bus_handshake_failures_total",
    "Bus handshakes that failed, by the side that saw it (publisher, subscriber) and by kind: auth "
    "(the subscriber's key is not trusted), wrong_server_key, mechanism (only one side uses keys), "
    "protocol, no_detail (the other side hung up).",
    ["side", "kind"],
)
NAME_FAILURES: Final = Counter(
    "dragonfly_name_failures_total", "Look-ups of host names in bus addresses that had no answer."
)
PAUSES: Final = Counter(
    "dragonfly_pauses_total", "Times that this process stood still for over a second."
)
TRUST_FAILURES: Final = Counter(
    "dragonfly_trust_failures_total", "Changed trust files that could not be used."
)
READY: Final = Gauge("dragonfly_ready", "1 while this process says that it is ready.")
BUILD: Final = Info("dragonfly_build", "What this process is made of.")
BUILD.info(
    {
        "version": version("dragonflybot-common"),
        "python": platform.python_version(),
        "pyzmq": version("pyzmq"),
    }
)
