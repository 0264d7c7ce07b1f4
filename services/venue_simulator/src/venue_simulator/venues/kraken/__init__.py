"""Kraken Spot, WebSocket API v2 and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Books
from venue_simulator.venue import FakeVenue, KeepaliveRules
from venue_simulator.venues.kraken import frames, listing, recording, rest
from venue_simulator.venues.kraken.session import HEARTBEAT, KrakenSession, accepts

__all__ = ["FakeKraken"]


class FakeKraken(FakeVenue):
    """Snapshots and deltas of a window of N levels, each with a checksum of the printed text."""

    name: Final = "kraken"
    liveness = KeepaliveRules(heartbeat_interval_s=1.0, heartbeat=HEARTBEAT, idle_limit_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    spoil_checksum = staticmethod(frames.spoil_checksum)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> KrakenSession:
        return KrakenSession(books, connection_id)
