"""Gate.io's rules. Source: gate.com, "Spot WebSocket v4" (2025-11), and limits measured live."""

from __future__ import annotations

from dragonfly_venues.gateio import control, instruments, seed
from dragonfly_venues.gateio.decoder import GateioDecoder, GateioSequencer
from dragonfly_venues.venue import Limits, Liveness, Venue

__all__ = ["Gateio"]


class Gateio(Venue):
    """The `Venue` of Gate.io Spot."""

    name = "gateio"
    rules = GateioSequencer
    checked = "169 messages of the older channel (2021-04), joined with the books that REST gave."
    ws_url = "wss://api.gateio.ws"
    ws_path = "/ws/v4/"
    rest_url = "https://api.gateio.ws"
    levels = control.WINDOWS[-1]
    windows = control.WINDOWS
    decoder = GateioDecoder
    requests = staticmethod(control.request)
    probe = staticmethod(control.ping)
    stamp = staticmethod(control.stamp)
    instruments = instruments.SOURCE
    # No checksum is sent. Best prices are samples (10 ms), numbered like the books (20 ms, or 100
    # where they are deep): between two of them a book may differ, so that they are no audit.
    best_prices = True
    snapshots = seed.SOURCE
    limits = Limits(
        # None is documented; 385 pairs in one burst on one socket were served.
        streams_per_connection=300,
        symbols_per_request=control.SYMBOLS_PER_REQUEST,
        requests_per_second=10.0,
        max_frame_bytes=2**20,
    )
    # Books that rest were silent for 23 s.
    liveness = Liveness(
        # Who has subscribed to nothing and says nothing is cut after 30 s, others after 60 s.
        keepalive_s=15.0,
    )
