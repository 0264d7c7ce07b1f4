"""Many venues' levels into one view: book, best prices, liquidity, or all levels. Pure.

Bids by (price falling, amount falling), asks by (price rising, amount falling), then by venue name,
so that the same feeds always make the same book. Venues may cross each other: that is legal, and
the spread is then negative.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import chain, groupby

from dragonfly_common.topics import ViewKind

from aggregator.encoding import ASKS, BIDS, encode_merged_level, level_encoder, level_origin
from aggregator.venue_books import Levels, VenueBook

__all__ = ["Entry", "Makers", "Merger", "Top", "encode_levels", "joined", "makers_with", "spread"]

Entry = tuple[float, float, str, bytes]
"""A level as it sorts: (±price, -amount, venue, its encoding). Bids have -price: best is least."""

Top = tuple[Sequence[Entry], Sequence[Entry]]
"""(bids, asks): exactly the levels that a view is made of."""

Makers = tuple[Callable[..., Entry], Callable[..., Entry]]
"""Make entries of the numbers of a venue's bid, and of its ask: see `venue_books.Levels`."""


def makers_with(venue: str, bid: Callable[..., bytes], ask: Callable[..., bytes]) -> Makers:
    """Return what makes entries of `venue` that `bid` and `ask` encode."""
    return (
        lambda price, amount, *more: (-price, -amount, venue, bid(price, amount, *more)),
        lambda price, amount, *more: (price, -amount, venue, ask(price, amount, *more)),
    )


@lru_cache
def _makers(venue: str) -> Makers:
    return makers_with(venue, level_encoder(BIDS, venue), level_encoder(ASKS, venue))


class Merger:
    """All levels that venues have of one instrument, in order.

    They are put in order when a view asks for them; the best prices are among the venues' first
    levels, whatever their order below.
    """

    def __init__(self, makers: Callable[[str], Makers] = _makers) -> None:
        """`makers` returns those of a venue."""
        self._makers = makers
        self._feeds: Collection[VenueBook] = ()
        self._merged: dict[str, VenueBook] = {}
        """By venue, what `_bids` and `_asks` are made of."""
        self._bids: list[Entry] = []
        self._asks: list[Entry] = []
        self._first: object = None
        """What `_best` is made of."""
        self._best: Top = ((), ())

    def take(self, feeds: Collection[VenueBook]) -> None:
        """Put what all venues have now in the place of what they had."""
        self._feeds = feeds

    def top(self, kind: ViewKind, depth: int) -> Top:
        """Return the levels of a view of `depth` levels a side (one, for a BBO; all, of LEVELS)."""
        if kind is ViewKind.BBO:
            return self._best_prices()
        self._merge()
        return _cut(self._bids, self._asks, kind, depth)

    def _best_prices(self) -> Top:
        feeds, makers = self._feeds, self._makers
        bids = [(-f.bids[0][0], -f.bids[0][1], f.venue, f.bids[0]) for f in feeds if f.bids]
        asks = [(f.asks[0][0], -f.asks[0][1], f.venue, f.asks[0]) for f in feeds if f.asks]
        first = sorted(bids)[:1], sorted(asks)[:1]
        if first != self._first:
            self._first = first
            self._best = (
                [makers(venue)[0](*level) for _, _, venue, level in first[0]],
                [makers(venue)[1](*level) for _, _, venue, level in first[1]],
            )
        return self._best

    def _merge(self) -> None:
        for feed in self._feeds:
            before = self._merged.get(feed.venue)
            if before is feed:
                continue
            self._merged[feed.venue] = feed
            make_bid, make_ask = self._makers(feed.venue)
            bids, asks = (before.bids, before.asks) if before else ((), ())
            if bids != feed.bids:
                _replace(self._bids, bids, feed.bids, make_bid)
            if asks != feed.asks:
                _replace(self._asks, asks, feed.asks, make_ask)


def joined(tops: Sequence[Top], kind: ViewKind, depth: int) -> Top:
    """Return the top of several mergers' tops, of which the first goes first among equals."""
    bids, asks = (
        sorted(chain.from_iterable(top[side] for top in tops), key=lambda entry: entry[:3])
        for side in (0, 1)
    )
    return _cut(bids, asks, kind, depth)


def encode_levels(kind: ViewKind, top: Top) -> bytes:
    """Encode the levels of a view."""
    bids, asks = top
    if kind is ViewKind.LIQUIDITY:
        return b"".join(chain(_merge_equal(BIDS, bids), _merge_equal(ASKS, asks)))
    return b"".join([entry[3] for entry in chain(bids, asks)])


def spread(top: Top) -> float:
    """Return ask − bid, 0 where a side is empty."""
    bids, asks = top
    return _difference(-bids[0][0], asks[0][0]) if bids and asks else 0.0


def _replace(
    entries: list[Entry], before: Levels, after: Levels, make: Callable[..., Entry]
) -> None:
    """Put a venue's levels in the place of those that it had, of which most are the same."""
    had, has = set(before), set(after)
    for level in had - has:
        del entries[bisect_left(entries, make(*level))]
    for level in has - had:
        insort(entries, make(*level))


def _cut(bids: Sequence[Entry], asks: Sequence[Entry], kind: ViewKind, depth: int) -> Top:
    if kind is ViewKind.LIQUIDITY:
        return _best_prices(bids, depth), _best_prices(asks, depth)
    if kind is ViewKind.LEVELS:
        return bids[:], asks[:]
    levels = 1 if kind is ViewKind.BBO else depth
    return bids[:levels], asks[:levels]


def _best_prices(entries: Sequence[Entry], depth: int) -> Sequence[Entry]:
    """Return the levels of the `depth` best prices."""
    prices = 0
    last = 0.0
    for index, entry in enumerate(entries):
        if entry[0] != last:
            if prices == depth:
                return entries[:index]
            prices += 1
            last = entry[0]
    return entries[:]


@lru_cache(maxsize=512)
def _difference(bid: float, ask: float) -> float:
    """Return ask − bid computed in decimal and rounded once: 65.13 − 65.12 is 0.01."""
    return float(_decimal(ask) - _decimal(bid))


def _merge_equal(side: int, entries: Iterable[Entry]) -> Iterable[bytes]:
    for key, level in groupby(entries, key=lambda entry: entry[0]):
        shares = [
            (venue, -amount, level_origin(encoded, venue)) for _, amount, venue, encoded in level
        ]
        total = (
            shares[0][1]
            if len(shares) == 1
            else float(sum(_decimal(amount) for _, amount, _ in shares))
        )
        yield encode_merged_level(side, abs(key), total, shares)


def _decimal(number: float) -> Decimal:
    # The shortest text of a double is the venue's decimal text, up to 15 significant digits.
    return Decimal(repr(number))
