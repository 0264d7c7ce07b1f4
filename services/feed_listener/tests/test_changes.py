"""Books of changes that REST begins: joined, broken by a gap, and deepened, on real sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Ranges
from dragonfly_venues.events import Event, WholeBook
from dragonfly_venues.venue import Decoder, SnapshotSource
from fake_venue import CALM, FakeDecoder, FakeServer, FakeVenue, eventually
from feed_listener import seeding, snapshots
from feed_listener.connection import auditor
from listening import Consumer, listening
from prometheus_client import REGISTRY
from test_snapshots import SNAPSHOTS

SYNCING, LIVE = FeedState.SYNCING, FeedState.LIVE
DEPTH = 3
LEVELS = 4
"""Of a seed: one more than is shown."""
RESTING = msgspec.structs.replace(CALM, first_book_timeout_s=None)

Levels = Sequence[Sequence[float]]


class ChangesDecoder(DeltaDecoder):
    """Reads changes of the fake venue, and what else it says."""

    def __init__(self) -> None:
        super().__init__(DEPTH, Ranges(), seeded=True, seed_levels=LEVELS)
        self._control = FakeDecoder(DEPTH)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        told = json.loads(frame)
        if told["t"] != "change":
            return self._control.decode(frame)
        bids, asks = (tuple((p, a) for p, a in told[side]) for side in ("b", "a"))
        return self.change(told["s"], Change(told["from"], told["to"], bids, asks))


class ChangingVenue(FakeVenue):
    """Sends changes, and has a few levels over REST."""

    def __init__(self, source: SnapshotSource = SNAPSHOTS) -> None:
        source = msgspec.structs.replace(source, levels=LEVELS)
        super().__init__(liveness=RESTING, snapshots=source)

    def _decoder(self, depth: int) -> Decoder:
        return ChangesDecoder()


def change(symbol: str, seq: int, bids: Levels = (), asks: Levels = ()) -> dict[str, Any]:
    return {"t": "change", "s": symbol, "from": seq, "to": seq, "b": bids, "a": asks}


def seed(seq: int, best: float, count: int = LEVELS) -> dict[str, Any]:
    return {
        "seq": seq,
        "b": [[best - n, 1.0] for n in range(count)],
        "a": [[best + 1 + n, 1.0] for n in range(count)],
    }


def live_seqs(consumer: Consumer, instrument: str = "ETH-BTC") -> list[int]:
    return [book.venue_seq for book in consumer.said(instrument) if book.state is LIVE]


def seeds() -> float:
    return REGISTRY.get_sample_value("dragonfly_listener_seeds_total", {"venue": "fake"}) or 0.0


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "AFTER_S", 0.0)
    monkeypatch.setattr(seeding, "FIRST_RETRY_S", 0.01)


async def test_a_seed_is_joined_with_what_came_before_it(
    server: FakeServer, tmp_path: Path
) -> None:
    server.snapshots["ethbtc"] = seed(5, 10.0)
    server.may_answer.clear()
    async with listening(
        server, tmp_path, venue=ChangingVenue(), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: server.snapshots_asked == ["ethbtc"], "the seed is asked for")
        for seq in (5, 6, 7):
            await server.send(change("ethbtc", seq, bids=[[10.0, float(seq)]]))
        await _heard(server)
        server.may_answer.set()
        book = await consumer.live("ETH-BTC", 7)
        assert book.bids == ((10.0, 7.0), (9.0, 1.0), (8.0, 1.0))
        assert live_seqs(consumer) == [7]


async def test_a_market_that_rests_costs_one_request(server: FakeServer, tmp_path: Path) -> None:
    server.snapshots = {"ethbtc": seed(5, 10.0), "btcusd": seed(1, 20.0)}
    async with listening(server, tmp_path, venue=ChangingVenue()) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 5)
        consumer.want("BTC-USD")
        await consumer.live("BTC-USD", 1)
        await server.send(change("ethbtc", 6, bids=[[10.0, 6.0]]))
        await consumer.live("ETH-BTC", 6)
        assert server.snapshots_asked == ["ethbtc", "btcusd"]


async def test_a_seed_older_than_what_was_buffered_is_fetched_again(
    server: FakeServer, tmp_path: Path
) -> None:
    before = seeds()
    server.snapshots["ethbtc"] = seed(5, 10.0)
    server.may_answer.clear()
    async with listening(
        server, tmp_path, venue=ChangingVenue(), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: server.snapshots_asked == ["ethbtc"], "the seed is asked for")
        await server.send(change("ethbtc", 8, bids=[[10.0, 8.0]]))
        await _heard(server)
        server.may_answer.set()
        reason = "REST gives none: its book does not join what is sent"
        assert (await consumer.saying("ETH-BTC", reason)).state is SYNCING
        assert seeds() == before
        server.snapshots["ethbtc"] = seed(7, 10.0)
        book = await consumer.live("ETH-BTC", 8)
        assert book.bids[0] == (10.0, 8.0)
        assert seeds() == before + 1
        assert server.asked("unsub") == []


async def test_a_gap_breaks_its_book_at_once_and_alone(server: FakeServer, tmp_path: Path) -> None:
    server.snapshots["ethbtc"] = seed(5, 10.0)
    server.snapshots["btcusd"] = seed(1, 20.0)
    async with listening(
        server, tmp_path, venue=ChangingVenue(), instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.live("ETH-BTC", 5)
        await consumer.live("BTC-USD", 1)
        server.may_answer.clear()
        server.snapshots["ethbtc"] = seed(9, 11.0)
        await server.send(change("ethbtc", 7, bids=[[10.0, 7.0]]))
        void = await consumer.saying("ETH-BTC", "resyncing: gap (7 to 7 does not follow 5)")
        assert (void.state, void.bids) == (SYNCING, ())
        await server.send(change("btcusd", 2, bids=[[20.0, 2.0]]))
        await consumer.live("BTC-USD", 2)
        server.may_answer.set()
        await consumer.live("ETH-BTC", 9)
        await server.send(change("ethbtc", 10, bids=[[11.0, 3.0]]))
        await consumer.live("ETH-BTC", 10)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, SYNCING, LIVE]
        assert consumer.states("BTC-USD") == [SYNCING, LIVE]
        assert (server.asked("unsub"), server.opened) == ([["ethbtc"]], 1)


async def test_a_book_whose_levels_run_short_is_deepened_while_it_serves(
    server: FakeServer, tmp_path: Path
) -> None:
    before = seeds()
    server.snapshots["ethbtc"] = seed(5, 10.0)
    async with listening(
        server, tmp_path, venue=ChangingVenue(), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 5)
        # What REST says from here on is older than the book, which must not go back to it.
        await server.send(change("ethbtc", 6, bids=[[10.0, 0.0], [9.0, 0.0]]))
        shorter = await consumer.live("ETH-BTC", 6)
        assert shorter.bids == ((8.0, 1.0), (7.0, 1.0))
        await eventually(lambda: len(server.snapshots_asked) >= 3, "asked again")
        assert seeds() == before + 1
        await server.send(change("ethbtc", 7, bids=[[8.0, 7.0]]))
        await consumer.live("ETH-BTC", 7)
        server.snapshots["ethbtc"] = seed(7, 8.0)
        deep = await consumer.book("ETH-BTC", lambda book: len(book.bids) == DEPTH, "is deep again")
        assert (deep.venue_seq, deep.bids) == (7, ((8.0, 1.0), (7.0, 1.0), (6.0, 1.0)))
        await server.send(change("ethbtc", 8, bids=[[8.0, 2.0]]))
        await consumer.live("ETH-BTC", 8)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        assert seeds() == before + 2
        assert server.asked("unsub") == []


async def test_a_seed_that_no_change_confirms_is_audited(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "CONFIRM_S", 0.0)
    monkeypatch.setattr(snapshots, "SEEDED_INTERVAL_S", 0.01)
    monkeypatch.setattr(auditor, "BEHIND_S", 0.0)
    server.snapshots["ethbtc"] = seed(5, 10.0)
    async with listening(
        server, tmp_path, venue=ChangingVenue(), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 5)
        server.snapshots["ethbtc"] = seed(7, 11.0)
        await consumer.saying("ETH-BTC", "resyncing: audit")
        await consumer.live("ETH-BTC", 7)


async def _heard(server: FakeServer) -> None:
    """Return when all that was sent so far has been read: an answer to what was sent last."""
    await server.send({"t": "challenge", "id": 1})
    await eventually(lambda: server.asked("response") != [], "the answer")
