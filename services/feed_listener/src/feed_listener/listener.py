"""The listener of one venue: interest becomes instruments, instruments the venue's symbols.

Interest arrives on the bus as subscriptions. An instrument is of interest from its first
subscription until a linger after its last. Those of them that this replica carries are feeds: the
symbol is looked up in the venue's list, and the books come from a connection of the pool.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from dragonfly_common import messages
from dragonfly_common.bus import Interest, Publisher, drive
from dragonfly_common.codec import pack_markets
from dragonfly_common.listings import Listings
from dragonfly_common.replicas import ReplicaGroup
from dragonfly_common.runtime import Runtime
from dragonfly_common.spelling import did_you_mean
from dragonfly_common.topics import (
    HEARTBEAT_PREFIX,
    RELIST_PREFIX,
    SHARE_TOPIC,
    STATUS_PREFIX,
    instruments_topic,
    parse_book_interest,
    venue_topic,
)
from dragonfly_common.types import MAX_DEPTH, FeedState, is_instrument
from dragonfly_venues.transport import VenueClient
from dragonfly_venues.venue import Market, Venue

from feed_listener import counters
from feed_listener.connection.context import VenueContext
from feed_listener.connection.endpoint import Locate
from feed_listener.connection.liveness import frozen, new_pause_detector
from feed_listener.connection.pool import ConnectionPool, Dialer
from feed_listener.connection.session import Session
from feed_listener.directory import LIST_INTERVAL_S, Directory, Fetch
from feed_listener.feed_state import FeedEvent
from feed_listener.feeds import Feeds
from feed_listener.snapshots import Demand, Snapshots

__all__ = ["MOST_FEEDS", "Following", "Listener"]

MOST_FEEDS: Final = 4096
"""Instruments beyond this wait for room: nobody follows so many books in one process."""
MOST_WANTED: Final = 1 << 16
"""Interest beyond this is refused: no venue lists so many instruments."""
SPARE_LEVELS: Final = 3
"""Read below those that are shown, where best prices ahead of a book may take levels away."""
SCORES_INTERVAL_S: Final = 1.0
AUDITS_INTERVAL_S: Final = 10.0
"""Between two tellings of when feeds were audited, where no state changes: audits never end."""
LIST_REPEAT_S: Final = 1.0
"""Halts within this time are told in one list: a venue that goes down halts all its markets."""
MOST_MARKETS_BYTES: Final = 1 << 19
"""Of a message with the names too; the 3,200 markets of Binance take 0.2 MB."""

_READY: Final = frozenset({FeedState.LIVE, FeedState.HALTED})
"""Nothing is missing here: the book is there, or the venue has none for anybody."""
_BEST_FIRST: Final = (FeedState.STALE, FeedState.SYNCING, FeedState.HALTED, FeedState.DOWN)

logger = structlog.get_logger()


@dataclass(frozen=True)
class Following:
    """The instruments that are followed, and how."""

    instruments: Sequence[str]
    """Always on."""
    depth: int
    linger_s: float
    audit_interval_s: float | None = None
    """How often each book is held against the venue's own; None asks the venue for no more than
    the books, over REST only for those that rest."""
    list_interval_s: float = LIST_INTERVAL_S
    """How often the venue is asked whether what is followed can be traded, where it does not tell
    by itself."""
    best_prices: bool = True
    """True where best prices that are ahead of their book are shown, if the venue has such."""
    replicas: int = 1
    """Listeners that divide the venue's budget for an address."""


class Listener:
    """One venue's listener."""

    def __init__(
        self,
        runtime: Runtime,
        publisher: Publisher,
        peers: ReplicaGroup,
        venue: Venue,
        following: Following,
        client: VenueClient,
        locate: Locate,
        fetch: Fetch,
        random: Callable[[], float],
        fetch_rest: Callable[[str, int], Awaitable[bytes]] | None = None,
    ) -> None:
        """`locate` says where a connection's socket is; `fetch` loads the venue's list.

        `fetch_rest` returns the reply to a path of the venue's HTTP API, of so many bytes at most,
        for first books and audits; `random` returns [0, 1).
        """
        clock = runtime.clock
        best_prices = following.best_prices and venue.best_prices
        most = venue.levels or MAX_DEPTH + SPARE_LEVELS
        shown = min(following.depth, most)
        depth = min(shown + SPARE_LEVELS * best_prices, most)
        self._runtime = runtime
        self._publisher = publisher
        self._peers = peers
        self._assignment = peers.assignment
        self._venue = venue
        self._connecting = f"connecting to {venue.name}"
        self._following = following
        self._clock = clock
        self._pauses = new_pause_detector(clock.monotonic())
        self._feeds = Feeds(venue.name, shown, publisher, clock)
        self._directory = Directory(
            venue.instruments,
            fetch,
            clock,
            random,
            self._list_changed,
            followed=lambda: [feed.symbol for feed in self._feeds],
            interval_s=following.list_interval_s,
        )
        self._configured = frozenset(following.instruments)
        self._asked: set[str] = set()
        """Instruments that somebody subscribes on the bus."""
        self._snapshots: Snapshots | None = None
        if fetch_rest is not None and venue.snapshots is not None:
            self._snapshots = Snapshots(
                self._feeds,
                venue.snapshots.shared(following.replicas),
                fetch_rest,
                depth,
                following.audit_interval_s,
                clock,
                random,
                Demand(self._sessions, self._urgency_rank, self._directory.doubt),
            )
        context = VenueContext(
            venue,
            depth,
            shown,
            self._feeds,
            clock,
            self._pauses,
            self._directory.doubt,
            self._directory.note_trading,
            on_unbooked=self._snapshots.wake if self._snapshots is not None else lambda: None,
            list_interval_s=following.list_interval_s,
            audit=following.audit_interval_s is not None,
            best_prices=best_prices,
        )
        self._scores_due = 0.0
        self._audits_due = 0.0
        self._dialer = Dialer(context, client, locate, random)
        self._pool: ConnectionPool
        self._unwanted_since: dict[str, float] = {}
        self._listings = Listings()
        self._told_loads = 0
        self._list_due = math.inf
        """When what changed of the list is told."""
        self._status: messages.VenueStatus | None = None
        self._status_due = True
        self._end: Callable[[], object] | None = None

    async def run(self) -> None:
        """Listen until cancelled; asked to stop, hand over to the other replicas first."""
        self._feeds.on_change = self._feed_changed
        self._runtime.on_stop = self._leave_to_peers
        async with asyncio.TaskGroup() as group:
            self._pool = ConnectionPool(self._dialer, group)
            for instrument in self._following.instruments:
                self._assignment.want(instrument)
            group.create_task(self._directory.run())
            if self._snapshots is not None:
                group.create_task(self._snapshots.run())
            group.create_task(drive([self._publisher, *self._peers.subscribers], self._turn))

    def _turn(self) -> None:
        """Do what is due; called by the bus when something arrived, and several times a second."""
        now = self._clock.monotonic()
        if stood_still_s := self._pauses.beat(now):
            self._pool.distrust(frozen(stood_still_s))
        self._runtime.beat()
        for interest in self._publisher.drain():
            self._take_interest(interest, now)
        self._drop_unwanted(now)
        self._peers.turn()
        self._move(now)
        self._pool.sweep(now)
        if now >= self._scores_due:
            self._scores_due = now + SCORES_INTERVAL_S
            self._feeds.publish_scores(now)
        if now >= self._audits_due:
            self._audits_due = now + AUDITS_INTERVAL_S
            self._status_due = True
        self._say_status()
        if now >= self._list_due:
            self._say_list()
        if self._end is not None and self._peers.may_end():
            self._end()

    def _leave_to_peers(self, end: Callable[[], object]) -> None:
        self._peers.leave()
        self._end = end

    def _move(self, now: float) -> None:
        """Begin what has become this replica's to carry, and end what others do by now."""
        moves = self._assignment.evaluate(now)
        for instrument in moves.take:
            self._follow(instrument)
        for instrument in moves.release:
            logger.info("instrument released", instrument=instrument)
            self._leave(instrument)
            self._feeds.release(instrument)

    def _take_interest(self, interest: Interest, now: float) -> None:
        if interest.prefix == RELIST_PREFIX:
            self._directory.wish(wanted=interest.wanted)
            return
        if interest.prefix.startswith((HEARTBEAT_PREFIX, STATUS_PREFIX, SHARE_TOPIC)):
            return
        instrument = parse_book_interest(interest.prefix)
        if instrument is None or not is_instrument(instrument):
            counters.IGNORED_INTEREST.labels("foreign", self._venue.name).inc()
        elif not interest.wanted:
            self._asked.discard(instrument)
            self._unwanted_since.setdefault(instrument, now)
        elif instrument in self._assignment.wanted:
            self._asked.add(instrument)
            self._unwanted_since.pop(instrument, None)
        elif len(self._assignment.wanted) >= MOST_WANTED:
            counters.IGNORED_INTEREST.labels("too_many", self._venue.name).inc()
        else:
            self._asked.add(instrument)
            self._assignment.want(instrument)

    def _sessions(self) -> Iterator[Session]:
        return self._pool.sessions()

    def _urgency_rank(self, instrument: str) -> int:
        """Return 0 for what bots asked for, 2 for what is only configured.

        Where aggregators are configured too, what they subscribe says nothing of bots: 1.
        """
        return (instrument not in self._asked) + (instrument in self._configured)

    def _follow(self, instrument: str) -> None:
        logger.info("instrument wanted", instrument=instrument)
        listed = self._directory.markets
        if listed is None:
            self._feeds.follow(instrument, f"the instrument list of {self._venue.name} is awaited")
        else:
            self._feeds.follow(instrument, self._connecting)
            if instrument not in listed:
                self._directory.doubt()
        self._resolve(instrument)

    def _drop_unwanted(self, now: float) -> None:
        limit = now - self._following.linger_s
        for instrument, since in list(self._unwanted_since.items()):
            if since > limit:
                continue
            del self._unwanted_since[instrument]
            if instrument in self._assignment.wanted and instrument not in self._configured:
                logger.info("instrument dropped", instrument=instrument)
                self._assignment.unwant(instrument)
                self._leave(instrument)
                self._feeds.drop(instrument)

    def _leave(self, instrument: str) -> None:
        symbol = self._feeds.symbol_of(instrument) if instrument in self._feeds else None
        if symbol is not None:
            self._pool.remove(symbol)

    def _list_changed(self) -> None:
        listed = self._directory.markets
        if listed is not None and self._directory.loads != self._told_loads:
            # Also where it is the same: who waits for a new look learns that there was one.
            self._told_loads = self._directory.loads
            self._listings.take(self._say_list())
            for instrument in self._listings.unlisted(self._following.instruments):
                logger.warning("instrument not listed", reason=self._unlisted(instrument))
        elif listed is not None:
            self._list_due = min(self._list_due, self._clock.monotonic() + LIST_REPEAT_S)
        for instrument in list(self._feeds.instruments):
            self._resolve(instrument)
        self._status_due = True

    def _say_list(self) -> messages.Instruments:
        """Publish what the venue lists, as far as it is known now."""
        self._list_due = math.inf
        directory = self._directory
        markets = sorted((directory.markets or {}).items())
        packed = pack_markets(_listed(market) for _, market in markets)
        if len(packed) > MOST_MARKETS_BYTES:
            logger.warning("instruments too many to tell of", bytes=len(packed))
            packed = b""
        listing = messages.Instruments(
            self._venue.name,
            tuple(name for name, _ in markets),
            packed,
            directory.left_out,
            directory.loaded_at_ns,
        )
        self._publisher.publish(instruments_topic(self._venue.name), listing)
        return listing

    def _resolve(self, instrument: str) -> None:
        """Look the instrument up, and listen to its symbol, if the venue has one."""
        name, listed = self._venue.name, self._directory.markets
        if listed is None:
            if self._directory.failure is not None:
                reason = f"the instrument list of {name} cannot be read: {self._directory.failure}"
                self._feeds.set(instrument, FeedEvent.LOST, reason)
            return
        market = listed.get(instrument)
        if market is None:
            self._leave(instrument)
            self._feeds.bind(instrument, None)
            self._feeds.set(instrument, FeedEvent.UNLISTED, self._unlisted(instrument))
            return
        if market.symbol != self._feeds.symbol_of(instrument):
            self._leave(instrument)
            self._feeds.bind(instrument, market.symbol)
            self._feeds.set(instrument, FeedEvent.ASKED, self._connecting)
            self._pool.add(market.symbol)
            self._directory.note_followed()
        if self._feeds.set_trading(instrument, market.trading):
            # A venue may refuse who subscribes a market while it is halted.
            self._pool.ask_again(market.symbol)

    def _unlisted(self, instrument: str) -> str:
        hint = did_you_mean(instrument, self._listings.lists)
        return f"{self._venue.name} does not list {instrument}{hint}"

    def _feed_changed(self) -> None:
        self._status_due = True
        if self._snapshots is not None:
            self._snapshots.wake()

    def _say_status(self) -> None:
        connections, said = self._pool.connections, self._status
        if not self._status_due and said is not None and connections == said.connections:
            return
        self._status_due = False
        states = Counter(feed.state for feed in self._feeds)
        self._assignment.note_ready(feed.instrument for feed in self._feeds if feed.state in _READY)
        for state in FeedState:
            counters.FEEDS.labels(state.name.lower(), self._venue.name).set(states[state])
        state, reason = self._judge(states)
        status = messages.VenueStatus(
            self._venue.name,
            state,
            reason,
            self._runtime.instance,
            connections,
            len(self._feeds),
            states[FeedState.LIVE],
            said.since if said is not None and said.state is state else self._clock.now_ns(),
            self._feeds.standings(),
        )
        if status != said:
            self._status = status
            self._publisher.publish(venue_topic(self._venue.name), status)
            self._say_readiness(status)

    def _judge(self, states: Counter[FeedState]) -> tuple[FeedState, str]:
        """Return the venue's state: that of its best feed, or of its list where none says more."""
        if self._directory.markets is None:
            if self._directory.failure is None:
                return FeedState.SYNCING, "its instrument list is awaited"
            return FeedState.DOWN, self._directory.failure
        trading = self._feeds.trading
        if trading.halted or states[FeedState.LIVE]:
            state = FeedState.HALTED if trading.halted else FeedState.LIVE
            return state, trading.said(self._venue.name, "trading")
        for state in _BEST_FIRST:
            if states[state]:
                reasons = (feed.reason for feed in self._feeds if feed.state is state)
                return state, next(reasons)
        if states[FeedState.UNKNOWN]:
            return FeedState.LIVE, "it lists none of the instruments that were asked for"
        return FeedState.LIVE, "no instrument was asked for"

    def _say_readiness(self, status: messages.VenueStatus) -> None:
        # A halt is no trouble of this process: it says all that there is to say.
        if status.state in _READY:
            self._runtime.ready()
        else:
            self._runtime.not_ready(f"{status.venue} is {status.state.name}: {status.reason}")


def _listed(market: Market) -> messages.ListedMarket:
    return messages.ListedMarket(
        market.symbol,
        market.trading.halted,
        market.trading.word,
        market.tick,
        market.lot,
        market.min_amount,
        market.min_notional,
    )
