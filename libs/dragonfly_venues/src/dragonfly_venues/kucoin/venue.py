"""KuCoin's rules. Source: its docs of 2025-11, and limits measured live (2026-09)."""

from __future__ import annotations

from dragonfly_venues.kucoin import control, endpoint, instruments, seed
from dragonfly_venues.kucoin.decoder import KucoinDecoder, KucoinSequencer
from dragonfly_venues.venue import (
    EndpointSource,
    InstrumentSource,
    Limits,
    Liveness,
    SnapshotSource,
    Venue,
)

__all__ = ["Kucoin"]


class Kucoin(Venue):
    """The `Venue` of KuCoin Spot."""

    name = "kucoin"
    rules = KucoinSequencer
    checked = "Messages and the books that REST gave (2021-04) chain without a gap."
    ws_url = "wss://ws-api-spot.kucoin.com"
    rest_url = "https://api.kucoin.com"
    decoder = KucoinDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(control.ping)
    keepalive = staticmethod(control.ping)
    endpoint = EndpointSource(rest_path=endpoint.REST_PATH, parse=endpoint.parse)
    welcomes = True
    # Some 1300 markets in 700 kB.
    instruments = InstrumentSource(parse=instruments.parse, rest_path=instruments.REST_PATH)
    # A book of a hundred levels weighs 2 of the 2000 in 30 s that an address has: 6 %.
    snapshots = SnapshotSource(
        path=seed.path, parse=seed.parse, levels=seed.LEVELS, per_minute=120.0, burst=30
    )
    limits = Limits(
        # 300 to 400 topics, depending on the page of the docs.
        streams_per_connection=300,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 100 in 10 s, pings included.
        requests_per_second=8.0,
        connects_per_minute=30.0,
        max_frame_bytes=2**20,
        # A token is good for 24 h.
        connection_lifetime_s=23.5 * 3600,
    )
    liveness = Liveness(
        # No book is sent on subscribing: REST gives the first.
        first_book_timeout_s=None,
        # Who sends none for 60 s is hung up on, also while data flows.
        keepalive_s=18.0,
    )
