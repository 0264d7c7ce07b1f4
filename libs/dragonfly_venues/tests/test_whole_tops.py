"""The change filter: what it finds by bytes, and what it says of it."""

from __future__ import annotations

import json
from math import inf, nan

import msgspec
import pytest
from dragonfly_common.types import Side
from dragonfly_venues.decoding.shapes import MAX_SEQ
from dragonfly_venues.decoding.whole_tops import (
    MAX_SYMBOLS,
    OLDER_IN_A_ROW,
    SIDE_TEXT,
    ChangeFilter,
    ChangeFilters,
    UnfamiliarText,
    usable,
)
from dragonfly_venues.events import FRAME_ERROR_REASONS, BookTop, Broken, FrameError, Unchanged
from hypothesis import given
from hypothesis import strategies as st

TextSide = list[tuple[str, str]]

BIDS: TextSide = [("0.0700", "1.5"), ("0.0600", "2"), ("0.0500", "9")]
ASKS: TextSide = [("0.0710", "1"), ("0.0720", "3"), ("0.0730", "4")]

DECIMALS = st.from_regex(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,24})?", fullmatch=True)


def compact(bids: TextSide, asks: TextSide) -> bytes:
    return json.dumps({"bids": bids, "asks": asks}, separators=(",", ":")).encode()


def numbers(side: TextSide) -> Side:
    return tuple((float(price), float(amount)) for price, amount in side)


class Frames:
    """One symbol's filter, fed with books, each newer than the last unless `seq` says otherwise."""

    def __init__(self, depth: int = 2) -> None:
        self.filter = ChangeFilter("ethbtc", depth)
        self.seq = 0

    def say(
        self, bids: TextSide, asks: TextSide, seq: int | None = None
    ) -> BookTop | Unchanged | Broken:
        self.seq = self.seq + 1 if seq is None else seq
        frame = compact(bids, asks)
        at = (frame.index(b'"bids":[') + 8, frame.index(b'"asks":[') + 8)
        (event,) = self.filter.compare(frame, *at, self.seq, None)
        assert isinstance(event, BookTop | Unchanged | Broken)
        return event


class TestNumbers:
    @given(DECIMALS)
    def test_a_level_is_the_double_nearest_to_its_text(self, text: str) -> None:
        ((price, _),) = SIDE_TEXT.decode(f'[["{text}","1"]]')
        assert price == float(text)

    @pytest.mark.parametrize("text", ["1_0", " 1", "0x1", "", "true"])
    def test_what_only_looks_like_a_number_is_refused(self, text: str) -> None:
        with pytest.raises(msgspec.ValidationError):
            SIDE_TEXT.decode(json.dumps([[text, "1"]]))


class TestUsable:
    def test_only_the_best_levels_are_judged(self) -> None:
        side = ((3.0, 1.0), (2.0, 1.0), (7.0, nan))
        assert usable(side, 2, falling=True) == side[:2]

    @pytest.mark.parametrize("nothing", [(2.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (0.0, 0.0)])
    def test_levels_that_say_nothing_are_left_out(self, nothing: tuple[float, float]) -> None:
        assert usable(((3.0, 1.0), nothing), 5, falling=True) == ((3.0, 1.0),)
        assert usable((nothing, (3.0, 1.0)), 5, falling=False) == ((3.0, 1.0),)

    @pytest.mark.parametrize("level", [(nan, 1.0), (inf, 1.0), (1.0, nan), (1.0, inf), (1.0, -1.0)])
    @pytest.mark.parametrize("falling", [True, False])
    def test_impossible_levels_are_refused(
        self, level: tuple[float, float], *, falling: bool
    ) -> None:
        with pytest.raises(FrameError) as caught:
            usable((level,), 5, falling=falling)
        assert caught.value.reason == "bad_level"

    @pytest.mark.parametrize("falling", [True, False])
    @pytest.mark.parametrize("second", [2.0, 1.0])
    def test_sides_must_be_strictly_sorted(self, second: float, *, falling: bool) -> None:
        first = 1.0 if falling else 2.0
        with pytest.raises(FrameError) as caught:
            usable(((first, 1.0), (3.0 - second if falling else second, 1.0)), 5, falling=falling)
        assert caught.value.reason == "unsorted"
        assert caught.value.reason in FRAME_ERROR_REASONS


class TestChanges:
    def test_the_first_book_is_a_change_cut_to_depth(self) -> None:
        top = Frames(depth=2).say(BIDS, ASKS)
        assert top == BookTop("ethbtc", 1, None, numbers(BIDS[:2]), numbers(ASKS[:2]))

    def test_a_change_below_depth_is_none(self) -> None:
        frames = Frames(depth=2)
        frames.say(BIDS, ASKS)
        assert frames.say([*BIDS[:2], ("0.0400", "1")], ASKS[:2]) == Unchanged("ethbtc")

    def test_each_side_alone_is_a_change_of_the_whole_top(self) -> None:
        frames = Frames(depth=2)
        frames.say(BIDS, ASKS)
        bids = [BIDS[0], ("0.0600", "2.5")]
        assert frames.say(bids, ASKS) == BookTop(
            "ethbtc", 2, None, numbers(bids), numbers(ASKS[:2])
        )
        asks = [("0.0705", "1"), ASKS[0]]
        assert frames.say(bids, asks) == BookTop("ethbtc", 3, None, numbers(bids), numbers(asks))
        assert frames.say(bids, asks) == Unchanged("ethbtc")

    def test_equal_numbers_in_another_spelling_are_no_change(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS)
        other = [("0.070", "1.50"), ("0.06", "2.0")]
        assert frames.say(other, ASKS) == Unchanged("ethbtc")
        assert frames.say(other, ASKS) == Unchanged("ethbtc")

    def test_a_longer_amount_that_begins_alike_is_a_change(self) -> None:
        frames = Frames(depth=1)
        frames.say([("5", "1.2")], [("6", "1")])
        assert isinstance(frames.say([("5", "1.23")], [("6", "1")]), BookTop)

    def test_a_side_may_run_dry_and_come_back(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS)
        assert frames.say([], ASKS) == BookTop("ethbtc", 2, None, (), numbers(ASKS[:2]))
        assert frames.say([], ASKS) == Unchanged("ethbtc")
        assert isinstance(frames.say(BIDS, ASKS), BookTop)
        assert isinstance(frames.say(BIDS[:1], ASKS), BookTop)
        assert isinstance(frames.say(BIDS[:2], ASKS), BookTop)

    def test_levels_behind_unusable_ones_fill_the_depth(self) -> None:
        frames = Frames(depth=2)
        holed = [BIDS[0], *((f"0.06{n:02}", "0.00") for n in range(99, 89, -1)), *BIDS[1:]]
        assert frames.say(holed, ASKS) == BookTop(
            "ethbtc", 1, None, numbers(BIDS[:2]), numbers(ASKS[:2])
        )
        assert frames.say(holed, ASKS) == Unchanged("ethbtc")
        assert isinstance(frames.say([*holed[:-2], BIDS[2]], ASKS), BookTop)

    def test_a_crossed_book_is_passed_on(self) -> None:
        assert isinstance(Frames().say(BIDS, BIDS[:1]), BookTop)

    def test_a_bad_book_leaves_the_last_one_and_names_its_symbol(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS)
        with pytest.raises(FrameError) as caught:
            frames.say([BIDS[1], BIDS[0]], ASKS)
        assert (caught.value.reason, caught.value.symbol) == ("unsorted", "ethbtc")
        assert frames.say(BIDS, ASKS) == Unchanged("ethbtc")

    @pytest.mark.parametrize(
        "text",
        [
            b'"bids":[["1","2"],["0.5","1"] ],"asks":[["2","1"] ]',
            b'"bids":[["1","2","3"]],"asks":[["2","1"]]',
            b'"bids":[["1",{"x":[]}]],"asks":[["2","1"]]',
            b'"bids":[["1","2"],,],"asks":[["2","1"]]',
        ],
    )
    def test_text_that_it_does_not_know_is_left_to_the_json_decoder(self, text: bytes) -> None:
        known = ChangeFilter("ethbtc", 2)
        with pytest.raises(UnfamiliarText):
            known.compare(text, text.index(b'"bids":[') + 8, text.find(b'"asks":[') + 8, 1, None)


class TestOrder:
    def test_a_repeated_frame_is_harmless(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS, seq=5)
        assert frames.say(BIDS, ASKS, seq=5) == Unchanged("ethbtc")
        assert frames.say(BIDS, ASKS, seq=4) == Unchanged("ethbtc")

    @pytest.mark.parametrize("late", [4, 5])
    def test_a_different_book_that_is_not_newer_is_refused(self, late: int) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS, seq=5)
        with pytest.raises(FrameError) as caught:
            frames.say(BIDS[1:], ASKS, seq=late)
        assert (caught.value.reason, caught.value.symbol) == ("out_of_order", "ethbtc")
        assert isinstance(frames.say(BIDS[1:], ASKS, seq=6), BookTop)

    def test_an_unchanged_book_moves_the_order_on(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS, seq=5)
        frames.say(BIDS, ASKS, seq=9)
        with pytest.raises(FrameError):
            frames.say(BIDS[1:], ASKS, seq=7)

    def test_a_counter_that_went_back_for_good_breaks_the_book(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS, seq=1000)
        for seq in range(1, OLDER_IN_A_ROW):
            with pytest.raises(FrameError):
                frames.say(BIDS[1:], ASKS, seq=seq)
        broken = frames.say(BIDS[1:], ASKS, seq=OLDER_IN_A_ROW)
        assert isinstance(broken, Broken)
        assert (broken.symbol, broken.cause) == ("ethbtc", "reset")

    def test_a_newer_book_between_older_ones_proves_the_counter(self) -> None:
        frames = Frames()
        frames.say(BIDS, ASKS, seq=1000)
        for seq in range(1001, 1001 + 2 * OLDER_IN_A_ROW):
            with pytest.raises(FrameError):
                frames.say(BIDS[1:], ASKS, seq=1)
            frames.say(BIDS, ASKS, seq=seq)

    @pytest.mark.parametrize("seq", [-1, MAX_SEQ + 1])
    def test_a_sequence_that_cannot_be_one_is_refused(self, seq: int) -> None:
        with pytest.raises(FrameError) as caught:
            ChangeFilter("ethbtc", 2).whole(numbers(BIDS), numbers(ASKS), seq, None)
        assert (caught.value.reason, caught.value.symbol) == ("bad_sequence", "ethbtc")


class TestSeed:
    """A book that REST gave, and the frames that come after it."""

    def frames(self) -> Frames:
        frames = Frames()
        seed = BookTop("ethbtc", 10, None, numbers(BIDS[:2]), numbers(ASKS[:2]))
        assert frames.filter.seed(seed) == (seed,)
        assert frames.filter.seq == 10
        return frames

    def test_older_frames_are_no_news_however_they_differ(self) -> None:
        frames = self.frames()
        for seq in range(10 - OLDER_IN_A_ROW + 1, 10):
            assert frames.say(BIDS[1:], ASKS, seq) == Unchanged("ethbtc")
        assert frames.filter.seq == 10
        assert isinstance(frames.say(BIDS[1:], ASKS, 11), BookTop)

    def test_its_own_frame_is_no_news_where_it_is_the_same(self) -> None:
        frames = self.frames()
        assert frames.say(BIDS, ASKS, 10) == Unchanged("ethbtc")
        with pytest.raises(FrameError, match="out_of_order"):
            frames.say(BIDS[1:], ASKS, 10)

    def test_its_own_frame_is_believed_where_it_differs(self) -> None:
        top = self.frames().say(BIDS[1:], ASKS, 10)
        assert isinstance(top, BookTop)
        assert (top.venue_seq, top.bids) == (10, numbers(BIDS[1:]))

    def test_a_newer_frame_that_changes_nothing_moves_the_order_on(self) -> None:
        frames = self.frames()
        assert frames.say(BIDS, ASKS, 12) == Unchanged("ethbtc")
        assert frames.filter.seq == 12
        with pytest.raises(FrameError, match="out_of_order"):
            frames.say(BIDS[1:], ASKS, 11)

    def test_a_stream_that_counts_otherwise_breaks_the_book(self) -> None:
        frames = self.frames()
        said = [frames.say(BIDS[1:], ASKS, seq) for seq in range(1, OLDER_IN_A_ROW + 1)]
        assert isinstance(said[-1], Broken)
        assert said[-1].cause == "reset"


class TestBothWays:
    @given(st.data())
    def test_bytes_say_what_a_full_decode_says(self, data: st.DataObject) -> None:
        """A run of random books, each seen both ways, one filter for each way."""
        depth = data.draw(st.integers(1, 5))
        by_bytes, in_full = Frames(depth), ChangeFilter("ethbtc", depth)
        prices = st.integers(1, 12).map(lambda tick: f"0.{tick:04}")
        amounts = st.sampled_from(["1", "2.5", "0.00000001", "0", "0.000"])
        side = st.lists(st.tuples(prices, amounts), max_size=8, unique_by=lambda level: level[0])
        for seq in range(1, 8):
            bids = sorted(data.draw(side), reverse=True)
            asks = sorted(data.draw(side))
            (expected,) = in_full.whole(numbers(bids), numbers(asks), seq, None)
            assert by_bytes.say(bids, asks) == expected


class TestFilters:
    def test_a_channel_is_its_symbol_between_prefix_and_suffix(self) -> None:
        filters = ChangeFilters(2, prefix="book_", suffix="@x")
        known = filters.of(b"book_ethbtc@x")
        assert known is filters.of(b"book_ethbtc@x")
        assert known.whole((), (), 1, None) == (BookTop("ethbtc", 1, None, (), ()),)

    @pytest.mark.parametrize(
        "channel",
        [
            b"",
            b"book_@x",
            b"book_ethbtc",
            b"ethbtc@x",
            b"book_\xff@x",
            b"book_" + b"x" * 99 + b"@x",
        ],
    )
    def test_other_channels_are_refused(self, channel: bytes) -> None:
        with pytest.raises(FrameError) as caught:
            ChangeFilters(2, prefix="book_", suffix="@x").of(channel)
        assert caught.value.reason == "unknown_channel"

    def test_a_forgotten_symbol_begins_anew(self) -> None:
        filters = ChangeFilters(2, suffix="@x")
        filters.of(b"ethbtc@x").whole((), (), 9, None)
        filters.forget("ethbtc")
        filters.forget("never heard of")
        assert filters.of(b"ethbtc@x").whole((), (), 1, None) == (
            BookTop("ethbtc", 1, None, (), ()),
        )

    def test_nonsense_names_do_not_fill_the_memory(self) -> None:
        filters = ChangeFilters(2)
        first = filters.of(b"first")
        for number in range(MAX_SYMBOLS):
            filters.of(b"nonsense%d" % number)
        assert len(filters._filters) == MAX_SYMBOLS
        assert filters.of(b"first") is not first
