"""Gate.io Spot, WebSocket v4 and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.gateio import frames, listing, recording, rest
from venue_simulator.venues.gateio.session import GateioSession, accepts

__all__ = ["FakeGateio"]


class FakeGateio(FakeVenue):
    """Whole books and then their changes on one channel; older channels beside it."""

    name: Final = "gateio"
    # Cut after 60 s in which neither side spoke; the venue does it without a close frame.
    liveness = KeepaliveRules(silence_limit_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> GateioSession:
        return GateioSession(books, connection_id)
