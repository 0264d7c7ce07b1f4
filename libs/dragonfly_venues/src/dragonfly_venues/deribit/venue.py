"""Deribit's rules. Source: docs.deribit.com, API v2 (2026), and figures measured live (2026-09)."""

from __future__ import annotations

from dragonfly_venues.deribit import control, instruments, seed
from dragonfly_venues.deribit.decoder import DeribitChangesDecoder, DeribitDecoder, DeribitSequencer
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Deribit"]


class _Spot(Venue):
    """The rules that hold by whatever channel the books come."""

    name = "deribit"
    checked = "10 books and 46 states of them (2021-07), of the raw channel."
    ws_url = "wss://www.deribit.com"
    ws_path = "/ws/api/v2"
    rest_url = "https://www.deribit.com"
    greeting = control.GREETING
    probe = staticmethod(control.test)
    instruments = instruments.SOURCE
    best_prices_apart = (
        "`quote` has a time in ms and no `change_id`: of two states of one ms none is the newer"
    )
    snapshots = seed.SOURCE
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


class _DeribitChanges(_Spot):
    """Deribit by whole books and their changes."""

    rules = DeribitSequencer
    decoder = DeribitChangesDecoder
    requests = staticmethod(control.request_changes)
    liveness = Liveness()


class Deribit(_Spot):
    """The `Venue` of Deribit Spot."""

    levels = control.LEVELS
    decoder = DeribitDecoder
    requests = staticmethod(control.request)
    # Its heartbeat comes every 30 s; books rest for minutes.
    # Whole tops come with a change: the first book of a market that rests is REST's.
    liveness = Liveness(first_book_timeout_s=None)
    deeper = _DeribitChanges
