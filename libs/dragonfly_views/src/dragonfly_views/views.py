"""The bus half of a gateway: what aggregators say of views and venues, and who follows what.

A gateway drives it, asks it, and writes what its mailboxes hold in its own protocol:

    await drive((views.subscriber,), on_activity)   # which calls `drain`, and now and then `look`
    await views.require_listed(instrument)          # refuses what no venue lists
    with views.following(caller, mailbox, keys):    # each state comes into the mailbox
        mail = mailbox.take() if views.current() else None
        message = sealed(mail, depth, now_ns)       # the bytes of one dragonfly.v1 view
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

import structlog
from dragonfly_common.bus import Delivery, Keys, PublisherLost, Subscriber
from dragonfly_common.clock import Clock
from dragonfly_common.counters import HOPS
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.errors import DecodeError
from dragonfly_common.hot_counters import Newest
from dragonfly_common.messages import EncodedView, Gone, Instruments, VenueStatus
from dragonfly_common.staleness import PauseDetector
from dragonfly_common.topics import STATUS_PREFIX, ViewKind, parse_view_topic

from dragonfly_views import counters
from dragonfly_views.accounts import Caller
from dragonfly_views.condition import Condition
from dragonfly_views.executable import PricedView, PriceQuestion
from dragonfly_views.mailbox import Mail, Mailbox
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.relay import Reader, Relay, ViewKey
from dragonfly_views.venue_statuses import VenueStatuses
from dragonfly_views.wire import SharedView, seal

__all__ = ["PriceTeller", "Tell", "Views", "sealed"]

PAUSE_S: Final = 0.5
"""The bus is drained much more often, unless the process stands still."""
LIST_AGE_NS: Final = 60 * 10**9
"""Lists no older than this are the venues' last word; they are not asked more often."""

_TO_GATEWAY: Final = HOPS.of("gateway")

Tell = Callable[[Mail[ViewKey, SharedView], int], bytes | None]
"""Makes of mail, at a time (ns), what one client is sent; None where that is nothing."""

logger = structlog.get_logger()


class Views:
    """Every consolidated view that one gateway follows, and the venues behind them."""

    def __init__(
        self,
        upstreams: Sequence[str],
        clock: Clock,
        *,
        always: tuple[str, ...],
        linger_s: float,
        patience_s: float,
        settles_after_s: float,
        lists_command: str = "",
        keys: Keys | None = None,
        equivalences: Equivalences | None = None,
    ) -> None:
        """Connect to the aggregators at `upstreams`.

        Args:
            upstreams: the aggregators' addresses.
            clock: the time.
            always: the instruments and equivalences whose books are followed at once and for good.
            linger_s: how long a view is asked for after the last reader left it.
            patience_s: how long a caller waits for the instrument lists, or for a view's first
                live state.
            settles_after_s: how long after the last new venue no more are expected.
            lists_command: what tells a caller which instruments there are, in the words of its
                protocol; a refusal may name it.
            keys: for what comes over tcp.
            equivalences: those that the configuration has a name for.

        Raises:
            AddressError: an upstream is malformed.
        """
        self.subscriber = Subscriber(upstreams, clock, keys=keys)
        self.subscriber.subscribe(STATUS_PREFIX)
        self.statuses: Final = VenueStatuses(settles_after_s)
        self.statuses_changed: Final = Condition()
        """Notified whenever the statuses or lists of the venues may have changed."""
        self.relay: Final = Relay(
            self.subscriber,
            linger_s,
            always=[ViewKey(ViewKind.BOOK, instrument) for instrument in always],
        )
        self._clock = clock
        self._equivalences = equivalences or Equivalences()
        self._always = self._equivalences.instruments(always)
        self._patience_s = patience_s
        self._lists_command = lists_command
        self._complete = False
        self._news = Newest()
        self.drained_at = clock.monotonic()
        """When all that the bus had brought was taken last."""
        self._pauses = PauseDetector(PAUSE_S, self.drained_at)

    def drain(self) -> bool:
        """Take all that the bus brought; say whether this process stood still before.

        What waited in mailboxes was as old as the pause then, and `current` held it back: wake
        those who would have sent it.
        """
        now = self._clock.monotonic()
        for event in self.subscriber.drain():
            self._take(event, now)
        self.drained_at = now = self._clock.monotonic()
        return self._pauses.beat(now) > 0.0

    def current(self) -> bool:
        """Say whether what the bus brought was taken just now: mail may be sent."""
        return self._clock.monotonic() - self._pauses.beat_at < PAUSE_S

    def look(self, now: float) -> None:
        """Do what is due by the time. Call it several times a second."""
        self.relay.evaluate(now, self._clock.now_ns(), self.statuses.venues)
        were_complete, self._complete = self._complete, self.statuses.is_complete(now)
        if self._complete != were_complete:  # also time alone brings this about
            self.statuses_changed.notify()
        if self._complete:
            listings = self.statuses.listings
            for instrument in listings.unlisted(self._always):
                logger.warning("instrument not listed", reason=listings.refusal(instrument))

    def close(self) -> None:
        self.subscriber.close()

    @contextmanager
    def following(
        self, caller: Caller, mailbox: Reader, keys: Collection[ViewKey]
    ) -> Iterator[None]:
        """Leave every state of some views in `mailbox`, and count them to the caller's quota.

        Raises:
            CallRefusedError: the quota does not reach.
        """
        with caller.account.holding((one for key in keys for one in self.held(key)), caller.peer):
            for key in keys:
                self.relay.join(mailbox, key, self._clock.monotonic())
            try:
                yield
            finally:
                for key in keys:
                    self.relay.leave(mailbox, key, self._clock.monotonic())

    def held(self, key: ViewKey) -> tuple[str, ...]:
        """Return what a view counts for in a quota: its name, and each instrument it is made of."""
        return tuple(dict.fromkeys((key.instrument, *self._made_of(key.instrument))))

    async def get(
        self, caller: Caller, key: ViewKey, tell: Tell, in_time_s: float = math.inf
    ) -> bytes:
        """Return what `tell` makes of the present state of one view: see `state`."""
        state = await self.state(caller, key, in_time_s)
        body = tell(Mail(key, state, 0), self._clock.now_ns())
        if not body:
            raise _unanswered(key, self._patience_s)
        return body

    async def state(self, caller: Caller, key: ViewKey, in_time_s: float = math.inf) -> SharedView:
        """Return the present state of one view, which an aggregator must have computed.

        A view that is not live is waited for: an instrument that nobody followed until now is
        asked for at its venues. What is said then is the state at the end of the patience, or
        after `in_time_s`.

        Raises:
            CallRefusedError: no venue lists it, no aggregator answered, or the quota does not
                reach.
        """
        await self.require_listed(key.instrument)
        changed = Condition()
        mailbox: Reader = Mailbox(changed.notify)
        newest: SharedView | None = None

        def answered() -> bool:
            nonlocal newest
            mail = mailbox.take() if self.current() else None
            if mail is not None and mail.state.from_aggregator:
                newest = mail.state
            return newest is not None

        with self.following(caller, mailbox, (key,)):
            live = await changed.until(
                lambda: answered() and newest is not None and newest.live,
                min(self._patience_s, in_time_s),
            )
            if not live:
                await changed.until(answered, max(0.0, self._patience_s - in_time_s))
        if newest is None:
            raise _unanswered(key, self._patience_s)
        return newest

    async def require_listed(self, market: str) -> None:
        """Refuse what is made of an instrument that no venue lists; wait for lists not there yet.

        Before it is refused the venues read lists that are old again: what a venue lists from now
        on is served within a minute, however many callers ask for it, or for what never comes.

        Raises:
            CallRefusedError: no venue lists it, or not all have told what they list.
        """
        for instrument in self._made_of(market):
            await self._require_instrument(instrument)

    def knows_all_lists(self) -> bool:
        """Say whether every venue has said what it lists, and no more venues are to come."""
        return self.statuses.is_complete(self._clock.monotonic())

    async def until_known(self, fact: Callable[[], bool]) -> bool:
        """Wait for a fact about venues or their lists; False if the patience ends before."""
        return await self.statuses_changed.until(fact, self._patience_s)

    def _made_of(self, market: str) -> tuple[str, ...]:
        return self._equivalences.of(market).instruments

    async def _require_instrument(self, instrument: str) -> None:
        statuses = self.statuses
        if instrument in self._always and not self.knows_all_lists():
            return
        if not await self.until_known(lambda: statuses.lists(instrument) or self.knows_all_lists()):
            missing = ", ".join(statuses.unlisted) or (
                "another venue" if statuses.venues else "any venue"
            )
            raise CallRefusedError(
                RefusalCode.UNAVAILABLE,
                f"{instrument} is not listed so far, but the list of {missing} is not there yet:"
                " try later",
            )
        if statuses.lists(instrument):
            return
        self.relay.relist(self._clock.monotonic())
        since = self._clock.now_ns() - LIST_AGE_NS
        await self.until_known(
            lambda: statuses.lists(instrument) or statuses.is_listed_since(since)
        )
        if not statuses.lists(instrument):
            otherwise = f"{self._lists_command} says what there is" if self._lists_command else ""
            raise CallRefusedError(
                RefusalCode.NOT_FOUND, statuses.listings.refusal(instrument, otherwise)
            )

    def _take(self, event: Delivery | PublisherLost, now: float) -> None:
        if isinstance(event, PublisherLost):
            self._news.forget(event.publisher)
            now_ns = self._clock.now_ns()
            self.relay.on_lost(event.publisher, event.reason, now, now_ns)
            self.statuses.on_lost(event.publisher, event.reason, now_ns)
            self.statuses_changed.notify()
            return
        body = event.body
        if isinstance(body, EncodedView) and (key := _view_key(event.topic)):
            counters.VIEWS_HEARD.count += 1
            if self._news.is_new(event.publisher, body.ts_agg):
                _TO_GATEWAY.note(self._clock.now_ns() - body.ts_agg)
            self.relay.on_view(event.publisher, event.epoch, key, body, now)
        elif isinstance(body, Gone) and (key := _view_key(event.topic)):
            self.relay.on_gone(event.publisher, key, now, self._clock.now_ns())
        elif isinstance(body, VenueStatus):
            self.statuses.on_venue(event.publisher, body, event.ts_pub, now)
            self.statuses_changed.notify()
        elif isinstance(body, Instruments):
            self.statuses.on_instruments(body, event.ts_pub)
            self.statuses_changed.notify()
        else:
            counters.MISPLACED_BODIES.inc()


def sealed(mail: Mail[ViewKey, SharedView], depth: int, now_ns: int) -> bytes | None:
    """Return what one client is sent of a view at `depth` now: an encoded dragonfly.v1 message.

    It is None if the view's bytes mean nothing. What the client missed is counted.
    """
    if mail.replaced:
        counters.REPLACED.inc(mail.replaced)
    try:
        return seal(mail.state.at(depth, now_ns), mail.replaced, now_ns)
    except DecodeError:
        counters.UNREADABLE_VIEWS.inc()
        return None


class PriceTeller:
    """Tells one client what it asked of an instrument's levels, where the answer is another."""

    def __init__(self, statuses: VenueStatuses, instrument: str, question: PriceQuestion) -> None:
        self._statuses = statuses
        self._instrument = instrument
        self._question = question
        self._said = b""
        self._replaced = 0

    def __call__(self, mail: Mail[ViewKey, SharedView], now_ns: int) -> bytes | None:
        """Return an encoded dragonfly.v1.Executable; None if it says what the last one said."""
        self._replaced += mail.replaced
        try:
            view = mail.state.form(PricedView)
            said = view.answer(self._question, self._statuses.lots(self._instrument))
        except DecodeError:
            counters.UNREADABLE_VIEWS.inc()
            return None
        if said == self._said:
            return None
        replaced, self._replaced, self._said = self._replaced, 0, said
        if replaced:
            counters.REPLACED.inc(replaced)
        return seal(view.book(now_ns) + said, replaced, now_ns)


def _unanswered(key: ViewKey, patience_s: float) -> CallRefusedError:
    return CallRefusedError(
        RefusalCode.UNAVAILABLE,
        f"no aggregator answered for {key.instrument} within {patience_s:g} s: try later",
    )


@lru_cache(maxsize=4096)
def _view_key(topic: str) -> ViewKey | None:
    parts = parse_view_topic(topic)
    return ViewKey(*parts) if parts else None
