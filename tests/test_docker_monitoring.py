"""The profile `monitoring`: Prometheus finds each replica by the names of the services.

What runs in the containers of Prometheus and Alertmanager is this machine's own, as no registry is
asked; Grafana is not run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import pytest
from containers import Compose, why_no_engine
from patience import eventually

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
        reason="Debian's packages prometheus and prometheus-alertmanager are not here",
    ),
]

WITH_PYTHON: Final = "python:3.13-slim-trixie"
SHARED: Final = "/usr/share/prometheus"
"""What Debian's programs read beside their configuration."""
AGGREGATORS: Final = 2
SCRAPED: Final = 3 + AGGREGATORS + 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    reason = why_no_engine()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("monitoring")
    programs = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}
    services = {
        service: {
            "image": WITH_PYTHON,
            "entrypoint": ["/program"],
            "volumes": [f"{shutil.which(program)}:/program:ro", f"{SHARED}:{SHARED}:ro"],
        }
        for service, program in programs.items()
    }
    ours = folder / "ours.yaml"
    ours.write_text(json.dumps({"services": services}))
    compose = Compose(folder, ours, DRAGONFLY_TAG="test")
    try:
        compose.run("build", "--quiet")
        compose.up(aggregator=AGGREGATORS)
        compose.run("up", "--detach", "--no-recreate", *programs)
        yield compose
    finally:
        compose.down()


def fetch(compose: Compose, service: str, url: str) -> str:
    """Return what a service says, from within its container: nothing else is on its networks."""
    program = f"import urllib.request as u; print(u.urlopen({url!r}).read().decode())"
    return compose.run("exec", "--no-TTY", service, "python3", "-c", program)


def ask(compose: Compose, path: str) -> Any:
    return json.loads(fetch(compose, "prometheus", f"http://127.0.0.1:9090/api/v1/{path}"))["data"]


async def serves(compose: Compose, service: str, port: int) -> None:
    def ready() -> bool:
        with suppress(AssertionError):  # it has only just been started
            return bool(fetch(compose, service, f"http://127.0.0.1:{port}/-/ready"))
        return False

    await eventually(ready, f"{service} serves")


async def test_each_replica_is_scraped(running: Compose) -> None:
    await serves(running, "prometheus", 9090)

    def found() -> bool:
        query = quote('up{job="dragonfly"} == 1')
        return len(ask(running, f"query?query={query}")["result"]) == SCRAPED

    await eventually(found, f"{SCRAPED} processes")
    serving = ask(running, "query?query=max(dragonfly_gateway_serving)")["result"]
    assert serving[0]["value"][1] == "1"


async def test_alerts_have_where_to_go(running: Compose) -> None:
    await serves(running, "alertmanager", 9093)
    await serves(running, "prometheus", 9090)
    await eventually(
        lambda: len(ask(running, "alertmanagers")["activeAlertmanagers"]) == 1, "an Alertmanager"
    )
    assert len(ask(running, "rules")["groups"][0]["rules"]) == 6
