"""What several tests of the aggregator start from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dragonfly_common.messages import Book
from dragonfly_common.types import FeedState, Side

MakeBook = Callable[..., Book]


@pytest.fixture
def make_book() -> MakeBook:
    """Return what makes a listener's book; LIVE, with one level a side, unless told otherwise."""

    def make(
        bids: Side = ((1.0, 5.0),),
        asks: Side = ((2.0, 5.0),),
        *,
        state: FeedState = FeedState.LIVE,
        reason: str = "",
        venue_seq: int = 1,
        ts_recv: int = 1_000,
    ) -> Book:
        return Book(state, reason, 1, venue_seq, None, ts_recv, bids, asks)

    return make
