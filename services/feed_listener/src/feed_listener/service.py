"""Wiring: a venue, its client, the bus, and the listener between them."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dragonfly_common.assignment import ALONE, Assignment, Replicas
from dragonfly_common.bus import Keys, Publisher
from dragonfly_common.replicas import ReplicaGroup
from dragonfly_common.runtime import Runtime
from dragonfly_venues.transport import ClientOptions, Standing, Trust, build_client, fetch
from dragonfly_venues.venue import FixKey, Venue

from feed_listener.connection.endpoint import locator
from feed_listener.instrument_list import fetcher
from feed_listener.listener import MOST_FEEDS, Following, Listener

__all__ = ["ListenerOptions", "serve"]


@dataclass(frozen=True)
class ListenerOptions:
    """The options of a listener."""

    venue: Venue
    bind: str
    ws_url: str
    rest_url: str
    trust: Trust
    following: Following
    bans: Path | None = None
    """The file in which the venue's bans are kept."""
    replicas: Replicas = ALONE
    keys: Keys | None = None
    fix_key: FixKey | None = None
    """Of a venue that is listened to by FIX."""


async def serve(runtime: Runtime, options: ListenerOptions) -> None:
    """Listen until cancelled.

    Raises:
        UserError: the address cannot be bound, or a URL names no known protocol.
    """
    venue = options.venue.at(options.following.depth)
    limits, source = venue.limits, venue.instruments
    clock = runtime.clock
    trust, standing = options.trust, Standing(clock, options.bans)
    fix = (venue.fix, options.fix_key) if venue.fix and options.fix_key else None
    book_client = build_client(
        options.ws_url,
        ClientOptions(trust, limits.max_frame_bytes, venue.compression, standing, fix),
    )
    list_client = build_client(
        options.ws_url, ClientOptions(trust, source.max_reply_bytes, True, standing, fix)
    )
    assignment = Assignment(
        runtime.instance, options.replicas.redundancy, options.replicas.handover_s, MOST_FEEDS
    )
    runtime.warn_if_bus_is_open(options.bind, secured=options.keys is not None)
    with (
        closing(Publisher(options.bind, runtime.instance, clock, keys=options.keys)) as publisher,
        closing(
            ReplicaGroup(options.replicas.peers, publisher, assignment, clock, options.keys)
        ) as peers,
    ):
        listener = Listener(
            runtime,
            publisher,
            peers,
            venue,
            options.following,
            book_client,
            locator(venue, options.ws_url, options.rest_url, trust, standing),
            fetcher(venue, list_client, options.ws_url, options.rest_url, trust, standing),
            random.random,
            lambda path, most: fetch(f"{options.rest_url}{path}", trust, most, standing),
        )
        runtime.ready(address=publisher.address, venue=venue.name)
        runtime.not_ready("starting")
        await listener.run()
