from __future__ import annotations

import math
from collections.abc import Callable

from aggregator.world import Effects, World
from dragonfly_common.assignment import Assignment, owners
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.messages import (
    Book,
    Claim,
    EncodedView,
    FeedStanding,
    Gone,
    Instruments,
    VenueStatus,
)
from dragonfly_common.topics import ViewKind, view_topic
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from msgspec import structs

MakeBook = Callable[..., Book]

EPOCH = 5
LINGER_S = 10.0
NOW_NS = 10_000


def new_world(always: tuple[str, ...] = ()) -> World:
    return World(EPOCH, depth=10, linger_s=LINGER_S, always=always)


def venue(name: str, listener: str, state: FeedState = FeedState.LIVE) -> VenueStatus:
    return VenueStatus(name, state, "", listener, 1, 1, 1)


def books(effects: Effects, topic: str = "view.book.ETH-BTC.") -> list[pb.Book]:
    return [
        pb.Book.FromString(body.body)
        for published, body in effects.publish
        if published == topic and isinstance(body, EncodedView)
    ]


def only_book(effects: Effects) -> pb.Book:
    (book,) = books(effects)
    return book


def test_interest_flows_upstream_once() -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.want(ViewKind.BBO, "ETH-BTC")
    assert world.evaluate(0.0, NOW_NS).subscribe == ["book.ETH-BTC."]


def test_a_wanted_view_is_told_at_once_even_when_nothing_is_live() -> None:
    world = new_world()
    world.on_venue("a", venue("kraken", "a"))
    world.want(ViewKind.BOOK, "ETH-BTC")
    book = only_book(world.evaluate(0.0, NOW_NS))
    assert not book.live
    assert [(feed.venue, feed.state) for feed in book.venues] == [("kraken", pb.STATE_SYNCING)]


def test_a_change_is_told_and_what_changes_nothing_is_not(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.evaluate(0.0, NOW_NS)
    world.on_book("a", "ETH-BTC", "kraken", make_book(venue_seq=1), 1, 0.0)
    first = only_book(world.evaluate(0.0, NOW_NS))
    world.on_book("a", "ETH-BTC", "kraken", make_book(venue_seq=2), 2, 0.0)
    assert books(world.evaluate(0.0, NOW_NS)) == []
    world.on_book("a", "ETH-BTC", "kraken", make_book(((1.5, 1.0),), venue_seq=3), 3, 0.0)
    second = only_book(world.evaluate(0.0, NOW_NS))
    assert (first.epoch, second.epoch) == (EPOCH, EPOCH)
    assert second.seq == first.seq + 1
    assert [feed.venue_seq for feed in second.venues] == [3]
    assert [feed.age_ns for feed in second.venues] == [NOW_NS - 1_000]


def test_beside_another_aggregator_it_is_told_that_a_view_counts_further(
    make_book: MakeBook,
) -> None:
    assignment = Assignment("one", redundancy=2)
    assignment.on_claim("two", Claim(False, frozenset()))
    world = World(EPOCH, depth=10, linger_s=LINGER_S, assignment=assignment)
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.evaluate(0.0, NOW_NS)
    world.on_book("a", "ETH-BTC", "kraken", make_book(venue_seq=1), 1, 1.0)
    world.evaluate(1.0, NOW_NS)
    for venue_seq in (2, 3):
        world.on_book("a", "ETH-BTC", "kraken", make_book(venue_seq=venue_seq), 2, 1.5)
        assert books(world.evaluate(1.5, NOW_NS)) == []
    assert [feed.venue_seq for feed in only_book(world.evaluate(2.0, NOW_NS)).venues] == [3]
    assert books(world.evaluate(60.0, NOW_NS)) == []


def test_another_score_is_told_though_the_levels_are_the_same(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    heard = make_book(venue_seq=1)
    told = []
    for score in (None, 1.0, 1.0, 0.5):
        scored = structs.replace(heard, score=score, score_total=score)
        world.on_book("a", "ETH-BTC", "kraken", scored, 1, 0.0)
        told += books(world.evaluate(0.0, NOW_NS))
    feeds = [book.venues[0] for book in told]
    assert [feed.score if feed.HasField("score") else None for feed in feeds] == [None, 1.0, 0.5]
    assert feeds[-1].score_total == 0.5


def test_each_view_is_told_only_of_its_own_changes(make_book: MakeBook) -> None:
    world = new_world()
    for kind in ViewKind:
        world.want(kind, "ETH-BTC")
    world.on_book("a", "ETH-BTC", "kraken", make_book(((2.0, 1.0), (1.0, 1.0)), ()), 1, 0.0)
    world.evaluate(0.0, NOW_NS)
    world.on_book("a", "ETH-BTC", "kraken", make_book(((2.0, 1.0), (1.0, 9.0)), ()), 1, 0.0)
    topics = [topic for topic, _ in world.evaluate(0.0, NOW_NS).publish]
    kinds = (ViewKind.BOOK, ViewKind.LIQUIDITY, ViewKind.LEVELS)
    assert topics == [view_topic(kind, "ETH-BTC") for kind in kinds]


def test_a_state_alone_is_a_change(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BBO, "ETH-BTC")
    world.on_book("a", "ETH-BTC", "kraken", make_book((), (), state=FeedState.SYNCING), 1, 0.0)
    world.evaluate(0.0, NOW_NS)
    down = make_book((), (), state=FeedState.DOWN, reason="refused")
    world.on_book("a", "ETH-BTC", "kraken", down, 1, 0.0)
    assert [topic for topic, _ in world.evaluate(0.0, NOW_NS).publish] == ["view.bbo.ETH-BTC."]


def test_a_lost_listener_leaves_every_book_at_once(make_book: MakeBook) -> None:
    world = new_world()
    world.on_venue("a", venue("kraken", "a"))
    for instrument in ("ETH-BTC", "BTC-USD"):
        world.want(ViewKind.BOOK, instrument)
        world.on_book("a", instrument, "kraken", make_book(), 1, 0.0)
        world.on_book("b", instrument, "binance", make_book(((0.9, 1.0),)), 1, 0.0)
    world.evaluate(0.0, NOW_NS)
    world.on_lost("a", "silent", 0.0, 5)
    effects = world.evaluate(0.0, NOW_NS)
    for instrument in ("ETH-BTC", "BTC-USD"):
        (book,) = books(effects, f"view.book.{instrument}.")
        assert {level.venue for level in book.bids} == {"binance"}
        assert {(feed.venue, feed.state) for feed in book.venues} == {
            ("binance", pb.STATE_LIVE),
            ("kraken", pb.STATE_DOWN),
        }
    relayed = [body for _, body in effects.publish if isinstance(body, VenueStatus)]
    assert [(status.venue, status.state, status.since) for status in relayed] == [
        ("kraken", FeedState.DOWN, 5)
    ]


def test_what_two_replicas_say_of_their_instruments_is_relayed_as_one() -> None:
    world = new_world()
    eth, btc = (FeedStanding(name, FeedState.LIVE, 3) for name in ("ETH-BTC", "BTC-USD"))
    world.on_venue("a", structs.replace(venue("kraken", "a"), feeds=(eth,)))
    world.on_venue("b", structs.replace(venue("kraken", "b"), feeds=(btc,)))
    world.on_lost("b", "silent", 0.0, 5)
    relayed = [body for _, body in world.evaluate(0.0, NOW_NS).publish]
    assert [body.feeds for body in relayed if isinstance(body, VenueStatus)] == [
        (eth,),
        (eth, btc),
        (eth,),
    ]


def test_a_lost_listener_shows_also_where_it_had_said_nothing_yet() -> None:
    world = new_world()
    world.on_venue("a", venue("kraken", "a"))
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.evaluate(0.0, NOW_NS)
    world.on_lost("a", "silent", 0.0, 5)
    (feed,) = only_book(world.evaluate(0.0, NOW_NS)).venues
    assert (feed.state, feed.reason) == (pb.STATE_DOWN, "listener lost: silent")


def test_a_listener_that_is_back_is_believed_again(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.on_book("a", "ETH-BTC", "kraken", make_book(), 1, 0.0)
    world.on_lost("a", "disconnected", 0.0, 5)
    world.evaluate(0.0, NOW_NS)
    world.on_book("a", "ETH-BTC", "kraken", make_book(), 1, 0.0)
    assert only_book(world.evaluate(0.0, NOW_NS)).live


def test_a_standby_takes_over_when_the_first_listener_is_lost(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.on_book("a", "ETH-BTC", "kraken", make_book(((1.1, 1.0),), venue_seq=7), 1, 0.0)
    world.on_book("b", "ETH-BTC", "kraken", make_book(((1.2, 1.0),), venue_seq=6), 1, 0.0)
    assert [level.price for level in only_book(world.evaluate(0.0, NOW_NS)).bids] == [1.1]
    world.on_lost("a", "silent", 0.0, 5)
    assert world.evaluate(0.0, NOW_NS) == Effects()
    held_s = world.due_in(0.0)
    assert [feed.state for feed in only_book(world.evaluate(held_s, NOW_NS)).venues] == [
        pb.STATE_SYNCING
    ]
    world.on_book("b", "ETH-BTC", "kraken", make_book(((1.2, 1.0),), venue_seq=7), 1, 0.9)
    assert [level.price for level in only_book(world.evaluate(0.9, NOW_NS)).bids] == [1.2]
    world.on_book("c", "ETH-BTC", "kraken", make_book(((1.3, 1.0),), venue_seq=8), 1, 1.0)
    world.on_lost("b", "silent", 1.0, 5)
    assert [level.price for level in only_book(world.evaluate(1.0, NOW_NS)).bids] == [1.3]


def test_a_crossed_venue_is_out_and_says_so(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    crossed = make_book(((2.0, 1.0),), ((1.0, 1.0),))
    assert world.on_book("a", "ETH-BTC", "kraken", crossed, 1, 0.0) == "crossed"
    book = only_book(world.evaluate(0.0, NOW_NS))
    assert not book.live
    assert not book.bids
    assert [feed.state for feed in book.venues] == [pb.STATE_STALE]
    assert "crossed" in book.venues[0].reason


def test_an_unwanted_view_is_dropped_after_the_linger(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.on_book("a", "ETH-BTC", "kraken", make_book(), 1, 0.0)
    seq = only_book(world.evaluate(0.0, NOW_NS)).seq
    world.unwant(ViewKind.BOOK, "ETH-BTC", now=100.0)
    assert world.due_in(100.0) == LINGER_S
    assert world.evaluate(109.9, NOW_NS) == Effects()
    gone = world.evaluate(110.0, NOW_NS)
    assert (gone.unsubscribe, gone.forget) == (["book.ETH-BTC."], ["view.book.ETH-BTC."])
    assert world.due_in(110.0) == math.inf
    world.want(ViewKind.BOOK, "ETH-BTC")
    assert only_book(world.evaluate(120.0, NOW_NS)).seq > seq


def test_wanted_again_within_the_linger_nothing_happens() -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.evaluate(0.0, NOW_NS)
    world.unwant(ViewKind.BOOK, "ETH-BTC", now=0.0)
    world.want(ViewKind.BOOK, "ETH-BTC")
    assert world.evaluate(1000.0, NOW_NS) == Effects()


def test_a_configured_instrument_stays(make_book: MakeBook) -> None:
    world = new_world(always=("ETH-BTC",))
    assert world.evaluate(0.0, NOW_NS).subscribe == ["book.ETH-BTC."]
    world.on_book("a", "ETH-BTC", "kraken", make_book(), 1, 0.0)
    world.want(ViewKind.BOOK, "ETH-BTC")
    assert only_book(world.evaluate(0.0, NOW_NS)).live
    world.unwant(ViewKind.BOOK, "ETH-BTC", now=0.0)
    gone = world.evaluate(1000.0, NOW_NS)
    assert (gone.unsubscribe, gone.forget) == ([], ["view.book.ETH-BTC."])


def test_lists_are_relayed() -> None:
    world = new_world()
    listing = Instruments("kraken", ("BTC-USD", "ETH-BTC"))
    world.on_instruments(listing)
    assert world.evaluate(0.0, NOW_NS).publish == [("status.instruments.kraken.", listing)]


def test_live_means_that_some_venue_is() -> None:
    world = new_world()
    heard = [world.live]
    for state in (FeedState.SYNCING, FeedState.LIVE):
        world.on_venue("a", venue("kraken", "a", state))
        heard.append(world.live)
    world.on_lost("a", "bye", 0.0, 5)
    assert [*heard, world.live] == [False, False, True, False]


def test_nothing_is_kept_of_what_came_and_went(make_book: MakeBook) -> None:
    world = new_world()
    sizes = []
    for turn in range(4):
        name, now = f"COIN{turn}-USD", turn * 2 * LINGER_S
        world.on_venue(f"listener {turn}", venue("kraken", f"listener {turn}"))
        world.want(ViewKind.BOOK, name)
        world.on_book(f"listener {turn}", name, "kraken", make_book(), 1, now)
        assert books(world.evaluate(now, NOW_NS), f"view.book.{name}.")
        world.on_lost(f"listener {turn}", "silence", now, 5)
        world.on_lost(f"aggregator {turn}", "silence", now, 5)
        world.unwant(ViewKind.BOOK, name, now)
        world.evaluate(now + LINGER_S, NOW_NS)
        sizes.append([len(kept) for kept in vars(world).values() if isinstance(kept, dict | set)])
    assert all(later == sizes[0] for later in sizes)


def test_a_venue_may_be_let_go_before_its_state_was_heard(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.on_book("a", "ETH-BTC", "kraken", make_book(), 1, 0.0)
    assert only_book(world.evaluate(0.0, NOW_NS)).live
    world.on_gone("a", "ETH-BTC", "kraken", 0.0)
    book = only_book(world.evaluate(0.0, NOW_NS))
    assert [(feed.venue, feed.state) for feed in book.venues] == [("kraken", pb.STATE_SYNCING)]


def test_configured_instruments_that_no_venue_lists_are_told_once_all_venues_told_theirs() -> None:
    world = new_world(("ETH-BTC", "XBT-USD"))
    world.on_venue("a", venue("kraken", "a"))
    world.on_venue("b", venue("binance", "b"))
    world.on_instruments(Instruments("binance", ("ETH-BTC", "BTC-USD")))
    assert world.unlisted() == []
    world.on_instruments(Instruments("kraken", ("BTC-USD",)))
    assert world.unlisted() == ["no venue lists XBT-USD: did you mean BTC-USD?"]
    assert world.unlisted() == []


MARKET = "BTC-USD+BTC-USDT*USDT-USD"
TOPIC = f"view.book.{MARKET}."


def test_an_equivalence_takes_the_books_of_its_terms_and_conversions(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, MARKET)
    interests = ["book.BTC-USD.", "book.BTC-USDT.", "book.USDT-USD."]
    assert world.evaluate(0.0, NOW_NS).subscribe == interests
    world.on_book("a", "BTC-USD", "kraken", make_book(((99.0, 1.0),), ((101.0, 1.0),)), 1, 0.0)
    world.on_book("a", "BTC-USDT", "kraken", make_book(((100.0, 2.0),), ((100.5, 2.0),)), 1, 0.0)
    (book,) = books(world.evaluate(0.0, NOW_NS), TOPIC)
    assert [(level.instrument, level.price) for level in book.bids] == [("BTC-USD", 99.0)]
    assert [(feed.instrument, feed.state, feed.reason) for feed in book.venues] == [
        ("BTC-USD", pb.STATE_LIVE, ""),
        ("BTC-USDT", pb.STATE_SYNCING, "no live USDT-USD to convert by"),
    ]
    assert [(one.instrument, one.HasField("bid")) for one in book.conversions] == [
        ("USDT-USD", False)
    ]
    rate = make_book(((0.999, 5.0),), ((1.001, 5.0),), venue_seq=7)
    world.on_book("a", "USDT-USD", "kraken", rate, 1, 0.0)
    (book,) = books(world.evaluate(0.0, NOW_NS), TOPIC)
    assert [(level.instrument, level.price, level.original_price) for level in book.bids] == [
        ("BTC-USDT", 99.9, 100.0),
        ("BTC-USD", 99.0, 99.0),
    ]
    assert [(level.instrument, level.price) for level in book.asks] == [
        ("BTC-USDT", 100.6005),
        ("BTC-USD", 101.0),
    ]
    (by,) = book.conversions
    assert (by.instrument, by.bid, by.ask) == ("USDT-USD", 0.999, 1.001)
    assert [(feed.venue, feed.venue_seq) for feed in by.venues] == [("kraken", 7)]
    world.on_lost("a", "silent", 1.0, 5)
    (book,) = books(world.evaluate(1.0, NOW_NS), TOPIC)
    assert not book.live
    assert {feed.reason for feed in book.venues} == {"listener lost: silent"}


def test_instruments_are_left_when_the_last_market_made_of_them_is(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, MARKET)
    world.want(ViewKind.BOOK, "BTC-USD")
    world.evaluate(0.0, NOW_NS)
    world.unwant(ViewKind.BOOK, MARKET, 0.0)
    effects = world.evaluate(LINGER_S, NOW_NS)
    assert effects.unsubscribe == ["book.BTC-USDT.", "book.USDT-USD."]
    world.on_book("a", "BTC-USD", "kraken", make_book(), 1, LINGER_S)
    assert len(books(world.evaluate(LINGER_S, NOW_NS), "view.book.BTC-USD.")) == 1
    world.want(ViewKind.BBO, MARKET)
    assert world.evaluate(LINGER_S, NOW_NS).subscribe == ["book.BTC-USDT.", "book.USDT-USD."]


def test_a_market_that_goes_as_another_comes_keeps_what_they_share() -> None:
    world = World(EPOCH, depth=10, linger_s=0.0)
    world.want(ViewKind.BOOK, MARKET)
    world.evaluate(0.0, NOW_NS)
    world.unwant(ViewKind.BOOK, MARKET, 0.0)
    world.want(ViewKind.BOOK, "USDT-USD")
    effects = world.evaluate(0.0, NOW_NS)
    assert (effects.subscribe, effects.unsubscribe) == ([], ["book.BTC-USD.", "book.BTC-USDT."])


def test_a_market_that_another_aggregator_takes_leaves_what_is_still_carried(
    make_book: MakeBook,
) -> None:
    other = next(
        name
        for name in map("peer-{}".format, range(100))
        if owners(MARKET, ["one", name], 1) == (name,)
        and owners("USDT-USD", ["one", name], 1) == ("one",)
    )
    assignment = Assignment("one", handover_s=0.0)
    world = World(EPOCH, depth=10, linger_s=LINGER_S, assignment=assignment)
    for name in (MARKET, "USDT-USD"):
        world.want(ViewKind.BOOK, name)
    world.evaluate(0.0, NOW_NS)
    for instrument in ("BTC-USD", "BTC-USDT", "USDT-USD"):
        world.on_book("a", instrument, "kraken", make_book(), 1, 0.0)
    world.evaluate(0.0, NOW_NS)
    assignment.on_claim(other, Claim(False, frozenset({MARKET})))
    effects = world.evaluate(1.0, NOW_NS)
    assert (TOPIC, Gone()) in effects.publish
    assert (effects.subscribe, effects.unsubscribe) == ([], ["book.BTC-USD.", "book.BTC-USDT."])
    changed = make_book(((1.5, 1.0),), venue_seq=2)
    world.on_book("a", "USDT-USD", "kraken", changed, 1, 2.0)
    assert len(books(world.evaluate(2.0, NOW_NS), "view.book.USDT-USD.")) == 1
    # What it left is as unknown as at first when it comes back.
    assignment.on_lost(other)
    assert world.evaluate(3.0, NOW_NS).subscribe == ["book.BTC-USD.", "book.BTC-USDT."]
    world.on_book("a", "BTC-USDT", "kraken", make_book(), 1, 3.0)
    (book,) = books(world.evaluate(3.0, NOW_NS), TOPIC)
    assert [level.instrument for level in book.bids] == ["BTC-USDT"]


def test_a_market_may_be_asked_for_by_the_name_of_the_configuration(make_book: MakeBook) -> None:
    names = Equivalences(["BTC-ANYUSD=BTC-USD+BTC-USDT@1", "ETH-ANYUSD=ETH-USD+ETH-USDX@1"])
    world = World(EPOCH, 10, LINGER_S, ["ETH-ANYUSD"], equivalences=names)
    world.want(ViewKind.BOOK, "BTC-ANYUSD")
    assert world.evaluate(0.0, NOW_NS).subscribe == [
        "book.ETH-USD.",
        "book.ETH-USDX.",
        "book.BTC-USD.",
        "book.BTC-USDT.",
    ]
    world.on_book("a", "BTC-USDT", "okx", make_book(), 1, 0.0)
    (book,) = books(world.evaluate(0.0, NOW_NS), "view.book.BTC-ANYUSD.")
    assert (book.instrument, book.bids[0].instrument) == ("BTC-ANYUSD", "BTC-USDT")
    world.on_instruments(Instruments("okx", ("BTC-USD", "BTC-USDT", "ETH-USD")))
    assert world.unlisted() == ["no venue lists ETH-USDX"]


def test_the_time_that_venues_cross_each_other_is_counted(make_book: MakeBook) -> None:
    world = new_world()
    world.want(ViewKind.BOOK, "ETH-BTC")
    world.want(ViewKind.BBO, "ETH-BTC")
    seq = iter(range(1, 100))

    def crossed(venue: str, bid: float, ask: float, now: float) -> dict[str, float]:
        book = make_book(((bid, 1.0),), ((ask, 1.0),), venue_seq=next(seq))
        world.on_book(venue, "ETH-BTC", venue, book, 1, now)
        return world.evaluate(now, NOW_NS).crossed

    assert crossed("kraken", 10.0, 11.0, 0.0) == {"ETH-BTC": 0.0}  # to be read from the start
    assert crossed("binance", 12.0, 13.0, 1.0) == {}
    assert crossed("binance", 12.5, 13.0, 3.0) == {"ETH-BTC": 2.0}
    assert crossed("binance", 10.5, 13.0, 3.5) == {"ETH-BTC": 0.5}
    assert crossed("binance", 10.4, 13.0, 9.0) == {}


def test_nothing_is_counted_while_nobody_looks(make_book: MakeBook) -> None:
    world = new_world(always=("ETH-BTC",))
    world.want(ViewKind.BOOK, "ETH-BTC")
    for venue, bid, ask in (("kraken", 10.0, 11.0), ("binance", 12.0, 13.0)):
        world.on_book(venue, "ETH-BTC", venue, make_book(((bid, 1.0),), ((ask, 1.0),)), 1, 0.0)
    world.evaluate(0.0, NOW_NS)
    world.unwant(ViewKind.BOOK, "ETH-BTC", 1.0)
    assert world.evaluate(1.0 + LINGER_S, NOW_NS).crossed == {"ETH-BTC": 1.0 + LINGER_S}
    world.want(ViewKind.BOOK, "ETH-BTC")
    assert world.evaluate(100.0, NOW_NS).crossed == {}
