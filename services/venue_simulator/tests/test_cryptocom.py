"""Crypto.com's protocol, as its documents have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state
from venue_simulator.book import BookState
from venue_simulator.simulator import Simulator
from venue_simulator.venue import Action, BookStream, HangUp, KeptAlive, Question, Send
from venue_simulator.venues.cryptocom import session
from venue_simulator.venues.cryptocom.frames import first_frame

CHANGES: Final[dict[str, Any]] = {
    "book_subscription_type": "SNAPSHOT_AND_UPDATE",
    "book_update_frequency": 10,
}


def asked(*channels: str, method: str = "subscribe", **params: object) -> Message:
    return {"id": 9, "method": method, "params": {"channels": channels, **params}}


async def followed(wire: Wire, channel: str = "book.ETH_BTC.50") -> Message:
    ack = await wire.ask(asked(channel, **CHANGES))
    assert ack == {"id": 9, "method": "subscribe", "code": 0, "channel": channel}
    return await wire.hear()


@pytest.mark.parametrize("depth", [10, 50])
async def test_a_subscription_begins_with_a_snapshot(simulator: Simulator, depth: int) -> None:
    async with dialled(simulator, "cryptocom") as wire:
        first = await followed(wire, f"book.ETH_BTC.{depth}")
    state = last_state(simulator, "cryptocom")
    assert (first["id"], first["method"], first["code"]) == (-1, "subscribe", 0)
    result = first["result"]
    assert (result["instrument_name"], result["channel"]) == ("ETH_BTC", "book")
    assert result["subscription"] == f"book.ETH_BTC.{depth}"
    (data,) = result["data"]
    assert data["u"] == state.venue_seq
    assert [tuple(level[:2]) for level in data["bids"]] == [*state.bids[:depth]]
    assert all(len(level) == 3 for level in data["asks"])


async def test_each_change_names_the_one_that_it_follows(simulator: Simulator) -> None:
    async with dialled(simulator, "cryptocom") as wire:
        (data,) = (await followed(wire))["result"]["data"]
        simulator.step(20)
        jumps = set()
        for _ in range(20):
            result = (await wire.hear())["result"]
            assert result["channel"] == "book.update"
            (after,) = result["data"]
            assert after["pu"] == data["u"]
            jumps.add(after["u"] - data["u"])
            data = after
    assert data["u"] == last_state(simulator, "cryptocom").venue_seq
    assert all(10_000 <= jump <= 1_000_000 for jump in jumps)
    assert len(jumps) > 10


async def test_a_book_is_whole_each_time_where_nothing_else_is_asked_for(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "cryptocom") as wire:
        await wire.ask(asked("book.ETH_BTC.10"))
        await wire.hear()
        simulator.step()
        result = (await wire.hear())["result"]
    assert result["channel"] == "book"
    assert len(result["data"][0]["bids"]) == 10


async def test_a_ticker_is_acknowledged_by_its_first_frame(simulator: Simulator) -> None:
    def shown(message: Message) -> tuple[str, ...]:
        (data,) = message["result"]["data"]
        return data["i"], data["b"], data["bs"], data["k"], data["ks"]

    async with dialled(simulator, "cryptocom") as wire:
        first = await wire.ask(asked("ticker.ETH_BTC"))
        simulator.step(30)
        state = last_state(simulator, "cryptocom")
        best = ("ETH_BTC", *state.bids[0], *state.asks[0])
        last = await wire.hear_where(lambda one: shown(one) == best)
    assert (first["id"], last["id"]) == (9, -1)


def test_an_empty_side_has_no_best_price() -> None:
    stream = BookStream("ticker.ETH_BTC", "ETH_BTC", "ticker", 1)
    assert '"b":null,"bs":null,"k":"9","ks":"1"' in first_frame(
        stream, BookState(1, 0, (), (("9", "1"),))
    )


async def test_a_book_that_rests_says_so_by_a_change_without_a_level(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDLE_S", 0.05)
    async with dialled(simulator, "cryptocom") as wire:
        (data,) = (await followed(wire))["result"]["data"]
        (idle,) = (await wire.hear())["result"]["data"]
        assert (idle["u"], idle["pu"]) == (data["u"], data["u"])
        assert idle["update"] == {"asks": [], "bids": []}
        assert idle["t"] > idle["tt"]
        await wire.say(asked("book.ETH_BTC.50", method="unsubscribe"))
        await wire.hear_where(lambda one: one["method"] == "unsubscribe")
        await wire.quiet({"id": 1, "method": "dance"}, lambda one: one["id"] == 1)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (asked("book.NOPE_USD.50", **CHANGES), "Unknown symbol"),
        (asked("book.ETH_BTC.7"), "Invalid depth"),
        (asked("book.ETH_BTC.10", book_subscription_type="ALL"), "Unsupported depth/interval"),
        (asked("book.ETH_BTC.10", book_update_frequency=7), "Unsupported depth/interval"),
        (asked("books.ETH_BTC.10"), "Unrecognized channel"),
        ({"id": 9, "method": "dance"}, "No such method"),
        ({"id": 9, "method": "subscribe"}, "No such method"),
    ],
)
async def test_refusals(simulator: Simulator, request_: Mapping[str, object], text: str) -> None:
    async with dialled(simulator, "cryptocom") as wire:
        refused = await wire.ask(request_)
    assert (refused["id"], refused["code"]) == (9, 40003)
    assert refused["message"].startswith(text)


async def test_a_second_subscription_is_acknowledged_and_no_more_than_allowed_is(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MOST_CHANNELS", 1)
    async with dialled(simulator, "cryptocom") as wire:
        await followed(wire)
        assert (await wire.ask(asked("book.ETH_BTC.10")))["code"] == 40107


def conversation(opened_ns: int = 0) -> tuple[session.CryptocomSession, Sequence[Action]]:
    class NoBooks:
        halted = post_only = False

        def listings(self) -> list[object]:
            return []

        def listing(self, symbol: str) -> None:
            return None

        def state(self, symbol: str) -> None:
            return None

    made = session.CryptocomSession(NoBooks())  # type: ignore[arg-type]
    return made, made.open(opened_ns)


@pytest.mark.parametrize(("part", "allowed"), [(0.0, 100), (0.5, 50), (0.999, 10)])
def test_in_its_first_second_a_client_has_a_part_of_its_requests(part: float, allowed: int) -> None:
    opened_ns = int(part * 1e9)
    talk, _ = conversation(opened_ns)

    def codes(now_ns: int, count: int) -> list[bool]:
        said = [talk.receive(b'{"id":1,"method":"dance"}', now_ns)[0] for _ in range(count)]
        return [isinstance(one, Send) and '"code":42901' in str(one.frame) for one in said]

    assert codes(opened_ns, allowed + 2) == [False] * allowed + [True] * 2
    assert codes(10**9, 200) == [False] * 200


def test_it_asks_by_the_clock_who_is_there() -> None:
    talk, (question,) = conversation()
    assert isinstance(question, Question)
    assert (question.every_s, question.limit_s, question.code) == (30.0, 90.0, 1000)
    asked_for = question.write(1_790_114_291_578_000_000)
    assert asked_for == '{"id":1790114291578,"method":"public/heartbeat","code":0}'
    answer = b'{"id":1790114291578,"method":"public/respond-heartbeat"}'
    assert talk.receive(answer, 0) == [KeptAlive()]
    assert not any(isinstance(action, HangUp) for action in talk.receive_control(0))


async def test_rest(simulator: Simulator) -> None:
    url = simulator.rest_url("cryptocom") + "/exchange/v1/public/"
    body = (await get(url + "get-instruments")).body
    kinds = {one["inst_type"] for one in body["result"]["data"]}
    assert (body["code"], kinds) == (0, {"CCY_PAIR", "PERPETUAL_SWAP"})
    result = (await get(url + "get-book?instrument_name=ETH_BTC&depth=5")).body["result"]
    (data,) = result["data"]
    state = last_state(simulator, "cryptocom")
    assert [tuple(level[:2]) for level in data["asks"]] == [*state.asks[:5]]
    assert "u" not in data
    for path in ("get-book?instrument_name=NOPE", "get-book?instrument_name=ETH_BTC&depth=0", "x"):
        refused = await get(url + path)
        assert (refused.status, refused.body["code"]) == (400, 40003)
