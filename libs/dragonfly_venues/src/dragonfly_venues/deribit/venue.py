"""Deribit's rules. Source: docs.deribit.com, API v2 (2026), and figures measured live (2026-09)."""

from __future__ import annotations

from collections.abc import Callable

from dragonfly_venues.deribit import control, instruments, seed
from dragonfly_venues.deribit.decoder import DeribitChangesDecoder, DeribitDecoder, DeribitSequencer
from dragonfly_venues.venue import (
    Decoder,
    InstrumentSource,
    Limits,
    Liveness,
    SnapshotSource,
    Venue,
)

__all__ = ["Deribit"]


class Deribit(Venue):
    """The `Venue` of Deribit Spot."""

    name = "deribit"
    checked = "10 books and 46 states of them (2021-07), of the raw channel."
    ws_url = "wss://www.deribit.com"
    ws_path = "/ws/api/v2"
    rest_url = "https://www.deribit.com"
    levels: int | None = control.LEVELS
    decoder: Callable[[int], Decoder] = DeribitDecoder
    requests = staticmethod(control.request)
    greeting = control.GREETING
    probe = staticmethod(control.test)
    instruments = InstrumentSource(parse=instruments.parse, rest_path=instruments.REST_PATH)
    best_prices_apart = (
        "`quote` has a time in ms and no `change_id`: of two states of one ms none is the newer"
    )
    # What a request costs is not in the docs of 2026: one a second is a third of what a
    # subscription may cost.
    snapshots = SnapshotSource(path=seed.path, parse=seed.parse, per_minute=60.0, burst=10)
    limits = Limits(
        # No limit is documented but that of a request: several hundred.
        streams_per_connection=500,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # A subscription costs 3000 of 30000 credits: ten at once, then 3.3 a second.
        requests_per_second=3.0,
        # 32 connections at once for an address, which replicas share.
        connects_per_minute=20.0,
        connects_at_once=5,
        # A snapshot is the whole book.
        max_frame_bytes=2**21,
    )
    # Its heartbeat comes every 30 s; books rest for minutes.
    liveness = Liveness(
        # Whole tops come with a change: the first book of a market that rests is REST's.
        first_book_timeout_s=None,
    )

    def at(self, depth: int) -> Venue:
        """Return the venue by its changes where whole tops are not deep enough."""
        return self if depth <= control.LEVELS else _DeribitChanges()


class _DeribitChanges(Deribit):
    """Deribit by whole books and their changes."""

    rules = DeribitSequencer
    levels = None
    decoder = DeribitChangesDecoder
    requests = staticmethod(control.request_changes)
    liveness = Liveness(
        # The snapshot follows the acknowledgement at once.
        first_book_timeout_s=5.0,
    )
