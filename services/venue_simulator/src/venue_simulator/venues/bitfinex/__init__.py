"""Bitfinex, WebSocket v2 and public REST v2."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.bitfinex import frames, listing, recording, rest
from venue_simulator.venues.bitfinex.session import BitfinexSession, accepts

__all__ = ["FakeBitfinex"]


class FakeBitfinex(FakeVenue):
    """Books of 25 to 250 levels by deltas, on channels that each client knows by other numbers."""

    name: Final = "bitfinex"
    liveness = KeepaliveRules(idle_limit_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    spoil_checksum = staticmethod(frames.spoil_checksum)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> BitfinexSession:
        return BitfinexSession(books, connection_id)
