"""Bitstamp's WebSocket v2 and REST v2, public and signed."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from venue_simulator.trading.desk import TradingRules
from venue_simulator.venue import Books, FakeVenue, KeepaliveRules
from venue_simulator.venues.bitstamp import frames, listing, private_rest, recording, rest
from venue_simulator.venues.bitstamp.session import BitstampSession, accepts

__all__ = ["FakeBitstamp"]


class FakeBitstamp(FakeVenue):
    """Whole tops of 100 levels, no sequence, no checksum, and no book before its next change."""

    name: Final = "bitstamp"
    liveness = KeepaliveRules(ping_interval_s=54.0)
    trading = TradingRules(
        Decimal("0.003"),
        Decimal("0.004"),
        fee_in_received=False,
        most_orders=(400, 1.0),
        ids_are_unique_for_ever=True,
    )
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    accepts = staticmethod(accepts)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)
    rest = staticmethod(rest.answer)
    signed = staticmethod(private_rest.signed)

    def session(self, path: str, books: Books, connection_id: int) -> BitstampSession:
        return BitstampSession(books)
