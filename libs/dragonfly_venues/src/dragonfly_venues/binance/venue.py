"""Binance's rules. Source: binance/binance-spot-api-docs, web-socket-streams.md (2026-07).

Binance.US is another venue with the same rules: since its spot upgrade of 2026-08-31 its limits,
weights and pings are Binance's too. Source: binance-us/binance-us-api-docs, CHANGELOG.md (2026-07).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Final

from dragonfly_venues.binance import control, instruments, seed
from dragonfly_venues.binance.decoder import BinanceChangesDecoder, BinanceDecoder, BinanceSequencer
from dragonfly_venues.venue import (
    Ask,
    AuditSources,
    Decoder,
    InstrumentSource,
    Limits,
    Liveness,
    SnapshotSource,
    Venue,
)

__all__ = ["Binance", "BinanceUs"]

_LIFETIME_S: Final = 23.5 * 3600
"""The venue cuts every connection at 24 h."""


class Binance(Venue):
    """The `Venue` of Binance Spot."""

    name = "binance"
    checked = "The books that REST gave and 178 messages of changes (2021-10) chain without a gap."
    ws_url = "wss://stream.binance.com:9443"
    ws_path = "/stream"
    rest_url = "https://api.binance.com"
    levels: int | None = control.LEVELS
    decoder: Callable[[int], Decoder] = BinanceDecoder
    requests: Callable[[Ask], list[str]] = staticmethod(control.request)
    # Measured on loopback: deflate saves 92 % of the bytes (1.1 kB to 0.1), and adds 1.7 µs of
    # inflating and some 25 µs of median latency through the WebSocket layer. Latency decides.
    compression = False
    # Any exchangeInfo weighs 20 of the 6000 a minute that an address has. To read the whole takes
    # 40 ms (3,200 markets, 6.4 MB), in which no book is read; a hundred markets take 0.4.
    instruments = InstrumentSource(
        parse=instruments.parse,
        rest_path=instruments.REST_PATH,
        part_path=instruments.part_path,
        part_symbols=100,
    )
    audits = AuditSources(bbo=True)
    # They come in real time, books every 100 ms; all streams have one counter.
    best_prices = True
    # A snapshot weighs 5 of the 6000 a minute that an address has: a quarter of them in the minute
    # after a start, a fifth later.
    snapshots = SnapshotSource(path=seed.path, parse=seed.parse, per_minute=240.0, burst=60)
    limits = Limits(
        # 1024, of which a symbol takes two where best prices are asked for too.
        streams_per_connection=512,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # 5 a second in all, and pongs count: one is left for them.
        requests_per_second=4.0,
        # 300 in 5 min for an address, which replicas share.
        connects_per_minute=30.0,
        max_frame_bytes=2**18,
        connection_lifetime_s=_LIFETIME_S,
    )
    # Books that rest were silent for 10.5 s, so silence is asked about with a ping.
    liveness = Liveness(
        # No book is sent on subscribing: the first comes with the next change.
        first_book_timeout_s=None,
    )

    def at(self, depth: int) -> Venue:
        """Return the venue by its changes where whole tops are not deep enough."""
        if depth <= control.LEVELS:
            return self
        deeper = copy(self)
        deeper.rules = BinanceSequencer
        deeper.levels = None
        deeper.decoder = BinanceChangesDecoder
        deeper.requests = control.request_changes
        # A seed weighs 50 of the 6000 a minute that an address has: a quarter of them in the
        # minute after a start, a sixth later.
        deeper.snapshots = SnapshotSource(
            path=seed.seed_path,
            parse=seed.parse,
            levels=seed.SEED_LEVELS,
            per_minute=20.0,
            burst=10,
        )
        return deeper


class BinanceUs(Binance):
    """The `Venue` of Binance.US: markets of its own, by Binance's rules."""

    name = "binanceus"
    ws_url = "wss://stream.binance.us:9443"
    rest_url = "https://api.binance.us"
