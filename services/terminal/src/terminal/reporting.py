"""Who is up, and why a venue is in a book or is not; as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from dragonfly_client.explaining import Explanation
from dragonfly_client.messages import Instrument, State, Venue, View
from rich.cells import cell_len

from terminal.text import UNTOLD, aligned, count_text, duration_text, share_text, whose

__all__ = ["explained_as_lines", "status_as_lines"]

VENUE_COLUMNS: Final = (
    *("venue", "state", "for", "listener", "connections", "instruments", "live", "why"),
)
FEED_COLUMNS: Final = (
    *("instrument", "venue", "state", "for", "changed", "score", "audited", "depth", "why"),
)
VENUE_NUMBERS: Final = (2, 4, 5, 6)
FEED_NUMBERS: Final = (3, 4, 5, 6, 7)
VENUE_SACRIFICES: Final = ("connections", "listener", "instruments", "live")
FEED_SACRIFICES: Final = ("audited", "depth", "score", "changed")


def status_as_lines(
    target: str,
    venues: Sequence[Venue],
    views: Iterable[View],
    listed: Mapping[str, Instrument],
    now_ns: int,
    width: int | None = None,
) -> Iterator[str]:
    """Yield who feeds the gateway at `target`; then a row for each venue of each view.

    `listed` are the views' instruments by name, as far as they are told. In `width` cells some
    columns may give way.
    """
    live = sum(one.state is State.LIVE for one in venues)
    yield f"gateway {target}: {live} of {count_text(len(venues), 'venue')} live"
    if venues:
        yield ""
        rows = [_venue_row(one, now_ns) for one in venues]
        yield from aligned([VENUE_COLUMNS, *rows], VENUE_NUMBERS, VENUE_SACRIFICES, width)
    rows = [row for view in views for row in _feed_rows(view, listed.get(view.instrument), now_ns)]
    if rows:
        yield ""
        yield from aligned([FEED_COLUMNS, *rows], FEED_NUMBERS, FEED_SACRIFICES, width)


def explained_as_lines(told: Iterable[Explanation], now_ns: int) -> Iterator[str]:
    """Yield a sentence for each venue, and beneath it what is known of it there."""
    for one in told:
        yield one.sentence
        facts = [*_facts(one, now_ns)]
        width = max(cell_len(name) for name, _ in facts)
        for name, fact in facts:
            yield f"  {name:<{width}}  {fact}"


def _venue_row(one: Venue, now_ns: int) -> tuple[str, ...]:
    counts = (one.connections, one.instruments, one.instruments_live)
    return (
        one.venue,
        one.state.name,
        _passed(one.since, now_ns),
        one.listener or UNTOLD,
        *map(str, counts),
        one.reason,
    )


def _feed_rows(view: View, listed: Instrument | None, now_ns: int) -> Iterator[tuple[str, ...]]:
    for feed in view.venues:
        standing = listed.standing(feed.venue, feed.state) if listed else None
        in_state = standing is not None and standing.state is feed.state
        yield (
            view.instrument,
            whose(feed),
            feed.state.name,
            _passed(standing.since if standing and in_state else None, now_ns),
            UNTOLD if feed.ts_recv is None else duration_text(feed.age_ns),
            UNTOLD if feed.score is None else share_text(feed.score),
            _passed(standing.audited_at if standing else None, now_ns),
            str(feed.depth or UNTOLD),
            feed.reason,
        )


def _passed(since: int | None, now_ns: int) -> str:
    """Return how long ago a time was; clocks of two machines may put it in the future."""
    return UNTOLD if since is None else duration_text(max(0, now_ns - since))


def _facts(one: Explanation, now_ns: int) -> Iterator[tuple[str, str]]:
    yield "listed", f"as {one.symbol}" if one.symbol else "yes" if one.listed else "no"
    yield "followed", "yes" if one.followed else "no"
    if one.listener:
        connections = count_text(one.connections, "connection")
        yield "listener", f"{one.listener}, {connections} to the venue"
    else:
        yield "listener", "none is heard"
    if one.since is not None:
        at = datetime.fromtimestamp(one.since // 10**9, UTC)
        passed = _passed(one.since, now_ns)
        yield "state", f"{one.state.name} since {at:%Y-%m-%d %H:%M:%S} UTC, for {passed}"
    if one.age_ns is not None:
        yield "last change", f"{duration_text(one.age_ns)} ago"
    if one.score is not None:
        ever = "" if one.score_total is None else f", {share_text(one.score_total)} ever"
        yield "audits agreed", f"{share_text(one.score)} in the last ten minutes{ever}"
    elif one.state is State.LIVE:
        yield "audits agreed", "none could be compared in the last ten minutes"
    if one.audited_at is not None:
        ended = "agreed" if one.audit_agreed else "disagreed"
        yield "last audit", f"{ended}, {_passed(one.audited_at, now_ns)} ago"
    if one.depth:
        yield "proven depth", f"{count_text(one.depth, 'level')} a side"
    if one.remedy:
        yield "remedy", one.remedy
