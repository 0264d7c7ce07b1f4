"""Bitget's rules. Source: its docs of v2, and limits measured live (2026-09).

REST gives books without their sequence: only a silent feed can be held against them. Whether
`books1` counts as `books` does is not documented.
"""

from __future__ import annotations

from dragonfly_venues.bitget import control, instruments, seed
from dragonfly_venues.bitget.decoder import WINDOW, BitgetDecoder, BitgetSequencer
from dragonfly_venues.decoding.arguments import ping
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Bitget"]


class Bitget(Venue):
    """The `Venue` of Bitget Spot."""

    name = "bitget"
    rules = BitgetSequencer
    checked = "Single messages only."
    ws_url = "wss://ws.bitget.com"
    ws_path = "/v2/ws/public"
    rest_url = "https://api.bitget.com"
    levels = WINDOW
    decoder = BitgetDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(ping)
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    limits = Limits(
        # 1000 are allowed, fewer than 50 recommended.
        streams_per_connection=48,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 10 in a second, pings included.
        requests_per_second=8.0,
        # Of one connection.
        subscriptions_per_hour=240,
        # 300 in 5 min for an address, which replicas share.
        connects_per_minute=30.0,
    )
    # A quiet book sends nothing: 7.7 s were seen.
    liveness = Liveness(
        # Who sends no ping for 2 min is hung up on, also while data flows.
        keepalive_s=30.0,
    )
