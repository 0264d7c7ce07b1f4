"""Kraken Spot, WebSocket API v2 and REST; `ws.` and `ws-auth.` are one place here."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from venue_simulator.trading.desk import TradingRules
from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.kraken import frames, listing, private_rest, recording, rest
from venue_simulator.venues.kraken.session import HEARTBEAT, KrakenSession, accepts

__all__ = ["FakeKraken"]


class FakeKraken(FakeVenue):
    """Snapshots and deltas of a window of N levels, each with a checksum of the printed text."""

    name: Final = "kraken"
    liveness = KeepaliveRules(heartbeat_interval_s=1.0, heartbeat=HEARTBEAT, idle_limit_s=60.0)
    # Its counter of a pair holds 60 and decays by 1 a second, which is much the same.
    trading = TradingRules(
        Decimal("0.0025"), Decimal("0.004"), fee_in_received=False, most_orders=(60, 60.0)
    )
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    spoil_checksum = staticmethod(frames.spoil_checksum)
    rest = staticmethod(rest.answer)
    signed = staticmethod(private_rest.signed)

    def session(self, path: str, books: Books, connection_id: int) -> KrakenSession:
        return KrakenSession(books, connection_id)
