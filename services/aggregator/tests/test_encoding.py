from __future__ import annotations

from aggregator.encoding import (
    ASKS,
    BIDS,
    converted_level_encoder,
    encode_conversion,
    encode_feed,
    encode_feed_age,
    encode_merged_level,
    encode_view,
    level_encoder,
    level_origin,
)
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=25)
numbers = st.floats(allow_nan=False, allow_infinity=False)
stamps = st.integers(0, 2**63 - 1)
scores = st.none() | st.floats(0.0, 1.0)
levels = st.lists(st.tuples(names, numbers, numbers), max_size=5)


@given(names, numbers, levels, levels, st.booleans(), stamps, stamps, stamps)
def test_a_book_reads_back(
    instrument: str,
    spread: float,
    bids: list[tuple[str, float, float]],
    asks: list[tuple[str, float, float]],
    live: bool,
    epoch: int,
    seq: int,
    ts_agg: int,
) -> None:
    encoded = b"".join(
        level_encoder(side, venue)(price, amount)
        for side, levels in ((BIDS, bids), (ASKS, asks))
        for venue, price, amount in levels
    )
    body = encode_view(
        instrument, spread, encoded, b"", live=live, epoch=epoch, seq=seq, ts_agg=ts_agg
    )
    book = pb.Book.FromString(body)
    assert book.instrument == instrument
    assert book.spread == spread
    assert [(level.venue, level.price, level.amount) for level in book.bids] == bids
    assert [(level.venue, level.price, level.amount) for level in book.asks] == asks
    assert (book.live, book.epoch, book.seq, book.ts_agg) == (live, epoch, seq, ts_agg)


@given(
    names,
    st.sampled_from(FeedState),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    stamps,
    st.none() | stamps,
    stamps,
    stamps,
    stamps,
    st.tuples(scores, scores),
    st.integers(0, 1000),
    st.just("") | names,
    st.none() | stamps,
)
def test_a_feed_reads_back(
    venue: str,
    state: FeedState,
    reason: str,
    venue_seq: int,
    ts_event: int | None,
    ts_recv: int,
    ts_pub: int,
    age_ns: int,
    score: tuple[float | None, float | None],
    depth: int,
    instrument: str,
    book_seq: int | None,
) -> None:
    encoded = encode_feed(
        venue,
        state=state,
        reason=reason,
        venue_seq=venue_seq,
        ts_event=ts_event,
        ts_recv=ts_recv,
        ts_pub=ts_pub,
        score=score[0],
        score_total=score[1],
        depth=depth,
        instrument=instrument,
        book_seq=book_seq,
    )
    (feed,) = pb.Book.FromString(encoded + encode_feed_age(age_ns)).venues
    assert (feed.venue, int(feed.state), feed.reason) == (venue, int(state), reason)
    assert (feed.ts_event if feed.HasField("ts_event") else None) == ts_event
    assert (feed.venue_seq, feed.ts_recv, feed.ts_pub) == (venue_seq, ts_recv, ts_pub)
    assert feed.age_ns == age_ns
    assert (feed.score if feed.HasField("score") else None) == score[0]
    assert (feed.score_total if feed.HasField("score_total") else None) == score[1]
    assert feed.depth == depth
    assert feed.book_seq == (book_seq or 0)
    assert feed.instrument == instrument


@given(names, names, numbers, numbers, numbers)
def test_a_converted_level_reads_back_and_says_where_it_is_from(
    venue: str, instrument: str, price: float, amount: float, original: float
) -> None:
    encoded = converted_level_encoder(ASKS, venue, instrument)(price, amount, original)
    (level,) = pb.Book.FromString(encoded).asks
    assert (level.venue, level.price, level.amount) == (venue, price, amount)
    assert (level.instrument, level.original_price) == (instrument, original)
    share = pb.Share.FromString(level_origin(encoded, venue))
    assert (share.instrument, share.original_price) == (instrument, original)
    assert level_origin(level_encoder(ASKS, venue)(price, amount), venue) == b""


@given(numbers, numbers, st.lists(st.tuples(names, numbers), max_size=4))
def test_a_merged_level_reads_back(
    price: float, amount: float, shares: list[tuple[str, float]]
) -> None:
    encoded = encode_merged_level(BIDS, price, amount, [(*share, b"") for share in shares])
    (level,) = pb.Liquidity.FromString(encoded).bids
    assert (level.price, level.amount) == (price, amount)
    assert [(share.venue, share.amount) for share in level.shares] == shares


@given(names, st.none() | st.tuples(numbers, numbers), st.integers(0, 2))
def test_a_conversion_reads_back(
    instrument: str, best: tuple[float, float] | None, feeds: int
) -> None:
    feed = encode_feed(
        "okx", state=FeedState.LIVE, reason="", venue_seq=7, ts_event=None, ts_recv=1, ts_pub=2
    ) + encode_feed_age(3)
    body = encode_view(
        "A-B",
        0.0,
        b"",
        b"",
        live=False,
        epoch=1,
        seq=1,
        ts_agg=1,
        conversions=encode_conversion(instrument, best, feed * feeds),
    )
    (read,) = pb.Book.FromString(body).conversions
    assert read.instrument == instrument
    assert (read.HasField("bid"), read.HasField("ask")) == (best is not None,) * 2
    assert best is None or (read.bid, read.ask) == best
    assert [(feed.venue, feed.venue_seq, feed.age_ns) for feed in read.venues] == [
        ("okx", 7, 3)
    ] * feeds


def test_a_book_of_one_level_is_a_bbo() -> None:
    levels = level_encoder(BIDS, "kraken")(1.0, 2.0) + level_encoder(ASKS, "binance")(3.0, 4.0)
    body = encode_view("ETH-BTC", 2.0, levels, b"", live=True, epoch=1, seq=1, ts_agg=1)
    bbo = pb.Bbo.FromString(body)
    assert (bbo.bid.venue, bbo.bid.price, bbo.ask.venue, bbo.ask.price) == (
        "kraken",
        1.0,
        "binance",
        3.0,
    )


def test_states_have_the_contracts_numbers() -> None:
    assert {f"STATE_{state.name}": int(state) for state in FeedState} == {
        name: number for name, number in pb.State.items() if number
    }
