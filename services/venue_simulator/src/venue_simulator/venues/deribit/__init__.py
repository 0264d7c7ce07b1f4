"""Deribit Spot, JSON-RPC over WebSocket, and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.deribit import frames, listing, recording, rest
from venue_simulator.venues.deribit.session import DeribitSession, accepts

__all__ = ["FakeDeribit"]


class FakeDeribit(FakeVenue):
    """Whole books and their changes, whole tops, best prices; a heartbeat for who wants one."""

    name: Final = "deribit"
    # "Idle sockets close after about 60 s": who asks for a heartbeat is never idle.
    liveness = KeepaliveRules(silence_limit_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> DeribitSession:
        return DeribitSession(books)
