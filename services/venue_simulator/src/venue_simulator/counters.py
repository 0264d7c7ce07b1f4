"""Every metric of the simulator, spelled once."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = ["CLIENTS", "DROPPED_CLIENTS", "FAULTS", "FRAMES_SENT", "ORDER_EVENTS", "STATES"]

FRAMES_SENT: Final = Counter(
    "dragonfly_simulator_frames_sent_total", "Book frames sent, by venue.", ["venue"]
)
STATES: Final = Counter(
    "dragonfly_simulator_states_total", "States that books went through, by venue.", ["venue"]
)
CLIENTS: Final = Gauge("dragonfly_simulator_clients", "Open WebSockets, by venue.", ["venue"])
DROPPED_CLIENTS: Final = Counter(
    "dragonfly_simulator_dropped_clients_total", "Clients cut for reading too slowly.", ["venue"]
)
ORDER_EVENTS: Final = Counter(
    "dragonfly_simulator_order_events_total",
    "Events of orders, by venue and kind.",
    ["venue", "kind"],
)
FAULTS: Final = Counter(
    "dragonfly_simulator_faults_total", "Faults begun, by venue and kind.", ["venue", "kind"]
)
