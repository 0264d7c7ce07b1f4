"""Bitstamp's rules. Source: bitstamp.net/websocket/v2, and limits measured live (2026-09)."""

from __future__ import annotations

from collections.abc import Sequence

from dragonfly_venues.bitstamp import control, instruments, seed
from dragonfly_venues.bitstamp.decoder import BitstampDecoder
from dragonfly_venues.venue import (
    AuditSources,
    Decoder,
    InstrumentSource,
    Limits,
    Liveness,
    Market,
    SnapshotSource,
)

__all__ = ["Bitstamp"]


class Bitstamp:
    """The `Venue` of Bitstamp."""

    name = "bitstamp"
    ws_url = "wss://ws.bitstamp.net"
    rest_url = "https://www.bitstamp.net"
    # Measured on loopback: deflate saves 62 % of the bytes (5.3 kB to 2.0), and adds 24 µs of
    # inflating, eight times what the change filter takes. Latency decides.
    compression = False
    # The list is short (some 250 markets, 60 kB): it is read whole each minute.
    instruments = InstrumentSource(
        rest_path=instruments.REST_PATH, other_rest_path=instruments.OBSOLETE_REST_PATH
    )
    greeting: Sequence[str] = ()
    # No channel has best prices alone.
    audits = AuditSources()
    # REST allows an address 10,000 requests in 10 min: this is a quarter of them.
    snapshots: SnapshotSource | None = SnapshotSource(
        path=seed.path, parse=seed.parse, per_minute=240.0, burst=60
    )
    limits = Limits(
        # The 1025th channel closes the socket without a word.
        streams_per_connection=1000,
        # A frame names one channel; so many frames are asked for at a time, which answers name.
        symbols_per_request=25,
        # Nothing is documented for the socket; REST allows 400 a second.
        requests_per_second=50.0,
        connects_per_minute=30.0,
        max_frame_bytes=2**18,
        # The venue cuts at 90 days.
        connection_lifetime_s=89 * 86400.0,
    )
    liveness = Liveness(
        # Books that rest were silent for 49 s, so silence is asked about with bts:heartbeat.
        probe_after_s=1.0,
        stale_after_s=3.0,
        reconnect_after_s=10.0,
        # No book is sent on subscribing: the first comes with the next change.
        first_book_timeout_s=None,
    )

    def connect_url(self, base: str) -> str:
        """Return `base`: the venue has no path."""
        return base

    def subscribe(
        self, symbols: Sequence[str], request_id: int, depth: int, *, bbo: bool = False
    ) -> list[str]:
        """Return one frame a symbol; acknowledgements name the symbol, not `request_id`."""
        return control.request("bts:subscribe", symbols)

    def unsubscribe(
        self, symbols: Sequence[str], request_id: int, depth: int, *, bbo: bool = False
    ) -> list[str]:
        """Return the frames that end what `subscribe` asked for."""
        return control.request("bts:unsubscribe", symbols)

    def probe(self, request_id: int) -> str | None:
        """Return the venue's own heartbeat request."""
        return control.HEARTBEAT

    def parse_instruments(self, reply: bytes) -> dict[str, Market] | None:
        """Return the markets by instrument; see `Venue`."""
        return instruments.parse(reply)

    def decoder(self, depth: int) -> Decoder:
        """Return a fresh decoder."""
        return BitstampDecoder(depth)
