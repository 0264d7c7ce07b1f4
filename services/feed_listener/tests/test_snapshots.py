"""Books held against the venue's own, on real sockets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.binance import seed as binance
from dragonfly_venues.bitstamp import seed as bitstamp
from dragonfly_venues.events import BookTop, FrameError
from dragonfly_venues.venue import AuditSources, SnapshotSource
from fake_venue import FakeServer, FakeVenue, book_around, eventually
from feed_listener.audit import comparing
from feed_listener.audit.comparing import Audit, Result
from feed_listener.connection import auditor
from listening import listening
from prometheus_client import REGISTRY

SYNCING, LIVE = FeedState.SYNCING, FeedState.LIVE


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    try:
        told = json.loads(reply)
    except ValueError:
        raise FrameError("not_json") from None
    bids, asks = (tuple((p, a) for p, a in told[side][:depth]) for side in ("b", "a"))
    return BookTop(symbol, told["seq"], None, bids, asks)


AUDITS = AuditSources(bbo=True)
SNAPSHOTS = SnapshotSource(path=lambda symbol: f"/book/{symbol}", parse=parse, per_minute=60_000.0)


def counted(audit: Audit, result: Result) -> float:
    labels: dict[str, str] = {"audit": audit, "result": result, "venue": "fake"}
    return REGISTRY.get_sample_value("dragonfly_listener_audits_total", labels) or 0.0


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditor, "BEHIND_S", 0.05)


async def test_a_book_that_agrees_has_a_score_though_it_rests(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AUDITS, snapshots=SNAPSHOTS),
        instruments=["ETH-BTC"],
        audit_interval_s=0.01,
    ) as consumer:
        consumer.want("ETH-BTC")
        assert (await consumer.live("ETH-BTC", 1)).score is None
        audited = await consumer.book("ETH-BTC", lambda book: book.score == 1.0, "score 1")
        assert (audited.score_total, audited.venue_seq) == (1.0, 1)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_a_book_that_keeps_disagreeing_is_asked_for_anew(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    server.snapshots["ethbtc"] = {"seq": 7, "b": [[9.0, 1.0], [8.0, 3.0]], "a": [[11.0, 1.0]]}
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AUDITS, snapshots=SNAPSHOTS),
        instruments=["ETH-BTC"],
        audit_interval_s=0.01,
    ) as consumer:
        consumer.want("ETH-BTC")
        broken = await consumer.saying("ETH-BTC", "resyncing: audit (bid 2 of the book at 7 is 8.0")
        assert (broken.state, broken.score, broken.bids) == (SYNCING, 0.0, ())
        del server.snapshots["ethbtc"]
        healed = await consumer.book("ETH-BTC", lambda book: (book.score or 0) > 0, "score > 0")
        assert (healed.state, healed.score) == (LIVE, healed.score_total)
        assert server.asked("unsub")[0] == ["ethbtc"]


async def test_while_a_snapshot_is_awaited_every_state_is_read(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    server.may_answer.clear()
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AUDITS, snapshots=SNAPSHOTS, whole_books=True),
        instruments=["ETH-BTC"],
        audit_interval_s=0.01,
    ) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: bool(server.snapshots_asked), "an audit")
        server.snapshots["ethbtc"] = book_around(11.0, "ethbtc", 2)
        server.send_at_once(*(book_around(9.0 + seq, "ethbtc", seq) for seq in (2, 3, 4)))
        await consumer.live("ETH-BTC", 4)
        server.may_answer.set()
        await consumer.book("ETH-BTC", lambda book: book.score == 1.0, "score 1")
        states = [book for book in consumer.said("ETH-BTC") if book.state is LIVE]
        assert [book.venue_seq for book in states[:4]] == [1, 2, 3, 4]


async def test_a_book_that_does_not_reach_the_snapshot_is_behind(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    server.snapshots["ethbtc"] = {"seq": 9, "b": [[9.5, 1.0]], "a": [[11.0, 1.0]]}
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AUDITS, snapshots=SNAPSHOTS),
        instruments=["ETH-BTC"],
        audit_interval_s=0.01,
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.saying("ETH-BTC", "of the snapshot at 9 9.5 x 1.0")


async def test_best_prices_that_disagree_once_leave_the_feed_and_lower_the_score(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AuditSources(bbo=True)),
        instruments=["ETH-BTC"],
        audit_interval_s=60.0,
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        assert server.requests[0]["bbo"] is True

        async def say(seq: int, bid: float) -> None:
            await server.book("ethbtc", seq, 10.0 + seq)
            best = {"t": "bbo", "s": "ethbtc", "seq": seq, "b": [bid, 1.0], "a": [seq + 11.0, 1.0]}
            await server.send(best, "ethbtc")

        for seq in range(2, 2 + comparing.FAULT_AFTER - 1):
            await say(seq, 5.0)
        await say(5, 14.0)
        await consumer.book("ETH-BTC", lambda book: book.score == 1 / 3, "score a third")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        for seq in range(6, 6 + comparing.FAULT_AFTER):
            await say(seq, 5.0)
        broken = await consumer.saying("ETH-BTC", "resyncing: audit (the book at 8 shows 17.0")
        assert (broken.state, broken.score) == (SYNCING, 1 / 6)


async def test_without_audits_nothing_is_asked_but_books(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AUDITS, snapshots=SNAPSHOTS),
        instruments=["ETH-BTC"],
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        assert server.requests[0]["bbo"] is False
        assert not server.snapshots_asked


async def test_a_checksum_is_an_audit_at_each_frame(server: FakeServer, tmp_path: Path) -> None:
    before = [counted(Audit.CHECKSUM, result) for result in (Result.AGREED, Result.DISAGREED)]
    venue = FakeVenue(audits=AuditSources(checksum=True))
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await server.book("ethbtc", 1, 10.0)
        await server.book("ethbtc", 2, 10.5)
        await consumer.live("ETH-BTC", 2)
        await server.send({"t": "broken", "s": "ethbtc"})
        broken = await consumer.saying("ETH-BTC", "resyncing: checksum")
        assert broken.score == broken.score_total
    after = [counted(Audit.CHECKSUM, result) for result in (Result.AGREED, Result.DISAGREED)]
    assert after[0] - before[0] >= 3
    assert after[1] - before[1] == 1


async def test_a_snapshot_that_is_none_is_counted_and_harms_nothing(
    server: FakeServer, tmp_path: Path
) -> None:
    failures = "dragonfly_listener_snapshot_failures_total"
    before = REGISTRY.get_sample_value(failures, {"venue": "fake"}) or 0.0
    await server.book("ethbtc", 1, 10.0)
    server.snapshots["ethbtc"] = "no book"
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(audits=AUDITS, snapshots=SNAPSHOTS),
        instruments=["ETH-BTC"],
        audit_interval_s=0.01,
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await eventually(
            lambda: (REGISTRY.get_sample_value(failures, {"venue": "fake"}) or 0.0) > before + 1,
            "two failures",
        )
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        del server.snapshots["ethbtc"]
        await consumer.book("ETH-BTC", lambda book: book.score == 1.0, "score 1")


def test_where_snapshots_are() -> None:
    assert binance.TOP_SOURCE.path("币usdt") == "/api/v3/depth?symbol=%E5%B8%81USDT&limit=20"
    assert bitstamp.SOURCE.path("btcusd") == "/api/v2/order_book/btcusd/?group=1"


def test_what_snapshots_say() -> None:
    sides = '"bids": [["0.0700", "1.5"], ["0.06", "2"]], "asks": [["0.08", "3"], ["0.09", "0"]]'
    ours = BookTop("s", 7, None, ((0.07, 1.5),), ((0.08, 3.0),))
    assert binance.TOP_SOURCE.parse(f'{{"lastUpdateId": 7, {sides}}}'.encode(), "s", 1) == ours
    reply = f'{{"timestamp": "1", "microtimestamp": "7", {sides}}}'
    assert bitstamp.SOURCE.parse(reply.encode(), "s", 1) == ours


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ('{"code":-1121,"msg":"Invalid symbol."}', "bad_shape"),
        ("<html>", "not_json"),
        ('{"lastUpdateId":-1,"bids":[],"asks":[]}', "bad_sequence"),
        ('{"lastUpdateId":1,"bids":[["1","-1"]],"asks":[]}', "bad_level"),
        ('{"lastUpdateId":1,"bids":[["1","1"],["2","1"]],"asks":[]}', "unsorted"),
    ],
    ids=["error", "page", "sequence", "level", "order"],
)
def test_what_is_no_book_is_refused(reply: str, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        binance.TOP_SOURCE.parse(reply.encode(), "s", 10)
    assert refused.value.reason == reason


def test_replicas_divide_the_budget_of_an_address() -> None:
    source = SnapshotSource(path=str, parse=parse, per_minute=240.0, burst=5)
    assert (source.shared(1).per_minute, source.shared(1).burst) == (240.0, 5)
    assert (source.shared(3).per_minute, source.shared(3).burst) == (80.0, 1)
    assert source.shared(9).burst == 1
