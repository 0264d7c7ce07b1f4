"""The page by which a running simulator is told what to do.

/control/fault?venue=…&kind=…[&instrument=…][&seconds=…]
/control/clear[?venue=…][&kind=…][&instrument=…]    ends faults, and forgets planned ones
/control/subscriptions      {"kraken": ["ETH-BTC"], …}: what is followed now
/control/step[?count=N]     moves every open book on
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from dragonfly_common.errors import ConfigError, UserError

from venue_simulator.faults import parse_seconds
from venue_simulator.venue import RestReply

if TYPE_CHECKING:
    from venue_simulator.simulator import Simulator

__all__ = ["answer"]

MAX_STEPS: Final = 100_000

_JSON: Final = {"Content-Type": "application/json"}


def answer(simulator: Simulator, path: str, query: Mapping[str, str]) -> RestReply:
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


def _inject(simulator: Simulator, query: Mapping[str, str]) -> dict[str, object]:
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
    return RestReply(msgspec.json.encode(body), status, _JSON)
