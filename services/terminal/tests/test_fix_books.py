from __future__ import annotations

import pytest
from dragonfly_client.messages import Level, State
from dragonfly_fix.codec import FixMessage
from terminal.fix_books import FixBooks

NOW_NS = 1_790_000_000_500_000_000
W = (
    "55=A-B|262=m1|268=3|269=0|270=99.5|271=0.4|272=20260921|273=14:13:20.000|282=KRAKEN|299=7"
    "|269=0|270=99.5|271=1.5|282=BINANCE|299=3|269=1|270=100|271=2|282=KRAKEN|299=7"
)


def message(kind: str, text: str) -> FixMessage:
    pairs = (field.partition("=") for field in text.split("|"))
    return FixMessage(kind.encode(), [(int(tag), value.encode()) for tag, _, value in pairs])


def test_a_whole_book() -> None:
    [book] = FixBooks().take(message("W", W), NOW_NS)
    assert book.instrument == "A-B"
    assert book.bids == (Level("binance", 99.5, 1.5), Level("kraken", 99.5, 0.4))
    assert book.asks == (Level("kraken", 100.0, 2.0),)
    assert book.spread == 0.5
    assert [(feed.venue, feed.venue_seq, feed.ts_recv) for feed in book.venues] == [
        ("binance", 3, NOW_NS),
        ("kraken", 7, NOW_NS - 500_000_000),
    ]


def test_a_difference_is_of_what_was_there() -> None:
    books = FixBooks()
    books.take(message("W", W), NOW_NS)
    change = (
        "262=m1|268=3|279=2|269=0|55=A-B|270=99.5|282=BINANCE"
        "|279=1|269=1|270=100|271=3|282=KRAKEN|299=8|279=0|269=1|270=100.5|271=1|282=BINANCE|299=4"
    )
    [book] = books.take(message("X", change), NOW_NS)
    assert book.bids == (Level("kraken", 99.5, 0.4),)
    assert book.asks == (Level("kraken", 100.0, 3.0), Level("binance", 100.5, 1.0))
    assert books.updates == {"kraken": 2, "binance": 2}
    with pytest.raises(ValueError, match=r"A-B: what is deleted at 99\.5 was not there"):
        books.take(message("X", change), NOW_NS)


def test_prices_that_are_merged_say_of_how_many_venues() -> None:
    [book] = FixBooks().take(message("W", "55=A-B|268=1|269=0|270=99.5|271=0.4|346=2"), NOW_NS)
    assert book.best_bid == Level("2 venues", 99.5, 0.4)
    assert not book.venues


def test_states_of_venues_and_an_empty_book() -> None:
    books = FixBooks()
    books.take(message("W", W), NOW_NS)
    [book] = books.take(message("f", "55=A-B|207=KRAKEN|326=18|58=no connection"), NOW_NS)
    assert [(feed.venue, feed.state, feed.reason) for feed in book.venues] == [
        ("binance", State.LIVE, ""),
        ("kraken", State.DOWN, "no connection"),
    ]
    books.take(message("f", "55=A-B|207=BINANCE|326=2"), NOW_NS)
    [book] = books.take(message("W", "55=A-B|262=m1|268=0"), NOW_NS)
    assert not book.was_live
    assert book.best_bid is None


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="'much' is no number"):
        FixBooks().take(message("W", "55=A-B|268=1|269=0|270=much|271=1"), NOW_NS)
