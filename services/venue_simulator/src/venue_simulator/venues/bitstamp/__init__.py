"""Bitstamp's public WebSocket v2 and REST v2."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Books
from venue_simulator.venue import FakeVenue, KeepaliveRules
from venue_simulator.venues.bitstamp import frames, listing, recording, rest
from venue_simulator.venues.bitstamp.session import BitstampSession, accepts

__all__ = ["FakeBitstamp"]


class FakeBitstamp(FakeVenue):
    """Whole tops of 100 levels, no sequence, no checksum, and no book before its next change."""

    name: Final = "bitstamp"
    liveness = KeepaliveRules(ping_interval_s=54.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> BitstampSession:
        return BitstampSession()
