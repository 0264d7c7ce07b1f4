"""Whose first book is asked for, and when; time and chance are the tests'."""

from __future__ import annotations

import math

from dragonfly_venues.events import BookTop
from feed_listener.seeding import AFTER_S, FIRST_RETRY_S, Seeding, Wish

NOW = 1000.0


class Connection:
    """Lets all its symbols wait."""

    def awaits(self, symbol: str, since: float) -> bool:
        return True

    def seed(self, book: BookTop) -> None:
        raise AssertionError("whose turn it is seeds no book")

    def report_unbooked(self, symbol: str, trouble: str = "") -> None:
        raise AssertionError("whose turn it is reports nothing")


CONNECTION = Connection()


def seeding(**ranks: int) -> Seeding:
    return Seeding(lambda symbol: ranks.get(symbol, 0), lambda: 0.5)


def waiting(symbol: str, since: float = NOW) -> Wish:
    return Wish(CONNECTION, symbol, since)


def test_a_market_that_moves_has_its_time_to_send_a_book() -> None:
    chosen, due_s = seeding().choose([waiting("a")], NOW)
    assert chosen is None
    assert round(due_s, 6) == AFTER_S
    assert seeding().choose([waiting("a")], NOW + AFTER_S) == (waiting("a"), 0.0)


def test_nobody_waits() -> None:
    assert seeding().choose([], NOW) == (None, math.inf)


def test_the_more_wanted_come_first_and_then_who_waits_longest() -> None:
    choosing = seeding(configured=2, asked=0, late=0)
    wishes = [waiting("configured", 1.0), waiting("late", 3.0), waiting("asked", 2.0)]
    order = []
    while (wish := choosing.choose(wishes, NOW)[0]) is not None:
        choosing.begin(wish)
        order.append(wish.symbol)
    assert order == ["asked", "late", "configured"]
    assert choosing.under_way == 3


def test_what_is_under_way_is_not_asked_for_again() -> None:
    choosing = seeding()
    choosing.begin(waiting("a", 1.0))
    assert choosing.choose([waiting("a", 1.0)], NOW) == (None, math.inf)
    # Another subscription's book is another one: what is under way may be from before it.
    assert choosing.choose([waiting("a", 2.0)], NOW)[0] == waiting("a", 2.0)
    choosing.end(waiting("a", 1.0))
    assert choosing.choose([waiting("a", 1.0)], NOW)[0] == waiting("a", 1.0)


def test_who_has_trouble_waits_longer_each_time_and_the_others_do_not() -> None:
    choosing, now, waits = seeding(), NOW, []
    wishes = [waiting("bad", 1.0), waiting("good", 2.0)]
    for times in range(1, 9):
        assert choosing.put_off("bad", now) == times
        chosen, _ = choosing.choose(wishes, now)
        assert chosen == wishes[1]
        due_s = choosing.choose(wishes[:1], now)[1]
        waits.append(due_s)
        now += due_s
    assert waits[:3] == [FIRST_RETRY_S / 2, FIRST_RETRY_S, FIRST_RETRY_S * 2]
    assert waits[-1] == 15.0


def test_who_no_longer_waits_is_forgotten() -> None:
    choosing = seeding()
    choosing.put_off("a", NOW)
    choosing.choose([], NOW)
    assert choosing.put_off("a", NOW) == 1
