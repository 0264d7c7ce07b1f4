"""Runs one seed and judges it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from dragonfly_client import State, VenueFeed, View
from oracle import Oracle
from truth import Truth

from simulation.cluster import Bot, Cluster
from simulation.network import Weather
from simulation.plan import HEALED_AT_S, Plan, draw_plan

__all__ = ["Outcome", "simulate"]

WHOLE_WITHIN_S: Final = 45.0
"""After everything is healed every book is whole by then: a listener backs off for 30 s at most."""
LOOK_EVERY_S: Final = 0.25
ON_THE_WAY_S: Final = 1.5
"""After that what was sent has reached a bot, through the worst weather."""
STAYS_S: Final = 2.0
"""For so long it must stay whole after that, while the market goes on."""
SETTLED_S: Final = 2.5
"""After the market stood still for so long every bot has its last state: the slowest works half a
second on each of three books, and on the one that it has."""


@dataclass
class Outcome:
    """What became of a seed."""

    seed: int
    virtual_s: float = 0.0
    judged: int = 0
    whole_after_s: float = 0.0
    """From the healing of everything on."""
    violations: list[str] = field(default_factory=list)
    stalest_s: float = 0.0
    """How long ago the oldest state that a gateway sent as live had been superseded."""
    halted_s: float = 0.0
    """For how long a venue that a gateway sent as live had been halted at most."""
    digest: str = ""
    """Of all that bots were handed and when: equal where two runs were."""


def simulate(seed: int, say: Callable[[float, str, str], None] | None = None) -> Outcome:
    """Run `seed`; `say` hears (virtual time, who, what) of each event."""
    plan = draw_plan(seed)

    def tell(who: str, what: str) -> None:
        if say is not None:
            say(cluster.schedule.now, who, what)

    cluster = Cluster(seed, plan.shape, tell)
    outcome = Outcome(seed)
    try:
        _play(plan, cluster, outcome, tell)
    finally:
        cluster.close()
    outcome.virtual_s = cluster.schedule.now
    _judge(plan, cluster, outcome)
    return outcome


def _play(plan: Plan, cluster: Cluster, outcome: Outcome, tell: Callable[[str, str], None]) -> None:
    schedule = cluster.schedule
    for name, role in cluster.roles.items():
        if not name.startswith("bot"):
            role.start()
    watch = _Watch(plan, cluster)
    for deed in plan.deeds:
        watch.run_until(deed.at_s)
        tell("fault", deed.text)
        deed.do(cluster)
    watch.run_until(HEALED_AT_S)
    outcome.violations += watch.found[:1]
    cluster.venues.disarm()
    tell("fault", "all is healed")
    for role in cluster.roles.values():
        role.exorcise()
        role.resume()
        role.start()
    whole = False
    while schedule.now < HEALED_AT_S + WHOLE_WITHIN_S and not whole:
        schedule.run_until(schedule.now + LOOK_EVERY_S)
        whole = all(_is_whole(cluster, bot) for bot in cluster.bots)
    outcome.whole_after_s = schedule.now - HEALED_AT_S
    schedule.run_until(schedule.now + STAYS_S)
    # What a venue left out of a book that rests would show with its next change.
    cluster.venues.burst(1)
    schedule.run_until(schedule.now + STAYS_S)
    cluster.venues.stop_market()
    # What a spike of delay would take out for a moment must not be judged at that moment.
    cluster.network.weather = Weather()
    tell("fault", "the market stands still, in calm weather")
    schedule.run_until(schedule.now + SETTLED_S)


class _Watch:
    """Looks at what quick bots hold: a view that nothing replaces may not be live for ever."""

    def __init__(self, plan: Plan, cluster: Cluster) -> None:
        self.found: list[str] = []
        self._plan = plan
        self._cluster = cluster
        self._clear_since: dict[str, float] = {}

    def run_until(self, until: float) -> None:
        schedule = self._cluster.schedule
        while schedule.now < until:
            schedule.run_until(min(until, schedule.now + LOOK_EVERY_S))
            for bot in self._cluster.bots:
                self._look_at(bot, schedule.now)

    def _look_at(self, bot: Bot, now: float) -> None:
        if not self._is_clear(bot):
            self._clear_since.pop(bot.name, None)
        elif now - self._clear_since.setdefault(bot.name, now) >= ON_THE_WAY_S:
            history, plan = self._cluster.venues.history, self._plan
            for _, view in bot.latest.values():
                age_s, halted_s = history.age_s(view, now), history.halted_s(view, now)
                if age_s > plan.live_for_s + ON_THE_WAY_S:
                    self.found.append(
                        f"held though superseded for {age_s:.2f} s, at {now:.3f}: {view!r}"
                    )
                elif halted_s > plan.halted_for_s + ON_THE_WAY_S:
                    self.found.append(
                        f"held though halted for {halted_s:.2f} s, at {now:.3f}: {view!r}"
                    )

    def _is_clear(self, bot: Bot) -> bool:
        """Say whether all that a gateway sends reaches the bot at once."""
        ends = [self._cluster.roles[name].process for name in ("gateway", bot.name)]
        return (
            bot.connected
            and not bot.work_s
            and all(end is not None and not end.paused for end in ends)
            and not self._cluster.network.is_cut(frozenset(("gateway", bot.name)))
        )


def _is_whole(cluster: Cluster, bot: Bot) -> bool:
    latest = bot.latest
    return bot.connected and all(
        name in latest and not _missing(latest[name][1], cluster.shape.venues)
        for name in _followed(bot)
    )


def _followed(bot: Bot) -> Iterable[str]:
    return bot.instruments[:1] if bot.kind.value == "liquidity" else bot.instruments


def _missing(view: View, venues: Iterable[str]) -> set[str]:
    """Return the venues that are not live in a view, with each instrument that it is made of."""
    out = {feed.venue for feed in view.venues if feed.state is not State.LIVE}
    return out | (set(venues) - {feed.venue for feed in view.venues})


def _judge(plan: Plan, cluster: Cluster, outcome: Outcome) -> None:
    oracle = Oracle(Truth(cluster.venues.truth.lines), plan.shape.depth)
    digest = hashlib.blake2b(digest_size=8)
    found = outcome.violations
    found += cluster.failures
    found += cluster.exchange.went_back[:1]
    for bot in cluster.bots:
        for stream in bot.streams:
            for instrument in bot.instruments:
                views = [view for _, view in stream if view.instrument == instrument]
                violation = oracle.first_violation(views)
                if violation is not None:
                    found.append(f"{bot.name}: {violation}")
            found += _judge_ages(plan, cluster, stream, outcome)
            digest.update(repr(stream).encode())
        found += _judge_rest(cluster, bot, Oracle(oracle.truth, plan.shape.depth))
    outcome.judged = oracle.judged
    outcome.digest = digest.hexdigest()


def _judge_ages(
    plan: Plan, cluster: Cluster, stream: Iterable[tuple[float, View]], outcome: Outcome
) -> list[str]:
    """Judge how old what was sent as live to one bot was."""
    found: list[str] = []
    for at, view in stream:
        age_s = cluster.venues.history.age_s(view, at)
        outcome.stalest_s = max(outcome.stalest_s, age_s)
        if age_s > plan.live_for_s and not found:
            found.append(f"live though superseded for {age_s:.2f} s, at {at:.3f}: {view!r}")
        halted_s = cluster.venues.history.halted_s(view, at)
        outcome.halted_s = max(outcome.halted_s, halted_s)
        if halted_s > plan.halted_for_s and not found:
            found.append(f"live though halted for {halted_s:.2f} s, at {at:.3f}: {view!r}")
    return found


def _at_newest(view: View, cluster: Cluster) -> View:
    """Return a view as if it were made of the newest states there are."""

    def newest(feeds: Iterable[VenueFeed], instrument: str) -> tuple[VenueFeed, ...]:
        return tuple(
            replace(
                feed,
                venue_seq=cluster.venues.truth.newest(feed.venue, feed.instrument or instrument),
                book_seq=0,
            )
            for feed in feeds
        )

    return replace(
        view,
        venues=newest(view.venues, view.instrument),
        conversions=tuple(
            replace(by, venues=newest(by.venues, by.instrument)) for by in view.conversions
        ),
    )


def _judge_rest(cluster: Cluster, bot: Bot, oracle: Oracle) -> list[str]:
    """Judge what a bot has once everything is healed and the market stands still."""
    latest, found = bot.latest, []
    for instrument in _followed(bot):
        if instrument not in latest:
            found.append(f"never whole: {bot.name} has no {bot.kind} of {instrument}")
            continue
        _, view = latest[instrument]
        missing = _missing(view, cluster.shape.venues)
        if missing:
            found.append(f"never whole: {bot.name} ends without {sorted(missing)}: {view!r}")
            continue
        wrong = oracle.first_violation([_at_newest(view, cluster)])
        if wrong is not None:
            found.append(f"never right: {bot.name} ends behind the newest truth: {wrong}")
    return found
