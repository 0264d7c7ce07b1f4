"""Why a venue is in an instrument's book, or is not, and what would bring it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import NotFoundError
from dragonfly_client.messages import Instrument, State, Venue, VenueFeed

__all__ = ["Explanation", "explain"]

_REMEDIES: Final = {
    State.SYNCING: "nothing is to be done: it comes with the venue's first whole book",
    State.STALE: "nothing is to be done: the listener asks anew, and its next sound book brings it",
    State.DOWN: "nothing is to be done where the venue is away: the listener connects again by"
    " itself; where there is no listener, start `dragonfly listener --venue {venue}`",
    State.HALTED: "it comes back when the venue says that it is traded again",
    State.UNKNOWN: "`dragonfly instruments --venue {venue}` says what the venue lists",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One venue's part in one instrument.

    `listed` says that the venue lists it, `symbol` under which name; `followed` that somebody asks
    for it there now. `state`, `reason`, `age_ns` (since the venue's last change), `score`s and
    `depth` are as of a `VenueFeed`; `listener` and `connections` as of a `Venue`; `since`,
    `audited_at` and `audit_agreed` as of a `FeedStanding`, None where that is not told. `sentence`
    says it to a person, and `remedy` what would bring the venue back, empty where it is live.
    """

    instrument: str
    venue: str
    listed: bool
    symbol: str
    followed: bool
    state: State
    reason: str
    since: int | None
    age_ns: int | None
    score: float | None
    score_total: float | None
    audited_at: int | None
    audit_agreed: bool | None
    depth: int
    listener: str
    connections: int
    sentence: str
    remedy: str


async def explain(
    client: DragonflyClient, instrument: str, venue: str = ""
) -> tuple[Explanation, ...]:
    """Return the part of each venue in `instrument`, or that of `venue` alone.

    Raises:
        NotFoundError: no venue lists the instrument, or no venue is called so.
        ClientError: as of any call.
    """
    venues = {one.venue: one for one in await client.get_venues()}
    if venue and venue not in venues:
        known = ", ".join(sorted(venues)) or "none yet"
        raise NotFoundError(f"no listener speaks for {venue!r}: the venues are {known}")
    view = await client.get_bbo(instrument)
    feeds = {feed.venue: feed for feed in view.venues}
    try:
        listed = next(iter(await client.instruments(instrument=view.instrument)), None)
    except NotFoundError:  # of an equivalence nobody has a list
        listed = None
    names = [venue] if venue else sorted({*venues, *feeds})
    return tuple(
        _explanation(view.instrument, name, feeds.get(name), venues.get(name), listed)
        for name in names
    )


def _explanation(
    instrument: str,
    venue: str,
    feed: VenueFeed | None,
    seen: Venue | None,
    listed: Instrument | None,
) -> Explanation:
    market = next((one for one in listed.markets if one.venue == venue), None) if listed else None
    is_listed = market is not None or bool(listed and venue in listed.venues)
    if feed is not None:
        state, reason = feed.state, feed.reason
    elif not is_listed and (listed or (seen and seen.state is State.LIVE)):
        state, reason = State.UNKNOWN, "the venue does not list it"
    elif seen is not None and seen.state is not State.LIVE:
        state, reason = seen.state, seen.reason
    else:
        state, reason = State.SYNCING, "nobody asked for it there yet"
    standing = listed.standing(venue, state) if listed else None
    since = standing.since if standing is not None and standing.state is state else None
    if since is None and seen is not None and seen.state is state is State.DOWN:
        since = seen.since  # the venue took all its instruments with it
    if state is State.LIVE:
        sentence = f"{venue} is in the book of {instrument}"
        remedy = ""
    else:
        why = f": {reason}" if reason else ""
        sentence = f"{venue} is not in the book of {instrument}, it is {state.name}{why}"
        remedy = _REMEDIES.get(state, "").format(venue=venue)
    return Explanation(
        instrument=instrument,
        venue=venue,
        listed=is_listed,
        symbol=market.symbol if market else "",
        followed=feed is not None and state is not State.UNKNOWN,
        state=state,
        reason=reason,
        since=since,
        age_ns=feed.age_ns if feed and feed.ts_recv is not None else None,
        score=feed.score if feed else None,
        score_total=feed.score_total if feed else None,
        audited_at=standing.audited_at if standing else None,
        audit_agreed=standing.audit_agreed if standing else None,
        depth=feed.depth if feed else 0,
        listener=seen.listener if seen else "",
        connections=seen.connections if seen else 0,
        sentence=sentence,
        remedy=remedy,
    )
