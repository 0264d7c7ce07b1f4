"""Every venue that can be listened to can be deployed, simulated and told apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dragonfly_venues.registry import venue_names
from supervisor.cli import USUAL_VENUES
from terminal.colours import VENUE_COLOURS
from venue_simulator.venues import VENUES as SIMULATED

ROOT: Final = Path(__file__).parents[1]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes" / "base"
COMPOSE: Final = ("compose.yaml", "compose.sim.yaml", "compose.secure.yaml")
SWARM: Final = tuple(
    f"deploy/swarm/{name}" for name in ("stack.yaml", "stack.sim.yaml", "stack.secure.yaml")
)
EVERYWHERE: Final = pytest.mark.parametrize("venue", venue_names())


def services(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())["services"]
    return found


def service_of(venue: str) -> str:
    return f"listener-{venue.replace('_', '-')}"


def test_the_files_are_of_the_venues_that_are_installed() -> None:
    script = [sys.executable, str(ROOT / "deploy" / "venues.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@EVERYWHERE
@pytest.mark.parametrize("files", [COMPOSE, SWARM], ids=["compose", "swarm"])
def test_a_venue_is_a_service(files: tuple[str, str, str], venue: str) -> None:
    name, usual = service_of(venue), venue in USUAL_VENUES
    real, simulated, secured = (services(file) for file in files)
    said = real[name]["environment"]
    assert said["DRAGONFLY_LISTENER_VENUE"] == venue
    address = f"tcp://{name}.bus:5551"
    assert said["DRAGONFLY_LISTENER_BIND"] == said["DRAGONFLY_LISTENER_PEER"] == address
    assert real[name]["networks"]["bus"]["aliases"] == [f"{name}.bus"]
    upstreams = real["aggregator"]["environment"]["DRAGONFLY_AGGREGATOR_UPSTREAM"].split()
    assert (address in upstreams) is usual
    assert "${DRAGONFLY_MORE_UPSTREAMS:-}" in upstreams
    base = f"//simulator:9000/{venue}"
    urls = simulated[name]["environment"]
    assert urls == {
        "DRAGONFLY_LISTENER_WS_URL": f"ws:{base}",
        "DRAGONFLY_LISTENER_REST_URL": f"http:{base}",
    }
    assert "DRAGONFLY_LISTENER_CURVE_KEY" in secured[name]["environment"]


@EVERYWHERE
def test_what_is_not_usual_runs_on_demand(venue: str) -> None:
    name, usual = service_of(venue), venue in USUAL_VENUES
    compose, swarm = services(COMPOSE[0])[name], services(SWARM[0])[name]
    assert compose.get("profiles", []) == ([] if usual else [name.removeprefix("listener-")])
    assert swarm["deploy"]["replicas"] == (
        "${DRAGONFLY_LISTENER_REPLICAS:-2}"
        if usual
        else f"${{DRAGONFLY_{venue.upper()}_REPLICAS:-0}}"
    )
    told = (ROOT / ".env.example").read_text()
    assert usual or f"tcp://{name}.bus:5551" in told


@EVERYWHERE
def test_a_venue_is_a_folder_for_kubernetes(venue: str) -> None:
    name, usual = service_of(venue), venue in USUAL_VENUES
    folder = yaml.safe_load((KUBERNETES / name / "kustomization.yaml").read_text())
    assert name == f"listener{folder['nameSuffix']}"
    told = {"venue": venue, "service": name}
    assert folder["labels"] == [{"pairs": told, "includeSelectors": True}]
    base = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert (name in base["resources"]) is usual
    upstreams = (KUBERNETES / "aggregator" / "deployment.yaml").read_text()
    assert (f"tcp://{name}:5551" in upstreams) is usual


def test_replicas_find_each_other_by_the_name_of_their_service() -> None:
    """A venue's own name may have an underscore, which no host's has."""
    listener = yaml.safe_load((KUBERNETES / "listener" / "deployment.yaml").read_text())
    (container,) = listener["spec"]["template"]["spec"]["containers"]
    said = {one["name"]: one for one in container["env"]}
    service = said["SERVICE"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert service == "metadata.labels['service']"
    assert said["DRAGONFLY_LISTENER_PEER"]["value"] == "tcp://$(SERVICE):5551"


def test_a_venue_can_be_simulated_and_has_a_colour_of_its_own() -> None:
    assert set(SIMULATED) == set(venue_names())
    assert set(VENUE_COLOURS) >= set(venue_names())
    assert len(set(VENUE_COLOURS.values())) == len(VENUE_COLOURS)
