"""OKX's rules. Source: okx.com/docs-v5 (2025-11), and limits measured live (2026-09)."""

from __future__ import annotations

from dragonfly_venues.decoding.arguments import ping
from dragonfly_venues.okx import control, instruments, seed
from dragonfly_venues.okx.decoder import WINDOW, OkxDecoder, OkxSequencer
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Okx"]


class Okx(Venue):
    """The `Venue` of OKX Spot."""

    name = "okx"
    rules = OkxSequencer
    checked = "290 checksums hold (2022-05). Numbers came later: they are of single messages."
    ws_url = "wss://ws.okx.com:8443"
    ws_path = "/ws/v5/public"
    rest_url = "https://www.okx.com"
    levels = WINDOW
    decoder = OkxDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(ping)
    instruments = instruments.SOURCE
    best_prices_apart = (
        "`bbo-tbt` comes every 10 ms, but `seqId`s are promised to agree within one channel alone"
    )
    # Its checksum has been 0 since June 2026.
    snapshots = seed.SOURCE
    limits = Limits(
        # "Recommended: fewer than 30 book channels on a connection."
        streams_per_connection=30,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        requests_per_second=3.0,
        # 480 operations in an hour on one connection.
        subscriptions_per_hour=480,
        # 3 a second for an address.
        connects_per_minute=60.0,
        connects_at_once=2,
        max_frame_bytes=2**20,
    )
    # The venue hangs up after 30 s in which neither side said anything.
    liveness = Liveness()
