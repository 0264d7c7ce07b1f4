"""What became of an instrument in the last minutes, in bounded memory. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from dragonfly_client.messages import Bbo

__all__ = ["LOST", "Crossing", "Past", "PriceAt", "Span"]

LOST: Final = "LOST"
"""The state of a venue while no gateway tells of it."""

NS: Final = 10**9
STATES_NS: Final = 15 * 60 * NS
PRICES_NS: Final = 5 * 60 * NS
PRICE_EACH_NS: Final = NS
MOST_SPANS: Final = 200
"""Of one venue."""
MOST_PRICES: Final = 600
MOST_CROSSINGS: Final = 50
MOST_EPOCHS: Final = 50


@dataclass(frozen=True)
class Span:
    """A venue's state since `ts`, until the next one's."""

    ts: int
    state: str
    reason: str


@dataclass(frozen=True)
class PriceAt:
    """The best prices at a moment, None on a side that no live venue had."""

    ts: int
    bid: float | None
    ask: float | None


@dataclass
class Crossing:
    """While one venue bid more than another asked: the prices of its best moment.

    `until` is None while it lasts.
    """

    ts: int
    bid_venue: str
    ask_venue: str
    bid: float
    ask: float
    amount: float
    until: int | None = None

    @property
    def gross(self) -> float:
        return self.amount * (self.bid - self.ask)


@dataclass
class Past:
    """What became of one instrument; nothing in it grows without end."""

    since: int
    spans: dict[str, deque[Span]] = field(default_factory=dict)
    prices: deque[PriceAt] = field(default_factory=lambda: deque(maxlen=MOST_PRICES))
    crossings: deque[Crossing] = field(default_factory=lambda: deque(maxlen=MOST_CROSSINGS))
    epochs: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_EPOCHS))
    """When another aggregator took the instrument over, or the same one began anew."""
    _epoch: int = 0

    def take(self, bbo: Bbo, now: int) -> None:
        """Note what is new at the time `now`."""
        for feed in bbo.venues:
            self._enter(feed.venue, feed.state.name, feed.reason, now)
        self._note_price(
            bbo.bid.price if bbo.bid else None, bbo.ask.price if bbo.ask else None, now
        )
        self._note_crossing(bbo, now)
        if bbo.epoch and self._epoch not in {0, bbo.epoch}:
            self.epochs.append(now)
        self._epoch = bbo.epoch or self._epoch

    def lose(self, reason: str, now: int) -> None:
        """Note that nothing is known from `now` on."""
        for venue in self.spans:
            self._enter(venue, LOST, reason, now)
        self._note_price(None, None, now)
        self._close_crossing(now)

    def entered(self, venue: str, state: str) -> int | None:
        """Return when a venue entered `state`; None if it is in another, or not known."""
        spans = self.spans.get(venue)
        return spans[-1].ts if spans and spans[-1].state == state else None

    def _enter(self, venue: str, state: str, reason: str, now: int) -> None:
        spans = self.spans.setdefault(venue, deque(maxlen=MOST_SPANS))
        if spans and spans[-1].state == state:
            if spans[-1].reason != reason:
                spans[-1] = Span(spans[-1].ts, state, reason)
            return
        spans.append(Span(now, state, reason))
        while len(spans) > 1 and spans[1].ts < now - STATES_NS:
            spans.popleft()

    def _note_price(self, bid: float | None, ask: float | None, now: int) -> None:
        prices = self.prices
        if prices:
            last = prices[-1]
            appeared = (last.bid is None, last.ask is None) != (bid is None, ask is None)
            if not appeared and now < last.ts + PRICE_EACH_NS:
                return
        prices.append(PriceAt(now, bid, ask))
        while prices[0].ts < now - PRICES_NS:
            prices.popleft()

    def _note_crossing(self, bbo: Bbo, now: int) -> None:
        bid, ask = bbo.bid, bbo.ask
        if bid is None or ask is None or not bbo.crossed:
            self._close_crossing(now)
            return
        amount = min(bid.amount, ask.amount)
        seen = Crossing(now, bid.venue, ask.venue, bid.price, ask.price, amount)
        last = self.crossings[-1] if self.crossings else None
        if last is None or last.until is not None:
            self.crossings.append(seen)
        elif seen.gross > last.gross:
            seen.ts = last.ts
            self.crossings[-1] = seen

    def _close_crossing(self, now: int) -> None:
        if self.crossings and self.crossings[-1].until is None:
            self.crossings[-1].until = now
