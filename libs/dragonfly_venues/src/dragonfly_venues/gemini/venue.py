"""Gemini's rules. Source: docs.gemini.com, WebSocket API (2026), and limits measured live."""

from __future__ import annotations

from dragonfly_venues.gemini import control, instruments
from dragonfly_venues.gemini.decoder import GeminiChangesDecoder, GeminiDecoder, GeminiSequencer
from dragonfly_venues.venue import AuditSources, Limits, Liveness, Venue

__all__ = ["Gemini"]


class _Spot(Venue):
    """The rules that hold by whatever channel the books come."""

    name = "gemini"
    checked = "The whole books of the older socket (2021-06); single messages of this one."
    ws_url = "wss://ws.gemini.com"
    rest_url = "https://api.gemini.com"
    probe = staticmethod(control.ping)
    instruments = instruments.SOURCE
    # Best prices come in real time, numbered like the books; REST's books have no number.
    audits = AuditSources(bbo=True)
    best_prices = True
    limits = Limits(
        # None is documented, nor of frames; a connection has a weight of 7000 in 10 s.
        streams_per_connection=200,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        requests_per_second=10.0,
        # 300 in 5 min for an address, which replicas share.
        connects_per_minute=30.0,
        # Books of thousands of levels.
        max_frame_bytes=2**22,
    )
    # Changes of books that rest were silent for 28 s.
    # Whole tops come every 100 ms, and changes begin with the whole book.
    liveness = Liveness()


class _GeminiChanges(_Spot):
    """Gemini by the changes of whole books, which begin in the stream."""

    rules = GeminiSequencer
    # Of whole books, and not of their best N: what lies beyond N would be unknown.
    ws_path = "/?snapshot=-1"
    decoder = GeminiChangesDecoder
    requests = staticmethod(control.request_changes)


class Gemini(_Spot):
    """The `Venue` of Gemini spot."""

    levels = control.TOPS[-1]
    decoder = GeminiDecoder
    requests = staticmethod(control.request)
    deeper = _GeminiChanges
