"""Comparisons of books with other words of their venue, and when they are a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_common.types import Level
from dragonfly_venues.binance.decoder import BinanceDecoder
from dragonfly_venues.events import Bbo, BookTop
from feed_listener.audit.comparing import (
    BEHIND_S,
    EPISODE_S,
    FAULT_AFTER,
    Audit,
    Audits,
    Result,
    Verdict,
    Watch,
)
from hypothesis import given
from hypothesis import strategies as st

CAPTURES = Path(__file__).parents[4] / "shared" / "captures" / "binance"

AGREED, DISAGREED, NOT_COMPARABLE = Result.AGREED, Result.DISAGREED, Result.NOT_COMPARABLE
ASK: Level = (99.0, 1.0)


def bbo(seq: int, price: float = 10.0) -> Bbo:
    return Bbo("ethbtc", seq, (price, 1.0), ASK)


def top(seq: int, price: float = 10.0, *deeper: Level) -> BookTop:
    return BookTop("ethbtc", seq, None, ((price, 1.0), *deeper), (ASK,))


class Judge:
    """Audits, of which only best prices are asked."""

    def __init__(self) -> None:
        self._audits = Audits()

    def hear(self, said: Bbo, book: BookTop, now: float = 0.0) -> Result:
        return self._audits.judge_bbo(said, book.venue_seq, book, now).result


def test_best_prices_hold_until_the_next_ones() -> None:
    judge = Judge()
    assert judge.hear(bbo(5), top(4)) is NOT_COMPARABLE
    assert judge.hear(bbo(9, 11.0), top(7)) is AGREED
    assert judge.hear(bbo(12, 12.0), top(10, 10.0)) is DISAGREED


def test_best_prices_of_the_books_own_sequence_decide_at_once() -> None:
    assert Judge().hear(bbo(5), top(5)) is AGREED
    assert Judge().hear(bbo(5), top(5, 11.0)) is DISAGREED


def test_a_book_counts_once() -> None:
    judge = Judge()
    assert judge.hear(bbo(5), top(5)) is AGREED
    assert judge.hear(bbo(6, 11.0), top(5)) is NOT_COMPARABLE


def test_a_book_that_has_not_come_to_the_last_best_prices_is_not_compared() -> None:
    judge = Judge()
    judge.hear(bbo(5), top(1))
    judge.hear(bbo(6, 11.0), top(1))
    assert judge.hear(bbo(7, 12.0), top(5, 8.0)) is NOT_COMPARABLE


def test_best_prices_out_of_order_mean_nothing() -> None:
    judge = Judge()
    judge.hear(bbo(5), top(4))
    assert judge.hear(bbo(5, 11.0), top(5)) is NOT_COMPARABLE
    assert judge.hear(bbo(4, 11.0), top(4)) is NOT_COMPARABLE


def test_a_book_that_stands_still_while_the_market_moves_disagrees() -> None:
    judge = Judge()
    still = top(4)
    assert judge.hear(bbo(5, 11.0), still, 0.0) is NOT_COMPARABLE
    assert judge.hear(bbo(6, 12.0), still, BEHIND_S - 0.1) is NOT_COMPARABLE
    assert judge.hear(bbo(7, 13.0), still, BEHIND_S) is DISAGREED
    assert judge.hear(bbo(8, 10.0), still, BEHIND_S + 1) is NOT_COMPARABLE
    assert judge.hear(bbo(9, 13.0), still, BEHIND_S + 1.1) is NOT_COMPARABLE


def test_a_book_that_never_rests_stands_still_sooner() -> None:
    audits, still = Audits(), top(4)
    for seq, now in ((5, 0.0), (6, 0.4)):
        said = audits.judge_bbo(bbo(seq, 6.0 + seq), 4, still, now, behind_s=0.5)
        assert said.result is NOT_COMPARABLE
    assert audits.judge_bbo(bbo(7, 13.0), 4, still, 0.5, behind_s=0.5).result is DISAGREED


def test_a_book_that_moves_is_not_behind_however_late_it_is() -> None:
    judge = Judge()
    for second in range(10):
        said, book = bbo(1000 + second, 20.0 + second), top(second, 10.0 + second)
        assert judge.hear(said, book, float(second)) is NOT_COMPARABLE


def test_an_empty_side_is_compared_too() -> None:
    audits = Audits()
    empty = BookTop("ethbtc", 5, None, (), (ASK,))
    said = Bbo("ethbtc", 5, (10.0, 1.0), ASK)
    verdict = audits.judge_bbo(said, 5, empty, 0.0)
    assert verdict == Verdict(
        DISAGREED,
        "the book at 5 shows nothing / 99.0 x 1.0, its best prices were 10.0 x 1.0 / 99.0 x 1.0"
        " at 5",
    )
    assert audits.judge_bbo(Bbo("ethbtc", 6, None, ASK), 6, empty, 0.0).result is AGREED


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=30),
    st.data(),
)
def test_a_true_book_never_disagrees_however_the_channels_interleave(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    seq, best = 0, -1
    truth: list[tuple[int, int]] = []
    said: list[Bbo] = []
    for add, price in steps:
        seq += add
        truth.append((seq, price))
        if price != best:
            best = price
            said.append(bbo(seq, 10.0 + price))
    audits, book = Audits(), 0
    for one in said:
        book = data.draw(st.integers(book, len(truth) - 1))
        at, price = truth[book]
        verdict = audits.judge_bbo(one, at, top(at, 10.0 + price), 0.0)
        assert verdict.result is not DISAGREED


def test_a_snapshot_is_held_against_the_state_of_its_sequence() -> None:
    watch = Watch("ethbtc")
    watch.note(4, top(4))
    watch.note(6, top(6, 11.0))
    assert watch.judge(top(4)).result is AGREED
    assert watch.judge(top(5)).result is NOT_COMPARABLE
    assert watch.judge(top(3)).result is NOT_COMPARABLE
    assert watch.judge(top(6, 11.0, (9.0, 2.0))) == Verdict(
        DISAGREED, "bid 2 of the book at 6 is nothing, of the snapshot at 6 9.0 x 2.0"
    )


def test_a_book_that_never_reached_the_snapshot_is_taken_as_it_stands() -> None:
    watch = Watch("ethbtc")
    assert watch.judge(top(9)).result is NOT_COMPARABLE
    watch.note(4, top(4))
    assert watch.has_reached(4)
    assert not watch.has_reached(9)
    assert watch.judge(top(9)).result is AGREED
    assert watch.judge(top(9, 11.0)).result is DISAGREED


def test_a_book_that_was_dropped_meanwhile_is_not_compared() -> None:
    watch = Watch("ethbtc")
    watch.note(4, top(4))
    watch.void = True
    assert watch.has_reached(9)
    assert watch.judge(top(4)).result is NOT_COMPARABLE


class TestFaults:
    def test_so_many_in_a_row_are_a_fault(self) -> None:
        audits = Audits()
        wrong = Verdict(DISAGREED, "so")
        for _ in range(FAULT_AFTER - 1):
            assert not audits.note("ethbtc", Audit.BBO, wrong, 0.0)[1]
        assert not audits.note("btcusdt", Audit.BBO, wrong, 0.0)[1]
        assert not audits.note("ethbtc", Audit.SNAPSHOT, wrong, 0.0)[1]
        assert audits.note("ethbtc", Audit.BBO, wrong, 0.0)[1]

    @pytest.mark.parametrize("how", ["agreed", "forgotten"])
    def test_what_agrees_between_them_or_begins_anew_starts_the_count_again(self, how: str) -> None:
        audits = Audits()
        for _ in range(FAULT_AFTER * 2):
            assert not audits.note("ethbtc", Audit.BBO, Verdict(DISAGREED), 0.0)[1]
            if how == "agreed":
                audits.note("ethbtc", Audit.BBO, Verdict(AGREED), 0.0)
            else:
                audits.forget("ethbtc")

    def test_an_episode_is_told_once(self) -> None:
        audits = Audits()
        told = [
            audits.note("ethbtc", Audit.BBO, Verdict(DISAGREED), at)[0]
            for at in (0.0, 1.0, EPISODE_S, 2 * EPISODE_S)
        ]
        assert told == [True, False, False, True]


@pytest.mark.needs(CAPTURES)
def test_recorded_books_agree_with_the_best_prices_recorded_beside_them() -> None:
    books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
    seqs: dict[str, int] = {}

    def take(symbol: str, seq: int, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, levels in zip(books.setdefault(symbol, ({}, {})), (bids, asks), strict=True):
            side.update((float(price), float(amount)) for price, amount in levels)
            for price in [price for price, amount in side.items() if not amount]:
                del side[price]
        seqs[symbol] = seq

    for line in (CAPTURES / "BINANCE.http.0.0").read_text().splitlines():
        if "/depth?symbol=" in line:
            symbol = line.partition("symbol=")[2].partition("&")[0].lower()
            told = json.loads(line[line.index("{") :])
            take(symbol, told["lastUpdateId"], told["bids"], told["asks"])

    audits, decoder = Audits(), BinanceDecoder(10)
    results = dict.fromkeys(Result, 0)
    for line in (CAPTURES / "BINANCE.ws.1.0").read_text().splitlines()[1:]:
        time_s, _, frame = line.partition(": ")
        if "@depth" in frame:
            told = json.loads(frame)["data"]
            symbol = told["s"].lower()
            if told["u"] > seqs[symbol]:
                take(symbol, told["u"], told["b"], told["a"])
        elif "@bookTicker" in frame:
            (said,) = decoder.decode(frame.encode())
            assert isinstance(said, Bbo)
            bids, asks = books[said.symbol]
            book = BookTop(
                said.symbol,
                seqs[said.symbol],
                None,
                tuple(sorted(bids.items(), reverse=True)[:1]),
                tuple(sorted(asks.items())[:1]),
            )
            verdict = audits.judge_bbo(said, book.venue_seq, book, float(time_s))
            results[verdict.result] += 1
    assert results[DISAGREED] == 0
    assert results[AGREED] > 40
