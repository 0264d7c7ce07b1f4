"""Kraken's rules. Source: docs.kraken.com, WebSocket v2 (2026), and its limits as measured live."""

from __future__ import annotations

from copy import copy

from dragonfly_venues.kraken import book, control, instruments, seed
from dragonfly_venues.kraken.decoder import KrakenDecoder
from dragonfly_venues.venue import (
    AuditSources,
    InstrumentSource,
    Limits,
    Liveness,
    Venue,
)

__all__ = ["Kraken"]


class Kraken(Venue):
    """The `Venue` of Kraken Spot."""

    name = "kraken"
    rules = book
    checked = (
        "13 of 13 checksums of this socket (2026-08), and 4269 of the one before it, "
        "whose rule is the same."
    )
    ws_url = "wss://ws.kraken.com"
    ws_path = "/v2"
    rest_url = "https://api.kraken.com"
    levels = control.DEPTHS[-1]
    decoder = KrakenDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(control.ping)
    # Measured on loopback: deflate saves 77 % of the bytes, but 185 are one packet anyway, and adds
    # 0.9 µs of inflating and some 15 µs of median latency through the WebSocket layer.
    compression = False
    # The list is half a megabyte; changes of a market's status come on each connection.
    instruments = InstrumentSource(
        parse=instruments.parse, ws_request=control.INSTRUMENT_REQUEST, changes_told=True
    )
    greeting = (control.STATUS_REQUEST,)
    # The checksum covers the ten best levels of every message. Its ticker says less, and has no
    # sequence; REST books have "no link to the socket state", so that only a silent feed can be
    # held against them.
    snapshots = seed.SOURCE
    audits = AuditSources(checksum=True)
    limits = Limits(
        # None is documented; snapshots of so many arrive within a second.
        streams_per_connection=500,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        requests_per_second=5.0,
        # About 150 in 10 min for an address, which replicas share; then banned for 10 min.
        connects_per_minute=10.0,
        # The instrument list comes on a socket: about 350 bytes for each of some 1500 markets.
        max_frame_bytes=2**22,
    )
    liveness = Liveness(
        # A heartbeat comes every second when nothing else does.
        probe_after_s=1.5,
    )

    def at(self, depth: int) -> Venue:
        """Return the venue as it is where more is shown than its checksum covers."""
        if depth <= book.CHECKSUM_LEVELS:
            return self
        deeper = copy(self)
        deeper.loss_shows = False
        return deeper
