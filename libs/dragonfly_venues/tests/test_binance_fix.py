"""Binance by FIX: what is asked, and what its messages say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_common.types import Side
from dragonfly_venues.binance import Binance, BinanceByFix, seed
from dragonfly_venues.binance.fix_control import logon, stream_named
from dragonfly_venues.binance.fix_decoder import MOST_HELD, BinanceFixDecoder
from dragonfly_venues.events import (
    FRAME_ERROR_REASONS,
    Acked,
    Bbo,
    BookTop,
    Broken,
    Closing,
    Event,
    FrameError,
    Heard,
    RequestRefused,
    SeedWanted,
    Unchanged,
)
from dragonfly_venues.registry import find_venue
from dragonfly_venues.transport import read_fix_key
from dragonfly_venues.venue import Ask
from fake_fix_venue import key_files
from hypothesis import given
from hypothesis import strategies as st

SYMBOL = "bnbbtc"
STAMP = 1_760_852_411_466_313_000
"""20251019-05:40:11.466313"""


def message(text: str) -> bytes:
    """Return a message as it is handed on, from how documents draw its type and body."""
    kind, _, body = text.partition("|")
    head = f"8=FIX.4.4|9=1|35={kind}|34=2|49=SPOT|52=20251019-05:40:11.466313|56=ME|"
    return f"{head}{body}|".replace("|", "\x01").encode()


def entries(lead: int, side: str, levels: str) -> list[str]:
    """Return entries of `price:amount …`; without an amount a price is deleted."""
    found = []
    for level in levels.split():
        price, _, amount = level.partition(":")
        said = f"{lead}={side if lead == 269 else '1' if amount else '2'}|270={price}"
        said += f"|271={amount}" if amount else ""
        found.append(said if lead == 269 else f"{said}|269={side}")
    return found


def whole(
    seq: int, bids: str = "", asks: str = "", *, kind: str = "D", number: int = 7, name: str = ""
) -> bytes:
    found = entries(269, "0", bids) + entries(269, "1", asks)
    name = name or SYMBOL.upper()
    head = f"W|262={kind}{number}-{name}|55={name}|25044={seq}|268={len(found)}"
    return message("|".join([head, *found]))


def change(
    first: int,
    last: int,
    bids: str = "",
    asks: str = "",
    *,
    kind: str = "D",
    number: int = 7,
    fragment: str = "",
) -> bytes:
    found = entries(279, "0", bids) + entries(279, "1", asks)
    found[0] += f"|55=BNBBTC|25043={first}|25044={last}" if kind == "D" else f"|25044={last}"
    head = f"X|262={kind}{number}-BNBBTC|268={len(found)}"
    return message("|".join([head, *found, *([f"893={fragment}"] if fragment else [])]))


def begun(depth: int = 10) -> BinanceFixDecoder:
    decoder = BinanceFixDecoder(depth)
    decoder.decode(whole(159, "9:1 8:2", "10:1"))
    return decoder


def top(events: Sequence[Event]) -> BookTop:
    (found,) = (event for event in events if isinstance(event, BookTop))
    return found


# What is declared, asked and signed.


def test_binance_alone_is_listened_to_by_fix() -> None:
    venue = find_venue("Binance", "fix")
    assert isinstance(venue, BinanceByFix)
    assert isinstance(find_venue("binance"), Binance)
    assert venue.name == "binance"
    assert venue.at(100) is venue.at(1) is venue
    for other in ("kraken", "binanceus"):
        said = f"{other} cannot be listened to by fix, which is for binance: leave out --protocol"
        with pytest.raises(ConfigError, match=said):
            find_venue(other, "fix")


def test_what_is_common_to_both_protocols_is_said_once() -> None:
    deep, fix = Binance().at(50), BinanceByFix()
    assert fix.snapshots is deep.snapshots
    assert fix.instruments is deep.instruments
    assert fix.audits is deep.audits
    # 1000 streams a connection and 2000 messages a minute.
    assert 2 * fix.limits.streams_per_connection <= 1000
    assert 60 * fix.limits.requests_per_second < 2000
    assert 5 * fix.limits.connects_per_minute < 300


def test_each_stream_has_a_request_of_its_own() -> None:
    ask = Ask(symbols=["bnbbtc", "ethbtc"], request_id=7, depth=10, bbo=True)
    drawn = [text.replace("\x01", "|") for text in BinanceByFix().requests(ask)]
    assert drawn == [
        "35=V|262=D7-BNBBTC|263=1|264=1000|266=Y|146=1|55=BNBBTC|267=2|269=0|269=1|",
        "35=V|262=D7-ETHBTC|263=1|264=1000|266=Y|146=1|55=ETHBTC|267=2|269=0|269=1|",
        "35=V|262=T7-BNBBTC|263=1|264=1|266=Y|146=1|55=BNBBTC|267=2|269=0|269=1|",
        "35=V|262=T7-ETHBTC|263=1|264=1|266=Y|146=1|55=ETHBTC|267=2|269=0|269=1|",
    ]
    ends = Ask(symbols=["bnbbtc"], request_id=9, depth=1, subscribe=False, handles={"bnbbtc": 7})
    (text,) = BinanceByFix().requests(ends)
    assert text.replace("\x01", "|") == "35=V|262=D7-BNBBTC|263=2|264=1000|"
    assert stream_named(b"D7-BNBBTC") == ("D", 7, "bnbbtc")


def test_a_logon_is_signed_as_the_venue_checks_it(tmp_path: Path) -> None:
    key = read_fix_key(*key_files(tmp_path))
    fields = logon(key, "DRAGON01", 1, b"20261001-00:00:00.000000")
    signature = (
        b"+EhxzfmP6IKM1m9piFn9nRC1iGlGx4dQA+LjWiukMcKGeoGjm0FY2ywEiNwICcCxWCEZmBCKmN7Q2OeRicVlCQ=="
    )
    assert fields == [(95, b"88"), (96, signature), (553, b"the-api-key"), (25035, b"2")]


# Books.


def test_the_answer_to_a_subscription_is_the_book() -> None:
    ack, book = BinanceFixDecoder(10).decode(whole(159, "9.5:1 8:2", "10:1.50000000"))
    assert ack == Acked(7, (SYMBOL,), handle=7)
    assert book == BookTop(SYMBOL, 159, STAMP, ((9.5, 1.0), (8.0, 2.0)), ((10.0, 1.5),))
    _, empty = BinanceFixDecoder(10).decode(whole(0))
    assert empty == BookTop(SYMBOL, 0, STAMP, (), ())


def test_changes_add_replace_and_remove() -> None:
    decoder = begun()
    found = top(decoder.decode(change(160, 162, "9 8.5:3", "10:7 11:1")))
    assert found == BookTop(
        SYMBOL, 162, STAMP, ((8.5, 3.0), (8.0, 2.0)), ((10.0, 7.0), (11.0, 1.0))
    )
    assert decoder.seq(SYMBOL) == 162
    assert decoder.decode(change(163, 163, "8:2")) == (Unchanged(SYMBOL),)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (160, 161, BookTop),
        (150, 160, BookTop),  # as the first change may begin before the book
        (150, 159, Unchanged),
        (1, 2, Unchanged),
        (161, 161, Broken),
    ],
)
def test_a_change_continues_the_book_where_it_holds_the_next_id(
    first: int, last: int, said: type[Event]
) -> None:
    at_once = begun()
    later = BinanceFixDecoder(10)
    later.decode(whole(157, "9:1"))
    later.decode(change(158, 159, "8:2"))
    for decoder in (at_once, later):
        (event,) = decoder.decode(change(first, last, "9:5"))
        assert isinstance(event, said)


def test_a_gap_breaks_that_book_alone_until_the_next_subscription() -> None:
    decoder = begun()
    decoder.decode(whole(5, "1:1", "2:1", name="ETHBTC"))
    (broken,) = decoder.decode(change(161, 162, "9:5"))
    assert broken == Broken(SYMBOL, "gap", "161 to 162 does not follow 159")
    decoder.forget(SYMBOL)
    assert decoder.decode(change(163, 163, "9:6")) == (Heard(),)
    assert decoder.seq("ethbtc") == 5
    again = decoder.decode(whole(170, "9:1", "10:1", number=8))
    assert again[0] == Acked(8, (SYMBOL,), handle=8)
    # What is still on its way of the old one is none of the new one's.
    assert decoder.decode(change(171, 171, "9:2")) == (Heard(),)
    assert top(decoder.decode(change(171, 171, "9:2", number=8))).venue_seq == 171


def test_a_change_in_parts_is_one() -> None:
    decoder = begun()
    assert decoder.decode(change(160, 163, "9", fragment="N")) == (Heard(),)
    assert decoder.decode(change(160, 163, "8:5", fragment="N")) == (Heard(),)
    found = top(decoder.decode(change(160, 163, asks="10:2", fragment="Y")))
    assert (found.venue_seq, found.bids, found.asks) == (163, ((8.0, 5.0),), ((10.0, 2.0),))
    found = top(decoder.decode(change(164, 164, "9:1")))
    assert found.bids == ((9.0, 1.0), (8.0, 5.0))


def test_parts_without_end_are_refused() -> None:
    decoder = begun()
    part = change(160, 163, " ".join(["9:1"] * 10_000), fragment="N")
    for _ in range(MOST_HELD // 10_000):
        decoder.decode(part)
    with pytest.raises(FrameError, match="more than"):
        decoder.decode(part)


def test_a_book_that_runs_low_goes_on_from_what_rest_gives() -> None:
    decoder = BinanceFixDecoder(2)
    levels = seed.SEED_LEVELS
    decoder.decode(whole(1, " ".join(f"{n + 1}:1" for n in range(levels)), "2000:1"))
    gone = " ".join(f"{n + 1}" for n in range(3, levels))
    assert SeedWanted(SYMBOL) in decoder.decode(change(2, 2, gone + " 0.5:1"))
    rest = BookTop(SYMBOL, 2, None, tuple((4.0 - n / 10, 1.0) for n in range(30)), ((2000.0, 1.0),))
    decoder.seed(rest)
    found = top(decoder.decode(change(3, 3, "4 3.9")))
    assert found.bids == ((3.8, 1.0), (3.7, 1.0))


# Best prices.


def test_best_prices_replace_their_side() -> None:
    decoder = BinanceFixDecoder(10)
    assert decoder.decode(change(0, 1, "9:1", kind="T")) == (Heard(),)
    (best,) = decoder.decode(whole(159, "9:1", "10:2", kind="T"))
    assert best == Bbo(SYMBOL, 159, (9.0, 1.0), (10.0, 2.0), STAMP)
    (best,) = decoder.decode(change(0, 160, "8.5:3", kind="T"))
    assert best == Bbo(SYMBOL, 160, (8.5, 3.0), (10.0, 2.0), STAMP)
    (best,) = decoder.decode(change(0, 161, "", "10", kind="T"))
    assert best == Bbo(SYMBOL, 161, (8.5, 3.0), None, STAMP)
    (best,) = decoder.decode(whole(0, kind="T", number=8))
    assert best == Bbo(SYMBOL, 0, None, None, STAMP)
    assert decoder.decode(change(0, 162, "8.5:3", kind="T")) == (Heard(),)


# Everything else.


def test_a_connection_with_a_subscription_that_was_given_up_is_left_for_a_new_one() -> None:
    text = "Similar subscription is already active on this connection. Symbol='BNBBTC'"
    (said,) = begun().decode(message(f"Y|262=D12-BNBBTC|281=2|25016=-1191|58={text}"))
    assert said == Closing(f"{text} (code -1191)")


def test_a_refusal_names_its_symbol() -> None:
    text = "Too many subscriptions."
    (said,) = begun().decode(message(f"Y|262=T12-BNBBTC|281=2|25016=-1191|58={text}"))
    assert said == RequestRefused(12, (SYMBOL,), f"{text} (code -1191)")
    (said,) = begun().decode(message("Y|262=D12-BNBBTC|281=1"))
    assert said == RequestRefused(12, (SYMBOL,), "no reason is given (code 1)")
    reject = message("3|45=7|371=55|372=V|373=5|25016=-1121|58=Invalid symbol.")
    (said,) = begun().decode(reject + message("V|262=D3-XY|263=1"))
    assert said == RequestRefused(3, ("xy",), "Invalid symbol. (code -1121)")
    with pytest.raises(FrameError, match="what was sent is rejected: Too many messages"):
        begun().decode(message("3|45=7|58=Too many messages"))


def test_news_announces_the_close() -> None:
    text = "You'll be disconnected in 600 seconds. Please reconnect."
    assert begun().decode(message(f"B|148={text}")) == (Closing(text),)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "bad_shape"),
        (b"8=FIX.4.4", "bad_shape"),
        (b"x=1\x01", "bad_shape"),
        (message("y|320=1"), "unknown_channel"),
        (message("X|262=other|268=0"), "unknown_channel"),
        (whole(1, "9:1").replace(b"268=1", b"268=2"), "bad_shape"),
        (whole(1, "9:1").replace(b"269=0", b"269=2"), "bad_shape"),
        (whole(1, "9:1").replace(b"25044=1\x01", b""), "bad_sequence"),
        (whole(10**30, "9:1"), "bad_sequence"),
        (whole(1, "9:-1"), "bad_level"),
        (whole(1, "0:1"), "bad_level"),
        (whole(1, "nan:1"), "bad_level"),
        (whole(1, "1_0:1"), "bad_level"),
        (whole(1, "1.2.3:1"), "bad_level"),
        (whole(1, f"{'9' * 400}:1"), "bad_level"),
        (change(160, 160, "9:1").replace(b"271=1\x01", b""), "bad_level"),
        (change(160, 160, "9:1").replace(b"55=BNBBTC", b"55=ETHBTC"), "bad_shape"),
        (change(160, 160, "9:1").replace(b"25043=160\x01", b""), "bad_sequence"),
    ],
)
def test_what_means_nothing_is_refused_for_a_reason(frame: bytes, reason: str) -> None:
    decoder = begun()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    if reason != "unknown_channel" and b"262=D" in frame:
        assert caught.value.symbol == SYMBOL
    assert top(decoder.decode(change(160, 160, "9:7"))).bids[0] == (9.0, 7.0)


PRICES = st.integers(1, 12)
SIDE = st.dictionaries(PRICES, st.integers(1, 9), max_size=6)
STEP = st.tuples(SIDE, SIDE, st.sets(PRICES, max_size=3), st.integers(0, 3))


@given(SIDE, SIDE, st.lists(STEP, max_size=12), st.integers(1, 5))
def test_a_book_is_what_the_changes_make_of_it(
    bids: dict[int, int],
    asks: dict[int, int],
    steps: list[tuple[dict[int, int], dict[int, int], set[int], int]],
    depth: int,
) -> None:
    def text(levels: dict[int, int], beyond: int) -> str:
        return " ".join(f"{price + beyond}:{amount}" for price, amount in levels.items())

    def side(levels: dict[int, int], beyond: int, way: int) -> Side:
        best = sorted(levels, reverse=way < 0)[:depth]
        return tuple((float(price + beyond), float(levels[price])) for price in best)

    decoder, seq = BinanceFixDecoder(depth), 100
    shown = top(decoder.decode(whole(seq, text(bids, 0), text(asks, 100))))
    for new_bids, new_asks, gone, overlap in steps:
        bids = {**bids, **new_bids}
        asks = {**asks, **new_asks}
        deleted = " ".join(str(price) for price in gone)
        for price in gone:
            bids.pop(price, None)
        if not (new_bids or new_asks or gone):
            continue
        first, seq = seq + 1 - overlap, seq + 2
        frame = change(first, seq, f"{text(new_bids, 0)} {deleted}", text(new_asks, 100))
        (event,) = decoder.decode(frame)
        if isinstance(event, BookTop):
            shown = event
        assert (shown.bids, shown.asks) == (side(bids, 0, -1), side(asks, 100, 1))
        assert decoder.seq(SYMBOL) == seq


def test_no_damage_is_fatal() -> None:
    rng = random.Random(20261129)
    decoder = BinanceFixDecoder(3)
    pieces = [b"\x01", b"=", b"268=", b"279=2", b"270=", b"-", b"nan", b"\xff", b"1" * 40, b"893=N"]
    said: Counter[str] = Counter()
    for seq in range(100, 20_000, 4):
        decoder.decode(whole(seq, "9:1 8:2", "10:1"))
        kinds = [
            whole(seq, "9:1 8:2", "10:1"),
            change(seq + 1, seq + 2, "9:5 8.5:1", "10 11:2"),
            whole(seq, "9:1", "10:1", kind="T"),
            change(0, seq + 1, "9:5", kind="T"),
            message("Y|262=D12-BNBBTC|281=2|25016=-1191|58=no"),
            message("B|148=soon"),
        ]
        frame = bytearray(rng.choice(kinds))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(frame) + 1)
            match rng.randrange(4):
                case 0:
                    frame[at : at + 1] = bytes([rng.randrange(256)])
                case 1:
                    del frame[at : at + rng.randint(1, 30)]
                case 2:
                    frame[at:at] = rng.choice(pieces)
                case _:
                    frame[at : at + 1] = b"%d" % rng.randrange(10)
        try:
            said.update(type(event).__name__ for event in decoder.decode(bytes(frame)))
        except FrameError as error:
            said[error.reason] += 1
        decoder.forget(SYMBOL)
    assert {name for name in said if name.islower()} <= FRAME_ERROR_REASONS
    assert min(said[name] for name in ("BookTop", "Bbo", "bad_shape", "bad_level")) > 50
