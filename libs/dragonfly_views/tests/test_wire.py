from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from dragonfly_common.errors import DecodeError
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.wire import AGES_HOLD_NS, SharedView, cut, seal, wrap
from google.protobuf.message import DecodeError as ProtobufError
from hypothesis import given
from hypothesis import strategies as st
from view_world import a_view

names = st.text(max_size=12)
numbers = st.floats(allow_nan=False)
uint64s = st.integers(0, 2**64 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
depths = st.integers(0, 20)

levels = st.lists(st.builds(pb.Level, venue=names, price=numbers, amount=numbers), max_size=15)
shares = st.lists(st.builds(pb.Share, venue=names, amount=numbers), max_size=3)
merged = st.lists(
    st.builds(pb.MergedLevel, price=numbers, amount=numbers, shares=shares), max_size=15
)
feeds = st.lists(
    st.builds(pb.VenueFeed, venue=names, reason=names, venue_seq=uint64s, ts_event=int64s),
    max_size=4,
)


def views(kind: type[pb.Book | pb.Liquidity]) -> st.SearchStrategy[pb.Book | pb.Liquidity]:
    side = levels if kind is pb.Book else merged
    make: Callable[..., pb.Book | pb.Liquidity] = kind
    return st.builds(
        make,
        spread=numbers,
        bids=side,
        asks=side,
        instrument=names,
        venues=feeds,
        live=st.booleans(),
        epoch=uint64s,
        seq=uint64s,
        ts_agg=int64s,
    )


any_view = st.one_of(views(pb.Book), views(pb.Liquidity))


@given(any_view, depths)
def test_cut_keeps_everything_but_the_levels_beyond_the_depth(
    view: pb.Book | pb.Liquidity, depth: int
) -> None:
    expected = type(view).FromString(view.SerializeToString())
    del expected.bids[depth:]
    del expected.asks[depth:]
    assert cut(view.SerializeToString(), depth) == expected.SerializeToString()


@given(st.lists(views(pb.Book), min_size=1, max_size=3), depths)
def test_cut_takes_fields_in_any_order(parts: list[pb.Book], depth: int) -> None:
    body = b"".join(part.SerializeToString() for part in parts)
    expected = pb.Book.FromString(body)
    del expected.bids[depth:]
    del expected.asks[depth:]
    assert pb.Book.FromString(cut(body, depth)) == expected


@given(st.binary(max_size=60), depths)
def test_cut_of_arbitrary_bytes_is_an_error_or_is_understood_by_protobuf(
    body: bytes, depth: int
) -> None:
    with suppress(DecodeError):
        shorter = cut(body, depth)
        assert len(shorter) <= len(body)
        assert cut(shorter, depth) == shorter


@given(any_view, st.data())
def test_cut_of_a_torn_message_is_an_error_or_ends_at_a_field(
    view: pb.Book | pb.Liquidity, data: st.DataObject
) -> None:
    body = view.SerializeToString()
    torn = body[: data.draw(st.integers(0, len(body)))]
    try:
        type(view).FromString(torn)
    except ProtobufError:
        with pytest.raises(DecodeError):
            cut(torn, 20)
    else:
        assert cut(torn, 20) == torn


@pytest.mark.parametrize(
    "body",
    [
        b"\x0b\x0c",  # a group: proto3 has none
        b"\x0e",  # wire type 6
        b"\x12\x05abc",  # shorter than it says
        b"\x09\x00\x00",  # half a double
        b"\x80",  # half a varint
        b"\x80" * 11 + b"\x00",  # a varint too long
        b"\x12",  # no length
    ],
)
def test_cut_refuses_what_is_no_message(body: bytes) -> None:
    with pytest.raises(DecodeError, match="bad_view"):
        cut(body, 1)


@given(any_view, uint64s, int64s)
def test_seal_appends_the_trailer(view: pb.Book | pb.Liquidity, replaced: int, ts_out: int) -> None:
    read = type(view).FromString(seal(view.SerializeToString(), replaced, ts_out))
    view.replaced, view.ts_out = replaced, ts_out
    assert read == view


def test_seal_omits_a_replaced_of_zero_as_protobuf_does() -> None:
    assert seal(b"", 0, 5) == pb.Book(ts_out=5).SerializeToString()
    assert seal(b"", 300, 5) == pb.Book(replaced=300, ts_out=5).SerializeToString()


@given(any_view, st.integers(1, 2**64 - 1))
def test_wrap_makes_a_session_update(view: pb.Book | pb.Liquidity, number: int) -> None:
    if isinstance(view, pb.Book):
        kind, expected = ViewKind.BOOK, pb.SessionUpdate(book=view, number=number)
    else:
        kind, expected = ViewKind.LIQUIDITY, pb.SessionUpdate(liquidity=view, number=number)
    assert wrap(kind, view.SerializeToString(), number) == expected.SerializeToString()


def test_wrap_of_a_bbo() -> None:
    bbo = pb.Bbo(instrument="ETH-BTC")
    wrapped = wrap(ViewKind.BBO, bbo.SerializeToString(), 1)
    assert wrapped == pb.SessionUpdate(bbo=bbo, number=1).SerializeToString()


def test_a_shared_view_is_cut_once_for_all() -> None:
    level = pb.Level(price=1.0)
    view = a_view(pb.Book(bids=[level] * 5).SerializeToString(), depth=5)
    assert view.at(2, 0) is view.at(2, AGES_HOLD_NS)
    assert len(pb.Book.FromString(view.at(2, 0)).bids) == 2


def test_a_form_of_a_shared_view_is_made_once_for_all_of_a_depth() -> None:
    view = pb.Book(bids=[pb.Level(price=price) for price in (3, 2, 1)])
    shared = SharedView(ViewKind.BOOK, view.SerializeToString(), 3, 0, live=True)
    made: list[bytes] = []

    def count_bids(body: bytes) -> int:
        made.append(body)
        return len(pb.Book.FromString(body).bids)

    assert [shared.form(count_bids, depth) for depth in (2, 3, 2, 3)] == [2, 3, 2, 3]
    assert len(made) == 2
    assert shared.form(len) == len(view.SerializeToString())


def test_a_shared_view_is_untouched_where_it_is_shallow_enough() -> None:
    body = b"\xff not even protobuf"
    assert a_view(body, depth=5).at(5, 0) is body
    assert a_view(body, depth=5).at(20, 0) is body


@pytest.mark.parametrize(
    ("kind", "made"),
    [(ViewKind.BOOK, pb.Book), (ViewKind.BBO, pb.Bbo), (ViewKind.LIQUIDITY, pb.Liquidity)],
)
def test_ages_are_told_as_of_now_once_a_view_has_rested(
    kind: ViewKind, made: type[pb.Book | pb.Bbo | pb.Liquidity]
) -> None:
    feeds = [pb.VenueFeed(venue="a", ts_recv=50, age_ns=5), pb.VenueFeed(venue="never heard")]
    body = made(instrument="ETH-BTC", venues=feeds, seq=7).SerializeToString()
    view = SharedView(kind, body, 20, aged_at_ns=55, live=True)
    assert view.at(20, 55 + AGES_HOLD_NS) is body
    later = 56 + AGES_HOLD_NS
    told = made.FromString(view.at(20, later))
    assert [feed.age_ns for feed in told.venues] == [later - 50, 0]
    assert view.at(20, later) is view.at(20, later)
    told.venues[0].age_ns = 5
    assert told == made.FromString(body)


def test_a_cut_view_tells_its_age_as_of_now_too() -> None:
    level, feed = pb.Level(price=1.0), pb.VenueFeed(venue="a", ts_recv=1)
    body = pb.Book(bids=[level] * 5, venues=[feed]).SerializeToString()
    view = SharedView(ViewKind.BOOK, body, 5, aged_at_ns=1, live=True)
    for now_ns in (1, AGES_HOLD_NS * 2, AGES_HOLD_NS * 4):
        book = pb.Book.FromString(view.at(2, now_ns))
        assert (len(book.bids), book.venues[0].age_ns) == (2, now_ns - 1 if now_ns > 1 else 0)


def test_a_clock_that_was_set_back_makes_no_age_negative() -> None:
    body = pb.Book(venues=[pb.VenueFeed(venue="a", ts_recv=10**18)]).SerializeToString()
    view = SharedView(ViewKind.BOOK, body, 5, aged_at_ns=0, live=True)
    assert pb.Book.FromString(view.at(5, 10**17)).venues[0].age_ns == 0
