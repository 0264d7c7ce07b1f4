"""The judge itself: it passes what is right, and names each way of being wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dragonfly_client import (
    Bbo,
    Book,
    Conversion,
    Level,
    Liquidity,
    MergedLevel,
    Share,
    State,
    VenueFeed,
    View,
)
from histories import Cut, Recorder
from oracle import (
    Excuse,
    History,
    Oracle,
    Rules,
    Run,
    Violation,
    expected_spread,
    judge_folder,
    misordered,
)
from truth import Truth

BINANCE_BIDS = [["65.12", "1.0"], ["65.10", "2.0"]]
BINANCE_ASKS = [["65.13", "3.0"], ["65.20", "4.0"]]
KRAKEN_BIDS = [["65.12", "5.0"], ["65.11", "6.0"]]
KRAKEN_ASKS = [["65.13", "3.0"], ["65.30", "7.0"]]


def truth_line(
    venue: str,
    venue_seq: int,
    bids: list[list[str]],
    asks: list[list[str]],
    instrument: str = "ETH-BTC",
) -> str:
    return json.dumps(
        {
            "venue": venue,
            "instrument": instrument,
            "venue_seq": venue_seq,
            "ts": 1,
            "bids": bids,
            "asks": asks,
        }
    )


def feed(venue: str, venue_seq: int, state: State = State.LIVE, reason: str = "") -> VenueFeed:
    return VenueFeed(venue, state, reason, 2, venue_seq, None, 1, 2)


def shared(book: Book) -> dict[str, Any]:
    """Return what every kind of view has in common."""
    return {one.name: getattr(book, one.name) for one in fields(View)}


@pytest.fixture
def oracle() -> Oracle:
    fault = {"fault": "gap", "venue": "kraken", "instrument": None, "ts": 5, "seconds": 1.0}
    truth = Truth(
        [
            truth_line("binance", 7, BINANCE_BIDS, BINANCE_ASKS),
            truth_line("binance", 8, BINANCE_BIDS[1:], BINANCE_ASKS),
            truth_line("binance", 9, BINANCE_ASKS, BINANCE_BIDS),
            truth_line("kraken", 100, KRAKEN_BIDS, KRAKEN_ASKS),
            json.dumps(fault),
        ]
    )
    return Oracle(truth, 3, Rules(within_s=9e9))


@pytest.fixture
def book() -> Book:
    """The true merge of binance 7 and kraken 100, cut to three levels."""
    return Book(
        instrument="ETH-BTC",
        spread=0.01,
        venues=(feed("binance", 7), feed("kraken", 100)),
        was_live=True,
        epoch=2,
        seq=1,
        ts_agg=3,
        replaced=0,
        ts_out=4,
        ts_in=5,
        bids=(
            Level("kraken", 65.12, 5.0),
            Level("binance", 65.12, 1.0),
            Level("kraken", 65.11, 6.0),
        ),
        asks=(
            Level("binance", 65.13, 3.0),
            Level("kraken", 65.13, 3.0),
            Level("binance", 65.2, 4.0),
        ),
    )


def test_what_is_right_passes(oracle: Oracle, book: Book) -> None:
    down = feed("kraken", 100, State.DOWN, "no listener")
    without_kraken = replace(
        book,
        seq=2,
        venues=(feed("binance", 7), down),
        bids=(Level("binance", 65.12, 1.0), Level("binance", 65.1, 2.0)),
        asks=(Level("binance", 65.13, 3.0), Level("binance", 65.2, 4.0)),
    )
    nothing = replace(
        without_kraken, seq=3, venues=(), was_live=False, spread=0.0, bids=(), asks=()
    )

    assert oracle.first_violation([book, book, without_kraken, nothing]) is None
    assert oracle.judged == 4
    # The gateway's own word, that no aggregator is there, stands outside of the count.
    assert oracle.first_violation([book, replace(nothing, epoch=0, seq=0), book]) is None
    # A new aggregator starts its count again.
    assert oracle.first_violation([replace(nothing, seq=9), replace(book, epoch=3)]) is None


@pytest.fixture
def bbo(book: Book) -> Bbo:
    return Bbo(bid=book.bids[0], ask=book.asks[0], **shared(book))


@pytest.fixture
def liquidity(book: Book) -> Liquidity:
    """Two venues at 65.12 and at 65.13; the amounts at each add up."""
    return Liquidity(
        bids=(
            MergedLevel(65.12, 6.0, (Share("kraken", 5.0), Share("binance", 1.0))),
            MergedLevel(65.11, 6.0, (Share("kraken", 6.0),)),
            MergedLevel(65.1, 2.0, (Share("binance", 2.0),)),
        ),
        asks=(
            MergedLevel(65.13, 6.0, (Share("binance", 3.0), Share("kraken", 3.0))),
            MergedLevel(65.2, 4.0, (Share("binance", 4.0),)),
            MergedLevel(65.3, 7.0, (Share("kraken", 7.0),)),
        ),
        **shared(book),
    )


def test_other_views_are_judged_by_the_same_truth(
    oracle: Oracle, bbo: Bbo, liquidity: Liquidity
) -> None:
    assert oracle.first_violation([bbo]) is None
    assert oracle.first_violation([liquidity]) is None
    for wrong in (
        replace(bbo, bid=None),
        replace(bbo, ask=Level("kraken", 65.13, 3.0)),
        replace(liquidity, asks=liquidity.asks[:2]),
        replace(liquidity, bids=(replace(liquidity.bids[0], amount=5.0), *liquidity.bids[1:])),
        replace(
            liquidity,
            bids=(
                replace(liquidity.bids[0], shares=liquidity.bids[0].shares[::-1]),
                *liquidity.bids[1:],
            ),
        ),
    ):
        violation = oracle.first_violation([wrong])
        assert violation is not None
        assert violation.rule == "not the merge of the truth"


def test_truth_knows_its_states_and_faults(oracle: Oracle) -> None:
    assert oracle.truth.count("binance", "ETH-BTC") == 3
    assert oracle.truth.count("binance", "BTC-USD") == 0
    assert [(fault.kind, fault.venue) for fault in oracle.truth.faults] == [("gap", "kraken")]


WRONG: dict[str, tuple[str, Callable[[Book], Book]]] = {
    "an amount off by one bit": (
        "not the merge of the truth",
        lambda book: replace(
            book, bids=(Level("kraken", 65.12, 5.000000000000001), *book.bids[1:])
        ),
    ),
    "a level left out": (
        "not the merge of the truth",
        lambda book: replace(book, asks=book.asks[:-1]),
    ),
    "a level too many": (
        "not the merge of the truth",
        lambda book: replace(book, asks=(*book.asks, Level("kraken", 65.3, 7.0))),
    ),
    "equal prices in the wrong order": (
        "not the merge of the truth",
        lambda book: replace(book, bids=(book.bids[1], book.bids[0], book.bids[2])),
    ),
    "equal levels not by venue name": (
        "not the merge of the truth",
        lambda book: replace(book, asks=(book.asks[1], book.asks[0], book.asks[2])),
    ),
    "levels of another state than named": (
        "not the merge of the truth",
        lambda book: replace(book, venues=(feed("binance", 8), feed("kraken", 100))),
    ),
    "a state that the venue never was in": (
        "state that never was",
        lambda book: replace(book, venues=(feed("binance", 6), feed("kraken", 100))),
    ),
    "a book that its venue had crossed": (
        "venue crossed in itself",
        lambda book: replace(book, venues=(feed("binance", 9), feed("kraken", 100))),
    ),
    "a spread not rounded once": (
        "wrong spread",
        lambda book: replace(book, spread=65.13 - 65.12),
    ),
    "a level of a stale venue": (
        "level of a venue that is not live",
        lambda book: replace(
            book, venues=(feed("binance", 7), feed("kraken", 100, State.STALE, "silent"))
        ),
    ),
    "a level of a venue not named": (
        "level of a venue that is not live",
        lambda book: replace(book, venues=(feed("binance", 7),)),
    ),
    "a venue named twice": (
        "venue named twice",
        lambda book: replace(book, venues=(*book.venues, feed("kraken", 100))),
    ),
    "not live without a reason": (
        "state without its reason",
        lambda book: replace(book, venues=(feed("binance", 7), feed("kraken", 100, State.DOWN))),
    ),
    "an age that does not follow from the times": (
        "wrong age",
        lambda book: replace(book, venues=(replace(book.venues[0], age_ns=10**9), book.venues[1])),
    ),
    "served before it was computed": (
        "time runs backwards",
        lambda book: replace(book, ts_out=book.ts_out - 10**9),
    ),
    "live when nothing is": (
        "wrong `live`",
        lambda book: replace(book, venues=(), bids=(), asks=(), spread=0.0),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_book_is_named(oracle: Oracle, book: Book, case: str) -> None:
    rule, spoil = WRONG[case]

    violation = oracle.first_violation([book, spoil(replace(book, seq=2))])

    assert violation is not None
    assert violation.rule == rule
    assert violation.position == 1
    assert violation.previous == book
    assert repr(violation.view) in str(violation)


OUT_OF_ORDER: dict[str, tuple[str, Callable[[Book], Book]]] = {
    "an older seq": ("went back", lambda book: replace(book, seq=0)),
    "levels by the word of the gateway": (
        "live without an aggregator",
        lambda book: replace(book, epoch=0),
    ),
    "another book under the same seq": (
        "two views of one seq",
        lambda book: replace(
            book, venues=(feed("binance", 7), replace(book.venues[1], ts_event=9))
        ),
    ),
    "another instrument": (
        "another instrument",
        lambda book: replace(
            book,
            instrument="BTC-USD",
            seq=2,
            venues=(),
            was_live=False,
            spread=0.0,
            bids=(),
            asks=(),
        ),
    ),
}


@pytest.mark.parametrize("case", OUT_OF_ORDER)
def test_a_wrong_order_is_named(oracle: Oracle, book: Book, case: str) -> None:
    rule, spoil = OUT_OF_ORDER[case]

    violation = oracle.first_violation([book, spoil(book)])

    assert violation is not None
    assert violation.rule == rule


def test_aggregators_may_speak_in_turn_each_in_its_order(oracle: Oracle, book: Book) -> None:
    other = replace(book, epoch=1, seq=9)
    assert oracle.first_violation([book, other, replace(book, seq=2), other]) is None
    violation = oracle.first_violation([replace(book, seq=2), other, book])
    assert violation is not None
    assert violation.rule == "went back"


def half(book: Book, venue_seq: int, book_seq: int) -> Book:
    """Return `book` of binance alone: best prices of one state, the levels below of another."""
    bids, asks = (
        tuple(Level("binance", float(p), float(a)) for p, a in side)
        for side in (BINANCE_BIDS[1:], BINANCE_ASKS)
    )
    venues = (replace(feed("binance", venue_seq), book_seq=book_seq),)
    spread = expected_spread(bids, asks)
    return replace(book, venues=venues, bids=bids, asks=asks, spread=spread)


def test_best_prices_ahead_of_their_book_are_judged_by_both_states(
    oracle: Oracle, book: Book
) -> None:
    assert oracle.first_violation([half(book, 8, 7)]) is None
    shown = half(book, 8, 7)
    violation = oracle.first_violation([replace(shown, bids=shown.bids * 2)])
    assert violation is not None
    assert violation.rule == "not the merge of the truth"
    for venue_seq, book_seq, rule in (
        (8, 6, "state that never was"),
        (8, 8, "best prices behind their book"),
    ):
        violation = oracle.first_violation([half(book, venue_seq, book_seq)])
        assert violation is not None
        assert violation.rule == rule


def test_the_book_below_the_best_prices_goes_back_neither(oracle: Oracle, book: Book) -> None:
    whole = replace(half(book, 8, 7), venues=(feed("binance", 8),))
    violation = oracle.first_violation([whole, replace(half(book, 8, 7), seq=2)])
    assert violation is not None
    assert violation.detail == "binance's book: 7 after 8"


def test_a_venue_that_goes_back_is_named_even_after_a_pause(oracle: Oracle, book: Book) -> None:
    def binance(venue_seq: int, seq: int) -> Book:
        bids = tuple(Level("binance", float(p), float(a)) for p, a in BINANCE_BIDS[venue_seq - 7 :])
        asks = tuple(Level("binance", float(p), float(a)) for p, a in BINANCE_ASKS)
        spread = expected_spread(bids, asks)
        venues = (feed("binance", venue_seq),)
        return replace(book, seq=seq, venues=venues, bids=bids, asks=asks, spread=spread)

    pause = replace(book, seq=2, venues=(), was_live=False, spread=0.0, bids=(), asks=())
    violation = oracle.first_violation([binance(8, 1), pause, binance(7, 3)])

    assert violation is not None
    assert (violation.rule, violation.detail) == ("venue went back", "binance: 7 after 8")


def test_order_of_a_book_without_its_truth(book: Book) -> None:
    assert misordered(book.bids, book.asks) is None
    assert "bids" in str(misordered(book.asks, book.asks))
    assert "asks" in str(misordered(book.bids, book.bids))
    assert "bids" in str(misordered((book.bids[1], book.bids[0]), ()))


def test_spread_is_rounded_once(book: Book) -> None:
    assert expected_spread(book.bids, book.asks) == 0.01
    assert expected_spread(book.bids, ()) == 0.0


SECOND = 10**9
HOUR = 3600 * SECOND


def state(venue_seq: int, at_s: float, *, amount: str = "1.0", deep: str = "1.0") -> str:
    bids = [["65.12", amount], ["65.11", "2.0"], ["65.10", deep]]
    line = json.loads(truth_line("kraken", venue_seq, bids, [["65.20", "1.0"]]))
    return json.dumps(line | {"ts": HOUR + int(at_s * SECOND)})


MOVING = [
    state(100, 0),
    state(101, 1, deep="2.0"),  # the first two levels stay
    state(102, 2, amount="3.0"),
    state(103, 3, amount="4.0"),
]


def moving_book(venue_seq: int, at_s: float, *, recv_s: float | None = None) -> Book:
    """Return the true book of one state, which a bot got at a time."""
    truth = Truth(MOVING)
    levels = truth.levels("kraken", "ETH-BTC", venue_seq, 2)
    since = truth.since("kraken", "ETH-BTC", venue_seq)
    assert levels is not None
    assert since is not None
    at = HOUR + int(at_s * SECOND)
    recv = since if recv_s is None else HOUR + int(recv_s * SECOND)
    return Book(
        instrument="ETH-BTC",
        spread=expected_spread(*levels),
        venues=(
            VenueFeed("kraken", State.LIVE, "", max(0, at - recv), venue_seq, None, recv, recv),
        ),
        was_live=True,
        epoch=2,
        seq=venue_seq * 1000 + int(at_s * 10),
        ts_agg=at,
        replaced=0,
        ts_out=at,
        ts_in=at,
        bids=tuple(levels[0]),
        asks=tuple(levels[1]),
    )


def out_of(book: Book) -> Book:
    down = replace(book.venues[0], state=State.DOWN, reason="no listener")
    return replace(book, venues=(down,), was_live=False, bids=(), asks=(), spread=0.0)


def judge_moving(
    said: Sequence[Book | Cut], *excuses: Excuse, end_s: float, venues: Sequence[str] = ()
) -> Violation | None:
    history = History(Oracle(Truth(MOVING), 2, Rules(0.75, excuses)), "reader 1 4711")
    for one in said:
        violation = history.cut(one.ts) if isinstance(one, Cut) else history.take(one)
        if violation:
            return violation
    return history.end(HOUR + int(end_s * SECOND), venues)


FRESH: dict[str, tuple[list[Book | Cut], float]] = {
    "each state in its time": ([moving_book(100, 0.1), moving_book(102, 2.6)], 3.7),
    "a state whose shown levels stand": ([moving_book(100, 0.1)], 2.7),
    "the last state for ever": ([moving_book(103, 3.1)], 999.0),
    "out in time": ([moving_book(100, 0.1), out_of(moving_book(100, 2.7))], 999.0),
    "told in time that nothing holds": ([moving_book(100, 0.1), Cut(HOUR + 2 * SECOND)], 999.0),
}


@pytest.mark.parametrize("case", FRESH)
def test_what_is_fresh_passes(case: str) -> None:
    said, end_s = FRESH[case]
    assert judge_moving(said, end_s=end_s) is None


STALE: dict[str, tuple[list[Book | Cut], float]] = {
    "out too late": ([moving_book(100, 0.1), out_of(moving_book(100, 2.8))], 3.0),
    "told again though long past": ([moving_book(100, 0.1), moving_book(100, 2.8)], 3.0),
    "nothing came at all": ([moving_book(100, 0.1)], 2.8),
    "told too late that nothing holds": ([moving_book(100, 0.1), Cut(HOUR + 3 * SECOND)], 3.0),
    "what comes late is short-lived": ([moving_book(100, 2.8), moving_book(102, 2.81)], 3.0),
}


@pytest.mark.parametrize("case", STALE)
def test_a_stale_venue_is_named(case: str) -> None:
    said, end_s = STALE[case]
    violation = judge_moving(said, end_s=end_s)
    assert violation is not None
    assert violation.rule == "stale"
    assert violation.bot in str(violation)


def test_what_nobody_could_know_is_excused() -> None:
    said = [moving_book(100, 0.1)]

    def judge(
        start_s: float,
        end_s: float,
        venue: str | None = None,
        bots: str = "",
        instrument: str | None = None,
    ) -> bool:
        start, end = (HOUR + int(at * SECOND) for at in (start_s, end_s))
        excuse = Excuse(start, end, venue, bots, instrument)
        return judge_moving(said, excuse, end_s=4.0) is None

    assert judge(0.0, 3.3)
    assert judge(0.0, 3.3, "kraken", " 4711")
    assert not judge(0.0, 3.2)
    assert not judge(0.0, 3.3, "binance")
    assert not judge(0.0, 3.3, None, " 4712")
    assert judge(0.0, 3.3, instrument=said[0].instrument)
    assert not judge(0.0, 3.3, instrument="BCH-BTC")


def test_what_a_view_does_not_show_may_have_moved() -> None:
    book = moving_book(100, 0.1)
    best = Bbo(bid=book.bids[0], ask=book.asks[0], **shared(book))
    moved = json.loads(state(101, 1))
    moved["bids"][1][1] = "7.0"

    def judge(view: View, *truth: str) -> Violation | None:
        history = History(Oracle(Truth([*truth]), 2, Rules(0.75)))
        return history.take(view) or history.end(HOUR + 9 * SECOND)

    below = (state(100, 0), json.dumps(moved))
    assert judge(best, *below) is None
    assert judge(book, *below) is not None
    assert judge(best, *below, state(102, 2, amount="3.0")) is not None


def test_a_venue_that_is_well_must_be_back_in_the_end() -> None:
    out = out_of(moving_book(103, 3.1))
    assert judge_moving([out], end_s=9.0) is None
    violation = judge_moving([out], end_s=9.0, venues=["kraken"])
    assert violation is not None
    assert (violation.rule, violation.detail) == ("called dead for ever", "kraken")


def test_nothing_is_received_before_it_was() -> None:
    violation = judge_moving([moving_book(102, 2.0, recv_s=1.9)], end_s=2.1)
    assert violation is not None
    assert violation.rule == "received before it was"


def test_a_folder_is_judged_again(tmp_path: Path) -> None:
    (tmp_path / "truth.ndjson").write_text("".join(f"{line}\n" for line in MOVING))
    run = Run(7, "chaos", Rules(0.75), HOUR + 9 * SECOND, whole=True, depth=2)
    (tmp_path / "run.json").write_bytes(msgspec.json.encode(run))
    (tmp_path / "books").mkdir()
    with (tmp_path / "books" / "1-0.books").open("wb") as file:
        recorder = Recorder(file)
        for bot in ("good 1 1", "left 1 1", "stale 1 1"):
            recorder.note(bot, moving_book(100, 0.1))
        recorder.note("left 1 1", Cut(HOUR + 2 * SECOND))
        recorder.note("good 1 1", moving_book(102, 2.1))
        recorder.note("good 1 1", moving_book(103, 3.1))
        file.write(b'{"torn')

    verdict = judge_folder(tmp_path)

    assert verdict.run == run
    assert (verdict.judged, verdict.histories) == (5, 3)
    assert [(one.bot, one.rule) for one in verdict.violations] == [("stale 1 1", "stale")]


RESTING = [state(100, 0)]


def said_of_trading(kind: str, at_s: float, seconds: float, instrument: str | None = None) -> str:
    at = HOUR + int(at_s * SECOND)
    fault = {"fault": kind, "venue": "kraken", "instrument": instrument, "ts": at}
    return json.dumps(fault | {"seconds": seconds})


def judge_halted(fault: str, said: Sequence[Book], *excuses: Excuse) -> Violation | None:
    rules = Rules(9e9, excuses, halted_within_s=2.0)
    history = History(Oracle(Truth([*RESTING, fault]), 2, rules), "reader 1 4711")
    violations = [*map(history.take, said), history.end(HOUR + 20 * SECOND)]
    return next(filter(None, violations), None)


@pytest.mark.parametrize("instrument", [None, "ETH-BTC"])
@pytest.mark.parametrize("kind", ["halt", "unknown_symbol"])
def test_a_venue_that_is_shown_though_it_said_that_it_is_halted(
    kind: str, instrument: str | None
) -> None:
    shown = moving_book(100, 0.1)
    fault = said_of_trading(kind, 5.0, 4.0, instrument)
    violation = judge_halted(fault, [shown])
    assert violation is not None
    assert violation.rule == "shown though halted"
    # In time, and live again after the end.
    assert judge_halted(fault, [shown, out_of(moving_book(100, 6.9))]) is None
    back = [shown, out_of(moving_book(100, 6.9)), moving_book(100, 9.1)]
    assert judge_halted(fault, back) is None
    early = [shown, out_of(moving_book(100, 6.0)), moving_book(100, 7.5)]
    assert judge_halted(fault, early) is not None


def test_a_halt_is_not_known_while_the_list_cannot_be_read() -> None:
    fault = said_of_trading("halt", 5.0, 4.0)
    unread = Excuse(HOUR + 4 * SECOND, HOUR + 8 * SECOND, "kraken", of_halts=True)
    assert judge_halted(fault, [moving_book(100, 0.1)], unread) is None
    # That is no excuse for what is stale.
    stale = judge_moving([moving_book(100, 0.1)], unread, end_s=9.0)
    assert stale is not None
    assert stale.rule == "stale"


@pytest.mark.parametrize(
    "fault",
    [said_of_trading("halt", 5.0, 1.0), said_of_trading("halt", 5.0, 9.0, "LTC-BTC")],
    ids=["shorter than it takes to hear of it", "of another instrument"],
)
def test_a_halt_that_takes_nothing_out(fault: str) -> None:
    assert judge_halted(fault, [moving_book(100, 0.1)]) is None


def test_a_live_venue_has_a_reason_only_where_it_restricts_trading() -> None:
    book = moving_book(100, 0.1)
    (kraken,) = book.venues
    told = replace(book, venues=(replace(kraken, reason="kraken restricts trading: post_only"),))
    restricted = said_of_trading("post_only", 0.0, 9.0)
    assert judge_halted(restricted, [told]) is None
    assert judge_halted(restricted, [book]) is None
    violation = judge_halted(said_of_trading("mute", 0.0, 9.0), [told])
    assert violation is not None
    assert violation.rule == "state without its reason"


def test_a_venue_is_judged_as_deep_as_it_says(oracle: Oracle, book: Book) -> None:
    binance, kraken = feed("binance", 7), replace(feed("kraken", 100), depth=1)
    shallow = replace(
        book,
        venues=(binance, kraken),
        bids=(*book.bids[:2], Level("binance", 65.1, 2.0)),
    )
    assert oracle.first_violation([shallow]) is None
    beyond = replace(book, venues=(binance, kraken))
    assert violated(oracle.first_violation([beyond])) == "not the merge of the truth"
    missing = replace(shallow, venues=(binance, replace(kraken, depth=2)))
    assert violated(oracle.first_violation([missing])) == "not the merge of the truth"
    too_deep = replace(book, venues=(binance, replace(kraken, depth=11)))
    assert violated(oracle.first_violation([too_deep])) == "deeper than the system"


def violated(violation: Violation | None) -> str:
    assert violation is not None
    return violation.rule


SEVERAL_QUOTES = (
    truth_line("okx", 1, [["99", "1"]], [["101", "1"]], "BTC-USD"),
    truth_line("okx", 2, [["100.1", "2"]], [["100.3", "2"]], "BTC-USDT"),
    truth_line("okx", 3, [["0.999", "5"]], [["1.001", "5"]], "USDT-USD"),
    truth_line("okx", 4, [["99100", "0.5"]], [], "1000BTC-USD"),
)
NO_RATE = "no live USDT-USD to convert by"


@pytest.fixture
def judge() -> Oracle:
    """A judge of BTC in dollars and tethers, of which 1.001 are sold and 0.999 bought."""
    return Oracle(
        Truth(SEVERAL_QUOTES), 3, Rules(within_s=9e9), {"BTC-ANY": "BTC-USD+BTC-USDT*USDT-USD"}
    )


@pytest.fixture
def converted(book: Book) -> Book:
    return replace(
        book,
        instrument="BTC-USD+BTC-USDT*USDT-USD+1000BTC-USD/1000@1.001",
        venues=tuple(
            replace(feed("okx", seq), instrument=name)
            for name, seq in (("BTC-USD", 1), ("BTC-USDT", 2), ("1000BTC-USD", 4))
        ),
        conversions=(Conversion("USDT-USD", 0.999, 1.001, (feed("okx", 3),)),),
        spread=0.4004,
        bids=(
            Level("okx", 99.9999, 2.0, "BTC-USDT", 100.1),
            Level("okx", 99.1991, 500.0, "1000BTC-USD", 99100.0),
            Level("okx", 99.0, 1.0, "BTC-USD", 99.0),
        ),
        asks=(
            Level("okx", 100.4003, 2.0, "BTC-USDT", 100.3),
            Level("okx", 101.0, 1.0, "BTC-USD", 101.0),
        ),
    )


def test_an_equivalence_that_is_converted_right_passes(judge: Oracle, converted: Book) -> None:
    assert judge.first_violation([converted]) is None
    (one, two, _), (by,) = converted.venues, converted.conversions
    named = replace(
        converted,
        instrument="BTC-ANY",
        venues=(one, two),
        bids=(converted.bids[0], converted.bids[2]),
    )
    without = replace(
        named,
        seq=2,
        venues=(one, replace(two, state=State.SYNCING, reason=NO_RATE)),
        conversions=(
            replace(by, bid=None, ask=None, venues=(feed("okx", 3, State.DOWN, "gone"),)),
        ),
        spread=2.0,
        bids=converted.bids[2:],
        asks=converted.asks[1:],
    )
    assert judge.first_violation([named, without]) is None


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        (
            "not the merge of the truth",
            lambda it: replace(
                it, bids=(replace(it.bids[0], price=99.99990000000001), *it.bids[1:])
            ),
        ),
        (
            "not the merge of the truth",
            lambda it: replace(it, bids=(replace(it.bids[0], original_price=1.0), *it.bids[1:])),
        ),
        (
            "level of a venue that is not live",
            lambda it: replace(it, asks=(replace(it.asks[0], instrument="BTC-EUR"), it.asks[1])),
        ),
        (
            "wrong conversion",
            lambda it: replace(it, conversions=(replace(it.conversions[0], bid=0.998),)),
        ),
        (
            "state that never was",
            lambda it: replace(
                it, conversions=(replace(it.conversions[0], venues=(feed("okx", 9),)),)
            ),
        ),
        ("live without a conversion", lambda it: replace(it, conversions=())),
        (
            "out without a reason",
            lambda it: replace(
                it,
                venues=(
                    it.venues[0],
                    replace(it.venues[1], state=State.SYNCING, reason=NO_RATE),
                    it.venues[2],
                ),
                bids=it.bids[1:],
                asks=it.asks[1:],
            ),
        ),
    ],
)
def test_an_equivalence_that_is_converted_wrong_is_named(
    judge: Oracle, converted: Book, rule: str, spoil: Callable[[Book], Book]
) -> None:
    violation = judge.first_violation([spoil(converted)])
    assert violation is not None
    assert violation.rule == rule


def test_a_conversion_that_went_on_is_stale(converted: Book) -> None:
    moved = truth_line("okx", 5, [["0.998", "5"]], [["1.001", "5"]], "USDT-USD")
    history = History(Oracle(Truth([*SEVERAL_QUOTES, moved]), 3, Rules(within_s=1.0)))
    assert history.take(converted) is None
    violation = history.cut(3_000_000_000)
    assert violation is not None
    assert violation.rule == "stale"
