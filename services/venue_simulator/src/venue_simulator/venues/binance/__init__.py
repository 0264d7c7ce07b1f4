"""Binance Spot, after binance-spot-api-docs (`web-socket-streams.md`, `rest-api.md`).

One difference, unless the simulator is `--paced`: `@100ms` and 1000 ms streams alike send each
state when it is made, so that `--rate` sets the pace and a test can have more than ten updates a
second.
"""

from __future__ import annotations

from venue_simulator.book import Books
from venue_simulator.venue import FakeVenue, KeepaliveRules
from venue_simulator.venues.binance import frames, listing, recording, rest
from venue_simulator.venues.binance.session import BinanceSession, accepts

__all__ = ["FakeBinance", "FakeBinanceUs"]


class FakeBinance(FakeVenue):
    """Change-driven streams, chained update ids, and a strict count of what a client sends."""

    name: str = "binance"
    liveness = KeepaliveRules(ping_interval_s=20.0, pong_timeout_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    list_recorded = staticmethod(listing.list_recorded)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> BinanceSession:
        return BinanceSession(path)


class FakeBinanceUs(FakeBinance):
    """Binance.US: the same protocol, another market; nothing of it is recorded."""

    name = "binanceus"
