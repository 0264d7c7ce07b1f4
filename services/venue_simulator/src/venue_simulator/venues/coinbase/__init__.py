"""Coinbase Exchange, the public feed and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.coinbase import frames, listing, recording, rest
from venue_simulator.venues.coinbase.session import CoinbaseSession, accepts

__all__ = ["FakeCoinbase"]


class FakeCoinbase(FakeVenue):
    """Whole books of tens of thousands of levels, then changes that nothing numbers."""

    name: Final = "coinbase"
    # A client that has not subscribed within 5 s is dropped.
    liveness = KeepaliveRules(idle_limit_s=5.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> CoinbaseSession:
        return CoinbaseSession(books)
