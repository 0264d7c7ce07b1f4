"""`live` and `age_s()` are true when they are asked, `client.latest` holds the newest."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from dragonfly_client import (
    Book,
    Disconnected,
    DragonflyClient,
    Event,
    Reconnected,
    State,
    _liveness,
)
from dragonfly_client.events import log_event
from dragonfly_client.sync import Client
from dragonfly_protos import market_data_pb2 as pb
from patience import eventually
from stub_gateway import StubGateway, make_bbo, make_book, make_liquidity, make_venues

DEAD = dict.fromkeys(("binance", "bitstamp", "kraken"), (pb.STATE_DOWN, "no listener"))


async def until(condition: Callable[[], bool]) -> None:
    await eventually(condition, what="a book that says so")


@pytest.mark.parametrize("window", [1, 8, None])
async def test_a_kept_book_is_live_no_longer_than_its_connection(
    gateway: StubGateway, window: int | None
) -> None:
    gateway.publish(make_book(seq=1))
    lost = asyncio.Event()

    def note(event: Event) -> None:
        if isinstance(event, Disconnected):
            lost.set()

    client = DragonflyClient(gateway.address, window=window, on_event=note, random=lambda: 0.1)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        kept = await anext(books)
        assert kept.live
        for seq in range(2, 6):
            gateway.publish(make_book(seq=seq))
        if window != 1:
            # More is under way than was read: the end is heard all the same.
            await until(lambda: gateway.sent >= 2)
        # Nobody reads the stream: the bot works on the book that it has.
        await gateway.stop()
        await until(lambda: not kept.live)
        assert kept.was_live
        gateway.publish(make_book(seq=9))
        await gateway.start()
        while (newer := await anext(books)).seq < 9:
            pass
        assert lost.is_set()
        assert newer.live
        # The instrument is live again, and the old book says so of the instrument.
        assert kept.live
    assert (kept.live, newer.live) == (False, False)


async def test_a_kept_book_hears_what_a_newer_one_says(gateway: StubGateway) -> None:
    gateway.known = ["ETH-BTC", "BTC-USD"]
    gateway.publish(make_book())
    gateway.publish(make_book("BTC-USD", mid=65_000))
    client = DragonflyClient(gateway.address)
    async with client, contextlib.aclosing(client.books(["ETH-BTC", "BTC-USD"])) as books:
        kept = {book.instrument: book for book in [await anext(books), await anext(books)]}
        gateway.publish(make_book(seq=2, states=DEAD))
        assert not (await anext(books)).live
        assert not kept["ETH-BTC"].live
        assert kept["BTC-USD"].live
        assert kept["ETH-BTC"].bids


async def test_every_kind_of_view_and_venue_is_followed(gateway: StubGateway) -> None:
    book = make_book()
    gateway.publish(make_bbo(book))
    gateway.publish(make_liquidity(book))
    gateway.venues = make_venues()
    client = DragonflyClient(gateway.address, on_event=lambda _: None)
    async with client:
        streams = (client.bbo("ETH-BTC"), client.liquidity("ETH-BTC"), client.venues())
        bbo, liquidity, venues = (
            await anext(streams[0]),
            await anext(streams[1]),
            await anext(streams[2]),
        )
        assert bbo.live
        assert liquidity.live
        assert all(venue.live for venue in venues)
        await gateway.stop()
        await until(lambda: not (bbo.live or liquidity.live or any(one.live for one in venues)))
        assert {venue.state for venue in venues} == {State.LIVE}
        for stream in streams:
            await stream.aclose()


async def test_nothing_holds_while_the_event_loop_stands_still(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.publish(make_book())
    client = DragonflyClient(gateway.address)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        kept = await anext(books)
        now = time.monotonic()
        monkeypatch.setattr(
            "dragonfly_client._liveness.time.monotonic", lambda: now + _liveness.HOLDS_S + 1
        )
        assert not kept.live
        monkeypatch.undo()
        assert kept.live


async def test_what_no_stream_follows_holds_for_a_moment(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    gateway.publish(make_book("BTC-USD", states=DEAD))
    gateway.known = ["ETH-BTC", "BTC-USD"]
    async with DragonflyClient(gateway.address) as client:
        got = await client.get_book("ETH-BTC")
        assert not (await client.get_book("BTC-USD")).live
        followed = await anext(client.book("ETH-BTC"))
    copies = (got, copy.deepcopy(got), pickle.loads(pickle.dumps(followed)))
    assert not followed.live
    for one in copies:
        assert replace(one, ts_in=time.time_ns()).live
        assert not replace(one, ts_in=time.time_ns() - 4_000_000_000).live
        assert not replace(one, ts_in=time.time_ns(), was_live=False).live
    assert "_liveness" not in asdict(followed)


async def test_an_age_is_that_of_the_moment_and_never_negative(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    for behind_ns in (0, 3_600_000_000_000):
        clock = lambda behind_ns=behind_ns: time.time_ns() - behind_ns  # noqa: E731
        async with DragonflyClient(gateway.address, now_ns=clock) as client:
            book = await anext(client.book("ETH-BTC"))
        at_arrival = book.age_s(book.ts_in)
        assert at_arrival >= 0
        assert book.age_s(book.ts_in + 2_500_000_000) == pytest.approx(at_arrival + 2.5)


async def test_the_newest_of_what_is_followed_can_be_looked_up(gateway: StubGateway) -> None:
    gateway.known = ["ETH-BTC", "BTC-USD"]
    for name in gateway.known:
        book = make_book(name)
        for message in (book, make_bbo(book), make_liquidity(book)):
            gateway.publish(message)
    async with DragonflyClient(gateway.address, on_event=lambda _: None) as client:

        async def follow() -> None:
            async for _ in client.books(gateway.known):
                pass

        following = asyncio.create_task(follow())
        await until(lambda: set(client.latest.books) == {"ETH-BTC", "BTC-USD"})
        gateway.publish(make_book(seq=2))
        await until(lambda: client.latest.books["ETH-BTC"].seq == 2)
        kept: Book = client.latest.books["ETH-BTC"]
        assert kept.live
        await gateway.stop()
        await until(lambda: not client.latest.books["ETH-BTC"].live)
        gateway.publish(make_book(seq=3))
        await gateway.start()
        await until(lambda: client.latest.books["ETH-BTC"].live)
        assert (client.latest.books["ETH-BTC"].seq, kept.seq) == (3, 2)

        bbos, liquidity = client.bbo(["ETH-BTC"]), client.liquidity("ETH-BTC")
        assert await anext(bbos) is client.latest.bbos["ETH-BTC"]
        assert await anext(liquidity) is client.latest.liquidity["ETH-BTC"]
        await bbos.aclose()
        assert not client.latest.bbos
        assert client.latest.liquidity
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert not client.latest.books
        with pytest.raises(TypeError):
            client.latest.books["ETH-BTC"] = kept  # type: ignore[index]
        await liquidity.aclose()


def test_the_blocking_client_knows_it_too(stub_address: str) -> None:
    with Client(stub_address) as client, client.books(["ETH-BTC"]) as books:
        kept = next(books)
        assert client.latest.books["ETH-BTC"] is kept
        assert kept.live
        books.close()
        assert not kept.live


def test_a_loss_and_its_end_are_logged_alike(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="dragonfly_client"):
        log_event(Disconnected("book ETH-BTC", "gone"))
        log_event(Reconnected("book ETH-BTC", 0.25))
    assert [record.message for record in caplog.records] == [
        "stream disconnected: book ETH-BTC (gone)",
        "stream reconnected: book ETH-BTC after 0.25 s",
    ]
