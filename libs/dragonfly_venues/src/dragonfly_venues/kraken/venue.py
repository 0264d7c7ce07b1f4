"""Kraken's rules. Source: docs.kraken.com, WebSocket v2 (2026), and its limits as measured live."""

from __future__ import annotations

from collections.abc import Sequence

from dragonfly_venues.kraken import control, instruments
from dragonfly_venues.kraken.decoder import KrakenDecoder
from dragonfly_venues.venue import (
    AuditSources,
    Decoder,
    InstrumentSource,
    Limits,
    Liveness,
    Market,
    SnapshotSource,
)

__all__ = ["Kraken"]


class Kraken:
    """The `Venue` of Kraken Spot."""

    name = "kraken"
    ws_url = "wss://ws.kraken.com"
    rest_url = "https://api.kraken.com"
    # Measured on loopback: deflate saves 77 % of the bytes, but 185 are one packet anyway, and adds
    # 0.9 µs of inflating and some 15 µs of median latency through the WebSocket layer.
    compression = False
    # The list is half a megabyte; changes of a market's status come on each connection.
    instruments = InstrumentSource(ws_request=control.INSTRUMENT_REQUEST, changes_told=True)
    greeting: Sequence[str] = (control.STATUS_REQUEST,)
    # The checksum covers the ten best levels of every message. Its ticker says less, and has no
    # sequence; REST books have "no link to the socket state".
    audits = AuditSources(checksum=True)
    snapshots: SnapshotSource | None = None
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
        stale_after_s=3.0,
        reconnect_after_s=10.0,
        # The snapshot follows the acknowledgement at once.
        first_book_timeout_s=5.0,
    )

    def connect_url(self, base: str) -> str:
        """Return the URL of the v2 socket."""
        return f"{base.rstrip('/')}/v2"

    def subscribe(
        self, symbols: Sequence[str], request_id: int, depth: int, *, bbo: bool = False
    ) -> list[str]:
        """Return the frames that ask for the venue's depth that holds `depth`."""
        return control.request("subscribe", symbols, request_id, depth)

    def unsubscribe(
        self, symbols: Sequence[str], request_id: int, depth: int, *, bbo: bool = False
    ) -> list[str]:
        """Return the frames that end what `subscribe` asked for; `depth` must be the same."""
        return control.request("unsubscribe", symbols, request_id, depth)

    def probe(self, request_id: int) -> str | None:
        """Return a ping of the venue's protocol."""
        return control.ping(request_id)

    def parse_instruments(self, reply: bytes) -> dict[str, Market] | None:
        """Return the markets by instrument, or None when `reply` is not the list yet."""
        return instruments.parse(reply)

    def decoder(self, depth: int) -> Decoder:
        """Return a fresh decoder."""
        return KrakenDecoder(depth)
