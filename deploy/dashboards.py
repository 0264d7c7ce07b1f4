"""Write Grafana's dashboard from the panels below.

.venv/bin/python deploy/dashboards.py [--check]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "grafana" / "dashboards" / "dragonfly.json"
SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
WIDTH: Final = 24
HEIGHT: Final = 7


@dataclass(frozen=True)
class Panel:
    """One question, and what of Prometheus answers it: {legend: expression}."""

    title: str
    answers: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def pace(metric: str, by: str = "", *, a_minute: bool = False) -> str:
    """Return how fast a counter grows, a second or `a_minute`, by labels."""
    apart = f" by ({by})" if by else ""
    return f"{'60 * ' if a_minute else ''}sum{apart} (rate(dragonfly_{metric}[$__rate_interval]))"


LIVE: Final = 'count(sum by (venue) (dragonfly_listener_feeds{state="live"}) > 0)'

PANELS: Final = {
    "Can bots trust what they get?": [
        Panel(
            "A gateway serves", {"serves": "max(dragonfly_gateway_serving)"}, kind="stat", width=4
        ),
        Panel(
            "Venues with a live book",
            {"live": f"{LIVE} or vector(0)"},
            kind="stat",
            width=4,
        ),
        Panel(
            "Followed books by state", {"{{state}}": "sum by (state) (dragonfly_listener_feeds)"}
        ),
        Panel(
            "Share of audits that agreed",
            {"{{venue}} {{instrument}}": "dragonfly_listener_score_ratio"},
            "percentunit",
        ),
    ],
    "Venues": [
        Panel(
            "Since a venue changed a book",
            {"{{venue}} {{instrument}}": "dragonfly_listener_feed_age_seconds"},
            "s",
        ),
        Panel(
            "Changed tops a second",
            {"{{venue}}": pace("listener_published_total", "venue")},
        ),
        Panel(
            "Lost connections and broken books a minute",
            {
                "{{venue}} connections": pace(
                    "listener_connection_losses_total", "venue", a_minute=True
                ),
                "{{venue}} books": pace("listener_broken_total", "venue", a_minute=True),
            },
        ),
        Panel(
            "Audits a minute, by result",
            {"{{venue}} {{result}}": pace("listener_audits_total", "venue, result", a_minute=True)},
        ),
        Panel(
            "Share of the time that venues crossed each other",
            {"{{instrument}}": pace("aggregator_crossed_seconds_total", "instrument")},
            "percentunit",
        ),
        Panel("Open connections", {"{{venue}}": "sum by (venue) (dragonfly_listener_connections)"}),
    ],
    "How long a book takes": [
        Panel(
            f"{name} by hop",
            {"{{hop}}": f"histogram_quantile({quantile}, {pace('hop_seconds_bucket', 'hop, le')})"},
            "s",
        )
        for name, quantile in (("Half", 0.5), ("99 of 100", 0.99))
    ]
    + [
        Panel(
            "Books on their way, a second",
            {
                "{{hop}}": pace("hop_seconds_count", "hop"),
            },
        )
    ],
    "Bots": [
        Panel("Open streams", {"{{instance}}": "dragonfly_gateway_streams"}),
        Panel(
            "Messages a second, and states that a newer one replaced",
            {
                "sent": pace("gateway_sent_total"),
                "replaced": pace("gateway_replaced_total"),
            },
        ),
        Panel(
            "Refusals a minute",
            {"{{code}}": pace("gateway_refused_total", "code", a_minute=True)},
        ),
    ],
    "Processes": [
        Panel(
            "CPU, of one core",
            {"{{instance}}": 'rate(process_cpu_seconds_total{job="dragonfly"}[$__rate_interval])'},
            "percentunit",
        ),
        Panel(
            "Memory", {"{{instance}}": 'process_resident_memory_bytes{job="dragonfly"}'}, "bytes"
        ),
        Panel("Pauses of over a second", {"{{instance}}": "dragonfly_pauses_total"}),
    ],
}


def dashboard() -> dict[str, Any]:
    """Return what Grafana reads: rows of panels, each below the one before."""
    panels: list[dict[str, Any]] = []
    ids = count(1)
    top = 0
    for row, members in PANELS.items():
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        panels.append({"id": next(ids), "type": "row", "title": row, "gridPos": place})
        top, left = top + 1, 0
        for panel in members:
            if left + panel.width > WIDTH:
                top, left = top + HEIGHT, 0
            panels.append(
                {
                    "id": next(ids),
                    "type": panel.kind,
                    "title": panel.title,
                    "datasource": SOURCE,
                    "gridPos": {"x": left, "y": top, "w": panel.width, "h": HEIGHT},
                    "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                    "targets": [
                        {
                            "refId": chr(65 + at),
                            "datasource": SOURCE,
                            "expr": expr,
                            "legendFormat": legend,
                        }
                        for at, (legend, expr) in enumerate(panel.answers.items())
                    ],
                }
            )
            left += panel.width
        top += HEIGHT
    return {
        "uid": "dragonfly",
        "title": "DragonflyBot",
        "schemaVersion": 39,
        "time": {"from": "now-30m", "to": "now"},
        "refresh": "10s",
        "panels": panels,
    }


def main() -> int:
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" in sys.argv:
        stale = not FILE.exists() or FILE.read_text() != text
        if stale:
            print(f"{FILE.name} is not of these panels: run deploy/dashboards.py")
        return int(stale)
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
