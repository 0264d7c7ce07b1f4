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

import msgspec
from dragonfly_common.topics import ViewKind

from aggregator.encoding import ASKS, BIDS, encode_merged_level
from aggregator.feeds import Entry, Feed

__all__ = ["Merged", "merge", "spread"]


class Merged(msgspec.Struct, frozen=True, gc=False):
    """A view's content: what is compared to know whether it changed."""

    levels: bytes
    spread: float


def merge(kind: ViewKind, feeds: Sequence[Feed], depth: int) -> Merged:
    """Merge the levels of `feeds` into the best `depth` a side (one, for a BBO)."""
    # Each feed's side is sorted: sorting their concatenation merges the runs.
    bids = sorted(chain.from_iterable(feed.bids for feed in feeds))
    asks = sorted(chain.from_iterable(feed.asks for feed in feeds))
    best = spread(-bids[0][0], asks[0][0]) if bids and asks else 0.0
    if kind is ViewKind.LIQUIDITY:
        levels = b"".join(chain(_merge_equal(BIDS, bids, depth), _merge_equal(ASKS, asks, depth)))
    else:
        shown = 1 if kind is ViewKind.BBO else depth
        levels = b"".join([entry[3] for entry in chain(bids[:shown], asks[:shown])])
    return Merged(levels, best)


@lru_cache(maxsize=4096)
def spread(bid: float, ask: float) -> float:
    """Return ask − bid computed in decimal and rounded once: 65.13 − 65.12 is 0.01."""
    return float(_decimal(ask) - _decimal(bid))


def _merge_equal(side: int, entries: Iterable[Entry], depth: int) -> Iterable[bytes]:
    for count, (key, level) in enumerate(groupby(entries, key=lambda entry: entry[0])):
        if count == depth:
            return
        shares = [(venue, -amount) for _, amount, venue, _ in level]
        total = (
            shares[0][1]
            if len(shares) == 1
            else float(sum(_decimal(amount) for _, amount in shares))
        )
        yield encode_merged_level(side, abs(key), total, shares)


def _decimal(number: float) -> Decimal:
    # The shortest text of a double is the venue's decimal text, up to 15 significant digits.
    return Decimal(repr(number))
