"""HTX Spot, both sockets and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.htx import frames, listing, recording, rest
from venue_simulator.venues.htx.session import HtxSession, accepts

__all__ = ["FakeHtx"]


class FakeHtx(FakeVenue):
    """Whole tops and best prices on one socket, changes and the books they join on another."""

    name: Final = "htx"
    # Its questions are the session's: their text has the time in it.
    liveness = KeepaliveRules()
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> HtxSession:
        return HtxSession(path, books)
