"""Bitfinex's rules. Source: docs.bitfinex.com (2026), and limits measured live (2026-09)."""

from __future__ import annotations

from dragonfly_venues.bitfinex import control, instruments, seed
from dragonfly_venues.bitfinex.decoder import BitfinexDecoder, BitfinexSequence
from dragonfly_venues.venue import AuditSources, Limits, Liveness, Venue

__all__ = ["Bitfinex"]


class Bitfinex(Venue):
    """The `Venue` of Bitfinex's spot markets."""

    name = "bitfinex"
    rules = BitfinexSequence
    checked = "1670 numbered frames (2021-04) without a gap."
    ws_url = "wss://api-pub.bitfinex.com"
    ws_path = "/ws/2"
    rest_url = "https://api-pub.bitfinex.com"
    levels = control.LENGTHS[-1]
    decoder = BitfinexDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(control.ping)
    welcomes = True
    greeting = (control.CONF,)
    ends_by_handle = True
    halts_show = False
    instruments = instruments.SOURCE
    snapshots = seed.SOURCE
    # REST's books have no number and no time: only a silent feed can be held against them; its
    # tickers come seldom. The checksums that come by themselves are its audit.
    audits = AuditSources(checksum_apart=True)
    limits = Limits(
        # 25 to 30, depending on the page of the docs; 36 were accepted.
        streams_per_connection=25,
        symbols_per_request=25,
        # None is documented: those of a full connection are asked for within two seconds.
        requests_per_second=15.0,
        # 20 a minute for an address, which replicas share; then blocked for 60 s.
        connects_per_minute=8.0,
        # A snapshot of 250 levels a side has 20 kB.
        max_frame_bytes=2**20,
    )
    # Each channel has a heartbeat every 15 s: sooner it is asked for a pong.
    liveness = Liveness()
