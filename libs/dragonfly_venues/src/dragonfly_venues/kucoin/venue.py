"""KuCoin's rules. Source: its docs of 2025-11, and limits measured live (2026-09)."""

from __future__ import annotations

from dragonfly_venues.kucoin import control, endpoint, instruments, seed
from dragonfly_venues.kucoin.decoder import KucoinDecoder, KucoinSequencer
from dragonfly_venues.venue import EndpointSource, Limits, Liveness, Venue

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
    endpoint = EndpointSource(rest_path=endpoint.REST_PATH, parse=endpoint.parse)
    welcomes = True
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    limits = Limits(
        # 300 to 400 topics, depending on the page of the docs.
        streams_per_connection=300,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 100 in 10 s, pings included.
        requests_per_second=8.0,
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
