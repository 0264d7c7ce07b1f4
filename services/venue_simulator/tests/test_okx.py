"""OKX's protocol, as its documents have it."""

from __future__ import annotations

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state, texts
from venue_simulator.simulator import Simulator
from venue_simulator.venues.okx import FakeOkx


def books(channel: str = "books", symbol: str = "ETH-BTC", op: str = "subscribe") -> Message:
    return {"id": "9", "op": op, "args": [{"channel": channel, "instId": symbol}]}


async def followed(wire: Wire, channel: str = "books") -> Message:
    ack = await wire.ask(books(channel))
    assert ack["event"] == "subscribe"
    assert ack["arg"] == {"channel": channel, "instId": "ETH-BTC"}
    assert ack["id"] == "9"
    return await wire.hear()


async def test_a_subscription_begins_with_a_snapshot(simulator: Simulator) -> None:
    async with dialled(simulator, "okx") as wire:
        first = await followed(wire)
    (data,) = first["data"]
    state = last_state(simulator, "okx")
    assert first["action"] == "snapshot"
    assert (data["prevSeqId"], data["seqId"], data["checksum"]) == (-1, state.venue_seq, 0)
    assert [level[:2] for level in data["bids"]] == texts(state.bids[:400])
    assert all(len(level) == 4 for level in data["asks"])


async def test_each_change_names_the_one_that_it_follows(simulator: Simulator) -> None:
    async with dialled(simulator, "okx") as wire:
        first = await followed(wire)
        simulator.step(20)
        last = first["data"][0]["seqId"]
        strides = set()
        for _ in range(20):
            update = await wire.hear()
            (data,) = update["data"]
            assert (update["action"], data["prevSeqId"]) == ("update", last)
            strides.add(data["seqId"] - last)
            last = data["seqId"]
    assert last == last_state(simulator, "okx").venue_seq
    assert len(strides) > 1, "numbers are not consecutive"


@pytest.mark.parametrize(("channel", "depth"), [("books5", 5), ("bbo-tbt", 1)])
async def test_whole_tops_carry_no_action(simulator: Simulator, channel: str, depth: int) -> None:
    async with dialled(simulator, "okx") as wire:
        first = await followed(wire, channel)
    assert "action" not in first
    state = last_state(simulator, "okx")
    (data,) = first["data"]
    assert [level[:2] for level in data["asks"]] == texts(state.asks[:depth])
    assert data["seqId"] != state.venue_seq, "each channel counts by itself"


async def test_a_bare_ping_is_answered_with_a_bare_pong(simulator: Simulator) -> None:
    async with dialled(simulator, "okx") as wire:
        await wire.socket.send("ping")
        assert await wire.frame() == "pong"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (books("books9"), "60018"),
        (books(symbol="AAA-BBB"), "60018"),
        ({"op": "subscribe", "args": []}, "60012"),
        ({"op": "dance", "args": [{"channel": "books"}]}, "60012"),
        ("ping?", "60012"),
    ],
)
async def test_mistakes_get_a_code(simulator: Simulator, asked: object, code: str) -> None:
    async with dialled(simulator, "okx") as wire:
        answer = await wire.ask(asked)
    assert (answer["event"], answer["code"]) == ("error", code)


async def test_after_unsubscribing_nothing_comes(simulator: Simulator) -> None:
    async with dialled(simulator, "okx") as wire:
        await followed(wire)
        left = await wire.ask(books(op="unsubscribe"))
        assert left["event"] == "unsubscribe"
        simulator.step()
        await wire.socket.send("ping")
        assert await wire.frame() == "pong"


async def test_who_says_nothing_for_long_is_hung_up_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        FakeOkx, "liveness", type(FakeOkx.liveness)(silence_limit_s=0.05, silence_code=4004)
    )
    async with dialled(simulator, "okx") as wire:
        assert await wire.closed() == 4004


async def test_rest_lists_and_gives_books(simulator: Simulator) -> None:
    base = simulator.rest_url("okx")
    listed = (await get(f"{base}/api/v5/public/instruments?instType=SPOT")).body
    (pair,) = [one for one in listed["data"] if one["instId"] == "ETH-BTC"]
    assert (pair["baseCcy"], pair["quoteCcy"], pair["state"]) == ("ETH", "BTC", "live")
    halted = [one["instId"] for one in listed["data"] if one["state"] == "suspend"]
    assert halted == ["LUNA-USD"]
    book = (await get(f"{base}/api/v5/market/books?instId=ETH-BTC&sz=20")).body["data"][0]
    assert book["seqId"] == last_state(simulator, "okx").venue_seq
    assert len(book["bids"]) == 20
    unknown = (await get(f"{base}/api/v5/market/books?instId=AAA-BBB&sz=20")).body
    assert unknown["code"] == "51001"
