from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from aggregator.merging import Merger, Top, encode_levels, spread
from aggregator.venue_books import VenueBook, absent_book, lost_book, take_book
from dragonfly_common.messages import Book
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState, Side
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MakeBook = Callable[..., Book]

Levels = dict[str, tuple[Side, Side]]

amounts = st.integers(1, 30).map(lambda n: n / 10)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Side, Side]:
    """A venue's book, uncrossed in itself; coarse prices, so that venues meet and cross."""
    ticks = sorted(draw(st.sets(st.integers(1, 40), max_size=24)))
    split = draw(st.integers(0, len(ticks)))
    bids = tuple((tick / 100, draw(amounts)) for tick in reversed(ticks[:split]))
    asks = tuple((tick / 100, draw(amounts)) for tick in ticks[split:])
    return bids, asks


NAMES = ("binance", "bitstamp", "kraken", "okx")
venues = st.dictionaries(st.sampled_from(NAMES), sides())
depths = st.integers(1, 12)


def feeds_of(levels: Levels, make_book: MakeBook, depth: int) -> list[VenueBook]:
    return [
        take_book(venue, make_book(bids, asks), 1, depth)
        for venue, (bids, asks) in sorted(levels.items())
    ]


def top_of(kind: ViewKind, feeds: list[VenueBook], depth: int) -> Top:
    merger = Merger()
    merger.take(feeds)
    return merger.top(kind, depth)


def flat(levels: Levels, side: int) -> list[tuple[float, float, str]]:
    """All levels of one side, sorted by the specification's words."""
    sign = -1 if side == 0 else 1
    everything = [
        (price, amount, venue) for venue, both in levels.items() for price, amount in both[side]
    ]
    return sorted(everything, key=lambda level: (sign * level[0], -level[1], level[2]))


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(levels=venues, depth=depths)
def test_the_book_is_the_best_of_all_levels(
    make_book: MakeBook, levels: Levels, depth: int
) -> None:
    top = top_of(ViewKind.BOOK, feeds_of(levels, make_book, depth), depth)
    book = pb.Book.FromString(encode_levels(ViewKind.BOOK, top))
    for side, shown in ((0, book.bids), (1, book.asks)):
        assert [(level.price, level.amount, level.venue) for level in shown] == flat(levels, side)[
            :depth
        ]


@relaxed
@given(levels=venues, depth=depths)
def test_the_bbo_is_the_top_of_the_book(make_book: MakeBook, levels: Levels, depth: int) -> None:
    feeds = feeds_of(levels, make_book, depth)
    top = top_of(ViewKind.BOOK, feeds, depth)
    book = pb.Book.FromString(encode_levels(ViewKind.BOOK, top))
    best = top_of(ViewKind.BBO, feeds, depth)
    bbo = pb.Bbo.FromString(encode_levels(ViewKind.BBO, best))
    assert spread(best) == spread(top)
    assert ([bbo.bid] if bbo.HasField("bid") else []) == list(book.bids)[:1]
    assert ([bbo.ask] if bbo.HasField("ask") else []) == list(book.asks)[:1]
    if book.bids and book.asks:
        exact = Decimal(str(bbo.ask.price)) - Decimal(str(bbo.bid.price))
        assert spread(best) == float(exact)
    else:
        assert spread(best) == 0.0


@relaxed
@given(levels=venues, depth=depths)
def test_liquidity_loses_nothing_and_merges_equal_prices(
    make_book: MakeBook, levels: Levels, depth: int
) -> None:
    top = top_of(ViewKind.LIQUIDITY, feeds_of(levels, make_book, depth), depth)
    liquidity = pb.Liquidity.FromString(encode_levels(ViewKind.LIQUIDITY, top))
    for side, shown in ((0, liquidity.bids), (1, liquidity.asks)):
        by_price: dict[float, list[tuple[str, float]]] = {}
        for price, amount, venue in flat(levels, side):
            by_price.setdefault(price, []).append((venue, amount))
        expected = list(by_price.items())[:depth]
        assert [
            (level.price, [(share.venue, share.amount) for share in level.shares])
            for level in shown
        ] == expected
        for level, (_, shares) in zip(shown, expected, strict=True):
            assert level.amount == float(sum(Decimal(str(amount)) for _, amount in shares))


@relaxed
@given(history=st.lists(st.tuples(venues, st.sets(st.sampled_from(NAMES))), max_size=6))
def test_merging_who_moved_is_merging_all(
    make_book: MakeBook, history: list[tuple[Levels, set[str]]]
) -> None:
    depth = 5
    merger = Merger()
    feeds = {venue: absent_book(venue, FeedState.SYNCING, "") for venue in NAMES}
    for levels, lost in history:
        feeds |= {feed.venue: feed for feed in feeds_of(levels, make_book, depth)}
        feeds |= {venue: lost_book(feeds[venue], "lost") for venue in lost}
        merger.take(feeds.values())
        for kind in ViewKind:
            assert merger.top(kind, depth) == top_of(kind, [*feeds.values()], depth)


def test_all_levels_are_cut_nowhere(make_book: MakeBook) -> None:
    levels: tuple[Side, Side] = (((3.0, 1.0), (2.0, 1.0), (1.0, 1.0)), ((4.0, 1.0), (5.0, 1.0)))
    feeds = feeds_of({"a": levels, "b": levels}, make_book, 2)
    top = top_of(ViewKind.LEVELS, feeds, 2)
    assert [len(side) for side in top] == [4, 4]  # two of each venue
    assert top_of(ViewKind.BOOK, feeds, 2) == (top[0][:2], top[1][:2])


def test_the_spread_is_rounded_once(make_book: MakeBook) -> None:
    assert spread_between(make_book, 65.12, 65.13) == 0.01


ticks = st.integers(1, 10**15 - 1)


@relaxed
@given(bid=ticks, ask=ticks, places=st.integers(0, 18))
def test_the_spread_is_that_of_the_prices_as_they_are_written(
    make_book: MakeBook, bid: int, ask: int, places: int
) -> None:
    written_bid, written_ask = Decimal(bid).scaleb(-places), Decimal(ask).scaleb(-places)
    spread_shown = spread_between(make_book, float(written_bid), float(written_ask))
    assert spread_shown == float(written_ask - written_bid)


def test_venues_may_cross_each_other(make_book: MakeBook) -> None:
    assert spread_between(make_book, 0.06803, 0.06801) == -0.00002


def spread_between(make_book: MakeBook, bid: float, ask: float) -> float:
    feeds = feeds_of({"a": (((bid, 1.0),), ()), "b": ((), ((ask, 1.0),))}, make_book, 1)
    return spread(top_of(ViewKind.BBO, feeds, 1))
