"""Bybit's rules. Source: bybit-exchange/docs, v5 (2026-07).

The topic of one level shares `seq` with the books and is sent every 10 ms, where those of 50 come
every 20 and those of 200 every 100. Whatever happened between, a book may rightly show best prices
that it left out, so that it is no audit.
"""

from __future__ import annotations

from dragonfly_venues.bybit import control, instruments, seed
from dragonfly_venues.bybit.decoder import BybitDecoder, BybitSequencer
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Bybit"]


class Bybit(Venue):
    """The `Venue` of Bybit Spot."""

    name = "bybit"
    rules = BybitSequencer
    checked = "Single messages only."
    ws_url = "wss://stream.bybit.com"
    ws_path = "/v5/public/spot"
    rest_url = "https://api.bybit.com"
    levels = control.DEEPEST
    windows = control.TOPICS
    decoder = BybitDecoder
    best_prices = True
    requests = staticmethod(control.request)
    probe = staticmethod(control.ping)
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    limits = Limits(
        # Arguments of 21,000 characters in all: this many of the longest names, with best prices.
        streams_per_connection=250,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # No figure is documented.
        requests_per_second=10.0,
        # 500 in 5 min for a domain, which replicas share.
        connects_per_minute=50.0,
    )
    # The venue hangs up after 10 min without a ping and without data.
    liveness = Liveness(
        # It asks for a ping every 20 s.
        keepalive_s=20.0,
    )
