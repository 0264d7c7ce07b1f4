"""Write what the deployment files say of each venue, from the venues that are installed.

    .venv/bin/python deploy/venues.py [--check]

In each file the lines between two comments that name this script are written anew. Venues that are
not usual run on demand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dragonfly_venues.registry import venue_names
from supervisor.cli import USUAL_VENUES

ROOT: Final = Path(__file__).parents[1]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes" / "base"
BEGIN: Final = "written by deploy/venues.py"
END: Final = "The end of what deploy/venues.py writes"

SERVICE: Final = """\
  {service}:
    <<: *listener
{demand}    environment:
      <<: *listener-environment
      DRAGONFLY_LISTENER_VENUE: {venue}
      DRAGONFLY_LISTENER_BIND: tcp://{service}.bus:5551
      DRAGONFLY_LISTENER_PEER: tcp://{service}.bus:5551
    networks: {{bus: {{aliases: [{service}.bus]}}, venues: {{}}}}
"""
SIMULATED: Final = """\
  {service}:
{first}    environment:
      DRAGONFLY_LISTENER_WS_URL: ws://simulator:9000/{venue}
      DRAGONFLY_LISTENER_REST_URL: http://simulator:9000/{venue}
"""
KUSTOMIZATION: Final = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../listener]
nameSuffix: -{name}
labels:
  - pairs: {{venue: {venue}}}
    includeSelectors: true
"""


def name_of(venue: str) -> str:
    """Return how hosts and services are called for `venue`: a DNS label."""
    return venue.replace("_", "-")


def service_of(venue: str) -> str:
    """Return the name of the listener of `venue`."""
    return f"listener-{name_of(venue)}"


def on_demand() -> list[str]:
    """Return the venues that run only where somebody asks for them."""
    return [venue for venue in venue_names() if venue not in USUAL_VENUES]


def compose(venue: str) -> str:
    demand = "" if venue in USUAL_VENUES else f"    profiles: [{name_of(venue)}]\n"
    return SERVICE.format(service=service_of(venue), venue=venue, demand=demand)


def swarm(venue: str) -> str:
    replicas = f'"${{DRAGONFLY_{venue.upper()}_REPLICAS:-0}}"'
    demand = f"    deploy: {{<<: *deploy, replicas: {replicas}}}\n"
    return SERVICE.format(
        service=service_of(venue), venue=venue, demand="" if venue in USUAL_VENUES else demand
    )


def compose_simulated(venue: str) -> str:
    return SIMULATED.format(service=service_of(venue), venue=venue, first="    <<: *simulated\n")


def swarm_simulated(venue: str) -> str:
    return SIMULATED.format(service=service_of(venue), venue=venue, first="")


def secured(venue: str) -> str:
    return f"  {service_of(venue)}: *listener\n"


def example(venue: str) -> str:
    """Return what `.env.example` says of a venue that runs on demand."""
    return (
        ""
        if venue in USUAL_VENUES
        else f"#  {name_of(venue)}: tcp://{service_of(venue)}.bus:5551\n"
    )


REGIONS: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "compose.yaml": (compose, "\n"),
    "compose.sim.yaml": (compose_simulated, "\n"),
    "compose.secure.yaml": (secured, ""),
    "deploy/swarm/stack.yaml": (swarm, "\n"),
    "deploy/swarm/stack.sim.yaml": (swarm_simulated, "\n"),
    "deploy/swarm/stack.secure.yaml": (secured, ""),
    ".env.example": (example, ""),
}
"""How a file tells a venue, and what stands between two of them."""


def written() -> Iterator[tuple[Path, str]]:
    """Yield each file and the text that it should hold."""
    for name, (tell, between) in REGIONS.items():
        text = (ROOT / name).read_text()
        told = between.join(said for venue in venue_names() if (said := tell(venue)))
        head, rest = text.split(f"{BEGIN}\n", 1)
        comment_of_end = rest[: rest.index(END)].rpartition("\n")[2]
        tail = rest[rest.index(END) :]
        yield ROOT / name, f"{head}{BEGIN}\n{told}{comment_of_end}{tail}"
    for venue in venue_names():
        folder = KUBERNETES / service_of(venue)
        yield folder / "kustomization.yaml", KUSTOMIZATION.format(name=name_of(venue), venue=venue)


def main() -> int:
    stale = [
        (path, text) for path, text in written() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} is not of these venues: run deploy/venues.py")
        return int(bool(stale))
    for path, text in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
