"""Write what the deployment files, README and docs/venues.md say of each venue installed.

    .venv/bin/python deploy/venues.py [--check]

The lines between two comments that name this script are written anew; the page is written whole.
Venues that are not usual run on demand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Final

from dragonfly_venues.registry import find_venue, venue_names
from dragonfly_venues.venue import Ask, Venue
from supervisor.cli import USUAL_VENUES

ROOT: Final = Path(__file__).parents[1]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes" / "base"
BEGIN: Final = "written by deploy/venues.py"
END: Final = "The end of what deploy/venues.py writes"

SHALLOW: Final = 10
DEEP: Final = 100
SAMPLE: Final = Ask(symbols=["SYMBOL"], request_id=1, depth=SHALLOW)

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
  - pairs: {{venue: {venue}, service: {service}}}
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


def scraped(venue: str) -> str:
    return f"          - {service_of(venue)}.bus\n"


def example(venue: str) -> str:
    """Return what `.env.example` says of a venue that runs on demand."""
    return (
        ""
        if venue in USUAL_VENUES
        else f"#  {name_of(venue)}: tcp://{service_of(venue)}.bus:5551\n"
    )


PAGE: Final = """\
<!-- Written by deploy/venues.py from what dragonfly_venues/*/venue.py declare -->

# Venues

{count} venues can be listened to: `--venue NAME` of `dragonfly up` and `dragonfly listener`,
a profile of Compose, a service of Swarm, a folder for Kubernetes. All pass `dragonfly conformance`.
Where a table says two things, the second is of books deeper than the first ones go. Limits are ours
where a venue documents none; one mechanism keeps them for all (`feed_listener/connection/`). How a
venue is added, and how one of yours is examined: [adding-a-venue.md](adding-a-venue.md).

| `--venue` | books | levels a side | a loss shows | held against |
|---|---|---|---|---|
{rows}

{sections}"""
SECTION: Final = """\
## `{name}`

{summary}

| | |
|---|---|
| addresses | `{ws}`, `{rest}` |
| instruments | {instruments} |
| subscribed by | {requests} |
| first book | {first} |
| held against | {audits} |
| best prices | {best_prices} |
| a quiet connection | {quiet} |
| limits kept | {limits} |
| checked against | {checked} |

{rules}{protocols}
"""


PROTOCOL: Final = """

With `--protocol {protocol}`:

| | |
|---|---|
| address | `{url}` |
| subscribed by | `{requests}` |
| first book | {first} |
| limits kept | {limits} |

{rules}"""


def page() -> str:
    """Return docs/venues.md."""
    venues = [find_venue(name) for name in venue_names()]
    return PAGE.format(
        count=len(venues),
        rows="\n".join(map(_row, venues)),
        sections="\n".join(map(_section, venues)),
    )


def _both(venue: Venue, tell: Callable[[Venue], str]) -> str:
    """Return what holds of shallow books, and of deep ones where that differs."""
    return "; ".join(dict.fromkeys((tell(venue.at(SHALLOW)), tell(venue.at(DEEP)))))


def _row(venue: Venue) -> str:
    cells = (
        f"[`{venue.name}`](#{venue.name})",
        _both(venue, _kind_of),
        _both(venue, lambda one: "as asked" if one.levels is None else f"up to {one.levels}"),
        _both(venue, lambda one: "yes" if one.loss_shows else "no: at best audits find it"),
        _both(venue, _audits_of),
    )
    return f"| {' | '.join(cells)} |"


def _kind_of(venue: Venue) -> str:
    if venue.rules is None:
        return "whole tops"
    seeded = venue.snapshots is not None and venue.snapshots.levels is not None
    return "changes" + (" joined with a book that REST gives" if seeded else "")


def _audits_of(venue: Venue) -> str:
    source = venue.snapshots
    found = [
        *(["checksum"] if venue.audits.checksum or venue.audits.checksum_apart else []),
        *(["best prices"] if venue.audits.bbo else []),
        *(["REST" if source.cached_s is None else "REST in silence"] if source else []),
    ]
    return ", ".join(found) or "none"


def _section(venue: Venue) -> str:
    package = import_module(type(venue).__module__.rpartition(".")[0])
    summary = _sentences(type(venue).__doc__ if _is_variant(venue) else package.__doc__)
    summary = summary.removeprefix("The `Venue` of ")
    return SECTION.format(
        name=venue.name,
        summary=summary,
        ws=f"{venue.ws_url}{venue.ws_path}",
        rest=venue.rest_url,
        instruments=_list_of(venue),
        requests=_both(venue, lambda one: f"`{one.requests(SAMPLE)[0]}`"),
        first=_both(venue, _first_of),
        audits=_both(venue, _audits_of),
        best_prices=_best_prices_of(venue),
        quiet=_both(venue, _quiet_of),
        limits=_limits_of(venue),
        checked=venue.checked or "nothing recorded",
        rules=_rules_of(venue),
        protocols="".join(_protocol(*one) for one in venue.protocols.items()),
    )


def _protocol(name: str, make: Callable[[], Venue]) -> str:
    """Return what differs where it is listened to by another protocol."""
    venue = make()
    request = venue.requests(SAMPLE)[0].replace("\x01", "|").replace("|", "\\|")
    return PROTOCOL.format(
        protocol=name,
        url=venue.ws_url,
        requests=request,
        first=_both(venue, _first_of),
        limits=_limits_of(venue),
        rules=_rules_of(venue),
    )


def _is_variant(venue: Venue) -> bool:
    """Say whether it is another venue by the rules of one, in whose package it stands."""
    return not type(venue).__module__.startswith(f"dragonfly_venues.{venue.name}.")


def _sentences(text: str | None) -> str:
    return " ".join(cleandoc(text or "").split())


def _list_of(venue: Venue) -> str:
    source = venue.instruments
    where = f"`{source.rest_path}`" if source.rest_path else f"`{source.ws_request}`"
    halts = (
        "each connection is told of halts"
        if source.changes_told
        else "halts are read from the list, each minute"
        if venue.halts_show
        else "a halted market is not in the list"
    )
    return f"{where}; {halts}"


def _first_of(venue: Venue) -> str:
    if venue.seed_request is not None:
        return "asked for on the socket"
    if venue.fix is not None:
        return "sent upon subscribing; REST gives more of it where the price has gone far"
    if venue.snapshots is not None and venue.snapshots.levels is not None:
        return f"REST, {venue.snapshots.levels} levels"
    if venue.liveness.first_book_timeout_s is None:
        return "REST, where the market rests"
    return "sent upon subscribing"


def _best_prices_of(venue: Venue) -> str:
    if venue.best_prices:
        return "shown where they are ahead of the book"
    why = f": {venue.best_prices_apart}" if venue.best_prices_apart else ""
    return f"not shown apart from the book{why}"


def _quiet_of(venue: Venue) -> str:
    rule = venue.liveness
    asked = "a ping of its own" if venue.probe else "a WebSocket ping"
    said = [f"{asked} after {rule.probe_after_s:g} s", f"stale after {rule.stale_after_s:g} s"]
    if rule.keepalive_s is not None:
        said.append(f"a ping every {rule.keepalive_s:g} s in any case")
    return ", ".join(said)


def _limits_of(venue: Venue) -> str:
    limits = venue.limits
    said = [
        f"{limits.streams_per_connection} symbols a connection",
        f"{limits.symbols_per_request} a request",
        f"{limits.requests_per_second:g} frames a second",
        f"{limits.connects_per_minute:g} connections a minute",
    ]
    if limits.subscriptions_per_hour is not None:
        said.append(f"{limits.subscriptions_per_hour} subscriptions an hour")
    if limits.pause_after_connect_s:
        said.append(f"{limits.pause_after_connect_s:g} s of silence after connecting")
    if limits.connection_lifetime_s is not None:
        said.append(f"a new connection after {limits.connection_lifetime_s / 3600:g} h")
    if venue.snapshots is not None:
        said.append(f"{venue.snapshots.per_minute:g} REST books a minute")
    return ", ".join(said)


def _rules_of(venue: Venue) -> str:
    rules = venue.at(DEEP).rules
    if rules is None:
        return "Each message is the whole top of a book: one that is lost is healed by the next."
    return cleandoc(rules.__doc__ or "")


REGIONS: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "compose.yaml": (compose, "\n"),
    "compose.sim.yaml": (compose_simulated, "\n"),
    "compose.secure.yaml": (secured, ""),
    "deploy/swarm/stack.yaml": (swarm, "\n"),
    "deploy/swarm/stack.sim.yaml": (swarm_simulated, "\n"),
    "deploy/swarm/stack.secure.yaml": (secured, ""),
    "deploy/prometheus/prometheus.compose.yaml": (scraped, ""),
    ".env.example": (example, ""),
}
"""How a file tells a venue, and what stands between two of them."""


def written() -> Iterator[tuple[Path, str]]:
    """Yield each file and the text that it should hold."""
    for name, (tell, between) in REGIONS.items():
        yield _region(name, between.join(said for venue in venue_names() if (said := tell(venue))))
    names = ", ".join(f"`{venue}`" for venue in venue_names())
    yield _region("README.md", f"{len(venue_names())} venues today: {names}.\n")
    for venue in venue_names():
        folder = KUBERNETES / service_of(venue)
        said = KUSTOMIZATION.format(name=name_of(venue), venue=venue, service=service_of(venue))
        yield folder / "kustomization.yaml", said
    yield ROOT / "docs" / "venues.md", page()


def _region(name: str, told: str) -> tuple[Path, str]:
    """Return a file and its text, where `told` stands between the two comments."""
    text = (ROOT / name).read_text()
    begin = text.index("\n", text.index(BEGIN)) + 1
    end = text.rindex("\n", 0, text.index(END)) + 1
    return ROOT / name, f"{text[:begin]}{told}{text[end:]}"


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
