from __future__ import annotations

import asyncio
import contextlib
import gc
from decimal import Decimal

import grpc
import pytest
from balancer import Balancer
from dragonfly_client import (
    AccessError,
    ClientError,
    Disconnected,
    DragonflyClient,
    Event,
    InvalidRequestError,
    LimitError,
    Market,
    NotFoundError,
    NotReadyError,
    ProtocolError,
    Reconnected,
    SettingError,
    State,
    Tls,
    UnavailableError,
    _requests,
)
from dragonfly_protos import market_data_pb2 as pb
from patience import PATIENCE_S
from stub_gateway import StubGateway, make_bbo, make_book, make_liquidity, make_venues


async def test_a_book_arrives_whole(gateway: StubGateway) -> None:
    sent = make_book(seq=3)
    gateway.publish(sent)
    async with DragonflyClient(gateway.address, now_ns=lambda: sent.ts_agg + 500) as client:
        book = await anext(client.book("ETH-BTC"))
    assert [(level.venue, level.price, level.amount) for level in book.bids] == [
        (level.venue, level.price, level.amount) for level in sent.bids
    ]
    assert book.best_ask is not None
    assert book.best_ask.price == sent.asks[0].price
    assert (book.instrument, book.epoch, book.seq, book.was_live) == ("ETH-BTC", 7, 3, True)
    assert [feed.state for feed in book.venues] == [State.LIVE] * 3
    assert book.ts_in == sent.ts_agg + 500


async def test_an_absent_side_is_absent(gateway: StubGateway) -> None:
    dead = dict.fromkeys(("binance", "bitstamp", "kraken"), (pb.STATE_DOWN, "no listener"))
    book = make_book(states=dead)
    gateway.publish(book)
    gateway.publish(make_bbo(book))
    async with DragonflyClient(gateway.address) as client:
        seen = await client.get_book("ETH-BTC")
        bbo = await client.get_bbo("ETH-BTC")
    assert (seen.live, seen.best_bid, seen.best_ask, seen.mid) == (False, None, None, None)
    assert (bbo.bid, bbo.ask, bbo.mid, bbo.crossed) == (None, None, None, False)
    assert {feed.reason for feed in seen.venues} == {"no listener"}


async def test_several_books_share_one_session(gateway: StubGateway) -> None:
    gateway.known = ["ETH-BTC", "BTC-USD"]
    gateway.publish(make_book("ETH-BTC"))
    gateway.publish(make_book("BTC-USD", mid=65_000))
    client = DragonflyClient(gateway.address)
    names = ["ETH-BTC", "BTC-USD", "ETH-BTC"]
    async with client, contextlib.aclosing(client.books(names)) as books:
        seen = {(await anext(books)).instrument for _ in range(2)}
        assert gateway.open_calls == 1
    assert seen == {"ETH-BTC", "BTC-USD"}


async def test_every_other_view(gateway: StubGateway) -> None:
    book = make_book()
    gateway.publish(make_bbo(book))
    gateway.publish(make_liquidity(book))
    gateway.publish(book)
    gateway.venues = make_venues()
    async with DragonflyClient(gateway.address) as client:
        bbo = await anext(client.bbo(["ETH-BTC"]))
        liquidity = await anext(client.liquidity("ETH-BTC"))
        venues = await anext(client.venues())
        assert await client.get_venues() == venues
        assert (await client.get_bbo("ETH-BTC")).bid == bbo.bid
        assert (await client.get_liquidity("ETH-BTC")).bids == liquidity.bids
        assert (await client.get_book("ETH-BTC", depth=5)).seq == book.seq
        assert [one.instrument for one in await client.instruments()] == ["ETH-BTC"]
        assert (await client.instruments()).left_out == {"binance": 2}
        assert (await client.instruments("kraken"))[0].venues == ("kraken",)
        (one,) = await client.instruments("kraken", "ETH-BTC")
        assert one.markets == (
            Market("kraken", "eth-btc", False, "", Decimal("0.01"), None, None, None),
        )
    assert bbo.bid is not None
    assert bbo.bid.price == book.bids[0].price
    assert liquidity.bids[0].shares[0].amount == liquidity.bids[0].amount
    assert [venue.venue for venue in venues] == ["binance", "bitstamp", "kraken"]


async def test_a_slow_bot_gets_the_newest_state_and_is_told_what_it_replaced(
    gateway: StubGateway,
) -> None:
    gateway.publish(make_book(seq=1))
    client = DragonflyClient(gateway.address)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        await anext(books)
        for seq in range(2, 500):
            gateway.publish(make_book(seq=seq))
        assert gateway.sent == 1
        newest = await anext(books)
    assert (newest.seq, newest.replaced) == (499, 497)


async def test_without_a_window_nothing_is_acknowledged(gateway: StubGateway) -> None:
    gateway.publish(make_book(seq=1))
    client = DragonflyClient(gateway.address, window=None)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        await anext(books)
        gateway.publish(make_book(seq=2))
        assert (await anext(books)).seq == 2
    assert gateway.acked == 0


async def test_leaving_a_stream_cancels_its_call(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    async with DragonflyClient(gateway.address) as client:
        async for _ in client.book("ETH-BTC"):
            break
        gc.collect()
        await gateway.until(lambda: gateway.calls["ended"] == 1)
    assert gateway.cancelled == 1


async def test_closing_the_client_ends_a_stream_that_waits(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    client = DragonflyClient(gateway.address)

    async def follow() -> list[int]:
        return [book.seq async for book in client.book("ETH-BTC")]

    task = asyncio.create_task(follow())
    await gateway.until(lambda: gateway.acked == 1)
    await client.aclose()
    assert await asyncio.wait_for(task, PATIENCE_S) == [1]
    await gateway.until(lambda: gateway.open_calls == 0)
    with pytest.raises(ClientError, match="closed"):
        await client.get_book("ETH-BTC")


@pytest.mark.parametrize(
    ("end", "kind", "sentence"),
    [
        ("client", ClientError, "^this client was closed meanwhile$"),
        ("gateway", UnavailableError, r"^127\.0\.0\.1:\d+: "),
    ],
)
async def test_a_get_that_is_cut_says_by_whom(
    gateway: StubGateway, end: str, kind: type[ClientError], sentence: str
) -> None:
    client = DragonflyClient(gateway.address)
    async with client:
        asking = asyncio.ensure_future(client.get_book("ETH-BTC"))
        await gateway.until(lambda: gateway.calls["waiting gets"] == 1)
        await (client.aclose() if end == "client" else gateway.stop())
        with pytest.raises(kind, match=sentence):
            await asking


async def test_a_cancelled_consumer_is_cancelled(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    async with DragonflyClient(gateway.address) as client:

        async def follow() -> None:
            async for _ in client.book("ETH-BTC"):
                pass

        task = asyncio.create_task(follow())
        await gateway.until(lambda: gateway.acked == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gateway.until(lambda: gateway.open_calls == 0)


async def test_a_stream_outlives_the_gateway(gateway: StubGateway) -> None:
    gateway.publish(make_book(seq=5))
    events: list[Event] = []
    client = DragonflyClient(gateway.address, on_event=events.append, random=lambda: 0.1)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        assert (await anext(books)).seq == 5
        waiting = asyncio.ensure_future(anext(books))
        await gateway.until(lambda: gateway.acked == 1)
        await gateway.stop()
        gateway.publish(make_book(seq=6))
        await gateway.start()
        assert (await waiting).seq == 6
    lost, found = events
    assert isinstance(lost, Disconnected)
    assert isinstance(found, Reconnected)
    assert lost.stream == found.stream == "book ETH-BTC"
    assert found.downtime_s > 0


async def test_a_place_that_is_still_taken_after_a_reconnect_is_waited_for(
    gateway: StubGateway,
) -> None:
    gateway.publish(make_book(seq=1))
    client = DragonflyClient(gateway.address, on_event=lambda _: None, random=lambda: 0.1)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        await anext(books)
        waiting = asyncio.ensure_future(anext(books))
        gateway.refuse_all = (grpc.StatusCode.RESOURCE_EXHAUSTED, "1 stream is open, the quota")
        gateway.abort_all(grpc.StatusCode.UNAVAILABLE, "gone")
        await gateway.until(lambda: gateway.calls["ended"] >= 3)
        gateway.publish(make_book(seq=2))
        gateway.refuse_all = None
        assert (await waiting).seq == 2


async def test_a_token_that_holds_no_more_is_told_to_the_bot(gateway: StubGateway) -> None:
    gateway.publish(make_book(seq=1))
    async with DragonflyClient(gateway.address, on_event=lambda _: None) as client:
        books = client.book("ETH-BTC")
        await anext(books)
        # Where a failed acknowledgement hides the status, asking again brings the same.
        gateway.refuse_all = (grpc.StatusCode.UNAUTHENTICATED, "the token holds no more")
        gateway.abort_all(*gateway.refuse_all)
        with pytest.raises(AccessError, match="holds no more"):
            await anext(books)


@pytest.mark.parametrize("token", ["a\nb", "a b", "é"])
def test_a_token_is_never_said(token: str) -> None:
    with pytest.raises(SettingError, match="printable ASCII") as error:
        DragonflyClient(token=f"secret{token}")
    assert "secret" not in str(error.value)
    assert "secret" not in repr(vars(DragonflyClient(token="secret")))


async def test_a_stream_resumes_at_another_gateway_behind_the_same_address() -> None:
    async with StubGateway() as one, StubGateway() as other, Balancer(one, other) as balancer:
        downtimes: list[float] = []

        def note(event: Event) -> None:
            if isinstance(event, Reconnected):
                downtimes.append(event.downtime_s)

        client = DragonflyClient(balancer.address, on_event=note)
        async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
            for seq, gateway in enumerate((one, other, one, other), 1):
                other_one = other if gateway is one else one
                gateway.publish(make_book(epoch=10 - seq, seq=seq))
                assert (await anext(books)).seq == seq
                asking = asyncio.ensure_future(client.get_book("ETH-BTC"))
                assert (await asking).seq == seq
                other_one.publish(make_book(epoch=9 - seq, seq=seq + 1))
                await balancer.die(gateway)
            assert (await anext(books)).seq == 5
            assert (await client.get_book("ETH-BTC")).seq == 5
    assert len(downtimes) == 4
    assert max(downtimes) < 1.0


async def test_time_never_goes_back_across_a_reconnect(gateway: StubGateway) -> None:
    gateway.publish(make_book(epoch=7, seq=5))
    client = DragonflyClient(gateway.address, on_event=lambda _: None, random=lambda: 0.1)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        await anext(books)
        waiting = asyncio.ensure_future(anext(books))
        await gateway.until(lambda: gateway.acked == 1)
        await gateway.stop()
        gateway.publish(make_book(epoch=7, seq=4))
        await gateway.start()
        # The older state arrives, is acknowledged and kept from the bot.
        await gateway.until(lambda: gateway.calls["opened"] == 2 and gateway.acked == 1)
        gateway.publish(make_book(epoch=6, seq=6))
        book = await waiting
    assert (book.epoch, book.seq) == (6, 6)


@pytest.mark.parametrize(
    ("instrument", "depth", "kind", "sentence"),
    [
        ("FOO-BAR", 0, NotFoundError, "no venue lists FOO-BAR: see ListInstruments"),
        ("ETH-BTC", 99, InvalidRequestError, "depth 99: give 0 to 20"),
    ],
)
async def test_a_refused_request_raises_the_gateways_sentence(
    gateway: StubGateway, instrument: str, depth: int, kind: type[ClientError], sentence: str
) -> None:
    async with DragonflyClient(gateway.address) as client:
        with pytest.raises(kind) as from_stream:
            await anext(client.book(instrument, depth=depth))
        with pytest.raises(kind) as from_get:
            await client.get_book(instrument, depth=depth)
    assert str(from_stream.value) == str(from_get.value) == sentence
    await gateway.until(lambda: gateway.open_calls == 0)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, LimitError),
        (grpc.StatusCode.PERMISSION_DENIED, AccessError),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequestError),
    ],
)
async def test_a_refused_stream_is_not_tried_again(
    gateway: StubGateway, code: grpc.StatusCode, kind: type[ClientError]
) -> None:
    gateway.refuse_all = (code, "no, because")
    async with DragonflyClient(gateway.address) as client:
        with pytest.raises(kind, match="no, because"):
            await anext(client.venues())
        assert gateway.calls["opened"] == 1
        with pytest.raises(kind, match="no, because"):
            await anext(client.book("ETH-BTC"))


async def test_a_token_is_presented() -> None:
    async with StubGateway(token="secret") as gateway:
        gateway.publish(make_book())
        async with DragonflyClient(gateway.address, token="secret") as client:
            assert (await anext(client.book("ETH-BTC"))).seq == 1
        async with DragonflyClient(gateway.address) as client:
            with pytest.raises(AccessError, match="token"):
                await anext(client.book("ETH-BTC"))


async def test_a_stream_waits_for_a_gateway_that_is_not_up_yet(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    await gateway.stop()
    async with DragonflyClient(gateway.address, random=lambda: 0.5) as client:
        waiting = asyncio.ensure_future(anext(client.book("ETH-BTC")))
        asking = asyncio.ensure_future(client.get_book("ETH-BTC"))
        await asyncio.sleep(0)
        await gateway.start()
        assert (await waiting).seq == (await asking).seq == 1


async def test_no_gateway_is_said_with_its_address(gateway: StubGateway) -> None:
    await gateway.stop()
    client = DragonflyClient(gateway.address, connect_timeout_s=0.2, request_timeout_s=0.2)
    async with client:
        with pytest.raises(UnavailableError, match=f"no gateway at {gateway.address} within 0.2 s"):
            await anext(client.book("ETH-BTC"))
        with pytest.raises(UnavailableError, match=gateway.address):
            await client.get_venues()


async def test_bytes_that_mean_nothing_are_an_error_of_their_own(gateway: StubGateway) -> None:
    gateway.garble = True
    gateway.publish(make_book())
    async with DragonflyClient(gateway.address) as client:
        with pytest.raises(ProtocolError, match="no SessionUpdate"):
            await anext(client.book("ETH-BTC"))


@pytest.mark.parametrize("target", ["", "localhost", "http://localhost:50051", "a:b", "::1:50051"])
def test_an_address_that_is_none_is_told_at_once(target: str) -> None:
    with pytest.raises(SettingError, match="write HOST:PORT"):
        DragonflyClient(target)


@pytest.mark.parametrize("target", ["gateway-2.example:1", "[::1]:50051", "unix:/tmp/gateway.sock"])
def test_an_address_may_be_a_name_or_a_file(target: str) -> None:
    assert DragonflyClient(target).target == target


def test_unusable_arguments_are_told_at_once() -> None:
    with pytest.raises(SettingError, match="window 0"):
        DragonflyClient(window=0)
    with pytest.raises(SettingError, match=r"ca_file '/nowhere\.pem' cannot be read"):
        DragonflyClient(tls=Tls(ca_file="/nowhere.pem"))
    with pytest.raises(SettingError, match="is not PEM"):
        DragonflyClient(tls=Tls(ca_file=__file__))
    with pytest.raises(SettingError, match="belong together"):
        Tls(cert_file="/nowhere.pem")
    with pytest.raises(SettingError, match="no instrument"):
        DragonflyClient().books([])


async def test_a_bot_that_works_for_long_shows_signs_of_life(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_requests, "SIGN_OF_LIFE_S", 0.01)
    gateway.publish(make_book(seq=1))
    client = DragonflyClient(gateway.address)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        await anext(books)
        gateway.publish(make_book(seq=2))
        await gateway.until(lambda: gateway.calls["acks"] >= 3)
        # They open the window no further: what the bot has not processed is not acknowledged.
        assert (gateway.acked, gateway.sent) == (0, 1)
        assert (await anext(books)).seq == 2


async def test_a_session_that_was_aborted_is_opened_anew(gateway: StubGateway) -> None:
    gateway.publish(make_book(seq=1))
    events: list[Event] = []
    client = DragonflyClient(gateway.address, on_event=events.append)
    async with client, contextlib.aclosing(client.book("ETH-BTC")) as books:
        await anext(books)
        gateway.abort_all(grpc.StatusCode.ABORTED, "no update was acknowledged for 2 s")
        gateway.publish(make_book(seq=2))
        await gateway.until(lambda: gateway.open_calls == 0)
        assert (await anext(books)).seq == 2
    assert [type(event) for event in events] == [Disconnected, Reconnected]


async def test_a_hundred_dropped_streams_leave_nothing(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    async with DragonflyClient(gateway.address) as client:
        before = len(asyncio.all_tasks())
        for _ in range(100):
            async with contextlib.aclosing(client.book("ETH-BTC")) as books:
                await anext(books)
        await gateway.until(lambda: gateway.open_calls == 0)
        assert gateway.calls["ended"] == 100
        assert len(asyncio.all_tasks()) <= before + 2


async def test_a_gateway_that_is_still_starting_is_asked_again(gateway: StubGateway) -> None:
    gateway.starting = True
    gateway.publish(make_book())
    async with DragonflyClient(gateway.address, random=lambda: 0.1) as client:
        waiting = asyncio.ensure_future(anext(client.book("ETH-BTC")))
        await gateway.until(lambda: gateway.calls["ended"] >= 2)
        gateway.starting = False
        assert (await waiting).seq == 1


async def test_a_gateway_that_never_comes_up_says_so_itself(gateway: StubGateway) -> None:
    gateway.starting = True
    async with DragonflyClient(gateway.address, connect_timeout_s=0.1) as client:
        with pytest.raises(NotReadyError, match=r"^no venue's list is there yet: try later$"):
            await anext(client.book("ETH-BTC"))


@pytest.mark.parametrize(
    ("target", "warned"),
    [
        ("127.0.0.1:50051", False),
        ("localhost:50051", False),
        ("[::1]:50051", False),
        ("unix:/tmp/gateway", False),
        ("gateway.example:50051", True),
        ("192.168.0.7:50051", True),
    ],
)
def test_a_token_that_leaves_this_machine_in_the_clear_is_warned_of(
    caplog: pytest.LogCaptureFixture, target: str, warned: bool
) -> None:
    DragonflyClient(target, token="secret")
    assert ("in the clear" in caplog.text) is warned
    assert "secret" not in caplog.text
    caplog.clear()
    DragonflyClient(target)
    DragonflyClient(target, token="secret", tls=Tls())
    assert not caplog.text
