"""Bybit Spot, WebSocket and REST v5."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.bybit import frames, listing, rest
from venue_simulator.venues.bybit.session import BybitSession, accepts

__all__ = ["FakeBybit"]


class FakeBybit(FakeVenue):
    """Books of 50, 200 or 1000 levels by deltas, numbered one by one; the best level whole."""

    name: Final = "bybit"
    # "Neither ping nor data."
    liveness = KeepaliveRules(silence_limit_s=600.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> BybitSession:
        return BybitSession(books, connection_id)
