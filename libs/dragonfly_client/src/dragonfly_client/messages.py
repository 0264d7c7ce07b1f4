"""What a bot receives: consolidated views, the venues behind them, instruments.

Times (`ts_…`) are integer nanoseconds UTC, stamped where their name says:

    ts_event   the venue                     ts_agg   the aggregator computed the view
    ts_recv    the listener had the bytes    ts_out   the gateway wrote it
    ts_pub     the listener published        ts_in    this client had it

Prices and amounts are the doubles nearest to the venue's decimal text; increments and minimums are
exact decimals.

All is as it was sent, but for `live` and `age_s()`: they are true at the moment they are asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Generic, Self, TypeVar

from dragonfly_client._liveness import HOLDS_S, StreamLiveness

__all__ = [
    "Bbo",
    "Book",
    "Conversion",
    "Hops",
    "Instrument",
    "Instruments",
    "Level",
    "Liquidity",
    "Market",
    "MergedLevel",
    "Share",
    "State",
    "Venue",
    "VenueFeed",
    "View",
]


class State(IntEnum):
    """How far a venue can be trusted; numbers as in dragonfly.v1.State."""

    UNSPECIFIED = 0
    """A state that this version of the client does not know."""
    SYNCING = 1
    """Asked for at the venue; no trustworthy book yet."""
    LIVE = 2
    """In the consolidated book. No other state is."""
    STALE = 3
    """The venue was silent beyond its own rule, or its book contradicts itself."""
    DOWN = 4
    """No connection to the venue, or no listener for it."""
    UNKNOWN = 5
    """The venue does not list the instrument."""
    HALTED = 6
    """The venue says that nobody can trade it now."""

    @classmethod
    def _missing_(cls, value: object) -> State:
        return cls.UNSPECIFIED


class _Followed:
    """What came by a stream, and may ask it whether it still holds.

    No field of the dataclass: a copy, and what was pickled, is followed by nothing.
    """

    __slots__ = ("_liveness",)

    _liveness: StreamLiveness

    def follow(self, liveness: StreamLiveness) -> None:
        """Ask `liveness` from now on; for the client, which made this."""
        object.__setattr__(self, "_liveness", liveness)

    def came_by(self, liveness: StreamLiveness) -> bool:
        return self._followed_by() is liveness

    def _followed_by(self) -> StreamLiveness | None:
        return getattr(self, "_liveness", None)


@dataclass(frozen=True, slots=True)
class Level:
    """One venue's price and amount.

    In the view of an equivalence both are converted from the venue's `instrument`, where the price
    is `original_price`; elsewhere these are empty and None.
    """

    venue: str
    price: float
    amount: float
    instrument: str = ""
    original_price: float | None = None

    def __str__(self) -> str:
        origin = f" {self.instrument}" if self.instrument else ""
        return f"{self.amount:g} @ {self.price!r} {self.venue}{origin}"


@dataclass(frozen=True, slots=True)
class Share:
    """One venue's part of a merged level; `instrument` and `original_price` as of a `Level`."""

    venue: str
    amount: float
    instrument: str = ""
    original_price: float | None = None


@dataclass(frozen=True, slots=True)
class MergedLevel:
    """All that is on offer at one price; `shares` by amount falling."""

    price: float
    amount: float
    shares: tuple[Share, ...]

    def __str__(self) -> str:
        return f"{self.amount:g} @ {self.price!r} {'+'.join(share.venue for share in self.shares)}"


@dataclass(frozen=True, slots=True)
class VenueFeed:
    """What one venue contributed to a view, and how far to trust it.

    `age_ns` runs from the venue's last change to `ts_out` of the view. `reason` is empty when
    the state is LIVE. `ts_recv` and `ts_pub` are None until the venue said anything.

    `score` is the share, 0 to 1, of the last ten minutes' audits of this book that agreed with what
    the venue says elsewhere, `score_total` that of all; None where nothing could be compared.

    `depth` is how many levels a side of a live venue are proven: none of them is missing. Beyond
    them it may have more, which the view is without. 0 where that is not said.

    `book_seq` is set where the venue's best prices came ahead of its book: they are of `venue_seq`,
    and the levels below them of the book at `book_seq`, which is less. 0: all are of `venue_seq`.

    `instrument` is what of the venue this is said of in the view of an equivalence.
    """

    venue: str
    state: State
    reason: str
    age_ns: int
    venue_seq: int
    ts_event: int | None
    ts_recv: int | None
    ts_pub: int | None
    score: float | None = None
    score_total: float | None = None
    depth: int = 0
    book_seq: int = 0
    instrument: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The consolidated book that an equivalence is converted by: bids at `bid`, asks at `ask`.

    Both are None while it is not live, as `venues` says: then what it converts is out.
    """

    instrument: str
    bid: float | None
    ask: float | None
    venues: tuple[VenueFeed, ...]


@dataclass(frozen=True, slots=True)
class Hops:
    """Where a quote's time went on its way to this bot, in nanoseconds.

    Negative figures mean that the clocks of two machines disagree.
    """

    listener_ns: int
    aggregator_ns: int
    gateway_ns: int
    bot_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View(_Followed):
    """What every consolidated view of one instrument says.

    `seq` counts an aggregator's views since its start, `epoch`; both may fall when another one
    takes over, the `venue_seq` of a live venue never does. `was_live` is False when no venue was
    live: the sides are then empty and `venues` says why. `replaced` counts the newer states that
    this one replaced unseen.
    `spread` is best ask minus best bid, negative when venues cross each other, 0 without a side.
    `conversions` are what the levels of an equivalence were converted by.
    """

    instrument: str
    spread: float
    venues: tuple[VenueFeed, ...]
    was_live: bool
    epoch: int
    seq: int
    ts_agg: int
    replaced: int
    ts_out: int
    ts_in: int
    conversions: tuple[Conversion, ...] = ()

    @property
    def feeds(self) -> dict[tuple[str, str], VenueFeed]:
        """What each venue contributed, also to conversions, by (instrument, venue)."""
        by = {(one.instrument, feed.venue): feed for one in self.conversions for feed in one.venues}
        return by | {(feed.instrument or self.instrument, feed.venue): feed for feed in self.venues}

    @property
    def live(self) -> bool:
        """Whether a venue is live now, as far as this client is told.

        False from the moment on when the stream's connection is lost, when it is closed, or when a
        newer view says that no venue is live; also after the event loop stood still for 3 s, until
        it runs again. A view that no stream follows (of `get_book`, a copy, an unpickled one) is
        live for 3 s after `ts_in`.
        """
        liveness = self._followed_by()
        if liveness is None:
            return self.was_live and time.time_ns() - self.ts_in < HOLDS_S * 1e9
        return self.was_live and liveness.is_live(self.instrument)

    @property
    def moved(self) -> VenueFeed | None:
        """The venue heard last: in most views, the one whose change made this view."""
        heard = [feed for feed in self.feeds.values() if feed.ts_recv is not None]
        return max(heard, key=lambda feed: feed.ts_recv or 0, default=None)

    @property
    def latency_ns(self) -> int | None:
        """From the moved venue's bytes leaving the socket to this bot; None when none was heard."""
        moved = self.moved
        return None if moved is None or moved.ts_recv is None else self.ts_in - moved.ts_recv

    @property
    def hops(self) -> Hops | None:
        """`latency_ns` in its four parts."""
        moved = self.moved
        if moved is None or moved.ts_recv is None or moved.ts_pub is None:
            return None
        return Hops(
            listener_ns=moved.ts_pub - moved.ts_recv,
            aggregator_ns=self.ts_agg - moved.ts_pub,
            gateway_ns=self.ts_out - self.ts_agg,
            bot_ns=self.ts_in - self.ts_out,
        )

    def age_s(self, now_ns: int | None = None) -> float:
        """Return the seconds since the view was computed, by this machine's clock or `now_ns`.

        Where a view seems to have come before it was sent, this machine's clock is behind: that
        much is added.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        clock_behind_ns = max(0, self.ts_out - self.ts_in)
        return (now_ns + clock_behind_ns - self.ts_agg) / 1e9

    def _text(self, bid: object, ask: object) -> str:
        if not self.was_live:
            why = "; ".join(f"{one.venue} {one.state.name}: {one.reason}" for one in self.venues)
            return f"{self.instrument}: no venue is live ({why or 'none is known'})"
        live = sum(one.state is State.LIVE for one in self.venues)
        return (
            f"{self.instrument}: {bid or 'no bid'} | {ask or 'no ask'}, spread {self.spread!r},"
            f" {live} of {len(self.venues)} venues live{'' if self.live else ', no longer so'}"
        )


L = TypeVar("L", Level, MergedLevel)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ladder(View, Generic[L]):
    """Two sides of levels: bids by price falling, asks by price rising."""

    bids: tuple[L, ...]
    asks: tuple[L, ...]

    @property
    def best_bid(self) -> L | None:
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> L | None:
        return self.asks[0] if self.asks else None

    @property
    def mid(self) -> float | None:
        """Halfway between the best prices; None without both sides."""
        return _mid(self.best_bid, self.best_ask)

    @property
    def crossed(self) -> bool:
        """Whether one venue bids more than another asks."""
        return bool(self.bids and self.asks) and self.spread < 0

    def __str__(self) -> str:
        return self._text(self.best_bid, self.best_ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book(_Ladder[Level]):
    """A consolidated book: bids by price falling, asks by price rising, each level its venue's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bbo(View):
    """The best bid and ask across venues; a side is None when no live venue has it."""

    bid: Level | None
    ask: Level | None

    @property
    def mid(self) -> float | None:
        """Halfway between the best prices; None without both sides."""
        return _mid(self.bid, self.ask)

    @property
    def crossed(self) -> bool:
        """Whether one venue bids more than another asks."""
        return self.bid is not None and self.ask is not None and self.spread < 0

    def __str__(self) -> str:
        return self._text(self.bid, self.ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity(_Ladder[MergedLevel]):
    """A book whose equal prices are merged, with each venue's share."""


@dataclass(frozen=True, slots=True)
class Venue(_Followed):
    """A venue as its listener sees it; `instruments` are those followed at that moment."""

    venue: str
    state: State
    reason: str
    listener: str
    connections: int
    instruments: int
    instruments_live: int
    ts_pub: int

    @property
    def live(self) -> bool:
        """Whether the venue is LIVE now, as far as this client is told; False as for a `View`.

        A venue of `get_venues` is followed by nothing: its state is that of its moment.
        """
        liveness = self._followed_by()
        return self.state is State.LIVE and (liveness is None or liveness.holds)


@dataclass(frozen=True, slots=True)
class Market:
    """What one venue tells of an instrument that it lists; None where it does not tell.

    It is as of when the venue last gave its list: each hour, and each minute of what is followed.
    """

    venue: str
    symbol: str
    """The venue's own name of the instrument, as its streams spell it."""
    halted: bool
    """Nobody can trade it."""
    status: str
    """The venue's own word for a halt or a restriction; empty where it is traded as usual."""
    tick: Decimal | None
    """Prices are multiples of it."""
    lot: Decimal | None
    """Amounts are multiples of it."""
    min_amount: Decimal | None
    min_notional: Decimal | None
    """Least price times amount of an order, in the quote currency."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument and the venues that list it.

    `markets` are what they tell of it, where one venue or one instrument was asked for.
    """

    instrument: str
    venues: tuple[str, ...]
    markets: tuple[Market, ...] = ()


class Instruments(tuple[Instrument, ...]):
    """The instruments that were asked for, by name."""

    left_out: Mapping[str, int]
    """Of each venue, how many entries of its list could not be read or named."""

    def __new__(cls, listed: Iterable[Instrument], left_out: Mapping[str, int]) -> Self:
        made = super().__new__(cls, listed)
        made.left_out = left_out
        return made


def _mid(bid: Level | MergedLevel | None, ask: Level | MergedLevel | None) -> float | None:
    return None if bid is None or ask is None else (bid.price + ask.price) / 2
