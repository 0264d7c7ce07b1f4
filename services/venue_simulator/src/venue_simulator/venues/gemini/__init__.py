"""Gemini spot, the WebSocket API of 2026 and public REST.

One difference: streams of 100 ms and of 1 s alike send each state when it is made, and whole tops
are not repeated while nothing changes, so that `--rate` sets the pace.
"""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.gemini import frames, listing, recording, rest
from venue_simulator.venues.gemini.session import GeminiSession, accepts

__all__ = ["FakeGemini"]


class FakeGemini(FakeVenue):
    """Whole tops, and changes whose ranges overlap by one number of the whole venue's."""

    name: Final = "gemini"
    liveness = KeepaliveRules(ping_interval_s=20.0, pong_timeout_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> GeminiSession:
        return GeminiSession(path, books)
