"""The venue's markets, and which of them can be traded: one owner of both, whoever brings the news.

The whole list is loaded at the start, refreshed now and then, and when someone doubts it. Between,
what is followed is looked at, soon after it begins to be and then again and again, so that a halt
is known within a minute; where the venue tells its connections of halts, they pass them on
(`note_trading`), and the list is read while one lasts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_venues.events import FrameError, Trading
from dragonfly_venues.instruments import Markets
from dragonfly_venues.transport import RejectedError, TransportError, VenueProtocolError, foreseen
from dragonfly_venues.transport.backoff import Backoff
from dragonfly_venues.venue import InstrumentSource, Market
from msgspec.structs import replace

from feed_listener import counters
from feed_listener.waiting import wait

__all__ = ["LIST_INTERVAL_S", "Directory", "Fetch"]

REFRESH_S: Final = 3600.0
LEAST_REFRESH_S: Final = 60.0
"""Doubts lead to no more than one look at the whole list in this time."""
UNLISTED_INTERVALS: Final = 10
"""While something is followed that this venue does not list, its whole list is read after so many
looks: others list it, and this one may begin to."""
LIST_INTERVAL_S: Final = 60.0
"""How often what is followed is looked at. At Binance that takes 20 of the 6000 a minute that an
address is allowed, for each hundred symbols; at Bitstamp one of a thousand requests."""
LEAST_LOOK_S: Final = 5.0
"""From one look at what is followed to the next, where more is followed since."""

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Market]]]
"""Loads the markets of some symbols, where the venue offers that, or all of them where none are
named."""

logger = structlog.get_logger()


class Directory:
    """The venue's markets by instrument, kept current."""

    def __init__(
        self,
        source: InstrumentSource,
        fetch: Fetch,
        clock: Clock,
        random: Callable[[], float],
        on_change: Callable[[], None],
        *,
        followed: Callable[[], Collection[str | None]] = tuple,
        interval_s: float = LIST_INTERVAL_S,
    ) -> None:
        """Know nothing yet.

        Args:
            source: How the venue lists its markets.
            fetch: Asks the venue.
            clock: Of this process.
            random: Returns [0, 1).
            on_change: Called after a list came, first failed, or a market's trading changed.
            followed: Returns the symbols whose halts matter, None for what is not listed.
            interval_s: How often they are looked at.
        """
        self._source = source
        self._fetch = fetch
        self._clock = clock
        self._backoff = Backoff(random)
        self._on_change = on_change
        self._followed = followed
        self._interval_s = interval_s
        self._wake = asyncio.Event()
        self._doubted = False
        self._unseen = False
        """True while a followed instrument was not looked at since it is followed."""
        self._wished = False
        self._told: dict[str, Trading] = {}
        """The words of connections on markets while a list was on its way."""
        self.markets: Mapping[str, Market] | None = None
        """None until a list was loaded; an old list stays while a new one cannot be had."""
        self._logged = ""
        self.failure: str | None = None
        """Why the last attempt failed, None when it did not; where that is long, also how long
        until the next."""
        self.loads = 0
        """How often the whole list was loaded."""
        self.loaded_at_ns = 0
        """When it was loaded last."""
        self._left_out: Counter[str] = Counter()
        self.left_out = 0
        """Entries of it that could not be read or named."""

    def doubt(self) -> None:
        """Ask for a look at the venue's list before the hour is over."""
        self._doubted = True
        self._wake.set()

    def note_followed(self) -> None:
        """Ask for a look at what is followed: what the list says of some of it is old."""
        self._unseen = True
        self._wake.set()

    def wish(self, *, wanted: bool) -> None:
        """Keep doubting the list while somebody wants what no venue lists so far."""
        self._wished = wanted
        if wanted:
            self.doubt()

    def note_trading(self, symbol: str, trading: Trading) -> None:
        """Take the venue's word on one market."""
        self._told[symbol] = trading
        markets = self.markets or {}
        name = next((name for name, market in markets.items() if market.symbol == symbol), None)
        if name is None:
            self.doubt()
        elif markets[name].trading != trading:
            self.markets = {**markets, name: replace(markets[name], trading=trading)}
            self._on_change()

    async def run(self) -> None:
        """Keep the list current until cancelled."""
        while True:
            if not self._wished:
                self._doubted = False
            if await self._load(()):
                await self._until_due(self._clock.monotonic())

    async def _until_due(self, loaded_at: float) -> None:
        """Look at what is followed until the whole list is to be loaded again."""
        interval_s = self._interval_s
        by_parts = self._source.part_path is not None
        least_s = min(LEAST_LOOK_S, interval_s) if by_parts else REFRESH_S
        look_at = loaded_at + (interval_s if by_parts else REFRESH_S)
        asked_at = loaded_at
        self._unseen = False
        while True:
            whole_s = self._whole_list_s()
            doubted_s = min(LEAST_REFRESH_S, interval_s) if self._doubted else whole_s
            due_at = loaded_at + min(whole_s, doubted_s)
            if self._unseen:
                look_at = min(look_at, asked_at + least_s)
            now = self._clock.monotonic()
            if now >= due_at:
                return
            if now >= look_at:
                self._unseen = False
                asked = await self._look()
                now = self._clock.monotonic()
                look_at, asked_at = now + interval_s, now if asked else asked_at
            else:
                await self._rest(min(due_at - now, look_at - now, interval_s))

    def _whole_list_s(self) -> float:
        """Return how long after a load the whole list is loaded again."""
        source, followed = self._source, self._followed()
        often = not source.changes_told and source.part_path is None
        if source.changes_told:
            # Of a halt that was told the end may be lost on its way.
            halted = [market for market in (self.markets or {}).values() if market.trading.halted]
            often = any(market.symbol in followed for market in halted)
        if often:
            return min(REFRESH_S, self._interval_s)
        unlisted = None in followed
        return min(REFRESH_S, UNLISTED_INTERVALS * self._interval_s) if unlisted else REFRESH_S

    async def _look(self) -> bool:
        """Look at what is followed; return whether that is anything."""
        symbols = [symbol for symbol in self._followed() if symbol is not None]
        most = self._source.part_symbols
        for start in range(0, len(symbols), most):
            if not await self._load(symbols[start : start + most]):
                self.doubt()
                break
        return bool(symbols)

    async def _load(self, symbols: Sequence[str]) -> bool:
        """Load the whole list, or the part of `symbols`; return False after a failure and a wait.

        What was read of a part stands beside what is known of the others.
        """
        self._told.clear()
        try:
            fetched = await self._fetch(symbols)
        except FrameError as error:
            return await self._fail(
                VenueProtocolError(f"its reply is no instrument list ({error})")
            )
        except Exception as error:  # noqa: BLE001 - what befalls one venue ends no other
            failure = foreseen(error)
            # A name that is listed no more makes the venue refuse all that were named with it:
            # that says nothing of the whole list.
            of_names = isinstance(failure, RejectedError) and not failure.concerns_host
            return await self._fail(failure, at_once=bool(symbols) and of_names)
        self._backoff.reset()
        # What was told meanwhile is newer than the list.
        told = self._told
        markets = {
            name: replace(market, trading=told[market.symbol]) if market.symbol in told else market
            for name, market in fetched.items()
        }
        whole = {**(self.markets or {}), **markets} if symbols else markets
        changed = whole != self.markets or self.failure is not None
        if changed:
            logger.info("instruments loaded", count=len(whole))
            self.markets = whole
            self.failure = None
            self._logged = ""
        if not symbols:
            self.loads += 1
            self.loaded_at_ns = self._clock.now_ns()
            self._count_left_out(fetched)
        if changed or not symbols:
            self._on_change()
        return True

    def _count_left_out(self, fetched: Mapping[str, Market]) -> None:
        if not isinstance(fetched, Markets):
            return
        found = fetched.left_out + Counter(number=fetched.bad_numbers)
        if found == self._left_out:
            return
        for reason in found | self._left_out:  # other venues may count in this process too
            counters.LEFT_OUT.labels(reason).inc(found[reason] - self._left_out[reason])
        self._left_out, self.left_out = found, fetched.left_out.total()
        logger.info("instruments left out", **found)

    async def _fail(self, error: TransportError, *, at_once: bool = False) -> bool:
        counters.LIST_FAILURES.inc()
        reason = str(error)
        if reason != self._logged:
            logger.warning("instruments not loaded", reason=reason, exc_info=error.bug)
            self._logged = reason
        self._say(reason)
        if not at_once:
            await wait(self._backoff.next_s(error.retry_after_s), self._clock, self._report_wait)
        return False

    def _report_wait(self, left: str) -> None:
        self._say(f"{self._logged}; {left}")

    def _say(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            self._on_change()

    async def _rest(self, seconds: float) -> None:
        """Wait for so long, or until something may be due earlier."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
