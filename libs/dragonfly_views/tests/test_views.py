from __future__ import annotations

import asyncio
from contextlib import closing

from dragonfly_common.clock import ManualClock
from dragonfly_common.messages import Instruments, VenueStatus
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState
from dragonfly_views import counters
from dragonfly_views.mailbox import Mail
from dragonfly_views.relay import ViewKey
from dragonfly_views.views import sealed
from dragonfly_views.wire import seal
from view_world import SETTLES_AFTER_S, a_view, make_views

KEY = ViewKey(ViewKind.BOOK, "ETH-BTC")


async def test_who_waits_for_the_lists_is_told_when_no_more_are_to_come() -> None:
    clock = ManualClock()
    with closing(make_views(clock)) as views:
        views.statuses.on_venue(
            "a", VenueStatus("kraken", FeedState.LIVE, "", "l", 1, 1, 1), 1, clock.monotonic()
        )
        views.statuses.on_instruments(Instruments("kraken", ("ETH-BTC",)), 1)
        waiting = asyncio.create_task(views.until_known(views.knows_all_lists))
        for advanced_s, complete in ((0.0, False), (SETTLES_AFTER_S, True)):
            clock.advance(advanced_s)
            views.look(clock.monotonic())
            for _ in range(5):
                await asyncio.sleep(0)
            assert waiting.done() == complete
        assert await waiting


def test_what_a_bot_missed_is_counted() -> None:
    before = counters.REPLACED._value.get()
    assert sealed(Mail(KEY, a_view(b"body"), 3), 10, 7) == seal(b"body", 3, 7)
    assert counters.REPLACED._value.get() == before + 3


def test_an_unreadable_view_is_counted() -> None:
    before = counters.UNREADABLE_VIEWS._value.get()
    assert sealed(Mail(KEY, a_view(b"\x12", depth=10), 0), 1, 7) is None
    assert counters.UNREADABLE_VIEWS._value.get() == before + 1
