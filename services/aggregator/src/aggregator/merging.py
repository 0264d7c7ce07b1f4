"""Many venues' levels into one view: the book, the best prices, the liquidity. Pure.

Bids by (price falling, amount falling), asks by (price rising, amount falling), then by venue name,
so that the same feeds always make the same book. Venues may cross each other: that is legal, and
the spread is then negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import chain, groupby

from dragonfly_common.topics import ViewKind

from aggregator.encoding import ASKS, BIDS, encode_merged_level, level_origin
from aggregator.venue_books import Entry, VenueBook

__all__ = ["Merger", "Top", "encode_levels", "joined", "spread"]

Top = tuple[Sequence[Entry], Sequence[Entry]]
"""(bids, asks): exactly the levels that a view is made of."""


class Merger:
    """All levels that venues have of one instrument, in order."""

    def __init__(self) -> None:
        self._feeds: dict[str, VenueBook] = {}
        self._bids: list[Entry] = []
        self._asks: list[Entry] = []

    def take(self, feeds: Iterable[VenueBook]) -> None:
        """Put each feed in the place of what its venue had; the same object costs nothing."""
        bids: dict[str, Sequence[Entry]] = {}
        asks: dict[str, Sequence[Entry]] = {}
        for feed in feeds:
            before = self._feeds.get(feed.venue)
            if before is feed:
                continue
            self._feeds[feed.venue] = feed
            if before is None or before.bids != feed.bids:
                bids[feed.venue] = feed.bids
            if before is None or before.asks != feed.asks:
                asks[feed.venue] = feed.asks
        if bids:
            self._bids = _replaced(self._bids, bids)
        if asks:
            self._asks = _replaced(self._asks, asks)

    def top(self, kind: ViewKind, depth: int) -> Top:
        """Return the levels of a view of `depth` levels a side (one, for a BBO)."""
        return _cut(self._bids, kind, depth), _cut(self._asks, kind, depth)


def joined(tops: Sequence[Top], kind: ViewKind, depth: int) -> Top:
    """Return the top of several mergers' tops, of which the first goes first among equals."""
    bids, asks = (
        sorted(chain.from_iterable(top[side] for top in tops), key=lambda entry: entry[:3])
        for side in (0, 1)
    )
    return _cut(bids, kind, depth), _cut(asks, kind, depth)


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


def _replaced(entries: list[Entry], moved: dict[str, Sequence[Entry]]) -> list[Entry]:
    replaced = [entry for entry in entries if entry[2] not in moved]
    for side in moved.values():
        replaced += side
    # What is there is sorted and so is each side: sorting merges the runs.
    replaced.sort()
    return replaced


def _cut(entries: Sequence[Entry], kind: ViewKind, depth: int) -> Sequence[Entry]:
    if kind is ViewKind.LIQUIDITY:
        return _best_prices(entries, depth)
    return entries[: 1 if kind is ViewKind.BBO else depth]


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
    return entries


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
