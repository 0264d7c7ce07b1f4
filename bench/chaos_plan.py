"""What chaos befalls whom, and when: who there is, which faults, a seeded schedule of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Final, NamedTuple

import click
from dragonfly_venues.registry import find_venue, venue_names

__all__ = [
    "BOTS",
    "GATEWAYS",
    "WRONG_PROXIES",
    "Cast",
    "Planned",
    "apart",
    "draw_venues",
    "role",
    "schedule",
    "together",
]

VENUES: Final = 5
"""As many listeners, and links that lead to them, as two cores can take beside all else."""
GATEWAYS: Final = ("gateway-1", "gateway-2")
BOTS: Final = ("bots-1", "bots-2")
PROCESS_FAULTS: Final = ("kill", "term", "stop")
WRONG_PROXIES: Final = {
    "ALL_PROXY": "socks://127.0.0.1:1/",
    "all_proxy": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://",
    "http_proxy": "http://127.0.0.1:1",
    "HTTPS_PROXY": "garbage://x",
    "https_proxy": "garbage",
    "ws_proxy": "http://127.0.0.1:1",
    "grpc_proxy": "http://127.0.0.1:1",
}
"""By variable: what a process finds when it is started again. All that it speaks with is on this
machine, and is reached without a proxy."""
PROXIED: Final = 4
"""Processes that this befalls in each deck at most."""
LINK_FAULTS: Final = ("latency", "slicer", "bandwidth", "blackhole", "reset", "refuse")
MOMENTS: Final = ("close", "reset")
ONE_FRAME: Final = ("malformed", "gap", "duplicate", "reorder", "bad_checksum", "crossed")
STATES: Final = (
    *("announced_close", "silence", "mute", "not_accepting", "unknown_symbol"),
    *("rest_429", "rest_slow", "http_302", "http_403", "http_404", "http_418", "http_451"),
    "http_503",
)
LOSING: Final = frozenset({"gap", "reorder", "silence"})
"""After which venues go on as if all had been heard: only where that shows are books ever right."""
TRADING: Final = ("halt", "halt_pair", "post_only")
"""What venues say of themselves, or of a market."""
SECONDS: Final = (0.3, 1.0, 2.0, 8.0)
TRADING_SECONDS: Final = (3.0, 15.0)
"""Shorter and longer than it takes to read a list again and to give up a state."""


class Planned(NamedTuple):
    """A fault to come; `target` is a process, "consumer<publisher", or a venue."""

    at_s: float
    kind: str
    target: str
    seconds: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.at_s:7.1f}  {self.kind} {self.target}{lasting}"


class Cast(NamedTuple):
    """Which processes there are beside simulator, gateways and bots."""

    venues: Sequence[str]
    listeners: Mapping[str, str]
    """By name, the venue."""
    aggregators: Sequence[str]

    @property
    def harmed(self) -> Sequence[str]:
        return (*self.listeners, *self.aggregators, *GATEWAYS, "bots-2")

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield (consumer, publisher) of everything that is joined."""
        for listener, venue in self.listeners.items():
            yield listener, venue
            yield from ((aggregator, listener) for aggregator in self.aggregators)
            yield from ((listener, peer) for peer in self.replicas(listener) if peer != listener)
        yield from permutations(self.aggregators, 2)
        for gateway in GATEWAYS:
            # A gateway without aggregators has all services in its process.
            yield from ((gateway, publisher) for publisher in self.aggregators or self.venues)
            yield from ((bots, gateway) for bots in BOTS)

    def replicas(self, listener: str) -> Sequence[str]:
        """Return all listeners of a listener's venue."""
        return [name for name, venue in self.listeners.items() if venue == self.listeners[listener]]

    def heard_by(self, name: str) -> Sequence[str]:
        """Return the venues whose listeners are in the process `name`."""
        if name in self.listeners:
            return (self.listeners[name],)
        return self.venues if name in GATEWAYS and not self.aggregators else ()


def draw_venues(seed: int) -> Sequence[str]:
    """Return the venues of a run, of all that there are."""
    names = venue_names()
    return sorted(random.Random(f"venues/{seed}").sample(names, min(VENUES, len(names))))


def apart(venues: Sequence[str]) -> Cast:
    """Return a process for each service; the first venue has two listeners."""
    listeners = {f"listener-{venues[0]}-2": venues[0]}
    listeners |= {f"listener-{venue}-1": venue for venue in venues}
    return Cast(venues, listeners, ("aggregator-1", "aggregator-2"))


def together(venues: Sequence[str]) -> Cast:
    """Return gateways with all other services in their processes."""
    return Cast(venues, {}, ())


def deck(chance: random.Random, cast: Cast) -> list[tuple[str, str, float]]:
    """Return (kind, target, seconds) of each fault there is, once."""

    def some_s() -> float:
        return chance.choice(SECONDS)

    def some_venue(kind: str) -> str:
        shows = [name for name in cast.venues if find_venue(name).loss_shows]
        return chance.choice(shows if kind in LOSING else cast.venues)

    joined = sorted(cast.links())
    cards = [(kind, name, some_s()) for name in cast.harmed for kind in PROCESS_FAULTS]
    cards += [
        (f"proxy {chance.choice([*WRONG_PROXIES])}", name, some_s())
        for name in chance.sample(cast.harmed, min(PROXIED, len(cast.harmed)))
    ]
    for kind in LINK_FAULTS:
        for consumer, publisher in chance.sample(joined, 3):
            cards.append((kind, f"{consumer}<{publisher}", 0.0 if kind == "reset" else some_s()))
    cards += [("partition", name, some_s()) for name in chance.sample(cast.harmed[:-1], 2)]
    for kind in (*MOMENTS, *ONE_FRAME):
        cards.append((f"venue {kind}", some_venue(kind), 0.0))
    for kind in (*ONE_FRAME, *STATES):
        cards.append((f"venue {kind}", some_venue(kind), some_s()))
    for kind in TRADING:
        cards.append((f"venue {kind}", some_venue(kind), chance.choice(TRADING_SECONDS)))
    cards.append(("burst", "all", 0.0))
    chance.shuffle(cards)
    return cards


def schedule(
    seed: int, seconds: float, every_s: float, kinds: Sequence[str], cast: Cast
) -> list[Planned]:
    """Return all faults of a run; of `kinds` only, if there are any."""
    chance = random.Random(seed)
    plan: list[Planned] = []
    at_s = 0.0
    while True:
        for kind, target, lasts_s in deck(chance, cast):
            if kinds and not {kind, kind.partition(" ")[0]}.intersection(kinds):
                continue
            at_s += chance.uniform(0.5, 1.5) * every_s
            if at_s + lasts_s > seconds:
                return plan
            plan.append(Planned(round(at_s, 1), kind, target, lasts_s))
        if not plan:
            raise click.UsageError(f"no fault is of the kinds {', '.join(kinds)}")


def role(target: str) -> str:
    """Return what `target` is, without its name: "aggregator", "venue>listener"."""
    consumer, _, publisher = target.partition("<")
    if publisher:
        return f"{role(publisher)}>{role(consumer)}"
    return "venue" if target in venue_names() else target.partition("-")[0]
