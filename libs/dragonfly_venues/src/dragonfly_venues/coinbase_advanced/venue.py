"""Coinbase Advanced Trade's rules. Source: docs.cdp.coinbase.com, "Advanced Trade" (2025-11)."""

from __future__ import annotations

from dragonfly_venues.coinbase.venue import Coinbase
from dragonfly_venues.coinbase_advanced import control, instruments, seed
from dragonfly_venues.coinbase_advanced.decoder import (
    CoinbaseAdvancedDecoder,
    CoinbaseAdvancedSequence,
)
from dragonfly_venues.venue import Venue

__all__ = ["CoinbaseAdvanced"]


class CoinbaseAdvanced(Venue):
    """The `Venue` of Coinbase Advanced Trade."""

    name = "coinbase_advanced"
    rules = CoinbaseAdvancedSequence
    checked = "Single messages only."
    ws_url = "wss://advanced-trade-ws.coinbase.com"
    rest_url = "https://api.coinbase.com"
    decoder = CoinbaseAdvancedDecoder
    requests = staticmethod(control.request)
    greeting = (control.HEARTBEATS,)
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    limits = Coinbase.limits
    # A heartbeat comes every second for the whole connection.
    liveness = Coinbase.liveness
