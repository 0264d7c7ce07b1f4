from __future__ import annotations

from dragonfly_common.codec import pack_markets
from dragonfly_common.messages import FeedStanding, Instruments, ListedMarket, VenueStatus
from dragonfly_common.printable import LONGEST_SENTENCE
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.venue_statuses import VenueStatuses
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

GRPC_LIMIT_BYTES = 4 * 2**20
"""What a client of gRPC takes for one message, unless it says otherwise."""


def venue(
    name: str = "kraken", state: FeedState = FeedState.LIVE, listener: str = "listener.1"
) -> VenueStatus:
    return VenueStatus(name, state, "" if state is FeedState.LIVE else "why", listener, 1, 3, 2)


def venues_of(statuses: VenueStatuses) -> list[pb.Venue]:
    return list(pb.Venues.FromString(statuses.encoded_venues).venues)


def test_venues_are_told_by_name_with_all_that_was_said() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_venue("a", venue("kraken"), 5, 0.0)
    statuses.on_venue("a", venue("binance", FeedState.STALE), 6, 0.0)
    binance, kraken = venues_of(statuses)
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
    statuses, hostile = VenueStatuses(2.0), "\x1b]0;" * 1000
    statuses.on_venue("a", VenueStatus("v", FeedState.DOWN, hostile, hostile, 0, 0, 0), 5, 0.0)
    (told,) = venues_of(statuses)
    for text in (told.reason, told.listener):
        assert text.startswith("\\x1b]0;")
        assert len(text) <= LONGEST_SENTENCE


def test_every_feed_state_has_its_number_in_the_contract() -> None:
    for state in FeedState:
        statuses = VenueStatuses(2.0)
        statuses.on_venue("a", venue(state=state), 5, 0.0)
        assert venues_of(statuses)[0].state == state.value


def test_it_is_live_while_any_venue_is() -> None:
    statuses = VenueStatuses(2.0)
    assert not statuses.is_live()
    statuses.on_venue("a", venue("kraken", FeedState.DOWN), 1, 0.0)
    assert not statuses.is_live()
    statuses.on_venue("a", venue("binance"), 1, 0.0)
    assert statuses.is_live()


def test_of_two_aggregators_the_one_that_sees_the_venue_live_is_believed() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_venue("a", venue(), 1, 0.0)
    statuses.on_venue("b", venue(state=FeedState.DOWN), 2, 0.0)
    assert statuses.is_live()
    statuses.on_lost("a", "silent", 3)
    assert not statuses.is_live()
    assert venues_of(statuses)[0].reason == "why"


def test_when_the_last_aggregator_is_lost_every_venue_is_down() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_venue("a", venue(), 1, 0.0)
    statuses.on_lost("a", "silent", 9)
    (down,) = venues_of(statuses)
    assert (down.state, down.reason, down.ts_pub) == (
        pb.STATE_DOWN,
        "aggregator lost: silent",
        9,
    )
    statuses.on_venue("a", venue(), 10, 0.0)
    assert statuses.is_live()


def test_the_reason_of_the_latest_loss_is_told() -> None:
    statuses = VenueStatuses(2.0)
    for reason in ("silent", "bye"):
        statuses.on_venue("a", venue(), 1, 0.0)
        statuses.on_lost("a", reason, 2)
    assert venues_of(statuses)[0].reason == "aggregator lost: bye"


def test_losing_one_that_said_nothing_changes_nothing() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_venue("a", venue(), 1, 0.0)
    unchanged = statuses.newer_than(statuses.version)
    statuses.on_lost("b", "silent", 2)
    assert not unchanged()


def test_the_version_rises_with_each_change_of_a_venue() -> None:
    statuses = VenueStatuses(2.0)
    newer = statuses.newer_than(statuses.version)
    assert not newer()
    statuses.on_venue("a", venue(), 1, 0.0)
    assert newer()


def test_instruments_name_the_venues_that_list_them() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_instruments(Instruments("kraken", ("ETH-BTC", "LTC-BTC")), 5)
    statuses.on_instruments(Instruments("binance", ("ETH-BTC",)), 5)
    listed = pb.ListInstrumentsResponse.FromString(statuses.encode_instruments("")).instruments
    assert [(one.instrument, list(one.venues)) for one in listed] == [
        ("ETH-BTC", ["binance", "kraken"]),
        ("LTC-BTC", ["kraken"]),
    ]
    listed = pb.ListInstrumentsResponse.FromString(
        statuses.encode_instruments("binance")
    ).instruments
    assert [one.instrument for one in listed] == ["ETH-BTC"]


def listing(venue: str, count: int) -> Instruments:
    """Return a list as long as a great venue's."""
    names = tuple(f"COIN{number:05}-USDT" for number in range(count))
    market = ListedMarket("x" * 12, True, "BREAK", "0.00000001", "0.00000001", "0.00001", "5")
    return Instruments(venue, names, pack_markets([market] * count), left_out=3)


def told(statuses: VenueStatuses, venue: str = "", instrument: str = "") -> pb.Instrument:
    reply = statuses.encode_instruments(venue, instrument)
    (one,) = pb.ListInstrumentsResponse.FromString(reply).instruments
    return one


def test_a_venue_or_an_instrument_that_is_named_is_told_with_its_markets() -> None:
    statuses = VenueStatuses(2.0)
    markets = [
        ListedMarket("ETH/BTC", False, "", "0.00001", "0.1", "1", None),
        ListedMarket("LTC/BTC", True, "cancel_only", None, None, None, "0.5"),
    ]
    statuses.on_instruments(
        Instruments("kraken", ("ETH-BTC", "LTC-BTC"), pack_markets(markets), left_out=2), 5
    )
    statuses.on_instruments(Instruments("old", ("ETH-BTC",)), 5)
    assert told(statuses, instrument="ETH-BTC") == pb.Instrument(
        instrument="ETH-BTC",
        venues=["kraken", "old"],
        markets=[
            pb.Market(venue="kraken", symbol="ETH/BTC", tick="0.00001", lot="0.1", min_amount="1")
        ],
    )
    assert told(statuses, "kraken", "LTC-BTC").markets == [
        pb.Market(
            venue="kraken",
            symbol="LTC/BTC",
            halted=True,
            status="cancel_only",
            min_notional="0.5",
        )
    ]
    whole = pb.ListInstrumentsResponse.FromString(statuses.encode_instruments("kraken"))
    assert [len(one.markets) for one in whole.instruments] == [1, 1]
    assert whole.left_out == {"kraken": 2}
    assert statuses.listers("LTC-BTC") == ["kraken"]


@given(st.sampled_from(FeedState), st.integers(0, 2**63 - 1), st.none() | st.integers(0, 2**63 - 1))
def test_an_instrument_that_is_named_is_told_with_how_it_stands(
    state: FeedState, since: int, audited_at: int | None
) -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_instruments(Instruments("kraken", ("ETH-BTC",)), 5)
    other = FeedStanding("LTC-BTC", FeedState.LIVE, 1)
    one = FeedStanding("ETH-BTC", state, since, audited_at, agreed=audited_at is not None)
    statuses.on_venue("a", replace(venue(), since=7, feeds=(other, one)), 5, 0.0)
    (feed,) = told(statuses, instrument="ETH-BTC").feeds
    assert (feed.venue, feed.state, feed.since) == ("kraken", int(state), since)
    assert (feed.audited_at if feed.HasField("audited_at") else None) == audited_at
    assert feed.audit_agreed is (audited_at is not None)
    assert not told(statuses, "kraken").feeds, "of a whole list it would be much"
    assert venues_of(statuses)[0].since == 7


def test_standings_are_no_news_of_a_venue() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_venue("a", venue(), 1, 0.0)
    newer = statuses.newer_than(statuses.version)
    statuses.on_venue("a", replace(venue(), feeds=(FeedStanding("A-B", FeedState.LIVE, 1),)), 2, 0)
    assert not newer()
    statuses.on_venue("a", venue(state=FeedState.DOWN), 3, 0.0)
    assert newer()


def test_markets_that_mean_nothing_are_told_by_name() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_instruments(Instruments("kraken", ("ETH-BTC",), b"\xc1"), 5)
    assert told(statuses, "kraken") == pb.Instrument(instrument="ETH-BTC", venues=["kraken"])


def test_every_list_of_fifteen_great_venues_fits_into_a_message() -> None:
    statuses = VenueStatuses(2.0)
    for number in range(15):
        names = tuple(f"C{number:02}{market:05}-USDT" for market in range(3500))
        statuses.on_instruments(Instruments(f"venue{number:02}", names), 5)
    assert len(statuses.encode_instruments()) < GRPC_LIMIT_BYTES / 2
    statuses.on_instruments(listing("venue00", 10_000), 5)
    assert len(statuses.encode_instruments("venue00")) < GRPC_LIMIT_BYTES / 2


def test_a_list_is_as_old_as_the_venue_gave_it() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_instruments(Instruments("kraken", ("ETH-BTC",), ts_listed=7), 20)
    assert statuses.is_listed_since(7)
    assert not statuses.is_listed_since(8)


def test_a_list_is_replaced_by_the_next_and_survives_its_aggregator() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_instruments(Instruments("kraken", ("ETH-BTC",)), 5)
    statuses.on_instruments(Instruments("kraken", ("LTC-BTC",)), 5)
    statuses.on_lost("a", "silent", 1)
    assert statuses.lists("LTC-BTC")
    assert not statuses.lists("ETH-BTC")


def test_it_is_complete_when_every_reported_venue_has_said_what_it_lists() -> None:
    statuses = VenueStatuses(2.0)
    assert not statuses.is_complete(10.0)
    statuses.on_venue("a", venue("kraken"), 1, 0.0)
    assert statuses.unlisted == ["kraken"]
    statuses.on_instruments(Instruments("kraken", ()), 5)
    assert statuses.is_complete(10.0)
    statuses.on_venue("a", venue("binance"), 1, 0.0)
    assert not statuses.is_complete(10.0)
    assert statuses.venues == ["binance", "kraken"]
    assert statuses.has_list_of("")
    assert statuses.has_list_of("kraken")
    assert not statuses.has_list_of("binance")


def test_more_venues_may_come_for_a_while_after_anything_new() -> None:
    statuses = VenueStatuses(2.0)
    statuses.on_instruments(Instruments("kraken", ()), 5)
    statuses.on_instruments(Instruments("binance", ()), 5)
    statuses.on_venue("a", venue("kraken"), 1, 10.0)
    statuses.on_venue("a", venue("kraken"), 2, 11.0)
    assert [statuses.is_complete(now) for now in (11.9, 12.0)] == [False, True]
    statuses.on_venue("a", venue("binance"), 3, 20.0)
    assert [statuses.is_complete(now) for now in (21.9, 22.0)] == [False, True]
    statuses.on_venue("b", venue("kraken"), 4, 30.0)
    assert [statuses.is_complete(now) for now in (31.9, 32.0)] == [False, True]
    statuses.on_lost("a", "silent", 5)
    statuses.on_venue("a", venue("kraken"), 6, 40.0)
    assert [statuses.is_complete(now) for now in (41.9, 42.0)] == [False, True]


def test_lists_that_were_told_since_a_time() -> None:
    statuses = VenueStatuses(2.0)
    for name in ("binance", "kraken"):
        statuses.on_venue("a", venue(name), 1, 0.0)
        statuses.on_instruments(Instruments(name, ("ETH-BTC",)), 10)
    assert statuses.is_listed_since(10)
    assert not statuses.is_listed_since(11)
    statuses.on_instruments(Instruments("kraken", ("ETH-BTC",)), 20)
    assert not statuses.is_listed_since(11)
    # What is down reads no list: nobody waits for it.
    statuses.on_venue("a", venue("binance", FeedState.DOWN), 21, 0.0)
    assert statuses.is_listed_since(20)
