"""Recordings, served as the venue would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from structlog.testing import capture_logs
from venue_client import Wire, dial, eventually, get, texts
from venue_simulator import simulator as simulator_module
from venue_simulator.rebuilding import RecordedState, Recording
from venue_simulator.recordings import load_recordings
from venue_simulator.simulator import Simulator
from venue_simulator.venues.kraken.frames import checksum

Simulate = Callable[..., Awaitable[Simulator]]

CAPTURES = Path(__file__).parents[4] / "shared" / "captures"


def recording(venue: str, symbol: str, seqs: range, price_form: str = "%d.50") -> Recording:
    states = tuple(
        RecordedState(
            offset_s=index * 0.02,
            venue_seq=seq,
            bids=tuple((price_form % (100 - n), f"{seq % 7 + 1}.00000000") for n in range(30)),
            asks=tuple((price_form % (101 + n), "1.00000000") for n in range(30)),
        )
        for index, seq in enumerate(seqs)
    )
    return Recording(venue, "ETH-BTC", symbol, states)


RECORDINGS = [
    recording("binance", "ETHBTC", range(50, 60), "%d.50000000"),
    recording("bitstamp", "ethbtc", range(1_641_343_695_000_000, 1_641_343_695_000_010)),
    recording("kraken", "ETH/BTC", range(1_618_678_132_000_000, 1_618_678_132_000_010)),
]


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Recordings that need no captures."""
    monkeypatch.setattr(simulator_module, "load_recordings", lambda *_: RECORDINGS)
    return tmp_path


def seqs(simulator: Simulator, venue: str) -> list[int]:
    return [state.venue_seq for state in simulator.truth.states[venue, "ETH-BTC"]]


async def test_a_book_stands_still_until_somebody_subscribes(
    simulate: Simulate, recordings: Path
) -> None:
    simulator = await simulate(captures=recordings, speed=1000)
    depth = await get(simulator.rest_url("binance") + "/api/v3/depth?symbol=ETHBTC&limit=1")
    assert depth.body["lastUpdateId"] == 50
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await subscribe_kraken(wire)
        await eventually(lambda: len(seqs(simulator, "kraken")) == 10, "all states")
    assert {venue: seqs(simulator, venue) for venue in ("binance", "bitstamp")} == {
        "binance": [50],
        "bitstamp": [1_641_343_695_000_000],
    }


async def subscribe_kraken(wire: Wire) -> None:
    await wire.hear()
    params = {"channel": "book", "symbol": ["ETH/BTC"], "depth": 10}
    ack = await wire.ask({"method": "subscribe", "params": params})
    assert ack["success"] is True


async def test_every_state_is_served_once_and_the_last_one_stays(
    simulate: Simulate, recordings: Path
) -> None:
    with capture_logs() as logs:
        simulator = await simulate(captures=recordings, speed=20)
        book_url = simulator.rest_url("bitstamp") + "/api/v2/order_book/ethbtc/"
        async with dial(simulator.ws_url("bitstamp")) as wire:
            # The state in which it stands is not sent.
            served = [(await get(book_url)).body]
            channel = {"channel": "order_book_ethbtc"}
            await wire.ask({"event": "bts:subscribe", "data": channel})
            served += [(await wire.hear())["data"] for _ in range(9)]
            last = (await get(book_url)).body
    states = RECORDINGS[1].states
    assert [int(data["microtimestamp"]) for data in served] == [s.venue_seq for s in states]
    assert [data["bids"] for data in served] == [texts(state.bids) for state in states]
    assert last["microtimestamp"] == served[-1]["microtimestamp"]
    finished = [entry for entry in logs if entry["event"] == "recording finished"]
    assert [entry["venue"] for entry in finished] == ["bitstamp"]


async def test_kraken_s_checksums_hold_over_the_recorded_text(
    simulate: Simulate, recordings: Path
) -> None:
    simulator = await simulate(captures=recordings, speed=20)
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await subscribe_kraken(wire)
        frames = [(await wire.hear())["data"][0] for _ in range(10)]
    assert [frame["checksum"] for frame in frames] == [
        checksum(state.bids, state.asks) for state in RECORDINGS[2].states
    ]
    assert frames[0]["timestamp"] == "2021-04-17T16:48:52.000000Z"


async def test_speed_is_a_multiple(simulate: Simulate, recordings: Path) -> None:
    simulator = await simulate(captures=recordings, speed=2)
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await subscribe_kraken(wire)
        started = asyncio.get_running_loop().time()
        await eventually(lambda: len(seqs(simulator, "kraken")) == 10, "all states")
    assert asyncio.get_running_loop().time() - started > 0.07


async def test_states_by_hand(simulate: Simulate, recordings: Path) -> None:
    simulator = await simulate(captures=recordings)
    simulator.step(2)
    assert seqs(simulator, "binance") == [50, 51, 52]
    simulator.step(20)
    assert seqs(simulator, "binance") == list(range(50, 60))


async def test_lists_are_of_what_was_recorded(simulate: Simulate, recordings: Path) -> None:
    simulator = await simulate(captures=recordings, venues=("kraken",))
    pairs = (await get(simulator.rest_url("kraken") + "/0/public/AssetPairs")).body["result"]
    assert [pair["wsname"] for pair in pairs.values()] == ["ETH/XBT"]
    assert [pair["pair_decimals"] for pair in pairs.values()] == [2]


async def test_a_folder_without_recordings_is_named(simulate: Simulate, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=tmp_path.name):
        await simulate(captures=tmp_path)


@pytest.mark.needs(CAPTURES)
async def test_real_recordings_are_what_a_kraken_client_rebuilds(simulate: Simulate) -> None:
    recorded = {one.symbol: one for one in load_recordings(CAPTURES, ["kraken"])}
    simulator = await simulate(captures=CAPTURES, venues=("kraken",), speed=1e6)
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        await wire.hear()
        params = {"channel": "book", "symbol": sorted(recorded), "depth": 10}
        await wire.say({"method": "subscribe", "params": params})
        books: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
        final = {name: each.states[-1] for name, each in recorded.items()}
        rebuilt = 0
        while any(_window(books.get(name)) != _top(final[name]) for name in final):
            message = await wire.hear()
            if message.get("channel") == "book":
                (data,) = message["data"]
                sides = books.setdefault(data["symbol"], ({}, {}))
                _apply(sides, data)
                assert checksum(*_window(sides)) == data["checksum"]
                rebuilt += 1
    assert rebuilt > 1000


Sides = tuple[dict[str, str], dict[str, str]]


def _apply(sides: Sides, data: dict[str, list[dict[str, str]]]) -> None:
    for levels, name in zip(sides, ("bids", "asks"), strict=True):
        for change in data[name]:
            levels.pop(change["price"], None)
            if float(change["qty"]):
                levels[change["price"]] = change["qty"]
        kept = _sorted(levels, -1 if name == "bids" else 1)[:10]
        levels.clear()
        levels.update(kept)


def _window(sides: Sides | None) -> tuple[tuple[tuple[str, str], ...], ...]:
    bids, asks = sides or ({}, {})
    return tuple(_sorted(bids, -1)), tuple(_sorted(asks, 1))


def _top(state: RecordedState) -> tuple[tuple[tuple[str, str], ...], ...]:
    return state.bids[:10], state.asks[:10]


def _sorted(levels: dict[str, str], sign: int) -> list[tuple[str, str]]:
    return sorted(levels.items(), key=lambda level: sign * float(level[0]))
