"""First books of markets that rest: from REST, joined with frames by the venue's ids."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.decoding.whole_tops import OLDER_IN_A_ROW
from dragonfly_venues.venue import SnapshotSource
from fake_venue import CALM, FakeServer, FakeVenue, book_around, eventually
from feed_listener import seeding, snapshots
from feed_listener.connection import auditor
from listening import Consumer, listening
from prometheus_client import REGISTRY
from test_snapshots import SNAPSHOTS

SYNCING, LIVE, DOWN = FeedState.SYNCING, FeedState.LIVE, FeedState.DOWN

SENDS_NO_FIRST_BOOK = msgspec.structs.replace(CALM, first_book_timeout_s=None)


def resting(source: SnapshotSource = SNAPSHOTS) -> FakeVenue:
    """Return a venue that sends no book before its next change, and has one over REST."""
    return FakeVenue(liveness=SENDS_NO_FIRST_BOOK, snapshots=source, whole_books=True)


def live_seqs(consumer: Consumer, instrument: str = "ETH-BTC") -> list[int]:
    return [book.venue_seq for book in consumer.said(instrument) if book.state is LIVE]


def seeds() -> float:
    return REGISTRY.get_sample_value("dragonfly_listener_seeds_total", {"venue": "fake"}) or 0.0


@pytest.fixture(autouse=True)
def quiet(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "AFTER_S", 0.0)
    server.first_books = False


async def test_a_market_that_rests_is_live_from_rest(server: FakeServer, tmp_path: Path) -> None:
    before = seeds()
    await server.book("ethbtc", 7, 10.0)
    async with listening(server, tmp_path, venue=resting(), instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        book = await consumer.live("ETH-BTC", 7)
        assert book.bids[0] == (9.0, 1.0)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        assert server.asked("sub") == [["ethbtc"]]
        assert server.snapshots_asked == ["ethbtc"]
        assert seeds() == before + 1


async def test_older_frames_are_no_news_and_newer_ones_are(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    async with listening(server, tmp_path, venue=resting(), instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 7)
        for seq in (5, 6, 7, 8):
            await server.send(book_around(3.0 + seq, "ethbtc", seq))
        await consumer.live("ETH-BTC", 8)
        assert live_seqs(consumer) == [7, 8]
        assert server.asked("unsub") == []


async def test_a_frame_that_comes_first_is_the_first_book(
    server: FakeServer, tmp_path: Path
) -> None:
    before = seeds()
    await server.book("ethbtc", 7, 10.0)
    await server.book("btcusd", 1, 20.0)
    server.may_answer.clear()
    async with listening(
        server, tmp_path, venue=resting(), instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await eventually(lambda: len(server.snapshots_asked) == 2, "both are asked for")
        await server.send(book_around(10.5, "ethbtc", 6), "ethbtc")
        await consumer.live("ETH-BTC", 6)
        server.may_answer.set()
        await consumer.live("BTC-USD", 1)
        await server.book("ethbtc", 8, 11.0)
        await consumer.live("ETH-BTC", 8)
        assert live_seqs(consumer) == [6, 8]
        assert seeds() == before + 1


async def test_a_market_that_moves_is_not_asked_for(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "AFTER_S", 0.3)
    server.first_books = True
    await server.book("ethbtc", 1, 10.0)
    server.snapshots["btcusd"] = book_around(20.0, "btcusd", 1)
    async with listening(
        server, tmp_path, venue=resting(), instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("BTC-USD")
        await consumer.live("BTC-USD", 1)
        assert server.snapshots_asked == ["btcusd"]


async def test_a_venue_that_answers_with_a_book_is_not_asked_for_one(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(snapshots=SNAPSHOTS)
    await server.book("btcusd", 1, 20.0)
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.saying("ETH-BTC", "its first book is awaited")
        await server.send(book_around(20.0, "btcusd", 1))
        await consumer.live("BTC-USD", 1)
        assert server.snapshots_asked == []


async def test_too_many_requests_pause_everything_and_say_so(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    await server.book("btcusd", 1, 20.0)
    server.pages = {f"/book/{symbol}": (429, "slowly") for symbol in ("ethbtc", "btcusd")}
    server.retry_after = "0"
    async with listening(
        server, tmp_path, venue=resting(), instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        for instrument in ("ETH-BTC", "BTC-USD"):
            consumer.want(instrument)
            said = await consumer.saying(instrument, "awaited, and REST gives none")
            assert said.state is SYNCING
            assert "answered HTTP 429" in said.reason
        server.pages = {}
        await consumer.live("ETH-BTC", 7)
        await consumer.live("BTC-USD", 1)
        assert len(server.asked("sub")) == 1


@pytest.mark.parametrize(
    ("page", "reason"),
    [((200, "no book"), "the reply is no book"), ((404, "no"), "answered HTTP 404")],
    ids=["no book", "unknown"],
)
async def test_trouble_of_one_symbol_is_its_own(
    server: FakeServer, tmp_path: Path, page: tuple[int, str], reason: str
) -> None:
    await server.book("ethbtc", 7, 10.0)
    await server.book("btcusd", 1, 20.0)
    server.pages["/book/ethbtc"] = page
    async with listening(
        server, tmp_path, venue=resting(), instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        assert (await consumer.saying("ETH-BTC", reason)).state is SYNCING
        await consumer.live("BTC-USD", 1)
        server.pages = {}
        await consumer.live("ETH-BTC", 7)
        assert consumer.states("BTC-USD") == [SYNCING, LIVE]
        assert len(server.asked("sub")) == 1


async def test_a_book_of_an_ended_connection_is_not_taken(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    server.may_answer.clear()
    async with listening(server, tmp_path, venue=resting(), instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: len(server.snapshots_asked) == 1, "the first book is asked for")
        await server.open[0].close()
        await eventually(lambda: len(server.snapshots_asked) == 2, "it is asked for again")
        before = seeds()
        server.may_answer.set()
        await consumer.live("ETH-BTC", 7)
        await eventually(lambda: seeds() == before + 1, "one of both is taken")
        await server.book("ethbtc", 8, 11.0)
        await consumer.live("ETH-BTC", 8)
        assert consumer.states("ETH-BTC")[-1:] == [LIVE]
        assert seeds() == before + 1


async def test_a_book_of_a_subscription_that_ended_is_not_taken(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    await server.book("btcusd", 1, 20.0)
    server.may_answer.clear()
    async with listening(server, tmp_path, venue=resting(), linger_s=0.0) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: server.snapshots_asked == ["ethbtc"], "it is asked for")
        consumer.leave("ETH-BTC")
        await eventually(lambda: server.asked("unsub") == [["ethbtc"]], "it is left")
        before = seeds()
        server.may_answer.set()
        consumer.want("BTC-USD")
        await consumer.live("BTC-USD", 1)
        assert seeds() == before + 1
        assert live_seqs(consumer) == []


async def test_a_reply_older_than_what_was_shown_is_not_shown(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    async with listening(server, tmp_path, venue=resting(), instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 7)
        server.snapshots["ethbtc"] = book_around(9.0, "ethbtc", 6)
        await server.open[0].close()
        said = await consumer.saying("ETH-BTC", "its book is older than what was shown")
        assert said.state is SYNCING
        server.snapshots["ethbtc"] = book_around(12.0, "ethbtc", 9)
        await consumer.live("ETH-BTC", 9)
        assert live_seqs(consumer) == [7, 9]


async def test_a_venue_that_counts_anew_is_believed_at_last(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "FIRST_RETRY_S", 0.001)
    await server.book("ethbtc", 7, 10.0)
    async with listening(server, tmp_path, venue=resting(), instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 7)
        server.snapshots["ethbtc"] = book_around(9.0, "ethbtc", 2)
        await server.open[0].close()
        await consumer.live("ETH-BTC", 2)
        assert len(server.snapshots_asked) == 1 + OLDER_IN_A_ROW


async def test_a_successor_takes_over_a_market_that_rests(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    async with listening(server, tmp_path, venue=resting(), instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 7)
        await server.send({"t": "closing"})
        await consumer.book(
            "ETH-BTC", lambda book: book.feed_epoch > before.feed_epoch, "on the new connection"
        )
        await eventually(lambda: len(server.open) == 1, "the old connection is over")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_what_bots_ask_for_comes_before_what_is_configured(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "AT_ONCE", 1)
    for symbol in server.listed.values():
        await server.book(symbol, 1, 10.0)
    server.may_answer.clear()
    async with listening(
        server, tmp_path, venue=resting(), instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        await eventually(lambda: len(server.snapshots_asked) == 1, "the first is asked for")
        consumer.want("SOL-USD")
        await consumer.saying("SOL-USD", "its first book is awaited")
        server.may_answer.set()
        await consumer.live("SOL-USD", 1)
        await eventually(lambda: len(server.snapshots_asked) == 3, "all are asked for")
        assert server.snapshots_asked[1] == "solusd"


async def test_a_market_that_is_halted_is_asked_for_when_it_is_traded_again(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 7, 10.0)
    await server.book("btcusd", 1, 20.0)
    server.halted["ethbtc"] = "BREAK"
    async with listening(
        server,
        tmp_path,
        venue=resting(),
        instruments=["ETH-BTC", "BTC-USD"],
        list_interval_s=0.05,
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.state("ETH-BTC", FeedState.HALTED)
        await consumer.live("BTC-USD", 1)
        assert server.snapshots_asked == ["btcusd"]
        server.halted.clear()
        await consumer.live("ETH-BTC", 7)


@pytest.mark.parametrize("audit_interval_s", [None, 3600.0], ids=["no audit", "audit"])
async def test_a_stream_that_is_none_is_found_out(
    server: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    audit_interval_s: float | None,
) -> None:
    """The venue acknowledges a subscription and sends nothing, while the market moves."""
    monkeypatch.setattr(snapshots, "CONFIRM_S", 0.0)
    monkeypatch.setattr(auditor, "BEHIND_S", 0.01)
    await server.book("ethbtc", 7, 10.0)
    server.may_answer.clear()
    async with listening(
        server,
        tmp_path,
        venue=resting(),
        instruments=["ETH-BTC"],
        audit_interval_s=audit_interval_s,
    ) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: server.snapshots_asked == ["ethbtc"], "the first book")
        # It alone is answered before the market moves.
        server.may_answer.set()
        server.may_answer.clear()
        await consumer.live("ETH-BTC", 7)
        server.snapshots["ethbtc"] = book_around(12.0, "ethbtc", 9)
        server.may_answer.set()
        await consumer.saying("ETH-BTC", "resyncing: audit")
        await consumer.live("ETH-BTC", 9)
        assert server.asked("unsub") == [["ethbtc"]]


async def test_hundreds_come_within_the_budget(server: FakeServer, tmp_path: Path) -> None:
    source = msgspec.structs.replace(SNAPSHOTS, per_minute=6.0, burst=60)
    instruments = [f"COIN{number}-USD" for number in range(300)]
    server.listed = {name: name.lower().replace("-", "") for name in instruments}
    for symbol in server.listed.values():
        await server.book(symbol, 1, 10.0)
    limits = msgspec.structs.replace(FakeVenue().limits, streams_per_connection=500)
    venue = FakeVenue(limits=limits, liveness=SENDS_NO_FIRST_BOOK, snapshots=source)
    async with listening(server, tmp_path, venue=venue, instruments=instruments) as consumer:

        def live() -> int:
            return sum(LIVE in consumer.states(name) for name in instruments)

        await eventually(lambda: live() == 60, "the burst")
        await eventually(lambda: sum(map(len, server.asked("sub"))) == 300, "all are subscribed")
        # The others have their books from frames meanwhile, and need nothing more.
        for symbol in server.listed.values():
            await server.book(symbol, 2, 11.0)
        await eventually(lambda: live() == 300, "all of them")
        assert len(server.snapshots_asked) == 60
