"""From what a person asked for to the processes that do it. Pure.

    simulator?          a port; the listeners are told its addresses
    services            all of the following in one process, unless they are to be apart
    listener.<venue>    one per venue
    aggregator          connects to every listener
    engine?             connects to the aggregator; always a process of its own, as all are then
    fix-gateway?        connects to the aggregator; customers connect to it
    gateway             connects to the aggregator; bots connect to it
    web?                a bot of the gateway, always a process of its own; browsers connect to it

Order matters only for the simulator, whose address the listeners need: the bus waits for whoever is
not there yet.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, NotRequired, TypedDict
from urllib.parse import urlsplit

from dragonfly_common.equivalence import Equivalences

__all__ = [
    "ENGINE",
    "USUAL_GATEWAY",
    "USUAL_WEB",
    "DeploymentOptions",
    "Facts",
    "Process",
    "from_here",
    "plan_services",
    "plan_simulator",
    "plan_web",
]

USUAL_GATEWAY: Final = "127.0.0.1:50051"
"""Where bots look for a gateway that they are told nothing of."""

USUAL_WEB: Final = "127.0.0.1:50080"
"""Where the demo's page is."""

SIMULATOR: Final = "simulator"
GATEWAY: Final = "gateway"
ENGINE: Final = "engine"
FIX_GATEWAY: Final = "fix-gateway"
WEB: Final = "web"
TOGETHER: Final = "services"


class VenueAddresses(TypedDict):
    """Where a simulated venue is, and the files of who may log on to it by FIX."""

    ws: str
    rest: str
    fix: NotRequired[str]
    fix_key: NotRequired[str]
    fix_api_key: NotRequired[str]


class Facts(TypedDict, total=False):
    """The facts that a process tells when it is ready."""

    address: str
    fix: str
    """The address of the FIX gateway."""
    web: str
    """The address of the page, as browsers take it."""
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
    by_fix: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Options of venues that are listened to by FIX: values by option and venue."""
    ca_file: Path | None = None
    state_dir: Path | None = None
    """Where listeners keep what must outlive a restart."""
    apart: bool = False
    """Each service has a process of its own."""
    equivalences: Equivalences = field(default_factory=Equivalences)
    """Equivalences that have a name of their own; listeners are told the instruments of them."""
    fix: str | None = None
    """Where customers connect over FIX."""
    web: str | None = None
    """Where browsers connect."""
    engine: Path | None = None
    """The journal of an execution engine, which needs services that are apart; what customers are
    told of orders by FIX is kept beside it."""
    accounts: Path | None = None
    """The file of accounts at simulated venues, at which the engine then trades."""
    status: str | None = None
    """Where the one process serves its status."""
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further words of each part's command line, and of `together`."""

    @property
    def venues_by_fix(self) -> Sequence[str]:
        """Those that are listened to by FIX."""
        protocols = self.by_fix.get("--protocol", {})
        return [venue for venue, protocol in protocols.items() if protocol == "fix"]


@dataclass(frozen=True)
class Process:
    """A process to run: its name, and the words behind `dragonfly`."""

    name: str
    argv: tuple[str, ...]

    def pinned(self, facts: Facts) -> Process:
        """Return what to start after a death: at the very address that others know by now."""
        if self.name == SIMULATOR and "control" in facts:
            # One venue at most has an address for FIX.
            by_fix = [at["fix"] for at in facts.get("venues", {}).values() if "fix" in at]
            fix = [("--fix", urlsplit(address).netloc) for address in by_fix]
            return self._with(("--port", str(urlsplit(facts["control"]).port)), *fix)
        if self.name == GATEWAY and "address" in facts:
            return self._with(("--bind", facts["address"]))
        if self.name == FIX_GATEWAY and "fix" in facts:
            return self._with(("--bind", facts["fix"]))
        if self.name == WEB and "web" in facts:
            return self._with(("--bind", urlsplit(facts["web"]).netloc))
        if self.name == TOGETHER and "address" in facts:
            argv = [self.argv[0]]
            for option, word in pairwise(self.argv):
                joined = option == "--service"
                argv.append(shlex.join(_part(word).pinned(facts).argv) if joined else word)
            return replace(self, argv=tuple(argv))
        return self

    def in_words_of_up(self, sentence: str) -> str:
        """Return `sentence` with the option of `up` that this process's own comes from."""
        if self.name == SIMULATOR:
            return sentence.replace("--fix ", "--protocol ").replace("--fix,", "--protocol,")
        # Only the FIX gateway has customers.
        option = "--web" if self.name == WEB else "--gateway"
        # `--plain` is no option of `up`.
        sentence = sentence.replace("--plain", "DRAGONFLY_FIX_GATEWAY_PLAIN=true")
        return sentence.replace("--bind", "--fix" if "customers" in sentence else option)

    def _with(self, *given: tuple[str, str]) -> Process:
        argv = list(self.argv)
        for option, value in given:
            argv[argv.index(option) + 1] = value
        return replace(self, argv=tuple(argv))


def plan_simulator(options: DeploymentOptions, keys: Path | None) -> Process:
    """Return the simulator, on ports of the machine's choice; it serves FIX where it has `keys`.

    What is followed is not named to it: it would list whatever a person mistyped.
    """
    argv = [
        *("simulator", "--port", "0"),
        *(("--fix", "127.0.0.1:0", "--fix-keys", str(keys)) if keys else ()),
        *_given("--accounts", options.accounts),
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
                *(
                    word
                    for option, values in options.by_fix.items()
                    for word in _given(option, values.get(venue))
                ),
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
    serve = ("--upstream", aggregator)
    engine = f"{joint}engine"
    if options.engine:
        work = [ENGINE, "--bind", engine, "--journal", str(options.engine), *serve, *followed]
        processes.append(_process(ENGINE, [*work, *options.more.get(ENGINE, ())]))
    orders = ("--engine", engine) if options.engine else ()
    store = ("--order-store", f"{options.engine}.fix-orders") if options.engine else ()
    customers = [FIX_GATEWAY, "--bind", str(options.fix), *serve, *orders, *store]
    # The gateway is the last: its address is the system's.
    others = [
        ("aggregator", merge),
        *([(FIX_GATEWAY, customers)] if options.fix else []),
        (GATEWAY, [GATEWAY, "--bind", options.gateway, *serve, *orders]),
    ]
    processes += [
        _process(name, [*argv, *common, *markets, *options.more.get(name, ())])
        for name, argv in others
    ]
    if options.apart:
        return processes
    services = _each("--service", (shlex.join(process.argv) for process in processes))
    more = (*_given("--status", options.status), *options.more.get("together", ()))
    return [_process(TOGETHER, ["together", *services, *more])]


def plan_web(options: DeploymentOptions, bind: str, gateway: str) -> Process:
    """Return the web gateway, apart from the others: what people look at delays no quote."""
    more = (*_each("--instrument", options.instruments), *options.more.get(WEB, ()))
    return _process(WEB, [WEB, "--bind", bind, "--gateway", from_here(gateway), *more])


def from_here(gateway: str) -> str:
    """Return where a bot of this machine finds a gateway that listens at all its addresses."""
    host, _, port = gateway.rpartition(":")
    return f"127.0.0.1:{port}" if host in {"", "0.0.0.0", "[::]"} else gateway  # noqa: S104


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
