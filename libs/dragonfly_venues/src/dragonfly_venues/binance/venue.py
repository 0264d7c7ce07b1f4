"""Binance's rules. Source: binance/binance-spot-api-docs, web-socket-streams.md (2026-07).

Binance.US is another venue with the same rules: since its spot upgrade of 2026-08-31 its limits,
weights and pings are Binance's too. Source: binance-us/binance-us-api-docs, CHANGELOG.md (2026-07).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Final

from dragonfly_venues.binance import control, fix_control, instruments, seed
from dragonfly_venues.binance.decoder import BinanceChangesDecoder, BinanceDecoder, BinanceSequencer
from dragonfly_venues.binance.fix_decoder import BinanceFixDecoder, BinanceFixSequencer
from dragonfly_venues.venue import (
    Ask,
    AuditSources,
    Decoder,
    Limits,
    Liveness,
    LogonTerms,
    SnapshotSource,
    Venue,
)

__all__ = ["Binance", "BinanceByFix", "BinanceUs"]

_LIFETIME_S: Final = 23.5 * 3600
"""The venue cuts every connection at 24 h."""


class _Spot(Venue):
    """The rules that hold by whatever protocol the books come."""

    name = "binance"
    rest_url = "https://api.binance.com"
    instruments = instruments.SOURCE
    audits = AuditSources(bbo=True)
    # They come in real time, books every 100 ms; all streams have one counter.
    best_prices = True


class BinanceByFix(_Spot):
    """The `Venue` of Binance Spot as it is listened to by FIX. Source: fix-api.md (2026-07)."""

    ws_url = "fix+tls://fix-md.binance.com:9000"
    rules = BinanceFixSequencer
    decoder = BinanceFixDecoder
    requests = staticmethod(fix_control.request)
    ends_by_handle = True
    ends_answered = False
    fix = LogonTerms(target="SPOT", heartbeat_s=5, fields=fix_control.logon)
    # A book begins with what the subscription is answered with; REST gives more of it where the
    # price has gone far.
    snapshots: SnapshotSource | None = seed.SOURCE
    limits = Limits(
        # 1000 streams, of which a symbol takes two where best prices are asked for too.
        streams_per_connection=500,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 2000 a minute, of which heartbeats and test requests take some.
        requests_per_second=30.0,
        # 300 in 5 min for an account, which replicas share; 100 at the same time.
        connects_per_minute=30.0,
        # A book of 1000 levels a side has some 100 kB.
        max_frame_bytes=2**19,
    )
    liveness = Liveness()


class Binance(_Spot):
    """The `Venue` of Binance Spot."""

    checked = "The books that REST gave and 178 messages of changes (2021-10) chain without a gap."
    ws_url = "wss://stream.binance.com:9443"
    ws_path = "/stream"
    protocols: Mapping[str, Callable[[], Venue]] = {"fix": BinanceByFix}
    levels: int | None = control.LEVELS
    decoder: Callable[[int], Decoder] = BinanceDecoder
    requests: Callable[[Ask], list[str]] = staticmethod(control.request)
    # Measured on loopback: deflate saves 92 % of the bytes (1.1 kB to 0.1), and adds 1.7 µs of
    # inflating and some 25 µs of median latency through the WebSocket layer. Latency decides.
    compression = False
    snapshots = seed.TOP_SOURCE
    limits = Limits(
        # 1024, of which a symbol takes two where best prices are asked for too.
        streams_per_connection=512,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 5 a second in all, and pings and pongs count: two are left for them.
        requests_per_second=3.0,
        # 300 in 5 min for an address, which replicas share.
        connects_per_minute=30.0,
        connection_lifetime_s=_LIFETIME_S,
    )
    # Books that rest were silent for 10.5 s, so silence is asked about with a ping.
    # No book is sent on subscribing: the first comes with the next change.
    liveness = Liveness(first_book_timeout_s=None)

    def at(self, depth: int) -> Venue:
        """Return the venue by its changes where whole tops are not deep enough."""
        if depth <= control.LEVELS:
            return self
        deeper = copy(self)
        deeper.rules = BinanceSequencer
        deeper.levels = None
        deeper.decoder = BinanceChangesDecoder
        deeper.requests = control.request_changes
        deeper.snapshots = seed.SOURCE
        return deeper


class BinanceUs(Binance):
    """The `Venue` of Binance.US: markets of its own, by Binance's rules."""

    name = "binanceus"
    protocols: Mapping[str, Callable[[], Venue]] = {}
    ws_url = "wss://stream.binance.us:9443"
    rest_url = "https://api.binance.us"
