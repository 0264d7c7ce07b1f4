"""The aggregator as it runs: real sockets, a listener on one side and a gateway on the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aggregator import counters
from aggregator.service import AggregatorOptions, serve
from dragonfly_common.bus import Delivery, Publisher, PublisherLost, Subscriber, Waiter
from dragonfly_common.clock import SystemClock
from dragonfly_common.errors import AddressError
from dragonfly_common.messages import Body, Book, EncodedView, Instruments, VenueStatus
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from patience import PATIENCE_S

VENUE = VenueStatus("kraken", FeedState.LIVE, "", "listener.kraken", 1, 1, 1)

MakeBook = Callable[..., Book]


class Neighbours:
    """A listener and a gateway, driven by the test."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.upstream = f"ipc://{folder}/listener"
        self.listener = self.new_listener()
        self.gateway = Subscriber([f"ipc://{folder}/aggregator"], self.clock)
        self.heard: list[Delivery | PublisherLost] = []
        self.wanted: set[str] = set()

    def new_listener(self) -> Publisher:
        """Return a fresh listener, once its predecessor's socket is gone."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Publisher(self.upstream, "listener.kraken", self.clock)
            except AddressError:
                assert time.monotonic() < deadline

    def until(self, condition: Callable[[], bool]) -> None:
        """Drive both ends until `condition` holds."""
        deadline = time.monotonic() + PATIENCE_S
        waiter = Waiter((self.listener, self.gateway))
        while not condition():
            assert time.monotonic() < deadline, self.heard
            waiter.wait(0.1)
            for interest in self.listener.drain():
                (self.wanted.add if interest.wanted else self.wanted.discard)(interest.prefix)
            self.heard += self.gateway.drain()

    def last(self, topic: str) -> Body | None:
        bodies = [
            event.body
            for event in self.heard
            if isinstance(event, Delivery) and event.topic == topic
        ]
        return bodies[-1] if bodies else None

    def last_book(self) -> pb.Book:
        view = self.last("view.book.ETH-BTC.")
        return pb.Book.FromString(view.body) if isinstance(view, EncodedView) else pb.Book()


@pytest.fixture
def neighbours(tmp_path: Path) -> Iterator[Neighbours]:
    neighbours = Neighbours(tmp_path)
    runtime = Runtime("aggregator", RuntimeOptions("aggregator", log_level="error"))
    options = AggregatorOptions(
        [neighbours.upstream], f"ipc://{tmp_path}/aggregator", (), 10, linger_s=0.05
    )
    thread = threading.Thread(target=serve, args=(runtime, options))
    thread.start()
    yield neighbours
    runtime.stopping = True
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    neighbours.listener.close()
    neighbours.gateway.close()


def test_a_quote_passes_and_interest_flows_back(
    neighbours: Neighbours, make_book: MakeBook
) -> None:
    neighbours.gateway.subscribe("view.book.ETH-BTC.")
    neighbours.until(lambda: "book.ETH-BTC." in neighbours.wanted)
    neighbours.listener.publish("book.ETH-BTC.kraken.", make_book(((1.0, 2.0),), ((1.5, 3.0),)))
    neighbours.until(lambda: neighbours.last_book().live)
    book = neighbours.last_book()
    assert [(level.venue, level.price, level.amount) for level in book.bids] == [
        ("kraken", 1.0, 2.0)
    ]
    assert book.spread == 0.5
    neighbours.gateway.unsubscribe("view.book.ETH-BTC.")
    neighbours.until(lambda: "book.ETH-BTC." not in neighbours.wanted)


def test_a_dead_listener_is_out_and_back_with_its_restart(
    neighbours: Neighbours, make_book: MakeBook
) -> None:
    neighbours.gateway.subscribe("view.book.ETH-BTC.")
    neighbours.listener.publish("book.ETH-BTC.kraken.", make_book())
    neighbours.until(lambda: neighbours.last_book().live)
    neighbours.listener.close()
    neighbours.listener = neighbours.new_listener()
    neighbours.until(lambda: not neighbours.last_book().live)
    assert [feed.state for feed in neighbours.last_book().venues] == [pb.STATE_DOWN]
    neighbours.listener.publish("book.ETH-BTC.kraken.", make_book())
    neighbours.until(lambda: neighbours.last_book().live)


def test_status_is_relayed(neighbours: Neighbours) -> None:
    neighbours.gateway.subscribe("status.")
    neighbours.listener.publish("status.venue.kraken.", VENUE)
    listing = Instruments("kraken", ("ETH-BTC",))
    neighbours.listener.publish("status.instruments.kraken.", listing)
    neighbours.until(lambda: neighbours.last("status.venue.kraken.") == VENUE)
    neighbours.until(lambda: neighbours.last("status.instruments.kraken.") == listing)


def test_interest_in_what_is_no_view_is_counted(neighbours: Neighbours) -> None:
    before = counters.FOREIGN_INTEREST._value.get()
    for prefix in ("view.depth.ETH-BTC.", "view.book.eth-btc.", "view.book.ETH-BTC", "junk"):
        neighbours.gateway.subscribe(prefix)
    neighbours.until(lambda: counters.FOREIGN_INTEREST._value.get() == before + 4)


def test_a_body_under_the_wrong_topic_is_counted(
    neighbours: Neighbours, make_book: MakeBook
) -> None:
    before = counters.MISPLACED_BODIES._value.get()
    neighbours.gateway.subscribe("view.book.ETH-BTC.")
    neighbours.until(lambda: "book.ETH-BTC." in neighbours.wanted)
    neighbours.listener.publish("book.ETH-BTC.odd", EncodedView(True, 1, b""))
    neighbours.listener.publish("book.ETH-BTC.kraken.", make_book())
    neighbours.until(lambda: neighbours.last_book().live)
    assert counters.MISPLACED_BODIES._value.get() == before + 1


def test_a_wish_for_new_lists_flows_back(neighbours: Neighbours) -> None:
    before = counters.FOREIGN_INTEREST._value.get()
    neighbours.gateway.subscribe("relist.")
    neighbours.until(lambda: "relist." in neighbours.wanted)
    neighbours.gateway.unsubscribe("relist.")
    neighbours.until(lambda: "relist." not in neighbours.wanted)
    assert counters.FOREIGN_INTEREST._value.get() == before
