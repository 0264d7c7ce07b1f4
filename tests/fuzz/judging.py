"""What any target may ask of what came out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dragonfly_protos import market_data_pb2 as pb
from prometheus_client import Counter

__all__ = ["by_label", "counted", "judge_side", "judge_view"]


def counted(counter: Counter) -> float:
    """Return the sum of a counter over its labels."""
    if counter._labelnames:
        return sum(by_label(counter).values())
    value: float = counter._value.get()
    return value


def by_label(counter: Counter) -> dict[str, float]:
    """Return a counter's values by its first label."""
    children: Any = counter._metrics
    found: dict[str, float] = {}
    for labels, child in children.items():
        found[labels[0]] = found.get(labels[0], 0.0) + child._value.get()
    return found


def judge_side(side: Sequence[tuple[float, float]], depth: int, *, falling: bool) -> None:
    """Raise unless levels are finite, positive, sorted and few enough."""
    assert len(side) <= depth, f"{len(side)} levels"
    last = math.inf if falling else 0.0
    for price, amount in side:
        assert 0 < price < math.inf, side
        assert 0 < amount < math.inf, side
        assert price < last if falling else price > last, side
        last = price


def judge_view(view: pb.Book | pb.Bbo | pb.Liquidity) -> None:
    """Raise unless what bots get is sorted, finite, positive, and not crossed within a venue."""
    assert math.isfinite(view.spread), view
    bids: list[Any]
    asks: list[Any]
    if isinstance(view, pb.Bbo):
        bids = [view.bid] if view.HasField("bid") else []
        asks = [view.ask] if view.HasField("ask") else []
    else:
        bids, asks = list(view.bids), list(view.asks)
    live = {feed.venue for feed in view.venues if feed.state == pb.STATE_LIVE}
    best: dict[str, list[float]] = {}
    for side, sign in ((bids, -1.0), (asks, 1.0)):
        last = -math.inf
        for level in side:
            assert 0 < level.price < math.inf, view
            assert 0 < level.amount < math.inf, view
            assert last <= sign * level.price, view
            last = sign * level.price
            shares = level.shares if isinstance(level, pb.MergedLevel) else [level]
            for share in shares:
                assert share.venue in live, view
                found = best.setdefault(share.venue, [0.0, math.inf])
                found[sign > 0] = (min if sign > 0 else max)(found[sign > 0], level.price)
    for venue, (bid, ask) in best.items():
        assert bid < ask, f"{venue} is crossed: {view}"
