"""Bitstamp's rules. Source: bitstamp.net/websocket/v2, and limits measured live (2026-09)."""

from __future__ import annotations

from dragonfly_venues.bitstamp import control, instruments, seed
from dragonfly_venues.bitstamp.decoder import BitstampDecoder
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Bitstamp"]


class Bitstamp(Venue):
    """The `Venue` of Bitstamp."""

    name = "bitstamp"
    checked = "Recorded messages and REST books (2022-01): `microtimestamp` strictly rises."
    ws_url = "wss://ws.bitstamp.net"
    rest_url = "https://www.bitstamp.net"
    # Of its channel; deeper books would need its changes, of which a lost one cannot be detected.
    levels = 100
    decoder = BitstampDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(control.probe)
    # Measured on loopback: deflate saves 62 % of the bytes (5.3 kB to 2.0), and adds 24 µs of
    # inflating, eight times what the change filter takes. Latency decides.
    compression = False
    instruments = instruments.SOURCE
    # No channel has best prices alone.
    snapshots = seed.SOURCE
    limits = Limits(
        # The 1025th channel closes the socket without a word.
        streams_per_connection=1000,
        # A frame names one channel; so many frames are asked for at a time, which answers name.
        symbols_per_request=25,
        # Nothing is documented for the socket; REST allows 400 a second.
        requests_per_second=50.0,
        # The venue cuts at 90 days.
        connection_lifetime_s=89 * 86400.0,
    )
    # Books that rest were silent for 49 s, so silence is asked about with bts:heartbeat.
    # No book is sent on subscribing: the first comes with the next change.
    liveness = Liveness(first_book_timeout_s=None)
