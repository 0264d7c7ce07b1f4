"""Binance's FIX market data, each rule seen by a client over a real socket."""

from __future__ import annotations

import base64
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from dragonfly_common.errors import ConfigError
from dragonfly_fix.codec import FixMessage, Garbled
from dragonfly_fix.dictionary import InvalidMessageError
from fix_client import FixBook, FixWire, dial_fix, entries, value
from hypothesis import given
from hypothesis import strategies as st
from patience import eventually
from test_sessions import NoBooks
from venue_client import dial, last_state
from venue_simulator.faults import FaultKind
from venue_simulator.fix_keys import API_KEY_FILE, PRIVATE_KEY_FILE, FixKeys, load_fix_keys
from venue_simulator.simulator import Simulator
from venue_simulator.venue import Send, Subscribe
from venue_simulator.venues.binance import FakeBinance
from venue_simulator.venues.binance.fix import ACCEPTED, BinanceFix, BinanceFixConversation

DEEPEST = 5000
SECOND_NS = 10**9


@pytest.fixture
async def simulator(simulate: Callable[..., Awaitable[Simulator]]) -> Simulator:
    return await simulate(venues=("binance",), fix="127.0.0.1:0")


def codes(message: FixMessage) -> tuple[str, str | None]:
    """Return (MsgType, ErrorCode) of a refusal."""
    return message.type.decode(), value(message, 25016)


def clean(wire: FixWire) -> None:
    wire.say("5")


# Logging on.


async def test_a_logon_is_answered_as_the_venue_does(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        answer = await wire.log_on()
    assert answer.type == b"A"
    told = [tag for tag, _ in answer.fields]
    assert told == [34, 49, 52, 56, 98, 108, 25037]
    assert [value(answer, tag) for tag in (34, 49, 56, 98, 108)] == ["1", "SPOT", "TEST", "0", "30"]


@pytest.mark.parametrize(
    ("fields", "late_s", "code"),
    [
        ({553: "somebody"}, 0.0, "-2015"),
        ({56: "SPOTS"}, 0.0, "-1130"),
        ({49: "NINECHARS"}, 0.0, "-1178"),
        ({34: 2}, 0.0, "-1179"),
        ({141: "N"}, 0.0, "-1175"),
        ({25035: None}, 0.0, "-1102"),
        ({25035: 3}, 0.0, "-1130"),
        ({554: "word"}, 0.0, "-1170"),
        ({9999: 1}, 0.0, "-1169"),
        ({}, 5.5, "-1021"),
        ({}, -1.5, "-1021"),
    ],
)
async def test_a_logon_that_is_refused_is_told_why(
    simulator: Simulator, fields: dict[int, Any], late_s: float, code: str
) -> None:
    async with dial_fix(simulator) as wire:
        refused = await wire.log_on(*fields.items(), late_s=late_s)
        assert codes(refused) == ("3", code)
        assert value(refused, 372) == "A"
        logout = await wire.hear()
        assert logout.type == b"5"
        assert value(logout, 58) == value(refused, 58)


async def test_a_wrong_signature_is_refused(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        wire._key = Ed25519PrivateKey.generate()
        assert codes(await wire.log_on()) == ("3", "-1022")


@pytest.mark.parametrize("heartbeat_s", [4, 61])
async def test_heartbeats_come_every_5_to_60_seconds(
    simulator: Simulator, heartbeat_s: int
) -> None:
    async with dial_fix(simulator) as wire:
        logout = await wire.log_on((108, heartbeat_s))
    assert logout.type == b"5"
    assert "HeartBtInt (108) must be 5 to 60" in (value(logout, 58) or "")


async def test_a_longer_window_is_taken(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        assert (await wire.log_on((25000, "60000.5"), late_s=50.0)).type == b"3"
    async with dial_fix(simulator) as wire:
        assert (await wire.log_on((25000, "60000"), late_s=50.0)).type == b"A"


async def test_two_at_a_time_need_two_names(simulator: Simulator) -> None:
    async with dial_fix(simulator) as one, dial_fix(simulator) as two:
        assert (await one.log_on()).type == b"A"
        assert codes(await two.log_on()) == ("3", "-1033")
        async with dial_fix(simulator, "OTHER") as other:
            assert (await other.log_on()).type == b"A"
        clean(one)
        assert (await one.hear()).type == b"5"
        one.writer.close()
        await eventually(lambda: simulator.clients("binance") == 1, "one is gone")
    async with dial_fix(simulator) as again:
        assert (await again.log_on()).type == b"A", "after a Logout the name is free"


async def test_who_leaves_without_a_word_finds_its_name_taken(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
    await eventually(lambda: not simulator.clients("binance"), "it is gone")
    async with dial_fix(simulator) as wire:
        assert codes(await wire.log_on()) == ("3", "-1033")


def desk_and_logon() -> tuple[BinanceFix, Callable[[str], FixMessage]]:
    """Return a desk that takes every signature, and what makes Logons of a sender at 1 s."""

    def logon(sender: str) -> FixMessage:
        header = {49: sender, 56: "SPOT", 34: "1", 52: "19700101-00:00:01"}
        body = {95: "1", 96: "", 98: "0", 108: "30", 141: "Y", 553: "K", 25035: "1"}
        body[96] = "="
        return FixMessage(b"A", [(tag, text.encode()) for tag, text in {**header, **body}.items()])

    return BinanceFix(lambda key, signature, signed: True), logon


def test_a_name_is_free_again_after_two_heartbeat_intervals() -> None:
    desk, logon = desk_and_logon()
    one = logon("ONE")
    assert desk.admit(one, 0.0, SECOND_NS, in_use=False) is None
    desk.release(one, 100.0, clean=False)
    assert desk.admit(one, 159.9, SECOND_NS, in_use=False) is not None
    assert desk.admit(one, 160.1, SECOND_NS, in_use=False) is None


def test_an_account_has_100_connections_and_300_attempts_in_5_minutes() -> None:
    desk, logon = desk_and_logon()
    admitted = [
        desk.admit(logon(f"C{i}"), 0.0, SECOND_NS, in_use=False) is None for i in range(101)
    ]
    assert admitted == [True] * 100 + [False]
    for _ in range(199):
        desk.release(logon("C0"), 1.0, clean=True)
        assert desk.admit(logon("C0"), 1.0, SECOND_NS, in_use=False) is None
    desk.release(logon("C0"), 1.0, clean=True)
    refused = desk.admit(logon("C0"), 1.0, SECOND_NS, in_use=False)
    assert refused is not None
    assert "Too many connection attempts" in refused.text
    assert desk.admit(logon("C0"), 400.0, SECOND_NS, in_use=False) is None


# A session.


async def test_nothing_is_sent_again_and_a_gap_is_the_end(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.say("2", (7, 1), (16, 0))
        assert codes(await wire.hear()) == ("3", "-1187")
        wire.number += 1
        wire.say("0")
        rejected = await wire.hear()
        assert (rejected.type, value(rejected, 371)) == (b"3", "34")
        assert (await wire.hear()).type == b"5"


async def test_a_second_logon_is_rejected_and_the_session_goes_on(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        assert codes(await wire.log_on()) == ("3", "-1176")
        wire.say("1", (112, "there?"))
        heartbeat = await wire.hear()
        assert (heartbeat.type, value(heartbeat, 112)) == (b"0", "there?")


async def test_an_order_is_no_market_data(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.say("D", (11, "c1"), (55, "ETHBTC"))
        assert codes(await wire.hear()) == ("3", "-1187")


async def test_2000_messages_a_minute_are_enough(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        for _ in range(2000):
            wire.say("0")
        logout = await wire.hear()
    assert logout.type == b"5"
    assert "Too many messages" in (value(logout, 58) or "")


# Books.


async def test_changes_chain_and_rebuild_every_state_of_the_truth(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.ask_for("book", DEEPEST, "ETHBTC")
        book = FixBook(await wire.hear())
        assert book.shows(last_state(simulator, "binance"))
        for _ in range(200):
            simulator.step()
            change = await wire.hear()
            assert (change.type, value(change, 262)) == (b"X", "book")
            book.apply(change)
            assert book.shows(last_state(simulator, "binance"))


async def test_the_first_book_is_as_deep_as_it_was_asked_for(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.ask_for("book", 2, "ETHBTC")
        snapshot = await wire.hear()
    state = last_state(simulator, "binance")
    told = [(one[269], one[270], one[271]) for one in entries(snapshot)]
    assert told == [("0", *level) for level in state.bids[:2]] + [
        ("1", *level) for level in state.asks[:2]
    ]
    assert value(snapshot, 268) == "4"


async def test_the_ticker_replaces_the_best(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.ask_for("best", 1, "ETHBTC")
        best = {one[269]: (one[270], one[271]) for one in entries(await wire.hear())}
        heard = 0
        for _ in range(100):
            before = best.copy()
            simulator.step()
            state = last_state(simulator, "binance")
            truth = {"0": state.bids[0], "1": state.asks[0]}
            if truth == before:
                continue
            heard += 1
            for one in entries(await wire.hear()):
                assert (one[279], one[25044]) == ("1", str(state.venue_seq))
                assert 25043 not in one
                best[one[269]] = one[270], one[271]
            assert best == truth
    assert heard > 10


async def test_it_is_the_same_book_as_over_a_websocket(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire, dial(simulator.ws_url("binance") + "/stream") as ws:
        await ws.ask({"method": "SUBSCRIBE", "params": ["ethbtc@depth@100ms"], "id": 1})
        await wire.log_on()
        await wire.subscribe("book", DEEPEST, "ETHBTC")
        for _ in range(50):
            simulator.step()
            diff = (await ws.hear())["data"]
            changes = list(entries(await wire.hear()))
            assert {(one[25043], one[25044]) for one in changes} == {
                (str(diff["U"]), str(diff["u"]))
            }
            told = {(one[269], one[270]): one.get(271, "0.00000000") for one in changes}
            assert told == {("0", p): a for p, a in diff["b"]} | {("1", p): a for p, a in diff["a"]}


async def test_a_state_that_changes_nothing_is_told_too(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.ask_for("book", DEEPEST, "ETHBTC")
        book = FixBook(await wire.hear())
        for _ in range(2):
            state = last_state(simulator, "binance")
            simulator.set_book("binance", "ETH-BTC", state.bids, state.asks)
            book.apply(await wire.hear())
            assert book.shows(last_state(simulator, "binance"))


async def test_what_is_listed_and_not_traded_has_an_empty_book(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.ask_for("book", 10, "LUNAUSD")
        nothing = await wire.hear()
    assert (nothing.type, value(nothing, 25044), value(nothing, 268)) == (b"W", "0", "0")


async def test_several_symbols_have_one_id_and_end_together(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        await wire.subscribe("books", 10, "ETHBTC", "BTCUSD")
        assert simulator.subscriptions("binance") == {"ETH-BTC": 1, "BTC-USD": 1}
        wire.say("V", (262, "books"), (263, 2))
        wire.say("1", (112, "done?"))
        assert (await wire.hear()).type == b"0"
        assert simulator.subscriptions("binance") == {}
        wire.say("V", (262, "books"), (263, 2))
        assert codes(await wire.hear()) == ("Y", "-1190")


SIDES = ((267, 2), (269, 0), (269, 1))
ONE = ((146, 1), (55, "ETHBTC"))


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ([(262, "a b"), (263, 1), (264, 5), *ONE, *SIDES], ("3", "-1100")),
        ([(262, "a"), (263, 0), (264, 5), *ONE, *SIDES], ("3", "-1130")),
        ([(262, "a"), (263, 1), (264, 5), *SIDES], ("3", "-1102")),
        ([(262, "a"), (263, 1), (264, 5), *ONE], ("3", "-1102")),
        ([(262, "a"), (263, 1), (264, 0), *ONE, *SIDES], ("3", "-1130")),
        ([(262, "a"), (263, 1), (264, 5001), *ONE, *SIDES], ("3", "-1130")),
        ([(262, "a"), (263, 1), *ONE, *SIDES], ("3", "-1130")),
        ([(262, "a"), (263, 1), (264, 5), *ONE, (267, 1), (269, 0)], ("3", "-1128")),
        ([(262, "a"), (263, 1), (264, 5), (146, 1), (55, "NOPE"), *SIDES], ("3", "-1121")),
        ([(262, "a"), (263, 1), (264, 5), (146, 2), *ONE[1:], *ONE[1:], *SIDES], ("3", "-1151")),
        ([(262, "a"), (263, 1), (264, 5), (146, 2), *ONE[1:], *SIDES], ("3", "-1188")),
        ([(262, "live"), (263, 1), (264, 5), *ONE, *SIDES], ("Y", "-1190")),
        ([(262, "a"), (263, 1), (264, 20), *ONE, *SIDES], ("Y", "-1191")),
        ([(262, "a"), (263, 2)], ("Y", "-1190")),
    ],
)
async def test_a_request_that_is_refused_is_told_why(
    simulator: Simulator, fields: list[tuple[int, Any]], refusal: tuple[str, str]
) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        await wire.subscribe("live", 10, "ETHBTC")
        wire.say("V", *fields)
        refused = await wire.hear()
        assert codes(refused) == refusal
        assert value(refused, 58)
        simulator.step()
        assert (await wire.hear()).type == b"X", "the others go on"


def test_a_connection_has_1000_streams() -> None:
    books = NoBooks(FakeBinance())
    conversation = BinanceFixConversation(books, lambda: False)
    listing = books.listings()[0]
    books._listings = [
        type(listing)(**{**_facts(listing), "symbol": f"S{number}"}) for number in range(1001)
    ]
    answers = [
        conversation.receive(request(f"r{number}", f"S{number}"), 0) for number in range(1001)
    ]
    assert all(isinstance(one, Send) and b"35=W" in one.frame for [one] in answers[:1000])
    [refused] = answers[1000]
    assert isinstance(refused, Send)
    assert b"281=2\x0125016=-1191\x01" in refused.frame


def _facts(listing: Any) -> dict[str, Any]:
    return {name: getattr(listing, name) for name in listing.__dataclass_fields__}


def request(request_id: str, symbol: str) -> FixMessage:
    fields = [(262, request_id), (263, 1), (264, 5), (146, 1), (55, symbol), *SIDES]
    return FixMessage(b"V", [(tag, str(text).encode()) for tag, text in fields])


def test_depth_comes_every_100_ms_and_best_prices_at_once() -> None:
    class Books(NoBooks):
        def state(self, symbol: str) -> Any:
            return object()

    conversation = BinanceFixConversation(Books(FakeBinance()), lambda: False)
    [depth] = conversation.receive(request("d", "ETHBTC"), 0)
    assert isinstance(depth, Subscribe)
    assert (depth.stream.interval_s, depth.stream.best_only) == (0.1, False)
    asked = [(tag, b"1" if tag == 264 else text) for tag, text in request("t", "ETHBTC").fields]
    [ticker] = conversation.receive(FixMessage(b"V", asked), 0)
    assert isinstance(ticker, Subscribe)
    assert (ticker.stream.interval_s, ticker.stream.best_only) == (0.0, True)


TAGS = st.sampled_from([262, 263, 264, 266, 146, 55, 267, 269, 320, 559, 34, 25000, 52])
TEXTS = st.sampled_from(["0", "1", "2", "4", "Y", "ETHBTC", "LUNAUSD", "a", "-1", "5000"])


@given(st.sampled_from([b"V", b"x"]), st.lists(st.tuples(TAGS, TEXTS), max_size=14))
def test_whatever_is_asked_gets_an_answer(kind: bytes, fields: list[tuple[int, str]]) -> None:
    header = [(49, b"A"), (56, b"SPOT"), (34, b"2"), (52, b"19700101-00:00:01")]
    body = [(tag, text.encode()) for tag, text in fields if tag not in {34, 52}]
    asked = FixMessage(kind, [*header, *body])
    with suppress(InvalidMessageError):
        ACCEPTED.check(asked, strict=True)
        conversation = BinanceFixConversation(NoBooks(FakeBinance()), lambda: False)
        trades = [tag for tag, text in fields if tag == 269] and {"2"} == {
            text for tag, text in fields if tag == 269
        }
        assert conversation.receive(asked, SECOND_NS) or trades


# Lists.


async def test_the_list_names_what_is_traded_with_its_steps(simulator: Simulator) -> None:
    async with dial_fix(simulator) as wire:
        await wire.log_on()
        wire.say("x", (320, "one"), (559, 0), (55, "ETHBTC"))
        one = await wire.hear()
        wire.say("x", (320, "all"), (559, 4))
        every = await wire.hear()
        wire.say("x", (320, "none"), (559, 0), (55, "LUNAUSD"))
        assert codes(await wire.hear()) == ("3", "-1121")
    told = {tag: text.decode() for tag, text in one.fields}
    assert (told[320], told[146], told[55], told[15]) == ("one", "1", "ETHBTC", "BTC")
    assert (told[562], told[25039], told[969]) == ("0.00100000", "0.00100000", "0.00001000")
    symbols = [text for tag, text in every.fields if tag == 55]
    assert value(every, 146) == str(len(symbols))
    assert b"BTCUSD" in symbols
    assert b"LUNAUSD" not in symbols


# Faults.


@pytest.fixture
async def following(simulator: Simulator) -> Any:
    async with dial_fix(simulator) as wire:
        await wire.log_on((108, 60))
        await wire.subscribe("book", DEEPEST, "ETHBTC")
        yield wire


async def test_a_gap_is_one_of_ids_and_none_of_numbers(
    simulator: Simulator, following: FixWire
) -> None:
    simulator.faults.inject("binance", "gap")
    last_id = last_state(simulator, "binance").venue_seq
    simulator.step(2)
    change = await following.hear()
    assert value(change, 34) == "3"
    assert int(next(entries(change))[25043]) > last_id + 1


async def test_a_skipped_number_is_a_gap_of_numbers_and_none_of_ids(
    simulator: Simulator, following: FixWire
) -> None:
    last_id = last_state(simulator, "binance").venue_seq
    simulator.faults.inject("binance", "skipped_number")
    simulator.step()
    change = await following.hear()
    assert value(change, 34) == "4"
    assert int(next(entries(change))[25043]) == last_id + 1


async def test_a_malformed_frame_is_garbled_or_breaks_its_group(
    simulator: Simulator, following: FixWire
) -> None:
    simulator.faults.inject("binance", "malformed")
    simulator.step()
    found = await following.hear_any()
    assert isinstance(found, Garbled) or len(list(entries(found))) < int(value(found, 268) or 0)
    simulator.step()
    assert value(await following.hear(), 34) == "4"


async def test_news_comes_before_the_close(simulator: Simulator, following: FixWire) -> None:
    simulator.faults.inject("binance", "announced_close", seconds=0.05)
    news = await following.hear()
    assert (news.type, (value(news, 148) or "").endswith("Please reconnect.")) == (b"B", True)
    assert (await following.hear()).type == b"5"
    clean(following)
    assert await following.hung_up() == []
    async with dial_fix(simulator) as again:
        assert (await again.log_on()).type == b"A", "the venue's own Logout blocks nobody"


async def test_a_close_is_a_logout_and_a_reset_is_none(
    simulator: Simulator, following: FixWire
) -> None:
    simulator.faults.inject("binance", "close")
    assert (await following.hear()).type == b"5"
    clean(following)
    assert await following.hung_up() == []
    async with dial_fix(simulator, "OTHER") as other:
        await other.log_on()
        simulator.faults.inject("binance", "reset")
        with pytest.raises(ConnectionResetError):
            await other.hung_up()
    await eventually(lambda: not simulator.clients("binance"), "both are gone")
    async with dial_fix(simulator, "OTHER") as other:
        assert codes(await other.log_on()) == ("3", "-1033")


async def test_a_silent_venue_answers_later(simulator: Simulator, following: FixWire) -> None:
    with simulator.silence("binance"):
        following.say("1", (112, "there?"))
        last_id = last_state(simulator, "binance").venue_seq
        simulator.step()
    simulator.step()
    heard = [await following.hear(), await following.hear()]
    assert [value(one, 34) for one in heard] == ["3", "4"]
    (change,) = [one for one in heard if one.type == b"X"]
    assert int(next(entries(change))[25043]) > last_id + 1


async def test_what_is_refused_by_a_fault(simulator: Simulator, following: FixWire) -> None:
    with simulator.during("binance", FaultKind.TOO_MANY_STREAMS):
        following.ask_for("more", 10, "BTCUSD")
        refused = await following.hear()
        assert (*codes(refused), value(refused, 281)) == ("Y", "-1191", "2")
    with simulator.during("binance", FaultKind.ID_IN_USE):
        async with dial_fix(simulator, "OTHER") as other:
            assert codes(await other.log_on()) == ("3", "-1033")
    with simulator.during("binance", FaultKind.NOT_ACCEPTING):
        async with dial_fix(simulator, "OTHER") as other:
            with pytest.raises(ConnectionResetError):
                await other.hung_up()
    with simulator.mute("binance"):
        simulator.step()
        following.say("1", (112, "there?"))
        assert (await following.hear()).type == b"0"
    assert (await following.hear()).type == b"X"


# Keys.


def test_the_vendors_signature_is_verified() -> None:
    private = load_pem_private_key(
        b"-----BEGIN PRIVATE KEY-----\n"
        b"MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n"
        b"-----END PRIVATE KEY-----\n",
        None,
    )
    assert isinstance(private, Ed25519PrivateKey)
    signature = base64.b64decode(
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    )
    signed = b"A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223"
    keys = FixKeys({b"K": private.public_key()})
    assert keys.verify(b"K", signature, signed) is True
    assert keys.verify(b"K", signature, signed + b"4") is False
    assert keys.verify(b"L", signature, signed) is None


def test_a_pair_is_made_once_and_its_secrets_are_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = load_fix_keys(folder)
    assert list(made.known) == [b"simulated"]
    for name in (PRIVATE_KEY_FILE, API_KEY_FILE):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    private = (folder / PRIVATE_KEY_FILE).read_bytes()
    load_fix_keys(folder)
    assert (folder / PRIVATE_KEY_FILE).read_bytes() == private


def test_keys_of_others_are_read_and_mistakes_are_named(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "mine.pem").write_bytes(pem)
    assert list(load_fix_keys(tmp_path).known) == [b"mine"]
    assert not (tmp_path / PRIVATE_KEY_FILE).exists()
    (tmp_path / "broken.pem").write_text("no key")
    with pytest.raises(ConfigError, match=r"broken\.pem' holds no public key for Ed25519"):
        load_fix_keys(tmp_path)
    with pytest.raises(ConfigError, match="cannot use the keys in"):
        load_fix_keys(tmp_path / "mine.pem")


async def test_who_speaks_no_fix_is_named(
    simulate: Callable[..., Awaitable[Simulator]],
) -> None:
    with pytest.raises(ConfigError, match=r"none of kraken speaks FIX.*add binance"):
        await simulate(venues=("kraken",), fix="127.0.0.1:0")
