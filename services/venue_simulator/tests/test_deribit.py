"""Deribit's protocol, as its documents have it."""

from __future__ import annotations

import json

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state
from venue_simulator.book import BookState, Levels
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from venue_simulator.venues.deribit import frames, session

DELTAS = "book.ETH_BTC.100ms"
TOP = "book.ETH_BTC.none.10.100ms"


def call(method: str, **params: object) -> Message:
    return {"jsonrpc": "2.0", "id": 7, "method": f"public/{method}", "params": params}


async def subscribe(wire: Wire, *channels: str) -> list[str]:
    answer = await wire.ask(call("subscribe", channels=channels))
    assert (answer["id"], answer["testnet"]) == (7, False)
    listed: list[str] = answer["result"]
    return listed


def data_of(channel: str, before: BookState | None, after: BookState) -> Message:
    stream = frames.stream_of(channel)
    assert stream is not None
    if before is None:
        text = frames.first_frame(stream, after)
    else:
        text = frames.frame(stream, before, after)
    assert text is not None
    message = json.loads(text, parse_float=str)
    assert (message["method"], message["params"]["channel"]) == ("subscription", channel)
    data: Message = message["params"]["data"]
    return data


BIDS: Levels = (("61250.5", "0.1"), ("61249", "2200"))
ASKS: Levels = (("61251", "0.00005"),)
BEFORE = BookState(8, 5_000_000, BIDS, ASKS)
AFTER = BookState(9, 6_000_000, (("61250.7", "1"), BIDS[1]), ())


def test_a_book_begins_with_a_snapshot_of_all_levels() -> None:
    assert data_of(DELTAS, None, BEFORE) == {
        "type": "snapshot",
        "timestamp": 5,
        "instrument_name": "ETH_BTC",
        "change_id": 8,
        "bids": [["new", "6.12505e4", "0.1"], ["new", "6.1249e4", "2.2e3"]],
        "asks": [["new", "6.1251e4", "5.0e-5"]],
    }


def test_changes_name_the_number_that_they_follow() -> None:
    data = data_of(DELTAS, BEFORE, AFTER)
    assert (data["type"], data["prev_change_id"], data["change_id"]) == ("change", 8, 9)
    assert data["bids"] == [["new", "6.12507e4", "1.0"], ["delete", "6.12505e4", "0.0"]]
    assert data["asks"] == [["delete", "6.1251e4", "0.0"]]


def test_whole_tops_have_no_type_and_are_repeated_now_and_then() -> None:
    data = data_of("book.ETH_BTC.none.1.100ms", BEFORE, AFTER)
    assert (data["bids"], data["asks"], "type" in data) == ([["6.12507e4", "1.0"]], [], False)
    stream = frames.stream_of(TOP)
    assert stream is not None
    again = [frames.frame(stream, BEFORE, BookState(n, 0, BIDS, ASKS)) for n in range(14)]
    assert [number for number, text in enumerate(again) if text] == [0, 7]


def test_best_prices_have_no_number_and_a_missing_side_is_null() -> None:
    data = data_of("quote.ETH_BTC", BEFORE, AFTER)
    assert (data["best_bid_price"], data["best_bid_amount"]) == ("6.12507e4", "1.0")
    assert (data["best_ask_price"], data["best_ask_amount"]) == (None, "0.0")
    assert "change_id" not in data


async def test_unknown_channels_are_left_out_and_known_ones_told_in_another_order(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "deribit") as wire:
        asked = (TOP, "book.AAA_BBB.100ms", "dance.ETH_BTC", "book.BTC_USD.none.1.100ms")
        assert await subscribe(wire, *asked) == [asked[3], asked[0]]
        assert await subscribe(wire, "dance.ETH_BTC") == []


async def test_a_second_subscription_gets_no_snapshot_and_one_after_leaving_does(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "deribit") as wire:
        assert await subscribe(wire, DELTAS) == [DELTAS]
        assert (await wire.hear())["params"]["data"]["type"] == "snapshot"
        assert await subscribe(wire, DELTAS) == [DELTAS]
        await wire.quiet(call("test"), lambda answer: "version" in answer["result"])
        left = await wire.ask(call("unsubscribe", channels=[DELTAS]))
        assert left["result"] == [DELTAS]
        left = await wire.ask(call("unsubscribe", channels=[DELTAS]))
        assert left["result"] == []
        assert await subscribe(wire, DELTAS) == [DELTAS]
        data = (await wire.hear())["params"]["data"]
        assert (data["type"], data["change_id"]) == (
            "snapshot",
            last_state(simulator, "deribit").venue_seq,
        )


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (call("subscribe", channels=["book.ETH_BTC.raw"]), 13778),
        (call("subscribe", channels=[]), -32602),
        (call("set_heartbeat", interval=9), -32602),
        (call("dance"), -32601),
        ({"id": 7}, -32600),
        ([], -32600),
    ],
)
async def test_errors(simulator: Simulator, request_: object, code: int) -> None:
    async with dialled(simulator, "deribit") as wire:
        assert (await wire.ask(request_))["error"]["code"] == code


async def test_credits_are_for_ten_subscriptions_at_once(simulator: Simulator) -> None:
    async with dialled(simulator, "deribit") as wire:
        for _ in range(40):
            await wire.say(call("subscribe", channels=[TOP]))
        answers = [await wire.hear() for _ in range(40)]
    refused = [one["error"]["code"] for one in answers if "error" in one]
    assert "error" not in answers[9]
    assert set(refused) == {10028}


async def test_who_answers_the_heartbeat_stays(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEAST_HEARTBEAT_S", 0.001)
    async with dialled(simulator, "deribit") as wire:
        assert (await wire.ask(call("set_heartbeat", interval=0.01)))["result"] == "ok"
        for _ in range(3):
            assert (await wire.hear())["params"] == {"type": "test_request"}
            answer = await wire.ask(call("test"))
            assert answer["result"] == {"version": "1.2.26"}
        assert wire.socket.close_code is None


async def test_who_does_not_answer_it_is_hung_up_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEAST_HEARTBEAT_S", 0.001)
    monkeypatch.setattr(session, "ANSWER_WITHIN_S", 0.05)
    async with dialled(simulator, "deribit") as wire:
        await wire.ask(call("set_heartbeat", interval=0.01))
        assert await wire.closed() == 4000


async def test_who_follows_the_platform_is_told_of_maintenance_and_locks(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "deribit") as wire:
        assert await subscribe(wire, "platform_state") == ["platform_state"]
        with simulator.during("deribit", FaultKind.HALT):
            assert (await wire.hear())["params"]["data"] == {"maintenance": True}
        assert (await wire.hear())["params"]["data"] == {"maintenance": False}
        with simulator.during("deribit", FaultKind.HALT, "ETH-BTC"):
            locked = {"price_index": "eth_btc", "locked": True}
            assert (await wire.hear())["params"]["data"] == locked
        await wire.hear()
        assert (await wire.ask(call("unsubscribe", channels=["platform_state"])))["result"]
        with simulator.during("deribit", FaultKind.HALT):
            await wire.quiet(call("test"), lambda answer: "version" in answer["result"])


async def test_rest_lists_and_shows_books(simulator: Simulator) -> None:
    url = f"{simulator.rest_url('deribit')}/api/v2/public"
    listed = (await get(f"{url}/get_instruments?currency=any&kind=spot")).body["result"]
    assert [one["instrument_name"] for one in listed if not one["is_active"]] == ["LUNA_USD"]
    euro = (await get(f"{url}/get_instruments?currency=EUR")).body["result"]
    assert {one["quote_currency"] for one in euro} == {"EUR"}
    assert (await get(f"{url}/get_instruments?currency=any&kind=option")).body["result"] == []
    book = (await get(f"{url}/get_order_book?instrument_name=ETH_BTC&depth=3")).body["result"]
    state = last_state(simulator, "deribit")
    assert (book["change_id"], len(book["bids"])) == (state.venue_seq, 3)
    for query in ("get_order_book?instrument_name=A_B", "get_order_book?depth=0"):
        assert (await get(f"{url}/{query}")).status == 400
