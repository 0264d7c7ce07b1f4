"""HTX's rules. Source: its spot API docs (2025-11); [seen]: of a sister venue."""

from __future__ import annotations

from dragonfly_venues.htx import control, instruments, seed
from dragonfly_venues.htx.decoder import HtxChangesDecoder, HtxDecoder, HtxSequencer
from dragonfly_venues.venue import Limits, Liveness, SeedRequest, Venue

__all__ = ["Htx"]


class _Spot(Venue):
    """The rules that hold by whatever channel the books come."""

    name = "htx"
    checked = "287 changed books of the channel of whole depths (2021-04)."
    ws_url = "wss://api.huobi.pro"
    rest_url = "https://api.huobi.pro"
    gzip = True
    probe = staticmethod(control.ping)
    instruments = instruments.SOURCE
    best_prices_apart = (
        "`bbo` comes at once, but no relation of its `seqId` to the books' `seqNum` is documented"
    )
    snapshots = seed.SOURCE
    limits = Limits(
        # None is published; so many passed [seen].
        streams_per_connection=45,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        # A book may be asked for once in 100 ms.
        requests_per_second=8.0,
    )


class _HtxChanges(_Spot):
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


class Htx(_Spot):
    """The `Venue` of HTX Spot."""

    ws_path = "/ws"
    levels = control.LEVELS
    decoder = HtxDecoder
    requests = staticmethod(control.request)
    # The venue asks every 5 s, and hangs up where two questions stay without an answer.
    # No book is sent on subscribing: the first comes with the next change.
    liveness = Liveness(first_book_timeout_s=None)
    deeper = _HtxChanges
