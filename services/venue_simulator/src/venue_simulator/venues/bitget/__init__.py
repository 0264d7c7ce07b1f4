"""Bitget Spot, WebSocket and public REST v2."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.bitget import frames, listing, rest
from venue_simulator.venues.bitget.session import BitgetSession, accepts

__all__ = ["FakeBitget"]


class FakeBitget(FakeVenue):
    """Books of 500 levels by deltas, chained by numbers; whole tops beside."""

    name: Final = "bitget"
    # "If no ping is received for 2 minutes", data or not.
    liveness = KeepaliveRules(keepalive_limit_s=120.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    spoil_checksum = staticmethod(frames.spoil_checksum)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> BitgetSession:
        return BitgetSession(books)
