"""Crypto.com's rules. Source: exchange-docs.crypto.com (2025-11), and what was measured (2026-09).

REST's books have no number ("no link to the socket"), nor have its tickers: only a silent feed can
be held against them.
"""

from __future__ import annotations

from dragonfly_venues.cryptocom import control, instruments, seed
from dragonfly_venues.cryptocom.decoder import CryptocomDecoder, CryptocomSequencer
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Cryptocom"]


class Cryptocom(Venue):
    """The `Venue` of Crypto.com's spot markets."""

    name = "cryptocom"
    rules = CryptocomSequencer
    checked = "The documents' messages only."
    ws_url = "wss://stream.crypto.com"
    ws_path = "/exchange/v1/market"
    rest_url = "https://api.crypto.com"
    levels = control.DEPTHS[-1]
    decoder = CryptocomDecoder
    requests = staticmethod(control.request)
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    limits = Limits(
        # More are refused, one answer for each.
        streams_per_connection=400,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 100 are allowed.
        requests_per_second=20.0,
        # In the second in which it opened a connection has only a part of what it has in others.
        pause_after_connect_s=1.0,
    )
    # It asks every 30 s, and hangs up on who has not answered three times.
    # The snapshot comes about a second after the acknowledgement.
    liveness = Liveness()
