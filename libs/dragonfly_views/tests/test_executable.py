"""What sizes cost on a view: the answers are the walk's, and say what was left out and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide
from dragonfly_pricing.fees import FREE, FeeTable
from dragonfly_pricing.offers import Offer
from dragonfly_pricing.walking import Execution, walk
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views import executable
from dragonfly_views.executable import PricedView, PriceQuestion

BINANCE = [(100.0, 1.5), (101.0, 2.0)]
KRAKEN = [(100.5, 1.0), (102.0, 4.0)]
FEES = FeeTable.of({"binance": 10, "kraken": 26})


def make_view(**changed: Any) -> pb.Book:
    levels = sorted([(p, a, "binance") for p, a in BINANCE] + [(p, a, "kraken") for p, a in KRAKEN])
    feeds = [
        pb.VenueFeed(venue="binance", state=pb.STATE_LIVE, venue_seq=5, ts_recv=100),
        pb.VenueFeed(venue="bitstamp", state=pb.STATE_DOWN, reason="no connection"),
        pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=6, ts_recv=100),
    ]
    return pb.Book(
        spread=0.5,
        bids=[pb.Level(venue="kraken", price=99.5, amount=1.0)],
        asks=[pb.Level(venue=venue, price=price, amount=a) for price, a, venue in levels],
        instrument="ETH-BTC",
        venues=feeds,
        live=True,
        epoch=7,
        seq=8,
        ts_agg=200,
        **changed,
    )


def ask(view: pb.Book, lots: dict[str, Decimal] | None = None, **changed: Any) -> pb.Executable:
    question = PriceQuestion(
        OrderSide.BUY, (Decimal(2), Decimal(4)), False, (), FEES, pb.FEE_SOURCE_REQUEST
    )._replace(**changed)
    priced = PricedView(view.SerializeToString())
    return pb.Executable.FromString(priced.book(300) + priced.answer(question, lots or {}))


def test_an_answer_is_the_walk_over_the_live_venues_and_names_its_book() -> None:
    told = ask(make_view())
    offers = [Offer("binance", BINANCE, Decimal(10)), Offer("kraken", KRAKEN, Decimal(26))]
    prices = walk(OrderSide.BUY, offers, [Decimal(2), Decimal(4)], mid=Decimal("99.75"))
    for said, price in zip(told.prices, prices, strict=True):
        assert said.complete
        assert (said.size, said.filled) == (float(price.size), float(price.filled))
        assert said.net_avg == float(price.net_avg or 0)
        assert said.cost_bps == float(price.cost_bps or 0)
        assert [(part.venue, part.amount, part.fee) for part in said.parts] == [
            (fill.venue, float(fill.amount), float(fill.fee)) for fill in price.fills
        ]
    assert (told.mid, told.fee_source, told.side) == (99.75, pb.FEE_SOURCE_REQUEST, pb.SIDE_BUY)
    assert (told.spread, told.instrument, told.live) == (0.5, "ETH-BTC", True)
    assert (told.epoch, told.seq, told.ts_agg) == (7, 8, 200)
    assert [(feed.venue, feed.venue_seq, feed.age_ns) for feed in told.venues] == [
        ("binance", 5, 200),
        ("bitstamp", 0, 0),
        ("kraken", 6, 200),
    ]


def test_of_a_deep_book_no_more_is_read_than_the_sizes_take() -> None:
    view = make_view()
    asks = [(100 + n / 8, 1.0 + n % 3, ("binance", "kraken")[n % 7 > 2]) for n in range(400)]
    del view.asks[:]
    view.asks.extend(pb.Level(venue=venue, price=p, amount=a) for p, a, venue in asks)
    view.asks.add(venue="kraken", price=float("nan"), amount=1.0)
    priced = PricedView(view.SerializeToString())
    offers = [
        Offer(venue, [(p, a) for p, a, of in asks if of == venue], fee)
        for venue, fee in (("binance", Decimal(10)), ("kraken", Decimal(26)))
    ]
    for size in map(Decimal, (1, 300, 50, 600)):
        question = PriceQuestion(OrderSide.BUY, (size,), False, (), FEES, pb.FEE_SOURCE_REQUEST)
        (said,) = pb.Executable.FromString(priced.answer(question, {})).prices
        (price,) = walk(OrderSide.BUY, offers, [size])
        assert said.complete
        assert said.net_avg == float(price.net_avg or 0)
        assert [(part.amount, part.exhausted) for part in said.parts] == [
            (float(fill.amount), fill.exhausted) for fill in price.fills
        ]
    for _ in range(2):  # it stays a bad one
        with pytest.raises(DecodeError, match="bad_view: a level nan"):
            priced.answer(question._replace(sizes=(Decimal(10_000),)), {})


def test_who_is_left_out_is_named_with_the_reason() -> None:
    fees = FeeTable.of({"binance": 10})
    left_out = [(one.venue, one.reason) for one in ask(make_view(), fees=fees).left_out]
    assert left_out == [
        ("bitstamp", "DOWN: no connection"),
        ("kraken", "no fee of it in the table"),
    ]
    left_out = [
        (one.venue, one.reason)
        for one in ask(make_view(), side=OrderSide.SELL, venues=("binance", "okx")).left_out
    ]
    assert left_out == [
        ("binance", "nothing on this side"),
        ("bitstamp", "not asked for"),
        ("kraken", "not asked for"),
        ("okx", "no venue of this system"),
    ]


def test_without_a_side_there_is_no_mid_and_no_cost() -> None:
    view = make_view()
    del view.bids[:]
    told = ask(view, fees=FREE)
    assert not told.HasField("mid")
    assert not told.prices[0].HasField("cost_bps")
    told = ask(view, side=OrderSide.SELL)
    assert [(one.complete, one.filled, one.HasField("net_avg")) for one in told.prices] == [
        (False, 0, False)
    ] * 2


def test_amounts_are_whole_lots_of_their_venue() -> None:
    told = ask(make_view(), {"binance": Decimal(1)})
    assert [part.amount for part in told.prices[1].parts] == [3, 1]  # of 3.5 and 5 there are


def test_in_an_equivalence_a_venue_is_there_for_each_instrument_and_has_no_lots() -> None:
    feeds = [
        pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, instrument=name)
        for name in ("BTC-USD", "BTC-USDT")
    ]
    asks = [
        pb.Level(venue="kraken", price=100.0, amount=1.5, instrument="BTC-USD"),
        pb.Level(venue="kraken", price=100.1, amount=1.5, instrument="BTC-USDT"),
    ]
    told = ask(pb.Book(asks=asks, venues=feeds, live=True), {"kraken": Decimal(1)})
    assert [(part.instrument, part.amount) for part in told.prices[0].parts] == [
        ("BTC-USD", 1.5),
        ("BTC-USDT", 0.5),
    ]


def test_all_who_ask_the_same_share_one_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[object] = []

    def counted(*given: object, **_: object) -> list[Execution]:
        walks.append(given)
        return []

    monkeypatch.setattr(executable, "walk", counted)
    priced = PricedView(make_view().SerializeToString())
    question = PriceQuestion(OrderSide.BUY, (Decimal(1),), False, (), FREE, pb.FEE_SOURCE_NONE)
    assert priced.answer(question, {}) == priced.answer(question._replace(), {})
    priced.answer(question._replace(in_quote=True), {})
    assert len(walks) == 2


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0, -1.0])
def test_bytes_that_are_no_view_are_one_kind_of_error(number: float) -> None:
    with pytest.raises(DecodeError, match="bad_view"):
        PricedView(b"\xff")
    view = make_view()
    view.asks[0].price = number
    with pytest.raises(DecodeError, match="bad_view: a level"):
        ask(view)
