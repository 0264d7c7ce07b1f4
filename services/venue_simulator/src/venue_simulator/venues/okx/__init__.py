"""OKX Spot, WebSocket v5 and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.okx import frames, listing, recording, rest
from venue_simulator.venues.okx.session import OkxSession, accepts

__all__ = ["FakeOkx"]


class FakeOkx(FakeVenue):
    """Books of 400 levels by deltas, chained by numbers that do not count; whole tops beside."""

    name: Final = "okx"
    # "If there's no data returned within 30 s": neither side spoke.
    liveness = KeepaliveRules(silence_limit_s=30.0, silence_code=4004, idle_limit_s=30.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    spoil_checksum = staticmethod(frames.spoil_checksum)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> OkxSession:
        return OkxSession(books, connection_id)
