"""Coinbase Advanced Trade, the public feed and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.coinbase import listing
from venue_simulator.venues.coinbase.session import accepts
from venue_simulator.venues.coinbase_advanced import frames, recording, rest
from venue_simulator.venues.coinbase_advanced.session import CoinbaseAdvancedSession

__all__ = ["FakeCoinbaseAdvanced"]


class FakeCoinbaseAdvanced(FakeVenue):
    """Coinbase's books, in messages that are numbered connection by connection."""

    name: Final = "coinbase_advanced"
    # Who hears nothing, heartbeats included, is sent away after 60 to 90 s.
    liveness = KeepaliveRules(idle_limit_s=5.0, silence_limit_s=75.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> CoinbaseAdvancedSession:
        return CoinbaseAdvancedSession(books)
