"""HTX's rules. Source: its spot API docs (2025-11); [seen]: of a sister venue."""

from __future__ import annotations

from collections.abc import Callable

from dragonfly_venues.htx import control, instruments, seed
from dragonfly_venues.htx.decoder import HtxChangesDecoder, HtxDecoder, HtxSequencer
from dragonfly_venues.venue import (
    Decoder,
    InstrumentSource,
    Limits,
    Liveness,
    SeedRequest,
    SnapshotSource,
    Venue,
)

__all__ = ["Htx"]


class Htx(Venue):
    """The `Venue` of HTX Spot."""

    name = "htx"
    checked = "287 changed books of the channel of whole depths (2021-04)."
    ws_url = "wss://api.huobi.pro"
    ws_path = "/ws"
    rest_url = "https://api.huobi.pro"
    gzip = True
    levels: int | None = control.LEVELS
    decoder: Callable[[int], Decoder] = HtxDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(control.ping)
    # Some 1000 markets in 500 kB.
    instruments = InstrumentSource(
        parse=instruments.parse,
        rest_path=instruments.REST_PATH,
        other_rest_path=instruments.OTHER_REST_PATH,
    )
    best_prices_apart = (
        "`bbo` comes at once, but no relation of its `seqId` to the books' `seqNum` is documented"
    )
    # 4000 requests in 5 min are allowed: 15 %.
    snapshots = SnapshotSource(path=seed.path, parse=seed.parse, per_minute=120.0, burst=30)
    limits = Limits(
        # None is published; so many passed [seen].
        streams_per_connection=45,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # A book may be asked for once in 100 ms.
        requests_per_second=8.0,
        # None is published.
        connects_per_minute=30.0,
        max_frame_bytes=2**18,
    )
    # The venue asks every 5 s, and hangs up where two questions stay without an answer.
    liveness = Liveness(
        # No book is sent on subscribing: the first comes with the next change.
        first_book_timeout_s=None,
    )

    def at(self, depth: int) -> Venue:
        """Return the venue by its changes where whole tops are not deep enough."""
        return self if depth <= control.LEVELS else _HtxChanges()


class _HtxChanges(Htx):
    """HTX by changes of 150 levels, joined with a book that the connection is asked for."""

    rules = HtxSequencer
    ws_path = "/feed"
    levels = control.WINDOW
    decoder = HtxChangesDecoder
    requests = staticmethod(control.request_changes)
    seed_request = SeedRequest(write=control.ask_book, after_s=1.0)
    liveness = Liveness(
        # As many books as a connection carries take 6 s to ask for.
        first_book_timeout_s=15.0,
    )
