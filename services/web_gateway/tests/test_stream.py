"""The WebSocket: what is asked, granted, refused, sent, and left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.tokens import hash_token, write_entry
from patience import eventually, patiently
from stub_gateway import StubGateway, make_bbo, make_book, make_liquidity
from web_gateway import counters
from web_gateway.service import REVOKED
from web_world import RunningWeb, Tab, running
from websockets.exceptions import ConnectionClosed, InvalidStatus


@pytest.fixture
async def tab(web: RunningWeb) -> AsyncIterator[Tab]:
    async with web.tab() as tab:
        yield tab


async def test_a_subscription_is_granted_and_brings_the_newest(tab: Tab) -> None:
    granted = await tab.subscribe("book", instrument="ETH-BTC", depth=5)
    assert granted["success"]
    assert granted["req_id"] == 1
    assert granted["result"] == {"channel": "book", "instrument": ["ETH-BTC"]}
    snapshot = await tab.snapshot()
    assert (snapshot["channel"], snapshot["seq"], snapshot["replaced"]) == ("book", 1, 0)
    (book,) = snapshot["data"]
    assert book["instrument"] == "ETH-BTC"
    assert book["live"]
    assert {venue["venue"]: venue["state"] for venue in book["venues"]} == dict.fromkeys(
        ("binance", "bitstamp", "kraken"), "LIVE"
    )
    assert book["bids"][0].keys() == {"venue", "price", "amount"}
    best = book["asks"][0]["price"], book["bids"][0]["price"]
    assert book["mid"] == sum(best) / 2
    assert book["spread"] == pytest.approx(best[0] - best[1])


async def test_without_a_side_there_is_no_mid_and_no_spread(tab: Tab, stub: StubGateway) -> None:
    sent = make_book(seq=5)
    del sent.asks[:]
    sent.spread = 0.0
    stub.publish(sent)
    await tab.subscribe("book", instrument="ETH-BTC")
    while (book := await tab.state())["asks"]:
        pass
    assert book["live"]
    assert book["bids"]
    assert (book["mid"], book["spread"]) == (None, None)


async def test_large_integers_are_text(tab: Tab) -> None:
    await tab.subscribe("book", instrument="ETH-BTC")
    book = await tab.state()
    assert all(isinstance(book[name], str) for name in ("epoch", "seq", "ts_agg", "ts_out"))
    assert isinstance(book["venues"][0]["venue_seq"], str)


async def test_every_channel_brings_its_form(tab: Tab, stub: StubGateway) -> None:
    stub.executable = pb.Executable(
        instrument="ETH-BTC", side=pb.SIDE_BUY, live=True, prices=[pb.ExecutablePrice(size=2)]
    )
    for channel, more, has in (
        ("bbo", {"instrument": "ETH-BTC"}, "bid"),
        ("liquidity", {"instrument": "ETH-BTC"}, "bids"),
        ("venues", {}, "venues"),
        ("executable", {"instrument": "ETH-BTC", "side": "buy", "sizes": [2]}, "prices"),
    ):
        assert (await tab.subscribe(channel, **more))["success"], channel
        assert (await tab.state())[has], channel


async def test_all_who_ask_the_same_share_one_stream(web: RunningWeb, stub: StubGateway) -> None:
    async with web.tab() as one, web.tab() as other:
        for tab in (one, other):
            await tab.subscribe("book", instrument="ETH-BTC")
            assert (await tab.state())["live"]
        assert len(stub.sessions) == 1
    await eventually(lambda: not stub.sessions, "the stream is left")


async def test_a_caller_that_does_not_acknowledge_costs_nothing_and_gets_the_newest(
    web: RunningWeb, stub: StubGateway
) -> None:
    async with web.tab() as hidden, web.tab() as other:
        await hidden.subscribe("book", instrument="ETH-BTC", max_hz=20)
        await hidden.say(method="ack", seq=0, window=1)
        first = await hidden.snapshot()
        await other.subscribe("book", instrument="ETH-BTC", max_hz=20)
        for seq in range(2, 6):
            stub.publish(make_book(seq=seq))
            while (await other.state())["seq"] != str(seq):
                pass
        await hidden.say(method="ack", seq=first["seq"])
        snapshot = await hidden.snapshot()  # nothing lies between these two
    assert snapshot["seq"] == first["seq"] + 1
    assert snapshot["data"][0]["seq"] == "5"
    assert snapshot["replaced"] > 0
    assert hidden.heartbeats == 0


async def test_a_heartbeat_is_said_where_nothing_else_is(tab: Tab) -> None:
    await tab.subscribe("book", instrument="ETH-BTC")
    await tab.snapshot()
    assert "heartbeat" in str(await tab.socket.recv())


async def test_an_unsubscription_ends_it(tab: Tab, stub: StubGateway) -> None:
    await tab.subscribe("book", instrument="ETH-BTC")
    params = {"channel": "book", "instrument": "ETH-BTC"}
    assert (await tab.ask(method="unsubscribe", params=params))["success"]
    await eventually(lambda: not stub.sessions, "the stream is left")
    refused = await tab.ask(method="unsubscribe", params=params)
    assert refused["error"].startswith("book ETH-BTC is not subscribed to")


@pytest.mark.parametrize(
    ("request_", "code", "sentence"),
    [
        ({"method": "dance", "req_id": 3}, 3, "the message is no request"),
        ({"method": "subscribe", "params": {"channel": "trades"}}, 3, "'trades' is no channel"),
        (
            {"method": "subscribe", "params": {"channel": "book", "instrument": "eth-btc"}},
            3,
            "'eth-btc' is not an instrument: did you mean ETH-BTC?",
        ),
        (
            {"method": "subscribe", "params": {"channel": "book", "instrument": "FOO-BAR"}},
            5,
            "no venue lists FOO-BAR",
        ),
        (
            {
                "method": "subscribe",
                "params": {"channel": "book", "instrument": "ETH-BTC", "depth": 30},
            },
            3,
            "depth 30",
        ),
        (
            {
                "method": "subscribe",
                "params": {"channel": "book", "instrument": "ETH-BTC", "max_hz": 1000},
            },
            3,
            "max_hz 1000 is out of range",
        ),
        (
            {"method": "subscribe", "params": {"channel": "executable", "instrument": "ETH-BTC"}},
            3,
            "executable asks for a side",
        ),
        ({"method": "ack", "seq": 9}, 3, "seq 9 is none that is on its way"),
    ],
)
async def test_a_refusal_is_one_sentence(
    tab: Tab, request_: dict[str, object], code: int, sentence: str
) -> None:
    refused = await tab.ask(**request_)
    assert not refused["success"]
    assert refused["code"] == code
    assert refused["error"].startswith(sentence)
    assert refused.get("req_id") == request_.get("req_id")
    assert (await tab.subscribe("book", instrument="ETH-BTC"))["success"], "and the tab goes on"


async def test_the_same_twice_is_refused(tab: Tab) -> None:
    await tab.subscribe("bbo", instrument="ETH-BTC")
    assert (await tab.subscribe("bbo", instrument="ETH-BTC"))["code"] == 6


async def test_feeds_have_a_limit(stub: StubGateway) -> None:
    async with running(stub.address, max_feeds=2) as web, web.tab() as tab:
        assert (await tab.subscribe("book", instrument="ETH-BTC"))["success"]
        refused = await tab.subscribe("bbo", instrument="ETH-BTC")
        assert refused["code"] == 8
        assert "2 different streams" in refused["error"]


async def test_what_a_lost_gateway_said_holds_no_more(tab: Tab, stub: StubGateway) -> None:
    await tab.subscribe("book", instrument="ETH-BTC")
    assert (await tab.state())["live"]
    await stub.stop()
    book = await tab.state()
    assert not book["live"]
    assert book["bids"] == []
    assert book["reason"].startswith("the gateway is not reached")
    await stub.start()
    stub.publish(make_book(seq=2))
    while not (book := await tab.state())["live"]:
        pass
    assert book["seq"] == "2"


async def test_a_gateway_that_is_not_there_yet_is_waited_for(stub: StubGateway) -> None:
    await stub.stop()
    async with running(stub.address) as web, web.tab() as tab:
        assert (await tab.subscribe("book", instrument="ETH-BTC"))["success"]
        assert not (await tab.state())["live"]
        assert (await web.get("/v1/health"))[0] == 503
        await stub.start()
        while not (await tab.state())["live"]:
            pass


async def test_who_subscribes_to_nothing_is_sent_away(tab: Tab) -> None:
    with pytest.raises(ConnectionClosed) as closed:
        await tab.read()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert closed.value.rcvd.reason.startswith("nothing is subscribed to")


async def test_pages_of_others_may_not_read(stub: StubGateway) -> None:
    async with running(stub.address, origins=("https://ours.example",)) as web:
        with pytest.raises(InvalidStatus):
            async with web.tab({"origin": "https://theirs.example"}):
                pass
        for origin in ("https://ours.example", web.url.rstrip("/")):
            async with web.tab({"origin": origin}) as tab:
                assert (await tab.subscribe("venues"))["success"]


async def test_tokens_are_asked_for(stub: StubGateway, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(write_entry("screen", hash_token("secret")).replace("= 64", "= 1"))
    tokens.chmod(0o600)
    async with running(stub.address, tokens=tokens) as web, web.tab() as tab:
        assert (await tab.subscribe("book", instrument="ETH-BTC"))["code"] == 16
        wrong = await tab.ask(method="auth", params={"token": "guessed"})
        assert wrong["code"] == 16
        assert (await tab.ask(method="auth", params={"token": "secret"}))["result"] == {
            "bot": "screen"
        }
        assert (await tab.subscribe("book", instrument="ETH-BTC"))["success"]
        beyond = await tab.subscribe("book", instrument="BTC-USD")
        assert beyond["code"] == 8
        assert "its quota instruments" in beyond["error"]


async def test_a_token_that_holds_no_more_ends_its_sockets_and_waits_for_none(
    stub: StubGateway, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(write_entry("screen", hash_token("secret")))
    tokens.chmod(0o600)
    stub.publish(make_book(depth=2000))

    async def revoked() -> bool:
        return (await web.get("/v1/bbo", authorization="Bearer secret"))[0] == 401

    async with running(stub.address, tokens=tokens) as web, web.unread_tab() as unread:
        await unread.say(method="auth", params={"token": "secret"})
        sent = counters.SENT.count
        params = {"channel": "book", "instrument": "ETH-BTC"}
        await unread.say(method="subscribe", params=params)
        await eventually(lambda: counters.SENT.count > sent, "a book that there is no room for")
        async with web.tab() as tab:
            await tab.ask(method="auth", params={"token": "secret"})
            await tab.subscribe("venues")
            tokens.write_text(write_entry("another", hash_token("other")))
            await eventually(revoked, "the token holds no more")
            async with patiently():
                await tab.socket.wait_closed()
            assert (tab.socket.close_code, tab.socket.close_reason) == (1001, REVOKED)
        beats = web.beats()
        await eventually(lambda: web.beats() > beats + 2, "the service goes on")
        await unread.read_until(REVOKED.encode())


async def test_a_venue_that_leaves_says_why(tab: Tab, stub: StubGateway) -> None:
    await tab.subscribe("book", instrument="ETH-BTC")
    assert (await tab.state())["live"]
    silent = {"kraken": (pb.STATE_STALE, "no message for 3.0 s")}
    stub.publish(make_book(seq=2, states=silent))
    kraken = (await tab.state())["venues"][2]
    assert (kraken["state"], kraken["reason"]) == ("STALE", "no message for 3.0 s")


async def test_nothing_live_is_said(tab: Tab, stub: StubGateway) -> None:
    away = dict.fromkeys(("binance", "bitstamp", "kraken"), (pb.STATE_DOWN, "no connection"))
    book = make_book(seq=2, states=away)
    for message in (book, make_bbo(book), make_liquidity(book)):
        stub.publish(message)
    await tab.subscribe("bbo", instrument="ETH-BTC")
    bbo = await tab.state()
    assert not bbo["live"]
    assert bbo["bid"] is None
    assert bbo["reason"].startswith("binance is DOWN: no connection")
