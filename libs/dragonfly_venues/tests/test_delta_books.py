"""Books of changes: any order of loss, seeds and levels gives the venue's book or none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from dragonfly_common.types import Level, Side
from dragonfly_venues.binance.decoder import BinanceSequencer
from dragonfly_venues.decoding import delta_books
from dragonfly_venues.decoding.delta_books import (
    MAX_BUFFERED,
    Change,
    ConnectionSequence,
    DeltaBook,
    DeltaDecoder,
    Links,
    Place,
    Progress,
    Ranges,
    Seed,
    Sequencer,
    Unlinked,
)
from dragonfly_venues.decoding.whole_tops import OLDER_IN_A_ROW
from dragonfly_venues.events import BookTop, Broken, Event, Unchanged, WholeBook
from dragonfly_venues.htx.decoder import HtxSequencer
from dragonfly_venues.kucoin.decoder import KucoinSequencer
from hypothesis import given
from hypothesis import strategies as st

PRICES = st.integers(1, 30).map(float)
AMOUNTS = st.sampled_from([0.0, 1.0, 2.0])
LEVELS = st.lists(st.tuples(PRICES, AMOUNTS), max_size=6).map(tuple)


class Venue:
    """The truth: a whole book, and every change of it."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.seq = 100

    def change(self, bids: Side, asks: Side, width: int = 1, *, linked: bool = False) -> Change:
        link = self.seq if linked else self.seq + 1
        self.seq += width
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, amount in changes:
                side[price] = amount
                if amount == 0.0:
                    del side[price]
        return Change(link, self.seq, bids, asks)

    def seed(self, limit: int | None = None) -> Seed:
        return Seed(self.seq, *self.top(limit or 1000), limit)

    def top(self, depth: int) -> tuple[Side, Side]:
        return (
            tuple(sorted(self.bids.items(), reverse=True)[:depth]),
            tuple(sorted(self.asks.items())[:depth]),
        )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "lose", "repeat", "seed", "late seed"]),
        LEVELS,
        LEVELS,
        st.integers(1, 3),
    ),
    max_size=60,
)


def assert_true_or_none(book: DeltaBook, truth: dict[int, tuple[Side, Side]], depth: int) -> None:
    """Hold what is shown against the venue's book of the same number, as deep as it is proven."""
    if book.seq < 0:
        assert book.top() == ((), ())
        return
    reach = depth if book.reach is None else book.reach
    assert 0 < reach <= depth
    for shown, true in zip(book.top(), truth[book.seq], strict=True):
        assert shown == true[:reach]


@given(STEPS, st.integers(1, 4), st.sampled_from([None, 3, 8]))
def test_a_seeded_book_shows_the_venues_levels_or_nothing(
    steps: list[tuple[str, Side, Side, int]], depth: int, limit: int | None
) -> None:
    venue, book = Venue(), DeltaBook(depth, Ranges(), seeded=True)
    truth = {venue.seq: venue.top(100)}
    seeds = [venue.seed(limit)]
    last: Change | None = None
    for what, bids, asks, width in steps:
        if what == "seed":
            seeds.append(venue.seed(limit))
            book.seed(seeds[-1])
        elif what == "late seed":
            book.seed(seeds[len(seeds) // 2])
        elif what == "repeat" and last is not None:
            book.change(last)
        else:
            last = venue.change(bids, asks, width)
            truth[venue.seq] = venue.top(100)
            if what != "lose":
                book.change(last)
        assert_true_or_none(book, truth, depth)
    if book.seq < 0:
        assert book.wants_seed()
    # Whatever happened: a seed of now makes it whole, to the depth that the seed proves.
    book.change(venue.change((), ()))
    truth[venue.seq] = venue.top(100)
    if book.seq < venue.seq:
        assert book.seed(venue.seed()) is Progress.NEWS
        assert book.top() == venue.top(depth)


@given(STEPS, st.integers(1, 4))
def test_a_streamed_book_shows_the_venues_levels_or_nothing(
    steps: list[tuple[str, Side, Side, int]], depth: int
) -> None:
    venue, book = Venue(), DeltaBook(depth, Links(), seeded=False)
    truth = {venue.seq: venue.top(100)}
    lost = False
    for what, bids, asks, width in steps:
        if "seed" in what:
            assert book.snapshot(venue.seed()) is Progress.NEWS
            lost = False
            assert book.top() == venue.top(depth)
            continue
        change = venue.change(bids, asks, width, linked=True)
        truth[venue.seq] = venue.top(100)
        if what == "lose":
            lost = True
            continue
        had = book.seq >= 0
        before = book.top()
        progress = book.change(change)
        if not had:
            assert progress is Progress.WAITING
        elif lost:
            assert progress is Progress.GAP
            assert book.top() == ((), ())
        else:
            assert book.top() == venue.top(depth)
            if progress is Progress.SAME:
                assert book.top() == before
        assert_true_or_none(book, truth, depth)
        assert not book.wants_seed()


class Batches:
    """The truth: a book by the number of each single change, and messages of several of them."""

    def __init__(self) -> None:
        self._state: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.truth: dict[int, tuple[Side, Side]] = {100: ((), ())}

    @property
    def seq(self) -> int:
        return max(self.truth)

    def message(self, units: Sequence[tuple[bool, Level]], names: str) -> Change:
        """Make each of `units` the truth; return the message of them all."""
        before, first = tuple(map(dict, self._state)), self.seq + 1
        for is_bid, (price, amount) in units:
            side = self._state[not is_bid]
            side[price] = amount
            if amount == 0.0:
                del side[price]
            bids, asks = map(sorted, map(dict.items, self._state))
            self.truth[self.seq + 1] = tuple(bids[::-1]), tuple(asks)
        told: list[list[Level]] = [
            [level for bid, level in units if bid is is_bid] for is_bid in (True, False)
        ]
        if names != "each change":
            last = [dict(side) for side in told]
            if names == "what differs":
                last = [
                    {
                        price: amount
                        for price, amount in one.items()
                        if was.get(price, 0.0) != amount
                    }
                    for one, was in zip(last, before, strict=True)
                ]
            told = [list(side.items()) for side in last]
        link = first - 1 if names == "what differs" else first
        return Change(link, self.seq, tuple(told[0]), tuple(told[1]))


@pytest.mark.parametrize(
    ("sequencer", "names"),
    [
        (BinanceSequencer(), "each price"),
        (KucoinSequencer(), "each change"),
        (HtxSequencer(), "what differs"),
    ],
)
@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["sent", "sent", "lost"]),
            st.lists(st.tuples(st.booleans(), st.tuples(PRICES, AMOUNTS)), min_size=1, max_size=5),
            st.none() | st.integers(0, 12),
        ),
        max_size=30,
    )
)
def test_a_seed_from_within_a_message_is_joined_exactly(
    sequencer: Sequencer,
    names: str,
    messages: list[tuple[str, list[tuple[bool, Level]], int | None]],
) -> None:
    """A level that came and went within one message is gone, also where the seed had it."""
    venue, book = Batches(), DeltaBook(5, sequencer, seeded=True)
    for what, units, seed_age in messages:
        change = venue.message(units, names)
        if seed_age is not None:
            seq = max(100, venue.seq - seed_age)
            book.seed(Seed(seq, *venue.truth[seq]))
            assert_true_or_none(book, venue.truth, 5)
        if what == "sent":
            book.change(change)
        assert_true_or_none(book, venue.truth, 5)
    book.change(venue.message([(True, (1.0, 1.0))], names))
    if book.seq < venue.seq:
        assert book.seed(Seed(venue.seq, *venue.truth[venue.seq])) is Progress.NEWS
    assert_true_or_none(book, venue.truth, 5)


def levels(*prices: float) -> tuple[Level, ...]:
    return tuple((price, 1.0) for price in prices)


def test_the_first_change_after_a_seed_may_begin_before_it() -> None:
    book = DeltaBook(5, Ranges(), seeded=True)
    assert book.change(Change(8, 10, levels(1.0), ())) is Progress.WAITING
    assert book.seed(Seed(9, levels(0.5), levels(3.0))) is Progress.NEWS
    assert (book.seq, book.top()) == (10, (levels(1.0, 0.5), levels(3.0)))

    late = DeltaBook(5, Ranges(), seeded=True)
    late.seed(Seed(9, levels(0.5), levels(3.0)))
    assert late.change(Change(8, 10, levels(1.0), ())) is Progress.NEWS
    assert late.change(Change(10, 12, levels(2.0), ())) is Progress.GAP, "only the first may"


def test_a_seed_older_than_what_was_buffered_is_asked_for_again() -> None:
    book = DeltaBook(5, Ranges(), seeded=True)
    assert book.wants_seed()
    book.change(Change(8, 10, (), ()))
    assert not book.wants_seed(), "one is under way"
    assert book.seed(Seed(5, levels(1.0), ())) is Progress.WAITING
    assert book.wants_seed()


def test_a_seed_of_limited_length_shows_nothing_beyond_what_it_proves() -> None:
    book = DeltaBook(3, Ranges(), seeded=True)
    assert book.wants_seed()
    book.seed(Seed(1, levels(10.0, 9.0, 8.0), levels(11.0, 12.0, 13.0), limit=3))
    assert not book.wants_seed()
    # 7 lies beyond the seed: whether 7.5 stands before it is not known.
    book.change(Change(2, 2, ((7.0, 1.0), (10.0, 0.0)), ()))
    assert book.top()[0] == levels(9.0, 8.0)
    assert book.wants_seed(), "fewer levels than asked for are proven"
    # The book goes on while the next seed is awaited, and joins it with what came meanwhile.
    assert book.change(Change(3, 3, ((9.5, 1.0),), ())) is Progress.NEWS
    assert book.top()[0] == levels(9.5, 9.0, 8.0)
    book.seed(Seed(2, levels(9.0, 8.0, 7.5), levels(11.0), limit=3))
    assert (book.seq, book.top()[0]) == (3, levels(9.5, 9.0, 8.0))


def test_another_seed_is_wanted_before_levels_run_short() -> None:
    book = DeltaBook(2, Ranges(), seeded=True)
    book.seed(Seed(1, levels(*range(20, 10, -1)), levels(21.0), limit=10))
    for seq, price in enumerate(range(20, 14, -1), start=2):
        assert not book.wants_seed()
        book.change(Change(seq, seq, ((float(price), 0.0),), ()))
    book.change(Change(8, 8, ((14.0, 0.0),), ()))
    assert book.reach is None
    assert book.top()[0] == levels(13.0, 12.0)
    assert book.wants_seed(), "fewer than twice the two that are shown are left"


def test_a_seed_shorter_than_what_is_shown_is_renewed_when_a_quarter_is_gone() -> None:
    book = DeltaBook(100, Ranges(), seeded=True)
    book.seed(Seed(1, levels(*range(20, 10, -1)), levels(*range(21, 31)), limit=10))
    assert book.reach == 10
    for seq, gone in ((2, 20.0), (3, 19.0)):
        book.change(Change(seq, seq, ((gone, 0.0),), ()))
    assert not book.wants_seed()
    assert book.reach == 8
    assert len(book.top()[1]) == 8, "one figure holds for both sides"
    book.change(Change(4, 4, ((18.0, 0.0),), ()))
    assert book.wants_seed()


def test_a_price_that_leaves_all_that_was_proven_drops_the_book() -> None:
    book = DeltaBook(5, Ranges(), seeded=True)
    book.seed(Seed(1, levels(10.0, 9.0), levels(11.0), limit=2))
    assert not book.wants_seed()
    falling = Change(2, 2, ((10.0, 0.0), (9.0, 0.0), (8.0, 1.0)), levels(8.5))
    assert book.change(falling) is Progress.SPENT
    assert (book.seq, book.top()) == (-1, ((), ()))
    assert book.wants_seed()
    assert book.seed(Seed(2, levels(8.0, 7.0), levels(8.5, 11.0), limit=2)) is Progress.NEWS


def test_a_venues_window_is_cut_to_what_it_keeps_current() -> None:
    book = DeltaBook(2, Links(), seeded=False, window=2)
    book.snapshot(Seed(1, levels(10.0, 9.0), levels(11.0)))
    book.change(Change(1, 2, levels(10.5), ()))
    book.change(Change(2, 3, ((10.5, 0.0),), ()))
    assert book.top()[0] == levels(10.0), "9 was pushed out, and nothing more was said of it"


def test_of_too_many_levels_the_worse_are_forgotten_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delta_books, "MOST_LEVELS", 6)
    book = DeltaBook(4, Links(), seeded=False)
    book.snapshot(Seed(1, levels(*range(1, 8)), levels(9.0)))
    assert (book.top()[0], book.reach) == (levels(7.0, 6.0, 5.0), 3)
    book.change(Change(1, 2, levels(4.5, 5.5), ()))
    assert book.top()[0] == levels(7.0, 6.0, 5.5, 5.0)
    book.change(Change(2, 3, levels(8.0, 8.1, 8.2), ()))
    assert (book.top()[0], book.reach) == (levels(8.2, 8.1, 8.0), 3)


def test_a_counter_that_a_venue_resets_is_followed_by_its_links() -> None:
    book = DeltaBook(2, Links(), seeded=False)
    book.snapshot(Seed(900, levels(10.0), levels(11.0)))
    assert book.change(Change(900, 3, levels(9.0), ())) is Progress.NEWS
    assert book.change(Change(3, 5, (), ())) is Progress.SAME
    assert book.seq == 5


def test_what_is_buffered_is_bounded() -> None:
    book = DeltaBook(1, Ranges(), seeded=True)
    for seq in range(1, MAX_BUFFERED + 10):
        book.change(Change(seq, seq, (), ()))
    assert book.seed(Seed(1, (), ())) is Progress.WAITING
    assert book.seed(Seed(9, (), ())) is Progress.NEWS


@pytest.mark.parametrize(
    ("sequencer", "change", "placed", "joined"),
    [
        (Ranges(), Change(11, 12, (), ()), Place.NEXT, Place.NEXT),
        (Ranges(), Change(9, 12, (), ()), Place.GAP, Place.NEXT),
        (Ranges(), Change(8, 10, (), ()), Place.OLD, Place.OLD),
        (Ranges(), Change(12, 13, (), ()), Place.GAP, Place.GAP),
        (Links(), Change(10, 12, (), ()), Place.NEXT, Place.NEXT),
        (Links(), Change(9, 12, (), ()), Place.GAP, Place.NEXT),
        (Links(), Change(8, 10, (), ()), Place.GAP, Place.OLD),
        (Links(), Change(11, 13, (), ()), Place.GAP, Place.GAP),
        (Unlinked(), Change(3, 2, (), ()), Place.NEXT, Place.NEXT),
    ],
)
def test_sequencers(sequencer: Sequencer, change: Change, placed: Place, joined: Place) -> None:
    assert sequencer.place(10, change) is placed
    assert sequencer.joins(10, change) is joined


def test_a_venue_that_counts_anew_is_a_gap_and_repeated_changes_are_none() -> None:
    book = DeltaBook(5, Ranges(), seeded=True)
    book.seed(Seed(1000, levels(1.0), ()))
    for number in range(2 * OLDER_IN_A_ROW):
        # Until one has joined, what is older was on its way before the seed.
        assert book.change(Change(number, number, (), ())) is Progress.SAME
    book.change(Change(1001, 1001, (), ()))
    for number in range(1, OLDER_IN_A_ROW):
        assert book.change(Change(number, number, (), ())) is Progress.SAME
    book.change(Change(1002, 1002, (), ()))
    for number in range(1, OLDER_IN_A_ROW):
        assert book.change(Change(number, number, (), ())) is Progress.SAME
    number = OLDER_IN_A_ROW
    assert book.change(Change(number, number, (), ())) is Progress.GAP
    assert book.top() == ((), ())
    assert book.wants_seed()


def test_a_number_that_channels_share_is_published_and_joins_nothing() -> None:
    book = DeltaBook(2, Ranges(), seeded=False)
    assert book.venue_seq == -1
    book.snapshot(Seed(10, levels(9.0), levels(10.0), venue_seq=5000))
    assert (book.seq, book.venue_seq) == (10, 5000)
    book.change(Change(11, 11, levels(8.0), (), venue_seq=5003))
    assert (book.seq, book.venue_seq) == (11, 5003)
    assert book.change(Change(5004, 5004, (), (), venue_seq=5004)) is Progress.GAP


@given(first=st.integers(0, 1), numbers=st.lists(st.integers(0, 6), max_size=30))
def test_a_number_that_is_not_the_next_is_a_loss_once(first: int, numbers: list[int]) -> None:
    sequence = ConnectionSequence(first)
    last = first - 1
    for number in numbers:
        said = sequence.take(number)
        assert said == (
            None if number == last + 1 else f"frame {number} came where {last + 1} was due"
        )
        last = number


def test_the_best_of_a_book_may_be_more_than_is_of_interest() -> None:
    book = DeltaBook(1, Unlinked(), seeded=False)
    assert book.best(3) == ((), ())
    book.snapshot(Seed(1, levels(3.0, 2.0, 1.0), levels(4.0)))
    assert book.best(2) == (levels(3.0, 2.0), levels(4.0))


class CrossingDecoder(DeltaDecoder):
    """Books of three levels whose snapshots come in the stream."""

    def __init__(self) -> None:
        super().__init__(3, Ranges())

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        raise AssertionError("its books are told their changes, not frames")

    def bid(self, seq: int, price: float, amount: float = 1.0) -> Sequence[Event]:
        return self.change("x", Change(seq, seq, ((price, amount),), ()))


def test_a_book_that_crosses_itself_breaks_once_and_is_then_believed() -> None:
    decoder = CrossingDecoder()
    decoder.snapshot("x", Seed(1, ((10.0, 1.0),), ((11.0, 1.0),)))
    assert decoder.bid(2, 11.0) == (Broken("x", "crossed", "bid 11.0 >= ask 11.0"),)
    decoder.forget("x")
    assert decoder.bid(3, 9.0) == (Unchanged("x"),)
    # It begins anew, and is crossed again: the venue has it so.
    crossed = Seed(4, ((11.0, 1.0), (10.0, 1.0)), ((11.0, 1.0),))
    assert decoder.snapshot("x", crossed) == (BookTop("x", 4, None, crossed.bids, crossed.asks),)
    assert isinstance(decoder.bid(5, 12.0)[0], BookTop)
    decoder.bid(6, 12.0, 0.0)
    assert isinstance(decoder.bid(7, 11.0, 0.0)[0], BookTop)
    # It has uncrossed: the next time is another.
    assert isinstance(decoder.bid(8, 11.0)[0], Broken)
