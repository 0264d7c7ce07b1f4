"""One stream's frames: made once, spoilt alike for all, and never before the whole book."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

import pytest
from venue_simulator.book import BookState
from venue_simulator.broadcast import Broadcast
from venue_simulator.faults import FaultKind
from venue_simulator.venue import BookStream, Frame
from venue_simulator.venues import VENUES

FIRST = BookState(1, 0, (("9", "1"), ("8", "1")), (("10", "1"), ("11", "1")))


def after(state: BookState) -> BookState:
    amount = str(state.venue_seq + 1)
    return replace(state, venue_seq=state.venue_seq + 1, bids=(("9", amount), *state.bids[1:]))


SECOND, THIRD, FOURTH = after(FIRST), after(after(FIRST)), after(after(after(FIRST)))

KRAKEN = VENUES["kraken"]
STREAM = BookStream("book", "ETH/BTC", "book", 10)


class Follower:
    def __init__(self) -> None:
        self.heard: list[Frame] = []

    def push(self, frame: Frame) -> None:
        self.heard.append(frame)


def update(before: BookState, state: BookState) -> str:
    frame = KRAKEN.frame(STREAM, before, state)
    assert isinstance(frame, str)
    return frame


class Numbered(Follower):
    """Gets frames of its own, two of each that the others get."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)

    def address(self, text: Frame) -> list[Frame]:
        return [f"{next(self._numbers)} {half} {text!s}" for half in "ab"]


def test_a_change_that_spans_states_names_the_levels_that_came_and_went() -> None:
    binance, stream = VENUES["binance"], BookStream("ethbtc@depth", "ETHBTC", "diff", 0)
    feed, follower = Broadcast(binance, stream, FIRST), Follower()
    feed.follow(follower)
    came = ("8.5", "1")
    feed.hold(replace(SECOND, bids=(("9.5", "1"), *FIRST.bids, came)))
    feed.publish(replace(THIRD, bids=(*THIRD.bids, came)), ())
    (spanning,) = (json.loads(frame) for frame in follower.heard)
    assert (spanning["U"], spanning["u"]) == (2, 3)
    assert spanning["b"] == [["9", "3"], ["8.5", "1"], ["9.5", "0.00000000"]]


@pytest.fixture
def feed() -> Broadcast:
    return Broadcast(KRAKEN, STREAM, FIRST)


@pytest.fixture
def follower(feed: Broadcast) -> Follower:
    follower = Follower()
    feed.follow(follower)
    return follower


def test_all_followers_get_the_same_frame(feed: Broadcast, follower: Follower) -> None:
    other = Follower()
    feed.follow(other)
    assert feed.publish(SECOND, ())
    assert follower.heard == other.heard == [update(FIRST, SECOND)]
    assert feed.frames_sent == 2


def test_a_state_is_sent_once(feed: Broadcast, follower: Follower) -> None:
    feed.publish(SECOND, ())
    assert not feed.publish(SECOND, ())
    assert len(follower.heard) == 1


def test_states_that_were_not_published_are_made_up_for(
    feed: Broadcast, follower: Follower
) -> None:
    feed.publish(FOURTH, ())
    assert follower.heard == [update(FIRST, FOURTH)]


def test_who_waits_gets_the_whole_book_and_then_changes(
    feed: Broadcast, follower: Follower
) -> None:
    late = Follower()
    feed.wait(late)
    feed.publish(SECOND, ())
    feed.publish(THIRD, ())
    assert late.heard == [KRAKEN.first_frame(STREAM, SECOND), update(SECOND, THIRD)]
    assert follower.heard == [update(FIRST, SECOND), update(SECOND, THIRD)]


def test_who_leaves_hears_no_more(feed: Broadcast, follower: Follower) -> None:
    waiting = Follower()
    feed.wait(waiting)
    for each in (follower, waiting):
        assert not feed.deserted
        feed.leave(each)
    assert feed.deserted
    assert not feed.publish(SECOND, {FaultKind.GAP}), "nobody was there to miss it"
    assert follower.heard == waiting.heard == []


@pytest.mark.parametrize(
    ("kind", "spoilt"),
    [
        (FaultKind.GAP, lambda frame: []),
        (FaultKind.DUPLICATE, lambda frame: [frame, frame]),
        (FaultKind.MALFORMED, lambda frame: [frame[: len(frame) // 2]]),
        (FaultKind.BAD_CHECKSUM, lambda frame: [KRAKEN.spoil_checksum(frame)]),
        (FaultKind.REORDER, lambda frame: []),
    ],
)
def test_a_spoilt_frame(
    feed: Broadcast, follower: Follower, kind: FaultKind, spoilt: object
) -> None:
    assert feed.publish(SECOND, {kind})
    assert callable(spoilt)
    assert follower.heard == spoilt(update(FIRST, SECOND))


def test_a_frame_held_back_comes_after_its_successor(feed: Broadcast, follower: Follower) -> None:
    feed.publish(SECOND, {FaultKind.REORDER})
    feed.publish(THIRD, {FaultKind.REORDER})
    feed.publish(FOURTH, {FaultKind.REORDER})
    assert follower.heard == [update(SECOND, THIRD), update(FIRST, SECOND)]


def test_an_unchanged_window_befalls_nothing(feed: Broadcast, follower: Follower) -> None:
    assert not feed.publish(replace(FIRST, venue_seq=2), {FaultKind.GAP})
    assert follower.heard == []


@pytest.mark.parametrize("venue", ["binance", "bitstamp"])
def test_who_has_no_checksum_cannot_spoil_it(venue: str) -> None:
    assert VENUES[venue].spoil_checksum('{"checksum":1}') == '{"checksum":1}'


def test_a_lie_is_in_the_frame_and_not_in_the_book(feed: Broadcast, follower: Follower) -> None:
    feed.publish(SECOND, ())
    assert feed.publish(THIRD, {FaultKind.LYING})
    assert feed.publish(FOURTH, ())
    lied = replace(THIRD, bids=(("9", "1"), *THIRD.bids[1:]))
    assert follower.heard[1:] == [update(SECOND, lied), update(THIRD, FOURTH)]


def test_best_prices_are_no_book_to_spoil() -> None:
    binance = VENUES["binance"]
    stream = BookStream("ethbtc@bookTicker", "ETHBTC", "bookTicker", 1, best_only=True)
    feed, follower = Broadcast(binance, stream, FIRST), Follower()
    feed.follow(follower)
    feed.publish(SECOND, {FaultKind.LYING, FaultKind.GAP, FaultKind.MALFORMED})
    assert follower.heard == [binance.frame(stream, FIRST, SECOND)]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (FaultKind.GAP, "5 6"),
        (FaultKind.DUPLICATE, "3 3 4 4 5 6"),
        (FaultKind.REORDER, "5 6 3 4"),
        (FaultKind.BAD_CHECKSUM, "3 4 5 6"),
    ],
)
def test_frames_are_numbered_client_by_client_and_then_spoilt(
    feed: Broadcast, follower: Follower, kind: FaultKind, numbers: str
) -> None:
    numbered = Numbered()
    feed.wait(numbered, numbered.address)
    for state, kinds in ((FIRST, ()), (SECOND, {kind}), (THIRD, ())):
        feed.publish(state, kinds)
    feed.leave(numbered)
    feed.publish(FOURTH, ())
    told = [str(heard).split(maxsplit=2) for heard in numbered.heard]
    assert " ".join(number for number, _, _ in told) == f"1 2 {numbers}"
    texts = [text for _, half, text in told if half == "a"]
    assert texts == [KRAKEN.first_frame(STREAM, FIRST), *follower.heard[:-1]]


def test_of_what_concerns_a_client_not_nothing_can_be_spoilt(feed: Broadcast) -> None:
    unconcerned = Follower()
    feed.follow(unconcerned, lambda _: [])
    assert feed.publish(SECOND, {FaultKind.MALFORMED})
    assert unconcerned.heard == []
