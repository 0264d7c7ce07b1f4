"""What a seed stands for: a shape of the system, and what goes wrong in it when.

Everything is drawn at the start, so that one fault more or less changes no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final

from dragonfly_common.assignment import owners
from dragonfly_common.topics import ViewKind
from dragonfly_venues.registry import find_venue, venue_names
from venue_simulator.catalogue import RESTING
from venue_simulator.faults import FaultKind
from venue_simulator.seeded import RESTING_S

from simulation.cluster import LIST_INTERVAL_S, Cluster, Shape
from simulation.freshness import History
from simulation.network import Weather

__all__ = ["HEALED_AT_S", "Deed", "Plan", "draw_plan"]

FIRST_FAULT_S: Final = 1.0
RESTING_SHARE: Final = 0.6
"""Of the seeds in which an instrument that rests is followed too."""
DEEP_SHARE: Final = 0.2
"""Of the seeds in which books are deeper than Binance's whole tops, and so than any book here."""
DEEP: Final = 50
SCENE_SHARE: Final = 0.2
"""Of the seeds in which one of `SCENES` is played, and nothing else goes wrong."""
QUOTES_SHARE: Final = 0.2
"""Of the seeds in which bots take what is quoted in dollars and in tethers for one market."""
HANDOVER_S: Final = 3.0
"""For so long who leaves a view to another still has it."""
HIDDEN_S: Final = 1.0
"""What no bot may notice makes nothing older than this."""
HEALED_AT_S: Final = 16.0
"""By then everything that is broken is whole again, and nothing more goes wrong."""

INSTRUMENTS: Final = ("ETH-BTC", "BTC-USD")
EQUIVALENCE: Final = "BTC-USD+BTC-USDT*USDT-USD"
KINDS: Final = (ViewKind.BOOK, ViewKind.BOOK, ViewKind.BBO, ViewKind.LIQUIDITY)

WEATHERS: Final = (
    Weather(),
    Weather(spike=0.02),
    Weather(loss=0.01),
    Weather(delay_s=0.005, spike=0.01, loss=0.03),
    Weather(duplicate=0.02, overtaken=0.02),
    Weather(spike=0.01, loss=0.01, duplicate=0.01, overtaken=0.03),
)

MOMENTS: Final = (FaultKind.CLOSE, FaultKind.RESET)
STATES: Final = (
    FaultKind.ANNOUNCED_CLOSE,
    FaultKind.SILENCE,
    FaultKind.MUTE,
    FaultKind.NOT_ACCEPTING,
    FaultKind.REST_SLOW,
    FaultKind.HTTP_403,
    FaultKind.HTTP_404,
    FaultKind.HTTP_418,
    FaultKind.HTTP_503,
)
ONE_SHOTS: Final = (
    FaultKind.MALFORMED,
    FaultKind.GAP,
    FaultKind.DUPLICATE,
    FaultKind.REORDER,
    FaultKind.BAD_CHECKSUM,
    FaultKind.CROSSED,
)
TRADING: Final = (FaultKind.HALT, FaultKind.POST_ONLY, FaultKind.UNKNOWN_SYMBOL)
VENUE_FAULTS: Final = MOMENTS + STATES + ONE_SHOTS + (FaultKind.SILENCE,) * 2
VENUE_FAULTS_THAT_SHOW: Final = tuple(
    kind
    for kind in VENUE_FAULTS
    if kind not in {FaultKind.GAP, FaultKind.REORDER, FaultKind.SILENCE}
)
"""At a venue whose frames do not show that one is missing, such as those of a short silence."""
WRONG_PROXIES: Final = (
    {"ALL_PROXY": "socks://127.0.0.1:1/"},
    {"all_proxy": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"},
    {"https_proxy": "garbage", "http_proxy": "garbage"},
    {"HTTPS_PROXY": "garbage://x", "HTTP_PROXY": "http://"},
)
HALTED_S: Final = (1.0, 6.0, 12.0)
"""How long venues say so: shorter and longer than it takes to hear of it."""
LASTING_S: Final = (0.05, 0.3, 0.8, 1.2, 2.0, 4.0, 7.0)
"""About how long a fault lasts: below and above each limit of the product."""


@dataclass(frozen=True)
class Deed:
    """Something done to the cluster at a time."""

    at_s: float
    text: str
    do: Callable[[Cluster], object]
    silences: bool = False
    """Whether a listener hears nothing of its venue from then on, though the connection stays."""


@dataclass(frozen=True)
class Plan:
    shape: Shape
    deeds: tuple[Deed, ...]
    hidden: bool = False
    """Whether no bot may notice what goes wrong: another replica has all that it shows."""

    @property
    def live_for_s(self) -> float:
        """How long what was superseded may be sent as live.

        For 3 s nothing of its venue is missed. At the aggregator and again at the gateway a
        publisher may be silent for 0.7 s, and its word is held for 0.5 s where others speak too;
        each is rounded up to the next look, and the network has delays of its own.
        """
        if self.hidden:
            return HIDDEN_S
        silent_s = 3.25 if any(deed.silences for deed in self.deeds) else 0.0
        holds = (self.shape.listeners > 1) + (self.shape.aggregators > 1)
        return silent_s + 2 * 0.95 + holds * 0.55 + 0.5

    @property
    def halted_for_s(self) -> float:
        """How long a venue may be sent as live that has halted trading.

        Its list is read each second. A venue that cannot be reached is given up after 5 s and asked
        again a moment later; one whose REST is slow answers after 3 s.
        """
        troubles = ("cut venues", "rest_slow", "not_accepting", "silence", "pause listener")
        troubled = any(word in deed.text for deed in self.deeds for word in troubles)
        return self.live_for_s + LIST_INTERVAL_S + 1.0 + (10.0 if troubled else 0.0)


def draw_plan(seed: int) -> Plan:
    """Return what `seed` stands for."""
    random = Random(f"plan/{seed}")
    shape = _draw_shape(random, seed)
    if Random(f"deep/{seed}").random() < DEEP_SHARE:
        shape = replace(shape, depth=DEEP)
    deeds: list[Deed] = []
    for _ in range(random.randint(1, 8)):
        deeds += _draw_fault(random, shape)
    scene = Random(f"scene/{seed}")
    is_scene = scene.random() < SCENE_SHARE
    hidden = False
    if is_scene:
        draw = scene.choice(SCENES)
        hidden = draw is _draw_one_lags
        shape, deeds = draw(scene, shape)
    if any("supersede" in deed.text for deed in deeds):
        shape = replace(shape, elsewhere=True)
    if not is_scene and Random(f"rests/{seed}").random() < RESTING_SHARE:
        # The first one is what a bot that follows one instrument follows.
        among = [*shape.instruments, RESTING]
        Random(f"first/{seed}").shuffle(among)
        shape = replace(shape, instruments=tuple(among))
    if not is_scene and Random(f"quotes/{seed}").random() < QUOTES_SHARE:
        shape = replace(shape, equivalence=EQUIVALENCE)
    for number in range(len(shape.bots)):
        # Some come late, into a market that is there, or into one that is broken.
        at_s = random.choice((0.0, 0.0, random.uniform(0.0, HEALED_AT_S)))
        deeds.append(Deed(at_s, f"start bot-{number}", partial(_start, f"bot-{number}")))
    return Plan(shape, tuple(sorted(deeds, key=lambda deed: deed.at_s)), hidden)


def _draw_shape(random: Random, seed: int) -> Shape:
    listeners = random.choice((1, 1, 2))
    aggregators = random.choice((1, 1, 2))
    count = random.choice((1, 2, 2, 3)) if listeners + aggregators < 4 else random.choice((1, 2))
    return Shape(
        # By themselves: whatever else a seed stands for stays as it is when venues are added.
        venues=tuple(sorted(Random(f"venues/{seed}").sample(venue_names(), count))),
        listeners=listeners,
        aggregators=aggregators,
        redundancy=random.choice((1, 2)),
        instruments=INSTRUMENTS[: random.choice((1, 1, 2))],
        bots=tuple(random.choice(KINDS) for _ in range(random.choice((1, 1, 2)))),
        rate=random.choice((1.0, 3.0, 8.0)),
        weather=random.choice(WEATHERS),
    )


def _draw_fault(random: Random, shape: Shape) -> list[Deed]:
    draw = random.choice(FAULTS)
    at_s = random.uniform(FIRST_FAULT_S, HEALED_AT_S - 0.5)
    lasts_s = random.choice(LASTING_S) * random.uniform(0.5, 1.5)
    return draw(random, shape, at_s, min(HEALED_AT_S, at_s + lasts_s))


def _draw_kill(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    return _kill(random.choice(_processes(shape)), at_s, until_s)


def _kill(name: str, at_s: float, until_s: float) -> list[Deed]:
    return [
        Deed(at_s, f"kill {name}", lambda cluster: cluster.roles[name].kill()),
        Deed(until_s, f"start {name}", partial(_start, name)),
    ]


def _draw_stop(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    name = random.choice(_processes(shape))
    return [
        Deed(at_s, f"stop {name}", lambda cluster: cluster.roles[name].stop()),
        Deed(until_s, f"start {name}", partial(_start, name)),
    ]


def _draw_pause(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    return _pause(random.choice(_processes(shape)), at_s, until_s)


def _pause(name: str, at_s: float, until_s: float) -> list[Deed]:
    return [
        Deed(at_s, f"pause {name}", lambda cluster: cluster.roles[name].pause()),
        Deed(until_s, f"resume {name}", lambda cluster: cluster.roles[name].resume()),
    ]


def _draw_cut(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    return _cut(*random.choice(_links(shape)), at_s, until_s)


def _cut(one: str, other: str, at_s: float, until_s: float) -> list[Deed]:
    return [
        Deed(
            at_s,
            f"cut {one} {other}",
            lambda cluster: cluster.network.cut(one, other),
            one == "venues",
        ),
        Deed(until_s, f"heal {one} {other}", lambda cluster: cluster.network.heal(one, other)),
    ]


def _draw_successor(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    name = random.choice([name for name in _processes(shape) if name[:4] in {"list", "aggr"}])
    ends_s = min(HEALED_AT_S, until_s + random.uniform(0.5, 4.0))
    return [
        Deed(at_s, f"supersede {name}", lambda cluster: cluster.roles[name].supersede()),
        Deed(until_s, f"haunt {name}", lambda cluster: cluster.roles[name].haunt()),
        Deed(ends_s, f"exorcise {name}", lambda cluster: cluster.roles[name].exorcise()),
    ]


def _draw_proxy(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    """Start a listener where a proxy is set that is of no use, and again where none is."""
    name = random.choice([name for name in _processes(shape) if name.startswith("listener")])
    environ = random.choice(WRONG_PROXIES)
    shown = " ".join(f"{variable}={value}" for variable, value in environ.items())
    return [
        Deed(at_s, f"restart {name} {shown}", lambda cluster: cluster.roles[name].restart(environ)),
        Deed(until_s, f"restart {name}", lambda cluster: cluster.roles[name].restart({})),
    ]


def _draw_clock(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    name = random.choice(_processes(shape))
    offset_s = random.choice((-1, 1)) * random.choice((0.2, 3.0, 60.0))
    return [Deed(at_s, f"clock {name}", lambda cluster: cluster.roles[name].set_clock(offset_s))]


def _draw_burst(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    steps = random.choice((5, 30))
    return [Deed(at_s, f"burst of {steps}", lambda cluster: cluster.venues.burst(steps))]


def _draw_at_venue(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    venue = random.choice(shape.venues)
    shows = find_venue(venue).at(shape.depth).loss_shows
    kind = random.choice(VENUE_FAULTS if shows else VENUE_FAULTS_THAT_SHOW)
    once = kind in MOMENTS or (kind in ONE_SHOTS and random.random() < 0.6)
    seconds = None if once else until_s - at_s

    def excuse(history: History, since: float, until: float) -> None:
        """Ask nothing until the venue has sent each book again, or REST has been asked for it."""
        history.excuse(venue, since, until + 2.0 / shape.rate + 1.0)
        history.excuse(venue, since, until + 2.0 * RESTING_S, RESTING)

    def inject(cluster: Cluster) -> None:
        host = cluster.venues
        host.process.poke(lambda: host.faults.inject(venue, kind, None, seconds))
        ended_s = at_s if once else until_s
        if kind is FaultKind.MUTE or kind in ONE_SHOTS:
            excuse(host.history, at_s, ended_s)
        elif kind is FaultKind.SILENCE:
            # It answers pings again: what it left out shows with its next book.
            excuse(host.history, ended_s, ended_s)

    lasting = "" if seconds is None else f" for {seconds:.1f} s"
    return [Deed(at_s, f"{venue} {kind}{lasting}", inject, kind is FaultKind.SILENCE)]


def _draw_trading(random: Random, shape: Shape, at_s: float, until_s: float) -> list[Deed]:
    """Let a venue halt or restrict trading, or delist an instrument and list it again."""
    venue, kind = random.choice(shape.venues), random.choice(TRADING)
    one = shape.instruments[0]
    until_s = min(HEALED_AT_S, at_s + random.choice(HALTED_S))
    instrument = one if kind is FaultKind.UNKNOWN_SYMBOL else random.choice((None, one))
    return _trade(shape, venue, kind, instrument, at_s, until_s)


def _trade(
    shape: Shape, venue: str, kind: FaultKind, instrument: str | None, at_s: float, until_s: float
) -> list[Deed]:
    seconds = until_s - at_s

    def inject(cluster: Cluster) -> None:
        host = cluster.venues
        host.process.poke(lambda: host.faults.inject(venue, kind, instrument, seconds))
        if kind is not FaultKind.POST_ONLY:
            host.history.halt(venue, instrument, at_s, until_s)
        if kind is FaultKind.UNKNOWN_SYMBOL:
            # Its book goes on, and nothing of it is sent.
            host.history.excuse(venue, at_s, until_s + 2.0 / shape.rate + 1.0)

    return [Deed(at_s, f"{venue} {kind} {instrument or 'all'} for {seconds:.1f} s", inject)]


def _draw_one_behind(random: Random, shape: Shape) -> tuple[Shape, list[Deed]]:
    """Let one of two replicas fall behind too briefly to be noticed, while the other dies."""
    if random.random() < 0.5:
        shape, unseen_s = replace(shape, listeners=2, redundancy=2, rate=8.0), 2.5
        names, sources = [f"listener-{shape.venues[0]}-{n}" for n in range(2)], ["venues"]
    else:
        shape, unseen_s = replace(shape, aggregators=2, redundancy=2, rate=8.0), 0.6
        names = [f"aggregator-{n}" for n in range(2)]
        sources = [name for name in _processes(shape) if name.startswith("listener")]
    deeds: list[Deed] = []
    for since_s in (3.0, 9.0):
        slow, other = random.sample(names, 2)
        at_s = since_s + random.random()
        for source in sources:
            deeds += _cut(source, slow, at_s, at_s + unseen_s)
        dies_s = at_s + unseen_s * random.uniform(0.4, 0.9)
        deeds += _kill(other, dies_s, dies_s + 2.0)
    return shape, deeds


def _draw_one_lags(random: Random, shape: Shape) -> tuple[Shape, list[Deed]]:
    """Let one of two replicas fall behind."""
    shape = replace(shape, listeners=2, redundancy=2, rate=8.0, weather=Weather())
    at_s = random.uniform(6.0, 9.0)
    name = f"listener-{shape.venues[0]}-{random.randrange(2)}"
    return shape, _cut("venues", name, at_s, at_s + 2.5)


def _draw_moved_back(random: Random, shape: Shape) -> tuple[Shape, list[Deed]]:
    """Let what rests move back to a replica: nothing newer replaces what the other said."""
    shape = replace(
        shape,
        venues=shape.venues[:1],
        listeners=1,
        aggregators=1,
        redundancy=1,
        instruments=(RESTING,),
        bots=shape.bots[:1],
    )
    if random.random() < 0.5:
        shape, layer = replace(shape, aggregators=2), "aggregator"
    else:
        shape, layer = replace(shape, listeners=2), f"listener-{shape.venues[0]}"
    (owner,) = owners(RESTING, [f"{layer}-0", f"{layer}-1"], redundancy=1)
    at_s = random.uniform(1.5, 2.0)
    back_s = at_s + random.uniform(0.1, 2.0)
    halts_s = back_s + HANDOVER_S + random.uniform(0.5, 1.5)
    return shape, [
        Deed(0.0, "start bot-0", partial(_start, "bot-0")),
        *_kill(owner, at_s, back_s),
        *_trade(shape, shape.venues[0], FaultKind.HALT, None, halts_s, HEALED_AT_S),
    ]


def _draw_stood_still(random: Random, shape: Shape) -> tuple[Shape, list[Deed]]:
    """Let a listener stand still while more is sent to it than its buffers take."""
    at_s = random.uniform(3.0, 5.0)
    name = f"listener-{random.choice(shape.venues)}-0"
    return replace(shape, listeners=1, rate=8.0), _pause(name, at_s, at_s + random.uniform(5, 8))


def _draw_only_the_slow(random: Random, shape: Shape) -> tuple[Shape, list[Deed]]:
    """Leave a gateway that starts anew only the aggregator that is behind what bots have."""
    venue = shape.venues[0]
    shape = replace(shape, venues=(venue,), listeners=2, aggregators=2, redundancy=2, rate=8.0)
    at_s = random.uniform(5.0, 7.0)
    return shape, [
        *_cut(f"listener-{venue}-0", "aggregator-1", at_s - 2.0, at_s + 6.0),
        *_cut("venues", f"listener-{venue}-1", at_s, at_s + 2.8),
        *_cut("aggregator-0", "gateway", at_s + 0.4, at_s + 6.0),
        *_kill("gateway", at_s + 0.5, at_s + 0.6),
    ]


SCENES: Final = (
    _draw_one_behind,
    _draw_one_lags,
    _draw_moved_back,
    _draw_stood_still,
    _draw_only_the_slow,
)
"""What chance alone brings about once in thousands of seeds."""

FAULTS: Final = (
    *(_draw_kill, _draw_pause, _draw_cut) * 2,
    *(_draw_stop, _draw_successor, _draw_clock, _draw_burst, _draw_proxy),
    *(_draw_at_venue,) * 5,
    *(_draw_trading,) * 2,
)


def _start(name: str, cluster: Cluster) -> None:
    cluster.roles[name].start()


def _processes(shape: Shape) -> list[str]:
    return [
        *(f"listener-{venue}-{n}" for venue in shape.venues for n in range(shape.listeners)),
        *(f"aggregator-{n}" for n in range(shape.aggregators)),
        "gateway",
        *(f"bot-{n}" for n in range(len(shape.bots))),
    ]


def _links(shape: Shape) -> list[tuple[str, str]]:
    aggregators = [f"aggregator-{n}" for n in range(shape.aggregators)]
    links = [(aggregator, "gateway") for aggregator in aggregators]
    if len(aggregators) == 2:
        links.append((aggregators[0], aggregators[1]))
    for venue in shape.venues:
        listeners = [f"listener-{venue}-{n}" for n in range(shape.listeners)]
        links += [(listener, aggregator) for listener in listeners for aggregator in aggregators]
        links += [("venues", listener) for listener in listeners]
        if len(listeners) == 2:
            links.append((listeners[0], listeners[1]))
    links += [("gateway", f"bot-{n}") for n in range(len(shape.bots))]
    return links
