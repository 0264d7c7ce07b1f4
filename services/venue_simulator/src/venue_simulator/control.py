"""The page by which a running simulator is told what to do.

POST /control/fault?venue=…&kind=…[&instrument=…][&seconds=…]
POST /control/clear[?venue=…][&kind=…][&instrument=…]    ends faults, and forgets planned ones
POST /control/step[?count=N]     moves every open book on
GET /control/subscriptions       {"kraken": ["ETH-BTC"], …}: what is followed now

A POST carries the header `Dragonfly-Control`, which a browser sends for no web page unasked. Nor is
anything said to a web page (`Origin`), or under the name of a site that resolves to here (`Host`).
Each answer carries the header too: by it `dragonfly fault` knows that it speaks to a simulator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final, Protocol

import msgspec
from dragonfly_common.errors import ConfigError, UserError
from websockets.datastructures import Headers

from venue_simulator.fault_injection import FaultInjection
from venue_simulator.faults import parse_seconds
from venue_simulator.venue import RestReply

__all__ = ["HEADER", "answer", "refusal"]

HEADER: Final = "Dragonfly-Control"
MAX_STEPS: Final = 1000
"""Takes a tenth of a second, in which nothing else happens."""

_CHANGES: Final = {"/fault", "/clear", "/step"}

_HEADERS: Final = {"Content-Type": "application/json", HEADER: "1"}


class Controlled(Protocol):
    """The simulator, as far as it can be told what to do."""

    faults: FaultInjection

    @property
    def venues(self) -> Iterable[str]: ...

    def subscriptions(self, venue: str) -> Iterable[str]: ...

    def step(self, count: int) -> None: ...


def refusal(method: str, headers: Headers, path: str) -> RestReply | None:
    """Return the answer to what a web page may have sent, None where it cannot have."""
    if said := _forgery(headers):
        return _reply({"error": said}, 403)
    if path in _CHANGES and not (method == "POST" and HEADER in headers):
        return _reply({"error": f"{path} changes something: POST it with the header {HEADER}"}, 405)
    return None


def answer(simulator: Controlled, path: str, query: Mapping[str, str]) -> RestReply:
    """Do what `path` says; a mistake is answered with 400 and one sentence."""
    try:
        match path:
            case "/fault":
                return _reply(_inject(simulator, query))
            case "/clear":
                names = (query.get(name) for name in ("venue", "kind", "instrument"))
                return _reply({"cleared": simulator.faults.clear(*names)})
            case "/subscriptions":
                return _reply(
                    {venue: sorted(simulator.subscriptions(venue)) for venue in simulator.venues}
                )
            case "/step":
                simulator.step(_count(query))
                return _reply({})
            case _:
                return _reply({"error": "there are /fault, /clear, /subscriptions and /step"}, 404)
    except UserError as error:
        return _reply({"error": str(error)}, 400)


def _forgery(headers: Headers) -> str | None:
    """Return why a request seems to be a web page's, None where it does not."""
    if "Origin" in headers:
        return "a web page may not control the simulator (Origin)"
    host = ",".join(headers.get_all("Host"))
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        if not name or "." in name or "," in name:
            return f"{host!r} is no host of a simulator: use its address or a name without dots"
    return None


def _inject(simulator: Controlled, query: Mapping[str, str]) -> dict[str, object]:
    fault = simulator.faults.inject(
        query.get("venue", ""),
        query.get("kind", ""),
        query.get("instrument"),
        parse_seconds(query, "seconds"),
    )
    return {
        "fault": fault.kind,
        "venue": fault.venue,
        "instrument": fault.instrument,
        "seconds": fault.seconds,
    }


def _count(query: Mapping[str, str]) -> int:
    text = query.get("count", "1")
    # Python refuses to read a number of thousands of digits.
    if not (text.isdecimal() and len(text) < 10 and int(text) <= MAX_STEPS):
        raise ConfigError(f"count={text} is no number of steps: write 1 to {MAX_STEPS}")
    return int(text)


def _reply(body: object, status: int = 200) -> RestReply:
    return RestReply(msgspec.json.encode(body), status, _HEADERS)
