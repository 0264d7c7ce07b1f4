"""What Prometheus, Alertmanager and Grafana are configured with; test_monitoring.py runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from patience import PATIENCE_S
from prometheus_client import generate_latest

DEPLOY = Path(__file__).parents[1] / "deploy"


@pytest.mark.parametrize(
    "words",
    [
        ("promtool", "check", "config", "prometheus.yaml"),
        ("promtool", "check", "config", "prometheus.compose.yaml"),
        ("promtool", "check", "rules", "--lint-fatal", "alerts.yaml"),
        ("promtool", "test", "rules", "alerts.test.yaml"),
        ("amtool", "check-config", "alertmanager.yaml"),
    ],
    ids=" ".join,
)
def test_their_own_tools_have_nothing_to_say(words: tuple[str, ...]) -> None:
    returncode, said = judged(words)
    assert returncode == 0, said


def test_every_metric_has_a_name_as_prometheus_wants_it() -> None:
    for path in DEPLOY.parent.glob("*/*/src/*/counters.py"):
        import_module(f"{path.parent.name}.counters")
    assert judged(("promtool", "check", "metrics"), generate_latest().decode()) == (0, "")


def judged(words: tuple[str, ...], told: str = "") -> tuple[int, str]:
    """Return the exit code of a tool that reads `told`, and what it says."""
    if not shutil.which(words[0]):
        pytest.skip(f"there is no {words[0]} here: Debian has prometheus, prometheus-alertmanager")
    ran = subprocess.run(
        words,
        cwd=DEPLOY / "prometheus",
        input=told,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_the_dashboard_is_of_its_panels() -> None:
    script = [sys.executable, str(DEPLOY / "dashboards.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
