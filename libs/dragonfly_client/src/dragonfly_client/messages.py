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
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Generic, Literal, Self, TypedDict, TypeVar

from dragonfly_client._liveness import HOLDS_S, StreamLiveness
from dragonfly_client._settings import check_side, check_size, check_whole

__all__ = [
    "Bbo",
    "Book",
    "CcxtBook",
    "Conversion",
    "Executable",
    "ExecutablePrice",
    "FeeSource",
    "FeedStanding",
    "Hops",
    "Instrument",
    "Instruments",
    "LeftOut",
    "Level",
    "Liquidity",
    "Market",
    "MergedLevel",
    "Share",
    "State",
    "TakeSide",
    "Venue",
    "VenueFeed",
    "VenuePart",
    "View",
]

TakeSide = Literal["buy", "sell"]
"""What an order does: a buy takes asks, and a sell takes bids."""


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


class CcxtBook(TypedDict):
    """A book as ccxt has it; `timestamp` in milliseconds, levels as [price, amount]."""

    symbol: str
    timestamp: int
    datetime: str
    nonce: int
    bids: list[list[float]]
    asks: list[list[float]]


L = TypeVar("L", Level, MergedLevel)


class _Quoted(View):
    """A view that has a best bid and a best ask."""

    __slots__ = ()

    @abstractmethod
    def _best(self) -> tuple[Level | MergedLevel | None, Level | MergedLevel | None]: ...

    @property
    def mid(self) -> float | None:
        """Halfway between the best prices; None without both sides."""
        bid, ask = self._best()
        return None if bid is None or ask is None else (bid.price + ask.price) / 2

    @property
    def microprice(self) -> float | None:
        """The mid, drawn to the side that has less at its best price; None without both sides."""
        bid, ask = self._best()
        if bid is None or ask is None:
            return None
        return (bid.price * ask.amount + ask.price * bid.amount) / (bid.amount + ask.amount)

    @property
    def crossed(self) -> bool:
        """Whether one venue bids more than another asks."""
        return None not in self._best() and self.spread < 0

    def __str__(self) -> str:
        if not self.was_live:
            why = "; ".join(f"{one.venue} {one.state.name}: {one.reason}" for one in self.venues)
            return f"{self.instrument}: no venue is live ({why or 'none is known'})"
        bid, ask = self._best()
        live = sum(one.state is State.LIVE for one in self.venues)
        spread = repr(self.spread) if bid and ask else "-"
        return (
            f"{self.instrument}: {bid or 'no bid'} | {ask or 'no ask'}, spread {spread},"
            f" {live} of {len(self.venues)} venues live{'' if self.live else ', no longer so'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ladder(_Quoted, Generic[L]):
    """Two sides of levels: bids by price falling, asks by price rising."""

    bids: tuple[L, ...]
    asks: tuple[L, ...]

    @property
    def best_bid(self) -> L | None:
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> L | None:
        return self.asks[0] if self.asks else None

    def _best(self) -> tuple[L | None, L | None]:
        return self.best_bid, self.best_ask

    def imbalance(self, levels: int = 1) -> float | None:
        """Return (bids - asks) / (bids + asks) by the amounts of the first levels: 1 is bids alone.

        None where neither side has anything.
        """
        check_whole("levels", levels, at_least=1)
        bids, asks = (sum(one.amount for one in side[:levels]) for side in (self.bids, self.asks))
        return (bids - asks) / (bids + asks) if bids + asks else None

    def cost(self, side: TakeSide, amount: float) -> float | None:
        """Return what buying `amount` costs now, or selling it brings, in the quote currency.

        It walks the levels of this view, best first, without fees. None where they do not suffice:
        `client.executable` looks deeper, and counts fees.
        """
        amount = check_size(amount)
        money = taken = 0.0
        for level in self.asks if check_side(side) == "buy" else self.bids:
            if taken + level.amount >= amount:
                return money + (amount - taken) * level.price
            money += level.amount * level.price
            taken += level.amount
        return None

    def to_ccxt(self) -> CcxtBook:
        """Return the book as ccxt has it: one level a price, without venues; times of `ts_agg`."""
        seconds, millis = divmod(self.ts_agg // 1_000_000, 1000)
        at = datetime.fromtimestamp(seconds, UTC)
        return {
            "symbol": self.instrument.replace("-", "/"),
            "timestamp": seconds * 1000 + millis,
            "datetime": f"{at:%Y-%m-%dT%H:%M:%S}.{millis:03d}Z",
            "nonce": self.seq,
            "bids": _by_price(self.bids),
            "asks": _by_price(self.asks),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Book(_Ladder[Level]):
    """A consolidated book: bids by price falling, asks by price rising, each level its venue's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bbo(_Quoted):
    """The best bid and ask across venues; a side is None when no live venue has it."""

    bid: Level | None
    ask: Level | None

    def _best(self) -> tuple[Level | None, Level | None]:
        return self.bid, self.ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity(_Ladder[MergedLevel]):
    """A book whose equal prices are merged, with each venue's share."""


class FeeSource(IntEnum):
    """Whose table of fees was used; numbers as in dragonfly.v1.FeeSource."""

    UNSPECIFIED = 0
    """One that this version of the client does not know."""
    NONE = 1
    """None is known: the prices are without fees."""
    GATEWAY = 2
    BOT = 3
    """This bot's own, in the gateway's file of tokens."""
    REQUEST = 4

    @classmethod
    def _missing_(cls, value: object) -> FeeSource:
        return cls.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class VenuePart:
    """One venue's part of an order; prices are before fees, `fee` is in the quote currency.

    `worst` is the limit price that takes it all. `exhausted` says that it is all that the venue
    shows: it may have more, perhaps cheaper than what is taken elsewhere. `instrument` is the
    venue's own in an equivalence; prices are converted.
    """

    venue: str
    amount: float
    gross_avg: float
    worst: float
    fee: float
    fee_bps: float
    exhausted: bool
    instrument: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A venue that nothing could be taken of, and why."""

    venue: str
    reason: str
    instrument: str = ""


@dataclass(frozen=True, slots=True)
class ExecutablePrice:
    """What one size costs.

    Where `complete` is False the levels that are shown do not suffice, and all is said of what
    there is. `filled` is of the base currency; `money` is paid or received, with all fees. The
    prices are of one unit and None where nothing is filled: `gross_avg` before fees, `net_avg`
    after them, `worst` of the last level that is taken. `cost_bps` is how much worse than the mid
    `net_avg` is, in ten-thousandths, negative where it is better.
    """

    size: float
    complete: bool
    filled: float
    money: float
    gross_avg: float | None
    net_avg: float | None
    worst: float | None
    fee_total: float
    cost_bps: float | None
    parts: tuple[VenuePart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable(View):
    """What sizes cost now over the live venues, after fees, on the book of `epoch` and `seq`.

    `prices` are in the order of the sizes that were asked. `mid` is halfway between the best prices
    of all live venues, None without both sides.
    """

    side: TakeSide
    in_quote: bool
    prices: tuple[ExecutablePrice, ...]
    left_out: tuple[LeftOut, ...]
    mid: float | None
    fee_source: FeeSource

    def __str__(self) -> str:
        told = "; ".join(
            f"{one.size:g} at {one.net_avg!r}{'' if one.complete else f', only {one.filled:g}'}"
            for one in self.prices
        )
        return f"{self.instrument} {self.side}: {told}"


@dataclass(frozen=True, slots=True)
class Venue(_Followed):
    """A venue as its listener sees it; `instruments` are those followed at that moment.

    It is in its state since `since`, in nanoseconds UTC; None where that is not told.
    """

    venue: str
    state: State
    reason: str
    listener: str
    connections: int
    instruments: int
    instruments_live: int
    ts_pub: int
    since: int | None = None

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
class FeedStanding:
    """An instrument at a venue that follows it: in `state` since `since`, in nanoseconds UTC.

    `audited_at` is when its book was last held against what else the venue says of it, and
    `audit_agreed` whether both said the same; None where nothing was compared yet.
    """

    venue: str
    state: State
    since: int
    audited_at: int | None = None
    audit_agreed: bool | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument and the venues that list it.

    `markets` are what they tell of it, where one venue or one instrument was asked for; `feeds` how
    it stands at those that follow it now, where the instrument was.
    """

    instrument: str
    venues: tuple[str, ...]
    markets: tuple[Market, ...] = ()
    feeds: tuple[FeedStanding, ...] = ()

    def standing(self, venue: str, state: State) -> FeedStanding | None:
        """Return how it stands at `venue`, of two listeners by the word of one that says `state`.

        It may be in another: the aggregator takes a book out by itself where its listener is lost.
        """
        said = (one for one in self.feeds if one.venue == venue)
        return min(said, key=lambda one: one.state is not state, default=None)


class Instruments(tuple[Instrument, ...]):
    """The instruments that were asked for, by name."""

    left_out: Mapping[str, int]
    """Of each venue, how many entries of its list could not be read or named."""

    def __new__(cls, listed: Iterable[Instrument], left_out: Mapping[str, int]) -> Self:
        made = super().__new__(cls, listed)
        made.left_out = left_out
        return made


def _by_price(levels: Sequence[Level] | Sequence[MergedLevel]) -> list[list[float]]:
    amounts: dict[float, float] = {}
    for level in levels:
        amounts[level.price] = amounts.get(level.price, 0.0) + level.amount
    return [[price, amount] for price, amount in amounts.items()]
