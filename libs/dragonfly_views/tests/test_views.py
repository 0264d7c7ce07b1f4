from __future__ import annotations

from dragonfly_common.topics import ViewKind
from dragonfly_views import counters
from dragonfly_views.mailbox import Mail
from dragonfly_views.relay import ViewKey
from dragonfly_views.views import sealed
from dragonfly_views.wire import seal
from view_world import a_view

KEY = ViewKey(ViewKind.BOOK, "ETH-BTC")


def test_what_a_bot_missed_is_counted() -> None:
    before = counters.REPLACED._value.get()
    assert sealed(Mail(KEY, a_view(b"body"), 3), 10, 7) == seal(b"body", 3, 7)
    assert counters.REPLACED._value.get() == before + 3


def test_an_unreadable_view_is_counted() -> None:
    before = counters.UNREADABLE_VIEWS._value.get()
    assert sealed(Mail(KEY, a_view(b"\x12", depth=10), 0), 1, 7) is None
    assert counters.UNREADABLE_VIEWS._value.get() == before + 1
