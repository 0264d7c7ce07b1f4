"""From what a person asked for to the processes that do it. Pure.

    simulator?          a port; the listeners are told its addresses
    services            all of the following in one process, unless they are to be apart
    listener.<venue>    one per venue
    aggregator          connects to every listener
    gateway             connects to the aggregator; bots connect to it

Order matters only for the simulator, whose address the listeners need: the bus waits for whoever is
not there yet.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import urlsplit

from dragonfly_common.equivalence import Equivalences

__all__ = [
    "USUAL_GATEWAY",
    "DeploymentOptions",
    "Facts",
    "Process",
    "plan_services",
    "plan_simulator",
]

USUAL_GATEWAY: Final = "127.0.0.1:50051"
"""Where bots look for a gateway that they are told nothing of."""

SIMULATOR: Final = "simulator"
GATEWAY: Final = "gateway"
TOGETHER: Final = "services"


class VenueAddresses(TypedDict):
    """Where a simulated venue is."""

    ws: str
    rest: str


class Facts(TypedDict, total=False):
    """The facts that a process tells when it is ready."""

    address: str
    venues: dict[str, VenueAddresses]
    control: str


@dataclass(frozen=True)
class DeploymentOptions:
    """The options of the whole system on one machine."""

    venues: Sequence[str]
    instruments: Sequence[str]
    gateway: str
    depth: int
    ws_urls: Mapping[str, str] = field(default_factory=dict)
    rest_urls: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    state_dir: Path | None = None
    """Where listeners keep what must outlive a restart."""
    apart: bool = False
    """Each service has a process of its own."""
    equivalences: Equivalences = field(default_factory=Equivalences)
    """What of the instruments has a name of its own; listeners are told what it is made of."""
    status: str | None = None
    """Where the one process serves its status."""
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What else a part is told: words of each service's, and of `together`."""


@dataclass(frozen=True)
class Process:
    """A process to run: its name, and the words behind `dragonfly`."""

    name: str
    argv: tuple[str, ...]

    def pinned(self, facts: Facts) -> Process:
        """Return what to start after a death: at the very address that others know by now."""
        if self.name == SIMULATOR and "control" in facts:
            return self._with("--port", str(urlsplit(facts["control"]).port))
        if self.name == GATEWAY and "address" in facts:
            return self._with("--bind", facts["address"])
        if self.name == TOGETHER and "address" in facts:
            argv = [self.argv[0]]
            for option, word in pairwise(self.argv):
                joined = option == "--service"
                argv.append(shlex.join(_part(word).pinned(facts).argv) if joined else word)
            return replace(self, argv=tuple(argv))
        return self

    def in_words_of_up(self, sentence: str) -> str:
        """Return `sentence` with the option of `up` that this process's `--bind` comes from."""
        return sentence if self.name == SIMULATOR else sentence.replace("--bind", "--gateway")

    def _with(self, option: str, value: str) -> Process:
        argv = list(self.argv)
        argv[argv.index(option) + 1] = value
        return replace(self, argv=tuple(argv))


def plan_simulator(options: DeploymentOptions) -> Process:
    """Return the simulator, on a port of the machine's choice.

    What is followed is not named to it: it would list whatever a person mistyped.
    """
    argv = [
        *("simulator", "--port", "0"),
        *_each("--venue", options.venues),
        *options.more.get("simulator", ()),
    ]
    return _process(SIMULATOR, argv)


def plan_services(options: DeploymentOptions, folder: Path | None) -> list[Process]:
    """Return listeners, aggregator and gateway: one process, or joined by sockets in `folder`."""
    joint = f"ipc://{folder}/" if options.apart else "inproc://"
    listeners = {venue: f"{joint}{venue}" for venue in options.venues}
    aggregator = f"{joint}aggregator"
    common = ("--depth", str(options.depth))
    followed = _each("--instrument", options.equivalences.instruments(options.instruments))
    markets = _each("--instrument", options.instruments)
    processes = [
        _process(
            f"listener.{venue}",
            [
                *("listener", "--venue", venue, "--bind", address),
                *_given("--ws-url", options.ws_urls.get(venue)),
                *_given("--rest-url", options.rest_urls.get(venue)),
                *_given("--ca-file", options.ca_file),
                *_given("--state-dir", options.state_dir),
                *common,
                *followed,
                *options.more.get("listener", ()),
            ],
        )
        for venue, address in listeners.items()
    ]
    merge = ["aggregator", "--bind", aggregator, *_each("--upstream", listeners.values())]
    serve = ["gateway", "--bind", options.gateway, "--upstream", aggregator]
    processes += [
        _process(name, [*argv, *common, *markets, *options.more.get(name, ())])
        for name, argv in (("aggregator", merge), (GATEWAY, serve))
    ]
    if options.apart:
        return processes
    services = _each("--service", (shlex.join(process.argv) for process in processes))
    more = (*_given("--status", options.status), *options.more.get("together", ()))
    return [_process(TOGETHER, ["together", *services, *more])]


def _part(text: str) -> Process:
    """Return what one service of the one process would be as a process of its own."""
    argv = tuple(shlex.split(text))
    return Process(argv[argv.index("--id") + 1], argv)


def _process(name: str, argv: Sequence[str]) -> Process:
    # At the level that says "ready": what is shown of it is for the reader of the log to choose.
    logging = ("--id", name, "--log-format", "json", "--log-level", "info")
    return Process(name, (*argv, *logging))


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _given(option: str, value: object | None) -> tuple[str, ...]:
    return () if value is None else (option, str(value))
