"""Crypto.com Exchange v1, its market data socket and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.cryptocom import frames, listing, rest
from venue_simulator.venues.cryptocom.session import CryptocomSession, accepts

__all__ = ["FakeCryptocom"]


class FakeCryptocom(FakeVenue):
    """Books of 10 or 50 levels, by changes that are chained or whole; it asks who is there."""

    name: Final = "cryptocom"
    # Its questions are the session's: their text has the time in it.
    liveness = KeepaliveRules(ping_interval_s=5.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    spoil_checksum = staticmethod(frames.spoil_checksum)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> CryptocomSession:
        return CryptocomSession(books)
