from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_common.messages import Body, Book, FeedStanding
from dragonfly_common.types import FeedState
from dragonfly_venues.events import TRADING, BookTop, Trading
from feed_listener.audit.comparing import Result
from feed_listener.feed_state import FeedEvent
from feed_listener.feeds import Feed, Feeds

TOPIC = "book.ETH-BTC.fake."


class Said:
    """An outlet that keeps what it is told."""

    def __init__(self) -> None:
        self.books: list[Book] = []
        self.forgotten: list[str] = []

    def publish(self, topic: str, body: Body) -> None:
        assert topic == TOPIC
        assert isinstance(body, Book)
        self.books.append(body)

    def forget(self, topic: str) -> None:
        self.forgotten.append(topic)

    @property
    def states(self) -> list[FeedState]:
        return [book.state for book in self.books]


class Sender:
    """A source that has sent some tops."""

    def __init__(self, rank: int = 1) -> None:
        self.rank = rank
        self._tops: dict[str, tuple[BookTop, int]] = {}
        self.trusted = True

    @property
    def tops(self) -> Mapping[str, tuple[BookTop, int]]:
        return self._tops

    def seeded(self, symbol: str) -> bool:
        return False

    async def audit(self, symbol: str, fetch: Callable[[], Awaitable[BookTop]]) -> Result:
        raise AssertionError("feeds audit nobody")

    async def question(self, feed: Feed, fetch: Callable[[], Awaitable[BookTop]]) -> None:
        raise AssertionError("feeds question nobody")

    def send(self, feeds: Feeds, venue_seq: int, ts_recv: int = 5) -> None:
        top = BookTop("ethbtc", venue_seq, None, ((10.0 + venue_seq, 1.0),), ((99.0, 1.0),))
        self._tops["ethbtc"] = (top, ts_recv)
        feeds.changed(self, "ethbtc")


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def feeds(said: Said) -> Feeds:
    made = Feeds("fake", 10, said, ManualClock())
    made.follow("ETH-BTC", "list awaited")
    made.bind("ETH-BTC", "ethbtc")
    return made


def test_a_feed_begins_with_its_state_and_reason(feeds: Feeds, said: Said) -> None:
    assert said.books == [Book(FeedState.SYNCING, "list awaited", 0, 0, None, 0, (), ())]


def test_a_top_makes_it_live_and_carries_the_levels(feeds: Feeds, said: Said) -> None:
    Sender().send(feeds, 7, ts_recv=12)
    book = said.books[-1]
    assert (book.state, book.reason, book.venue_seq, book.ts_recv) == (FeedState.LIVE, "", 7, 12)
    assert book.bids == ((17.0, 1.0),)
    assert book.feed_epoch > 0


def test_an_unchanged_book_is_no_news_while_live(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 7)
    feeds.same(sender, "ethbtc")
    assert said.states == [FeedState.SYNCING, FeedState.LIVE]


def test_an_unchanged_book_revives_a_stale_feed(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 7)
    live = said.books[-1]
    feeds.report(sender, ["ethbtc"], FeedEvent.SILENT, "silent for 3 s")
    stale = said.books[-1]
    assert (stale.state, stale.reason, stale.bids) == (FeedState.STALE, "silent for 3 s", ())
    feeds.same(sender, "ethbtc")
    assert said.books[-1] == live


def test_the_same_state_for_the_same_reason_is_said_once(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    for _ in range(3):
        feeds.report(sender, ["ethbtc"], FeedEvent.LOST, "refused")
    feeds.report(sender, ["ethbtc"], FeedEvent.LOST, "timed out")
    assert [book.reason for book in said.books[1:]] == ["refused", "timed out"]


def test_a_successor_takes_over_unseen(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 7)
    feeds.report(new, ["ethbtc"], FeedEvent.ASKED, "subscribing")
    old.send(feeds, 8)
    new.send(feeds, 8)
    old.send(feeds, 9)
    new.send(feeds, 10)
    # What the old one says after the passing, 9, is ignored.
    assert [book.venue_seq for book in said.books[1:]] == [7, 8, 8, 10]
    assert set(said.states[1:]) == {FeedState.LIVE}
    epochs = [book.feed_epoch for book in said.books[1:]]
    assert epochs == sorted(epochs)


def test_a_successor_that_lags_waits(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 7)
    new.send(feeds, 6)
    assert [book.venue_seq for book in said.books[1:]] == [7]
    new.send(feeds, 7)
    assert said.books[-1].feed_epoch > said.books[-2].feed_epoch


def test_what_an_heir_has_stands_when_the_old_one_ends(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 7)
    new.send(feeds, 6)
    feeds.on_lost(old, "closed", new)
    assert said.states == [FeedState.SYNCING, FeedState.LIVE, FeedState.LIVE]
    assert said.books[-1].venue_seq == 6


def test_an_heir_without_its_book_is_awaited(feeds: Feeds, said: Said) -> None:
    old = Sender(1)
    old.send(feeds, 7)
    feeds.on_lost(old, "closed", Sender(2))
    assert said.states[-1] is FeedState.SYNCING
    assert "new connection is awaited" in said.books[-1].reason


def test_an_heir_that_is_not_trusted_revives_nothing(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 7)
    new.send(feeds, 8)
    old.trusted = False
    feeds.on_lost(new, "cut", successor=old)
    assert (said.books[-1].state, said.books[-1].bids) == (FeedState.SYNCING, ())
    feeds.trust(old)
    assert said.books[-1].state is FeedState.LIVE


def test_without_an_heir_it_is_down(feeds: Feeds, said: Said) -> None:
    old = Sender()
    old.send(feeds, 7)
    feeds.on_lost(old, "closed", None)
    assert (said.books[-1].state, said.books[-1].reason) == (FeedState.DOWN, "closed")


def test_an_old_connection_serves_again_when_its_successor_fails(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 7)
    new.send(feeds, 8)
    feeds.on_lost(new, "closed", old)
    old.send(feeds, 9)
    epochs = [book.feed_epoch for book in said.books[1:]]
    assert epochs == sorted(epochs)
    assert said.books[-1].venue_seq == 9
    assert said.states[-1] is FeedState.LIVE


def test_only_the_source_of_a_feed_may_speak_of_it(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 7)
    feeds.report(new, ["ethbtc"], FeedEvent.VOID, "checksum")
    feeds.without_source(["ethbtc"], "unreachable")
    assert said.states[-1] is FeedState.LIVE


def test_a_dropped_feed_is_void(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 7)
    feeds.drop("ETH-BTC")
    assert said.forgotten == [TOPIC]
    count = len(said.books)
    sender.send(feeds, 8)
    assert len(said.books) == count


def test_a_new_symbol_ends_what_the_old_one_said(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 7)
    feeds.bind("ETH-BTC", "xethxxbt")
    count = len(said.books)
    sender.send(feeds, 8)
    assert len(said.books) == count


def test_each_change_is_told(feeds: Feeds) -> None:
    told: list[FeedState] = []
    feeds.on_change = lambda: told.append(next(iter(feeds)).state)
    sender = Sender()
    sender.send(feeds, 7)
    sender.send(feeds, 8)
    feeds.set("ETH-BTC", FeedEvent.UNLISTED, "delisted")
    assert told == [FeedState.LIVE, FeedState.UNKNOWN]


def test_a_state_lasts_from_when_it_was_entered(said: Said) -> None:
    clock, sender = ManualClock(0), Sender()
    feeds = Feeds("fake", 10, said, clock)
    feeds.follow("ETH-BTC", "list awaited")
    feeds.bind("ETH-BTC", "ethbtc")
    assert feeds.standings() == (FeedStanding("ETH-BTC", FeedState.SYNCING, 0),)
    clock.advance(2)
    sender.send(feeds, 1)
    clock.advance(1)
    sender.send(feeds, 2)
    feeds.audited(sender, "ethbtc", 0.0, agreed=True)
    live = FeedStanding("ETH-BTC", FeedState.LIVE, 2 * 10**9, 3 * 10**9, agreed=True)
    assert feeds.standings() == (live,)
    clock.advance(1)
    feeds.audited(sender, "ethbtc", 0.0, agreed=False)
    feeds.report(sender, ["ethbtc"], FeedEvent.SILENT, "silent for 1 s")
    feeds.report(sender, ["ethbtc"], FeedEvent.SILENT, "silent for 2 s")
    stale = FeedStanding("ETH-BTC", FeedState.STALE, 4 * 10**9, 4 * 10**9, agreed=False)
    assert feeds.standings() == (stale,)


def test_a_feed_that_was_never_audited_has_no_score(feeds: Feeds, said: Said) -> None:
    Sender().send(feeds, 1)
    assert (said.books[-1].score, said.books[-1].score_total) == (None, None)


def test_each_book_carries_the_share_that_agreed(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 1)
    feeds.audited(sender, "ethbtc", 0.0, agreed=False)
    sender.send(feeds, 2)
    feeds.audited(sender, "ethbtc", 600.0, agreed=True)
    sender.send(feeds, 3)
    scores = [(book.score, book.score_total) for book in said.books[-2:]]
    assert scores == [(0.0, 0.0), (1.0, 0.5)]


def test_who_does_not_speak_for_a_feed_does_not_count(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 1)
    feeds.audited(Sender(rank=2), "ethbtc", 0.0, agreed=False)
    sender.send(feeds, 2)
    assert said.books[-1].score is None


def test_a_resting_book_is_published_again_with_another_score(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 1)
    feeds.audited(sender, "ethbtc", 0.0, agreed=True)
    feeds.publish_scores(1.0)
    feeds.publish_scores(2.0)
    assert [book.score for book in said.books[1:]] == [None, 1.0]
    assert said.books[-1].bids == said.books[-2].bids
    feeds.on_lost(sender, "cut off", None)
    feeds.publish_scores(700.0)
    assert [book.score for book in said.books[3:]] == [1.0, None]
    assert said.books[-1].reason == "cut off"


MAINTENANCE = Trading(halted=True, word="maintenance")
BREAK = Trading(halted=True, word="BREAK")


def test_a_halted_feed_shows_nothing_and_has_its_newest_book_when_it_is_traded_again(
    feeds: Feeds, said: Said
) -> None:
    sender = Sender()
    sender.send(feeds, 1)
    feeds.set_trading("ETH-BTC", BREAK)
    sender.send(feeds, 2)
    feeds.report(sender, ["ethbtc"], FeedEvent.SILENT, "silent")
    feeds.report(sender, ["ethbtc"], FeedEvent.REFUSED, "refused")
    assert said.books[-1].state is FeedState.HALTED
    feeds.set_trading("ETH-BTC", TRADING)
    assert said.states[1:] == [FeedState.LIVE, FeedState.HALTED, FeedState.SYNCING, FeedState.LIVE]
    assert said.books[-1].venue_seq == 2


@pytest.mark.parametrize("ends", ["lost", "silent"])
def test_what_cannot_be_trusted_at_the_end_of_a_halt_is_not_shown(
    feeds: Feeds, said: Said, ends: str
) -> None:
    sender = Sender()
    sender.send(feeds, 1)
    feeds.set_trading("ETH-BTC", BREAK)
    if ends == "lost":
        feeds.on_lost(sender, "closed", None)
    sender.trusted = False
    feeds.set_trading("ETH-BTC", TRADING)
    assert said.books[-1].state is FeedState.SYNCING
    assert said.books[-1].reason == "fake trades ETH-BTC again; its book is awaited"


def test_both_the_venue_and_the_market_must_be_traded(feeds: Feeds, said: Said) -> None:
    sender = Sender()
    sender.send(feeds, 1)
    feeds.set_trading("ETH-BTC", BREAK)
    feeds.announce(sender, MAINTENANCE)
    feeds.set_trading("ETH-BTC", TRADING)
    assert said.books[-1].reason == "fake has halted trading: maintenance"
    feeds.set_trading("ETH-BTC", BREAK)
    feeds.announce(sender, TRADING)
    assert said.books[-1].reason == "fake has halted ETH-BTC: BREAK"
    feeds.set_trading("ETH-BTC", TRADING)
    assert said.books[-1].state is FeedState.LIVE


def test_the_newest_word_of_a_connection_that_is_there_counts(feeds: Feeds, said: Said) -> None:
    old, new = Sender(1), Sender(2)
    old.send(feeds, 1)
    feeds.announce(old, MAINTENANCE)
    feeds.announce(new, TRADING)
    feeds.announce(old, MAINTENANCE)
    feeds.on_lost(old, "closed", None)
    assert feeds.trading == TRADING
    new.send(feeds, 2)
    live, halted, syncing, down = (
        FeedState.LIVE,
        FeedState.HALTED,
        FeedState.SYNCING,
        FeedState.DOWN,
    )
    until_it_is_lost = [live, halted, syncing, live, halted, syncing, down]
    assert said.states[1:] == [*until_it_is_lost, live]
