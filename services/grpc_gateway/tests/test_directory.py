from __future__ import annotations

from dragonfly_common.messages import Instruments, Venue
from dragonfly_common.printable import LONGEST_SENTENCE
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from grpc_gateway.directory import Directory


def venue(
    name: str = "kraken", state: FeedState = FeedState.LIVE, listener: str = "listener.1"
) -> Venue:
    return Venue(name, state, "" if state is FeedState.LIVE else "why", listener, 1, 3, 2)


def venues_of(directory: Directory) -> list[pb.Venue]:
    return list(pb.Venues.FromString(directory.encoded_venues).venues)


def test_venues_are_told_by_name_with_all_that_was_said() -> None:
    directory = Directory(2.0)
    directory.hear_venue("a", venue("kraken"), 5, 0.0)
    directory.hear_venue("a", venue("binance", FeedState.STALE), 6, 0.0)
    binance, kraken = venues_of(directory)
    assert (binance.venue, binance.state, binance.reason) == ("binance", pb.STATE_STALE, "why")
    assert kraken == pb.Venue(
        venue="kraken",
        state=pb.STATE_LIVE,
        listener="listener.1",
        connections=1,
        instruments=3,
        instruments_live=2,
        ts_pub=5,
    )


def test_what_a_venue_is_said_to_be_moves_no_cursor_and_is_short() -> None:
    directory, hostile = Directory(2.0), "\x1b]0;" * 1000
    directory.hear_venue("a", Venue("v", FeedState.DOWN, hostile, hostile, 0, 0, 0), 5, 0.0)
    (told,) = venues_of(directory)
    for text in (told.reason, told.listener):
        assert text.startswith("\\x1b]0;")
        assert len(text) <= LONGEST_SENTENCE


def test_every_feed_state_has_its_number_in_the_contract() -> None:
    for state in FeedState:
        directory = Directory(2.0)
        directory.hear_venue("a", venue(state=state), 5, 0.0)
        assert venues_of(directory)[0].state == state.value


def test_it_is_live_while_any_venue_is() -> None:
    directory = Directory(2.0)
    assert not directory.is_live()
    directory.hear_venue("a", venue("kraken", FeedState.DOWN), 1, 0.0)
    assert not directory.is_live()
    directory.hear_venue("a", venue("binance"), 1, 0.0)
    assert directory.is_live()


def test_of_two_aggregators_the_one_that_sees_the_venue_live_is_believed() -> None:
    directory = Directory(2.0)
    directory.hear_venue("a", venue(), 1, 0.0)
    directory.hear_venue("b", venue(state=FeedState.DOWN), 2, 0.0)
    assert directory.is_live()
    directory.lose("a", "silent", 3)
    assert not directory.is_live()
    assert venues_of(directory)[0].reason == "why"


def test_when_the_last_aggregator_is_lost_every_venue_is_down() -> None:
    directory = Directory(2.0)
    directory.hear_venue("a", venue(), 1, 0.0)
    directory.lose("a", "silent", 9)
    (down,) = venues_of(directory)
    assert (down.state, down.reason, down.ts_pub) == (
        pb.STATE_DOWN,
        "aggregator lost: silent",
        9,
    )
    directory.hear_venue("a", venue(), 10, 0.0)
    assert directory.is_live()


def test_the_reason_of_the_latest_loss_is_told() -> None:
    directory = Directory(2.0)
    for reason in ("silent", "bye"):
        directory.hear_venue("a", venue(), 1, 0.0)
        directory.lose("a", reason, 2)
    assert venues_of(directory)[0].reason == "aggregator lost: bye"


def test_losing_one_that_said_nothing_changes_nothing() -> None:
    directory = Directory(2.0)
    directory.hear_venue("a", venue(), 1, 0.0)
    unchanged = directory.newer_than(directory.version)
    directory.lose("b", "silent", 2)
    assert not unchanged()


def test_the_version_rises_with_each_change_of_a_venue() -> None:
    directory = Directory(2.0)
    newer = directory.newer_than(directory.version)
    assert not newer()
    directory.hear_venue("a", venue(), 1, 0.0)
    assert newer()


def test_instruments_name_the_venues_that_list_them() -> None:
    directory = Directory(2.0)
    directory.hear_instruments(Instruments("kraken", ("ETH-BTC", "LTC-BTC")), 5)
    directory.hear_instruments(Instruments("binance", ("ETH-BTC",)), 5)
    listed = pb.ListInstrumentsResponse.FromString(directory.encode_instruments("")).instruments
    assert [(one.instrument, list(one.venues)) for one in listed] == [
        ("ETH-BTC", ["binance", "kraken"]),
        ("LTC-BTC", ["kraken"]),
    ]
    listed = pb.ListInstrumentsResponse.FromString(
        directory.encode_instruments("binance")
    ).instruments
    assert [one.instrument for one in listed] == ["ETH-BTC"]


def test_a_list_is_replaced_by_the_next_and_survives_its_aggregator() -> None:
    directory = Directory(2.0)
    directory.hear_instruments(Instruments("kraken", ("ETH-BTC",)), 5)
    directory.hear_instruments(Instruments("kraken", ("LTC-BTC",)), 5)
    directory.lose("a", "silent", 1)
    assert directory.lists("LTC-BTC")
    assert not directory.lists("ETH-BTC")


def test_it_is_complete_when_every_reported_venue_has_said_what_it_lists() -> None:
    directory = Directory(2.0)
    assert not directory.is_complete(10.0)
    directory.hear_venue("a", venue("kraken"), 1, 0.0)
    assert directory.unlisted == ["kraken"]
    directory.hear_instruments(Instruments("kraken", ()), 5)
    assert directory.is_complete(10.0)
    directory.hear_venue("a", venue("binance"), 1, 0.0)
    assert not directory.is_complete(10.0)
    assert directory.venues == ["binance", "kraken"]
    assert directory.has_list_of("")
    assert directory.has_list_of("kraken")
    assert not directory.has_list_of("binance")


def test_more_venues_may_come_for_a_while_after_anything_new() -> None:
    directory = Directory(2.0)
    directory.hear_instruments(Instruments("kraken", ()), 5)
    directory.hear_instruments(Instruments("binance", ()), 5)
    directory.hear_venue("a", venue("kraken"), 1, 10.0)
    directory.hear_venue("a", venue("kraken"), 2, 11.0)
    assert [directory.is_complete(now) for now in (11.9, 12.0)] == [False, True]
    directory.hear_venue("a", venue("binance"), 3, 20.0)
    assert [directory.is_complete(now) for now in (21.9, 22.0)] == [False, True]
    directory.hear_venue("b", venue("kraken"), 4, 30.0)
    assert [directory.is_complete(now) for now in (31.9, 32.0)] == [False, True]
    directory.lose("a", "silent", 5)
    directory.hear_venue("a", venue("kraken"), 6, 40.0)
    assert [directory.is_complete(now) for now in (41.9, 42.0)] == [False, True]


def test_lists_that_were_told_since_a_time() -> None:
    directory = Directory(2.0)
    for name in ("binance", "kraken"):
        directory.hear_venue("a", venue(name), 1, 0.0)
        directory.hear_instruments(Instruments(name, ("ETH-BTC",)), 10)
    assert directory.is_listed_since(10)
    assert not directory.is_listed_since(11)
    directory.hear_instruments(Instruments("kraken", ("ETH-BTC",)), 20)
    assert not directory.is_listed_since(11)
    # What is down reads no list: nobody waits for it.
    directory.hear_venue("a", venue("binance", FeedState.DOWN), 21, 0.0)
    assert directory.is_listed_since(20)
