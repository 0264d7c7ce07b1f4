"""Binance Spot, after binance-spot-api-docs (`web-socket-streams.md`, `rest-api.md`).

One difference, unless the simulator is `--paced`: `@100ms` and 1000 ms streams alike send each
state when it is made, so that `--rate` sets the pace and a test can have more than ten updates a
second.
"""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit

from venue_simulator.trading.desk import TradingRules
from venue_simulator.venue import Books, FakeVenue, KeepaliveRules, VenueSession
from venue_simulator.venues.binance import frames, listing, recording, rest
from venue_simulator.venues.binance.api_session import API_PATH, BinanceApiSession
from venue_simulator.venues.binance.session import BinanceSession, accepts

__all__ = ["FakeBinance", "FakeBinanceUs"]


class FakeBinance(FakeVenue):
    """Change-driven streams, chained update ids, and a strict count of what a client sends."""

    name: str = "binance"
    fix: str = "venue_simulator.venues.binance.fix:BinanceFix"
    liveness = KeepaliveRules(ping_interval_s=20.0, pong_timeout_s=60.0)
    trading = TradingRules(
        Decimal("0.001"), Decimal("0.001"), fee_in_received=True, most_orders=(50, 10.0)
    )
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    list_recorded = staticmethod(listing.list_recorded)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    signed = staticmethod(rest.signed)
    rest = staticmethod(rest.answer)

    def session(self, path: str, books: Books, connection_id: int) -> VenueSession:
        if urlsplit(path).path == API_PATH:
            return BinanceApiSession(books)
        return BinanceSession(path)


class FakeBinanceUs(FakeBinance):
    """Binance.US: the same WebSockets, another market; nothing of it is recorded."""

    name = "binanceus"
    fix = ""
