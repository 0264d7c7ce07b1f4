"""Every fault, as a client suffers it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from dialects import DIALECTS, dialled, socket_url
from dragonfly_common.errors import UserError
from patience import patiently
from venue_client import Message, Wire, dial, eventually, get, last_state
from venue_simulator.faults import FaultKind, PlannedFault, parse_planned_fault
from venue_simulator.simulator import Simulator
from venue_simulator.venues import VENUES
from venue_simulator.venues.kraken.frames import checksum
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

ANY_VENUE = pytest.mark.parametrize("venue", sorted(VENUES))


@asynccontextmanager
async def subscribed(simulator: Simulator, venue: str) -> AsyncIterator[Wire]:
    """Connect, subscribe ETH-BTC, and get over all that comes before the first change."""
    async with dialled(simulator, venue) as wire:
        await wire.say(DIALECTS[venue].subscribe)
        await wire.hear_where(DIALECTS[venue].begins)
        await eventually(lambda: "ETH-BTC" in simulator.subscriptions(venue), "subscribed")
        yield wire


async def next_book(wire: Wire) -> Message:
    return await wire.hear_where(is_book)


def is_book(message: Message) -> bool:
    return any(dialect.is_book(message) for dialect in DIALECTS.values())


def seq_of(message: Message) -> str:
    return next(str(one.seq(message)) for one in DIALECTS.values() if one.is_book(message))


@ANY_VENUE
async def test_close(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "close")
        assert await wire.closed() == 1001
    await eventually(lambda: not simulator.clients(venue), "the client gone")
    assert simulator.subscriptions(venue) == {}


@ANY_VENUE
async def test_reset(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "reset")
        with pytest.raises(ConnectionClosed) as raised:
            await wire.frame()
        assert isinstance(raised.value.__cause__, ConnectionResetError)


@ANY_VENUE
async def test_a_close_spares_the_other_venues(simulator: Simulator, venue: str) -> None:
    (other, *_) = [name for name in VENUES if name != venue]
    async with subscribed(simulator, other) as wire:
        simulator.faults.inject(venue, "close")
        simulator.faults.inject(venue, "silence")
        simulator.step()
        await next_book(wire)


@ANY_VENUE
async def test_silence_lets_nothing_out(simulator: Simulator, venue: str) -> None:
    url = await socket_url(simulator, venue)
    async with subscribed(simulator, venue) as wire:
        with simulator.silence(venue):
            simulator.step()
            pong = asyncio.ensure_future(await wire.socket.ping())
            await wire.say({"event": "bts:heartbeat", "method": "ping"})
            handshake = asyncio.create_task(shake_hands(url))
            await talk_elsewhere(simulator, venue)
            assert not pong.done()
            assert not handshake.done()
        await handshake
        sent_in_silence = last_state(simulator, venue).venue_seq
        simulator.step()
        message = await next_book(wire)
        assert str(sent_in_silence) != seq_of(message)
        assert not pong.done()
        async with patiently():
            await (await wire.socket.ping())


async def talk_elsewhere(simulator: Simulator, venue: str) -> None:
    """Let the simulator answer others for a while: what it had to say here would be out by then."""
    (other, *_) = [name for name in VENUES if name != venue]
    async with dialled(simulator, other) as wire:
        for _ in range(3):
            await (await wire.socket.ping())


async def shake_hands(url: str) -> None:
    async with dial(url):
        pass


@ANY_VENUE
async def test_mute_stops_books_and_nothing_else(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        with simulator.mute(venue):
            simulator.step(2)
            async with patiently():
                await (await wire.socket.ping())
            await wire.say({"event": "bts:heartbeat", "method": "ping"})
            assert not is_book(await wire.hear())
        message = await next_book(wire)
    assert_is(message, simulator, venue)


def assert_is(message: Message, simulator: Simulator, venue: str) -> None:
    """Assert that a book frame shows the truth as it stands."""
    state = last_state(simulator, venue)
    if venue == "kraken":
        assert message["data"][0]["checksum"] == checksum(state.bids, state.asks)
    else:
        assert seq_of(message) == str(state.venue_seq)


async def test_who_subscribes_to_a_mute_book_gets_it_afterwards(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        with simulator.mute("kraken", "ETH-BTC"):
            params = {"channel": "book", "symbol": ["ETH/BTC"], "depth": 10}
            await wire.say({"method": "subscribe", "params": params})
            assert (await wire.hear())["channel"] == "status"
            assert (await wire.hear())["success"] is True
            await wire.say({"method": "ping"})
            assert (await wire.hear())["method"] == "pong"
        message = await wire.hear()
    assert message["type"] == "snapshot"
    assert_is(message, simulator, "kraken")


@ANY_VENUE
async def test_malformed(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "malformed")
        simulator.step()
        with pytest.raises(json.JSONDecodeError):
            await wire.hear()
        simulator.step()
        assert_is(await next_book(wire), simulator, venue)


@ANY_VENUE
async def test_gap(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "gap", "ETH-BTC")
        simulator.step()
        simulator.step()
        assert_is(await next_book(wire), simulator, venue)


@ANY_VENUE
async def test_duplicate(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "duplicate")
        simulator.step()
        assert await wire.frame() == await wire.frame()
        simulator.step()
        assert_is(await next_book(wire), simulator, venue)


@ANY_VENUE
async def test_reorder(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "reorder")
        simulator.step(3)
        times = [seq_of(await next_book(wire)) for _ in range(3)]
    first, second, third = sorted(times)
    assert times == [second, first, third]


async def test_bad_checksum(simulator: Simulator) -> None:
    async with subscribed(simulator, "kraken") as wire:
        simulator.faults.inject("kraken", "bad_checksum")
        simulator.step()
        wrong = await next_book(wire)
        state = last_state(simulator, "kraken")
        assert wrong["data"][0]["checksum"] != checksum(state.bids, state.asks)
        simulator.step()
        assert_is(await next_book(wire), simulator, "kraken")


@ANY_VENUE
async def test_crossed(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "crossed", "ETH-BTC")
        simulator.step()
        state = last_state(simulator, venue)
        assert state.crossed
        assert float(state.bids[0][0]) > float(state.asks[0][0])
        assert_is(await next_book(wire), simulator, venue)
        assert not last_state(simulator, venue, "BTC-USD").crossed
        simulator.step()
        assert not last_state(simulator, venue).crossed
        assert_is(await next_book(wire), simulator, venue)


@ANY_VENUE
async def test_a_fault_with_seconds_befalls_every_frame(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        with simulator.during(venue, FaultKind.MALFORMED):
            simulator.step(3)
        simulator.step()
        damaged = 0
        while damaged < 3:
            try:  # A heartbeat that is due between them is whole.
                assert not is_book(await wire.hear())
            except json.JSONDecodeError:
                damaged += 1
        assert_is(await next_book(wire), simulator, venue)


@ANY_VENUE
async def test_unknown_symbol(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        everything = await statuses(simulator, venue)
        with simulator.during(venue, FaultKind.UNKNOWN_SYMBOL, "ETH-BTC"):
            simulator.step()
            fewer = await statuses(simulator, venue)
            await wire.say({"event": "bts:heartbeat", "method": "ping"})
            assert not is_book(await wire.hear())
        assert_is(await next_book(wire), simulator, venue)
    (gone,) = everything.keys() - fewer.keys()
    assert gone in {"ETH-BTC", "ETH-XBT"}


async def test_an_unknown_symbol_is_refused_by_kraken(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await wire.hear()
        with simulator.during("kraken", FaultKind.UNKNOWN_SYMBOL, "ETH-BTC"):
            params = {"channel": "book", "symbol": ["ETH/BTC"]}
            answer = await wire.ask({"method": "subscribe", "params": params})
        assert answer["error"] == "Currency pair not supported ETH/BTC"


@ANY_VENUE
async def test_not_accepting(simulator: Simulator, venue: str) -> None:
    url = await socket_url(simulator, venue)
    with simulator.during(venue, FaultKind.NOT_ACCEPTING):
        with pytest.raises((ConnectionError, InvalidMessage)):
            await shake_hands(url)
        with pytest.raises(OSError, match="reset"):
            await get(simulator.rest_url(venue) + DIALECTS[venue].rest_path)
    await shake_hands(url)


@ANY_VENUE
async def test_rest_429(simulator: Simulator, venue: str) -> None:
    with simulator.during(venue, FaultKind.REST_429):
        reply = await get(simulator.rest_url(venue) + DIALECTS[venue].rest_path)
    assert reply.status == VENUES[venue].rate_limited.status
    assert reply.headers.items() >= VENUES[venue].rate_limited.headers.items()
    assert (await get(simulator.rest_url(venue) + DIALECTS[venue].rest_path)).status == 200


@ANY_VENUE
@pytest.mark.parametrize("status", [403, 404, 418, 451, 503])
async def test_refusals(simulator: Simulator, venue: str, status: int) -> None:
    url = await socket_url(simulator, venue)
    async with subscribed(simulator, venue) as wire:
        with simulator.during(venue, FaultKind(f"http_{status}")):
            reply = await get(simulator.rest_url(venue) + DIALECTS[venue].rest_path)
            assert reply.status == status
            assert reply.headers.get("Retry-After") == ("2" if status == 418 else None)
            with pytest.raises(InvalidStatus, match=f"HTTP {status}"):
                await shake_hands(url)
            simulator.step()
            assert_is(await next_book(wire), simulator, venue)
        await shake_hands(url)


async def test_a_redirect(simulator: Simulator) -> None:
    url = urlsplit(simulator.rest_url("kraken") + DIALECTS["kraken"].rest_path)
    with simulator.during("kraken", FaultKind.HTTP_302):
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(f"GET {url.path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        reply = await reader.read()
        writer.close()
    assert reply.startswith(b"HTTP/1.1 302 ")
    assert b"Location: https://elsewhere.invalid/" in reply


async def test_rest_slow(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venue_simulator.server.SLOW_REST_S", 0.2)
    url = simulator.rest_url("binance") + "/api/v3/depth?symbol=ETHBTC"
    asked_at = last_state(simulator, "binance").venue_seq
    with simulator.during("binance", FaultKind.REST_SLOW):
        started = asyncio.get_running_loop().time()
        reply = await get(url)
        assert asyncio.get_running_loop().time() - started >= 0.2
    assert reply.body["lastUpdateId"] == asked_at


async def test_a_state_ends_by_itself(simulator: Simulator) -> None:
    simulator.faults.inject("kraken", "rest_429", seconds=0.02)
    url = simulator.rest_url("kraken") + DIALECTS["kraken"].rest_path
    async with patiently():
        while (await get(url)).status == 429:
            pass


async def test_planned_faults_happen_again(
    simulate: Callable[..., Awaitable[Simulator]],
) -> None:
    planned: PlannedFault = parse_planned_fault("kraken close at=0.01 every=0.02", VENUES)
    simulator = await simulate(faults=(planned,))
    await eventually(lambda: len(simulator.truth.faults) >= 3, "three times closed")
    assert {fault.kind for fault in simulator.truth.faults} == {FaultKind.CLOSE}


async def test_a_fault_that_is_none_is_refused(simulator: Simulator) -> None:
    with pytest.raises(UserError, match="earthquake"):
        simulator.faults.inject("kraken", "earthquake")
    assert simulator.truth.faults == []


async def test_a_closing_announced_to_somebody_who_left_hurts_nobody(simulator: Simulator) -> None:
    async with subscribed(simulator, "kraken"):
        simulator.faults.inject("kraken", "announced_close", seconds=0.05)
    await eventually(lambda: not simulator.clients("kraken"), "the client gone")
    async with subscribed(simulator, "kraken") as wire:
        await eventually(lambda: not simulator.faults._timers, "the announced closing over")
        simulator.step()
        await next_book(wire)


@ANY_VENUE
async def test_what_lasts_is_ended_by_hand(simulator: Simulator, venue: str) -> None:
    async with subscribed(simulator, venue) as wire:
        simulator.faults.inject(venue, "mute", seconds=86_400)
        simulator.faults.inject(venue, "rest_429", seconds=86_400)
        simulator.step()
        assert simulator.faults.clear(venue, "mute") == 1
        assert_is(await next_book(wire), simulator, venue)
    limited = await get(simulator.rest_url(venue) + DIALECTS[venue].rest_path)
    assert limited.status == VENUES[venue].rate_limited.status
    assert simulator.faults.clear(venue) == 1
    assert (await get(simulator.rest_url(venue) + DIALECTS[venue].rest_path)).status == 200


async def test_what_was_to_come_is_forgotten(simulate: Callable[..., Awaitable[Simulator]]) -> None:
    planned = parse_planned_fault("kraken rest_429 at=0.01 for=0.02 every=0.03", VENUES)
    later = parse_planned_fault("binance close at=86400", VENUES)
    simulator = await simulate(faults=(planned, later))
    await eventually(lambda: len(simulator.truth.faults) >= 2, "twice")
    simulator.faults.inject("kraken", "gap", "ETH-BTC")
    async with subscribed(simulator, "kraken") as wire:
        assert simulator.faults.clear("kraken") >= 2  # the plan, the gap, and what lasted just then
        assert list(simulator.faults._timers.values()) == [later.fault]
        simulator.step()
        assert_is(await next_book(wire), simulator, "kraken")


async def test_only_what_is_meant_is_ended(simulator: Simulator) -> None:
    for instrument in ("ETH-BTC", "BTC-USD", None):
        simulator.faults.inject("kraken", "mute", instrument, 86_400)
    simulator.faults.inject("binance", "mute", "ETH-BTC", 86_400)
    assert simulator.faults.clear("kraken", "mute", "eth-btc") == 1
    assert simulator.faults.clear("kraken", "gap") == 0
    assert simulator.faults.clear("kraken") == 2
    assert simulator.faults.clear() == 1
    assert simulator.faults.clear() == 0
    assert not simulator.faults._timers


@pytest.mark.parametrize("names", [("mtgox",), ("kraken", "earthquake"), (None, None, "ETH")])
async def test_what_is_no_fault_cannot_be_ended(
    simulator: Simulator, names: tuple[str | None, ...]
) -> None:
    with pytest.raises(UserError, match=str(names[-1])):
        simulator.faults.clear(*names)


async def statuses(simulator: Simulator, venue: str) -> dict[str, object]:
    """Return what REST says of trading by instrument."""
    dialect = DIALECTS[venue]
    return dict(dialect.statuses((await get(simulator.rest_url(venue) + dialect.rest_path)).body))


@ANY_VENUE
async def test_a_halted_market_says_so_and_stands_still(simulator: Simulator, venue: str) -> None:
    usual = await statuses(simulator, venue)
    async with subscribed(simulator, venue) as wire:
        before = last_state(simulator, venue)
        with simulator.during(venue, FaultKind.HALT, "ETH-BTC"):
            simulator.step(3)
            assert last_state(simulator, venue) is before
            halted = await statuses(simulator, venue)
            changed = {name for name in usual if usual[name] != halted.get(name)}
            (name,) = changed
            assert name in {"ETH-BTC", "ETH-XBT"}
            assert halted.get(name) == DIALECTS[venue].halted
        assert await statuses(simulator, venue) == usual
        simulator.step()
        assert seq_of(await next_book(wire))


async def test_kraken_tells_its_clients_of_halts(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await wire.hear_where(lambda message: message.get("channel") == "status")
        params = {"channel": "instrument", "snapshot": False}
        await wire.say({"method": "subscribe", "params": params})
        await wire.hear_where(lambda message: message.get("success") is True)

        async def told(kind: FaultKind, instrument: str | None) -> list[str]:
            words = []
            each = 1 if instrument else 2  # of the venue, its markets follow
            with simulator.during("kraken", kind, instrument):
                words += [await hear_word(wire) for _ in range(each)]
            words += [await hear_word(wire) for _ in range(each)]
            return words

        halted, usual = "all cancel_only", "all cancel_only online"  # one market always is
        assert await told(FaultKind.HALT, None) == ["maintenance", halted, "online", usual]
        restricted = "all cancel_only post_only"
        assert await told(FaultKind.POST_ONLY, None) == ["post_only", restricted, "online", usual]
        assert await told(FaultKind.HALT, "ETH-BTC") == ["ETH/BTC cancel_only", "ETH/BTC online"]
        assert await told(FaultKind.UNKNOWN_SYMBOL, "ETH-BTC") == [
            "ETH/BTC delisted",
            "ETH/BTC online",
        ]


async def hear_word(wire: Wire) -> str:
    """Return what Kraken says next of itself, or of a market."""
    message = await wire.hear_where(lambda one: one.get("channel") in {"status", "instrument"})
    if message["channel"] == "status":
        return str(message["data"][0]["system"])
    pairs = message["data"]["pairs"]
    if len(pairs) > 1:
        return " ".join(["all", *sorted({pair["status"] for pair in pairs})])
    (pair,) = pairs
    return f"{pair['symbol']} {pair['status']}"


@ANY_VENUE
async def test_a_new_coin_is_listed_and_traded(simulator: Simulator, venue: str) -> None:
    before = await statuses(simulator, venue)
    simulator.faults.inject(venue, "list", "NEW-USD")
    simulator.faults.inject(venue, "list", "NEW-USD")
    after = await statuses(simulator, venue)
    assert after.keys() - before.keys() == {"NEW-USD"}
    (other, *_) = [name for name in VENUES if name != venue]
    assert "NEW-USD" not in await statuses(simulator, other)
