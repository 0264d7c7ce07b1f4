"""Coinbase Exchange's rules. Source: docs.cdp.coinbase.com, "Exchange" (2025-11)."""

from __future__ import annotations

from dragonfly_venues.coinbase import control, instruments, seed
from dragonfly_venues.coinbase.decoder import CoinbaseDecoder, CoinbaseSequencer
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Coinbase"]


class Coinbase(Venue):
    """The `Venue` of Coinbase Exchange."""

    name = "coinbase"
    rules = CoinbaseSequencer
    checked = "10 whole books and 9719 messages of changes (2021-04): no crossed book."
    ws_url = "wss://ws-feed.exchange.coinbase.com"
    rest_url = "https://api.exchange.coinbase.com"
    loss_shows = False
    decoder = CoinbaseDecoder
    requests = staticmethod(control.request)
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    limits = Limits(
        # None is documented; snapshots of so many weigh some 50 MB.
        streams_per_connection=50,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 8 connections and subscriptions a second for an address, which replicas share.
        requests_per_second=4.0,
        connects_per_minute=60.0,
        connects_at_once=4,
        # BTC's whole book has several MB.
        max_frame_bytes=2**25,
    )
    liveness = Liveness(
        # A heartbeat comes every second for each product.
        probe_after_s=1.5,
        # The snapshot follows at once, and ten of them take 8 s at 10 Mbit/s.
        first_book_timeout_s=20.0,
    )
