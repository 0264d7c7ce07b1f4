"""Bitget's protocol, as its documents have it."""

from __future__ import annotations

import json

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state, texts
from venue_simulator.book import Listing
from venue_simulator.simulator import Simulator
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.venue import Send
from venue_simulator.venues.bitget import FakeBitget


def books(
    channel: str = "books", symbol: str = "ETHBTC", kind: str = "SPOT", op: str = "subscribe"
) -> Message:
    return {"op": op, "args": [{"instType": kind, "channel": channel, "instId": symbol}]}


async def followed(wire: Wire, channel: str = "books") -> Message:
    ack = await wire.ask(books(channel))
    assert ack == {"event": "subscribe", "arg": books(channel)["args"][0]}
    return await wire.hear()


async def quiet(wire: Wire) -> None:
    """Assert that nothing is on its way: the answer to a ping is the next message."""
    await wire.socket.send("ping")
    assert await wire.frame() == "pong"


async def test_a_subscription_begins_with_a_snapshot(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        first = await followed(wire)
    (data,) = first["data"]
    state = last_state(simulator, "bitget")
    assert first["action"] == "snapshot"
    assert (data["pseq"], data["seq"]) == (0, state.venue_seq)
    assert "checksum" not in data
    assert data["bids"] == texts(state.bids[:500])
    assert isinstance(data["ts"], str)
    assert isinstance(first["ts"], int)


async def test_each_change_names_the_one_that_it_follows(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        last = (await followed(wire))["data"][0]["seq"]
        strides = set()
        for _ in range(20):
            simulator.step()
            update = await wire.hear()
            (data,) = update["data"]
            state = last_state(simulator, "bitget")
            assert (update["action"], data["pseq"], data["seq"]) == (
                "update",
                last,
                state.venue_seq,
            )
            assert "checksum" not in data
            strides.add(data["seq"] - last)
            last = data["seq"]
    assert len(strides) > 1, "numbers are not consecutive"


@pytest.mark.parametrize(("channel", "depth"), [("books1", 1), ("books5", 5), ("books15", 15)])
async def test_whole_tops_are_snapshots_always(
    simulator: Simulator, channel: str, depth: int
) -> None:
    async with dialled(simulator, "bitget") as wire:
        pushes = [await followed(wire, channel)]
        simulator.step(20)
        await wire.socket.send("ping")
        while (frame := await wire.frame()) != "pong":
            pushes.append(json.loads(frame))
    assert 1 < len(pushes) <= 21
    assert {push["action"] for push in pushes} == {"snapshot"}
    assert all(len(push["data"][0]["asks"]) == depth for push in pushes)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (books("books9"), 30001),
        (books(symbol="NOPEUSDT"), 30001),
        ({"op": "subscribe", "args": []}, 30002),
        ({"op": "dance", "args": [{"channel": "books"}]}, 30003),
        ("ping?", 30002),
    ],
)
async def test_mistakes_get_a_code(simulator: Simulator, asked: object, code: int) -> None:
    async with dialled(simulator, "bitget") as wire:
        answer = await wire.ask(asked)
    assert (answer["event"], answer["code"]) == ("error", code)


async def test_another_kind_of_instrument_is_acknowledged_and_silent(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        assert (await wire.ask(books(kind="USDT-FUTURES")))["event"] == "subscribe"
        simulator.step()
        await quiet(wire)


async def test_after_unsubscribing_nothing_comes(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        await followed(wire)
        left = await wire.ask(books(op="unsubscribe"))
        assert left["event"] == "unsubscribe"
        simulator.step()
        await quiet(wire)


async def test_more_than_ten_messages_a_second_end_the_connection(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        for _ in range(11):
            await wire.socket.send("ping")
        assert await wire.closed() == 1008


async def test_a_frame_of_too_many_arguments_ends_the_connection(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        await wire.say({"op": "subscribe", "args": books()["args"] * 25})
        assert await wire.closed() == 1008


async def test_a_frame_of_more_than_4_kb_is_illegal(simulator: Simulator) -> None:
    async with dialled(simulator, "bitget") as wire:
        answer = await wire.ask(books(symbol="X" * 4096))
    assert answer["code"] == 30002


def test_subscriptions_are_counted_by_the_hour() -> None:
    session = FakeBitget().session("/v2/ws/public", _Nothing(), 1)
    frame = json.dumps(books()).encode()

    def code(at_s: float) -> int:
        (answer,) = session.receive(frame, int(at_s * 1e9))
        assert isinstance(answer, Send)
        answered: int = json.loads(answer.frame)["code"]
        return answered

    assert {code(at_s) for at_s in range(240)} == {30001}
    assert code(3599) == 30007
    assert code(3601) == 30001


class _Nothing:
    """A venue that lists nothing."""

    halted = post_only = False
    desk: MatchingDesk

    def listings(self) -> list[Listing]:
        return []

    def listing(self, symbol: str) -> None:
        return None

    def state(self, symbol: str) -> None:
        return None


async def test_who_sends_no_ping_is_hung_up_on_also_while_data_flows(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FakeBitget.liveness.keepalive_limit_s == 120
    monkeypatch.setattr(FakeBitget, "liveness", type(FakeBitget.liveness)(keepalive_limit_s=0.05))
    async with dialled(simulator, "bitget") as wire:
        await wire.say(books())
        simulator.step()
        assert await wire.closed() == 1000


async def test_rest_lists_and_gives_books_without_numbers(simulator: Simulator) -> None:
    base = f"{simulator.rest_url('bitget')}/api/v2/spot"
    listed = {one["symbol"]: one for one in (await get(f"{base}/public/symbols")).body["data"]}
    pair = listed["ETHBTC"]
    assert (pair["baseCoin"], pair["quoteCoin"], pair["status"]) == ("ETH", "BTC", "online")
    assert [name for name, one in listed.items() if one["status"] == "halt"] == ["LUNAUSD"]
    book = (await get(f"{base}/market/orderbook?symbol=ETHBTC&type=step0&limit=20")).body
    assert (book["code"], book["data"].keys()) == ("00000", {"asks", "bids", "ts"})
    assert book["data"]["bids"] == texts(last_state(simulator, "bitget").bids[:20])
    for query in ("symbol=AAABBB", "symbol=ETHBTC&limit=x"):
        assert (await get(f"{base}/market/orderbook?{query}")).status == 400
