from __future__ import annotations

from aggregator.encoding import (
    ASKS,
    BIDS,
    encode_feed,
    encode_feed_age,
    encode_merged_level,
    encode_view,
    level_encoder,
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
    )
    (feed,) = pb.Book.FromString(encoded + encode_feed_age(age_ns)).venues
    assert (feed.venue, int(feed.state), feed.reason) == (venue, int(state), reason)
    assert (feed.ts_event if feed.HasField("ts_event") else None) == ts_event
    assert (feed.venue_seq, feed.ts_recv, feed.ts_pub) == (venue_seq, ts_recv, ts_pub)
    assert feed.age_ns == age_ns
    assert (feed.score if feed.HasField("score") else None) == score[0]
    assert (feed.score_total if feed.HasField("score_total") else None) == score[1]
    assert feed.depth == depth


@given(numbers, numbers, st.lists(st.tuples(names, numbers), max_size=4))
def test_a_merged_level_reads_back(
    price: float, amount: float, shares: list[tuple[str, float]]
) -> None:
    (level,) = pb.Liquidity.FromString(encode_merged_level(BIDS, price, amount, shares)).bids
    assert (level.price, level.amount) == (price, amount)
    assert [(share.venue, share.amount) for share in level.shares] == shares


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
