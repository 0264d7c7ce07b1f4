"""No frame of a client is more than a mistake."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from dialects import DIALECTS
from hypothesis import example, given
from hypothesis import strategies as st
from venue_simulator.book import BookState, Listing
from venue_simulator.catalogue import CATALOGUE
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.venue import FakeVenue, HangUp, Later, Send, Subscribe, VenueSession
from venue_simulator.venues import VENUES

WORDS = (
    *("method", "params", "id", "event", "data", "channel", "symbol", "depth", "req_id"),
    *("SUBSCRIBE", "UNSUBSCRIBE", "SET_PROPERTY", "combined", "subscribe", "unsubscribe", "book"),
    *("bts:subscribe", "ethbtc@depth20", "ETH/BTC", "order_book_ethbtc", "ping", "instrument"),
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
frames = st.binary(max_size=100) | values.map(lambda value: json.dumps(value).encode())


class NoBooks:
    """A venue that lists everything and trades nothing."""

    desk: MatchingDesk

    def __init__(self, venue: FakeVenue) -> None:
        self.halted = self.post_only = False
        self._listings = [venue.list_asset(asset) for asset in CATALOGUE]

    def listings(self) -> list[Listing]:
        return self._listings

    def listing(self, symbol: str) -> Listing | None:
        return next((one for one in self._listings if one.symbol == symbol), None)

    def state(self, symbol: str) -> BookState | None:
        return None


def is_json(frame: bytes) -> bool:
    try:
        msgspec.json.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def session_of(name: str) -> VenueSession:
    venue = VENUES[name]
    return venue.session(DIALECTS[name].path, NoBooks(venue), 1)


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_any_frame_gets_an_answer_or_a_hang_up(venue: str) -> None:
    receive: Callable[[bytes, int], object] = session_of(venue).receive

    @given(frames, st.integers(0, 100))
    @example(b"Infinity", 0)  # no JSON, though Python's own reader takes it
    def check(frame: bytes, seconds: int) -> None:
        actions = receive(frame, seconds * 1_000_000_000)
        assert isinstance(actions, list)
        if venue == "kucoin" and b'"response":true' not in frame.replace(b" ", b""):
            return  # it acknowledges only where it is asked to
        if venue in {"bitfinex", "gateio"} and not is_json(frame):
            return  # it leaves that without an answer
        assert actions
        assert isinstance(actions[0], Send | HangUp)

    check()


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_the_acknowledgement_comes_first(venue: str) -> None:
    session = session_of(venue)
    frame = json.dumps(DIALECTS[venue].subscribe).encode()
    ack, subscription = (
        action for action in session.receive(frame, 0) if not isinstance(action, Later)
    )
    if venue == "gemini":  # where the connection asks for whole books, they come first
        ack, subscription = subscription, ack
    assert isinstance(ack, Send)
    assert isinstance(subscription, Subscribe)
    assert not any(isinstance(action, Subscribe) for action in session.receive(frame, 0))
