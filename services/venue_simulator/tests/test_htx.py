"""HTX's protocol, as its documents have it."""

from __future__ import annotations

import gzip
import json

import pytest
from dialects import dialled
from venue_client import Message, Wire, dial, get, last_state
from venue_simulator.book import BookState, Levels
from venue_simulator.simulator import Simulator
from venue_simulator.venue import Frame
from venue_simulator.venues.htx import frames, session

CHANGES = "market.ethbtc.mbp.150"


def topic(name: str, verb: str = "sub") -> Message:
    return {verb: name, "id": "id1"}


def feed(simulator: Simulator) -> str:
    return simulator.ws_url("htx") + "/feed"


def text_of(frame: Frame | None) -> str:
    assert isinstance(frame, bytes)
    return gzip.decompress(frame).decode()


def tick(kind: str, before: BookState, after: BookState) -> str:
    stream = frames.stream_of(f"market.ethbtc.{kind}")
    assert stream is not None
    return text_of(frames.frame(stream, before, after)).partition('"tick":')[2][:-1]


BIDS: Levels = (("0.0000009121", "92730.24"), ("0.00000091", "4"))
ASKS: Levels = (("0.000000928", "13640078"),)
BEFORE = BookState(7, 0, BIDS, ASKS)
AFTER = BookState(8, 0, BIDS[1:], ASKS)


def test_numbers_are_printed_as_java_does() -> None:
    assert tick("mbp.refresh.5", AFTER, BEFORE) == (
        '{"seqNum":7,"bids":[[9.121E-7,92730.24],[9.1E-7,4.0]],"asks":[[9.28E-7,1.3640078E7]]}'
    )


def test_changes_name_the_number_that_they_follow() -> None:
    assert tick("mbp.150", BEFORE, AFTER) == (
        '{"seqNum":8,"prevSeqNum":7,"bids":[[9.121E-7,0.0]],"asks":[]}'
    )
    assert tick("mbp.5", BEFORE, AFTER) == '{"seqNum":8,"prevSeqNum":7,"bids":[[9.121E-7,0.0]]}'
    assert tick("mbp.20", BEFORE, BookState(9, 0, BIDS, ASKS)) == '{"seqNum":9,"prevSeqNum":7}'


def test_whole_depths_and_best_prices_carry_the_same_number() -> None:
    depth = json.loads(tick("depth.step0", BEFORE, AFTER))
    assert (depth["version"], depth["bids"]) == (8, [[9.1e-7, 4.0]])
    best = json.loads(tick("bbo", BEFORE, BookState(8, 0, (), ASKS)))
    assert (best["seqId"], best["bid"], best["bidSize"], best["ask"]) == (8, 0.0, 0.0, 9.28e-7)


async def test_no_book_comes_with_the_changes_and_one_asked_for_too_soon_is_old(
    simulator: Simulator,
) -> None:
    async with dial(feed(simulator)) as wire:
        assert (await wire.ask(topic(CHANGES)))["subbed"] == CHANGES
        first = last_state(simulator, "htx").venue_seq
        simulator.step(2)
        last = first
        for _ in range(2):
            change = (await wire.hear())["tick"]
            assert change["prevSeqNum"] == last
            last = change["seqNum"]
        answer = await wire.ask(topic(CHANGES, "req"))
        assert (answer["rep"], answer["status"], answer["id"]) == (CHANGES, "ok", "id1")
        assert answer["data"]["seqNum"] == first


async def test_a_book_asked_for_later_is_the_one_that_the_changes_made(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LAG_NS", 0)
    async with dial(feed(simulator)) as wire:
        await wire.ask(topic(CHANGES))
        simulator.step(3)
        for _ in range(3):
            change = await wire.hear()
        data = (await wire.ask(topic(CHANGES, "req")))["data"]
        assert data["seqNum"] == change["tick"]["seqNum"]
        assert float(data["bids"][0][0]) == float(last_state(simulator, "htx").bids[0][0])


async def test_requests_within_a_tenth_of_a_second_are_too_many(simulator: Simulator) -> None:
    async with dial(feed(simulator)) as wire:
        await wire.say(topic(CHANGES, "req"))
        await wire.say(topic(CHANGES, "req"))
        assert (await wire.hear())["status"] == "ok"
        refused = await wire.hear()
    assert (refused["status"], refused["err-msg"]) == (
        "error",
        f"429 too many request topic is {CHANGES}",
    )


@pytest.mark.parametrize(
    ("path", "asked", "why"),
    [
        ("/ws", topic("market.ethbtc.kline.1min"), "invalid topic market.ethbtc.kline.1min"),
        ("/ws", topic(CHANGES), f"invalid topic {CHANGES}"),
        ("/feed", topic("market.ethbtc.bbo"), "invalid topic market.ethbtc.bbo"),
        ("/ws", topic("market.aaabbb.bbo"), "invalid symbol aaabbb"),
        ("/ws", topic("market.lunausd.bbo"), "symbol lunausd trade not open now"),
        ("/feed", topic("market.ethbtc.mbp.400", "req"), "invalid topic market.ethbtc.mbp.400"),
        ("/ws", topic("market.ethbtc.bbo", "unsub"), "unsub with not subbed topic"),
        ("/ws", {"id": "id1"}, "invalid command"),
    ],
)
async def test_refusals(simulator: Simulator, path: str, asked: Message, why: str) -> None:
    async with dial(simulator.ws_url("htx") + path) as wire:
        answer = await wire.ask(asked)
    assert (answer["status"], answer["id"], answer["err-code"]) == ("error", "id1", "bad-request")
    assert answer["err-msg"].startswith(why)


async def test_several_topics_are_answered_each(simulator: Simulator) -> None:
    names = ["market.ethbtc.bbo", "market.btcusd.bbo"]
    async with dialled(simulator, "htx") as wire:
        await wire.say({"sub": names, "id": 3})
        assert [(await wire.hear())["subbed"] for _ in names] == names
        answer = await wire.ask({"unsub": names[0], "id": 3})
        assert answer["unsubbed"] == names[0]


async def questions(wire: Wire, count: int) -> list[int]:
    return [int((await wire.hear())["ping"]) for _ in range(count)]


async def test_who_answers_the_venues_questions_stays(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PING_EVERY_S", 0.01)
    monkeypatch.setattr(session, "PING_LIMIT_S", 30.0)
    async with dialled(simulator, "htx") as wire:
        for _ in range(3):
            (asked,) = await questions(wire, 1)
            await wire.say({"pong": asked})
        assert wire.socket.close_code is None


async def test_who_answers_none_is_hung_up_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PING_EVERY_S", 0.01)
    monkeypatch.setattr(session, "PING_LIMIT_S", 0.05)
    async with dialled(simulator, "htx") as wire:
        (asked,) = await questions(wire, 1)
        await wire.say({"pong": asked + 1})
        assert await wire.closed() == 1003


async def test_a_clients_question_is_answered(simulator: Simulator) -> None:
    async with dialled(simulator, "htx") as wire:
        assert await wire.ask({"ping": 18}) == {"pong": 18}


async def test_rest_lists_and_shows_books(simulator: Simulator) -> None:
    url = simulator.rest_url("htx")
    long = (await get(f"{url}/v1/common/symbols")).body["data"]
    short = (await get(f"{url}/v2/settings/common/symbols")).body["data"]
    assert [one["symbol"] for one in long] == [one["sc"] for one in short]
    assert [one["sc"] for one in short if one["state"] != "online"] == ["lunausd"]
    book = (await get(f"{url}/market/depth?symbol=ethbtc&type=step0&depth=5")).body["tick"]
    assert (book["version"], len(book["asks"])) == (last_state(simulator, "htx").venue_seq, 5)
    for query in ("symbol=aaa&type=step0", "symbol=ethbtc&type=step9", ""):
        assert (await get(f"{url}/market/depth?{query}")).body["status"] == "error"
