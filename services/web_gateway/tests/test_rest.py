"""REST: each question, its answer and its refusals."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import cast

import pytest
from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import UnavailableError
from dragonfly_client.messages import Instrument
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.tokens import hash_token, write_entry
from patience import eventually
from stub_gateway import StubGateway, make_bbo, make_book
from web_gateway.instruments import Listed
from web_world import RunningWeb, running


async def test_each_question_is_answered(web: RunningWeb, stub: StubGateway) -> None:
    stub.executable = pb.Executable(
        instrument="ETH-BTC",
        side=pb.SIDE_BUY,
        live=True,
        prices=[pb.ExecutablePrice(size=2, complete=True, filled=2, net_avg=0.07)],
        fee_source=pb.FEE_SOURCE_REQUEST,
    )
    for path, has in (
        ("/v1/instruments", "instruments"),
        ("/v1/instruments?search=eth&limit=1", "instruments"),
        ("/v1/instruments?venue=kraken", "instruments"),
        ("/v1/venues", "venues"),
        ("/v1/book/ETH-BTC?depth=2", "bids"),
        ("/v1/bbo?instrument=ETH-BTC", "bbo"),
        ("/v1/liquidity/ETH-BTC?group=0.001", "asks"),
        ("/v1/executable?instrument=ETH-BTC&side=buy&size=2&fees=binance=10,*=20", "prices"),
        ("/v1/explain/ETH-BTC", "venues"),
    ):
        status, answer = await web.get(path)
        assert status == 200, answer
        assert answer[has], path
    assert dict(stub.priced[-1].fees) == {"binance": 10, "*": 20}


async def test_a_search_finds_what_begins_so_first(web: RunningWeb) -> None:
    _, found = await web.get("/v1/instruments?search=btc")
    assert [one["instrument"] for one in found["instruments"]] == ["BTC-USD", "ETH-BTC"]


async def test_prices_of_one_step_are_merged(web: RunningWeb) -> None:
    _, fine = await web.get("/v1/liquidity/ETH-BTC")
    _, coarse = await web.get("/v1/liquidity/ETH-BTC?group=0.01")
    for side, price in (("bids", 0.06), ("asks", 0.08)):
        (step,) = coarse[side]
        assert step["price"] == price
        total = sum(level["amount"] for level in fine[side])
        assert step["amount"] == pytest.approx(total)
        assert {share["venue"] for share in step["shares"]} == {"binance", "bitstamp", "kraken"}


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/v1/book/ethbtc", 400, "'ethbtc' is not an instrument: did you mean ETH-BTC?"),
        ("/v1/book/FOO-BAR", 404, "no venue lists FOO-BAR: see /v1/instruments"),
        ("/v1/book/ETH-BTC?depth=many", 400, "depth 'many'"),
        ("/v1/book/ETH-BTC?depth=-1", 400, "depth -1 is out of range: give 0 to 100"),
        ("/v1/bbo", 400, "no instruments: name at least one"),
        ("/v1/liquidity/ETH-BTC?group=nan", 400, "group 'nan'"),
        ("/v1/executable?instrument=ETH-BTC&side=hold&size=1", 400, "side 'hold'"),
        ("/v1/executable?instrument=ETH-BTC&side=buy", 400, "no size"),
        ("/v1/executable?instrument=ETH-BTC&side=buy&size=1&fees=x", 400, "fees 'x'"),
        ("/v1/explain/ETH-BTC?venue=nowhere", 404, "no listener speaks for 'nowhere'"),
        ("/v1/nothing", 404, "there is nothing here"),
    ],
)
async def test_a_refusal_is_one_sentence(
    web: RunningWeb, path: str, status: int, sentence: str
) -> None:
    await eventually(lambda: _is_listed(web), "the instruments are known")
    code, answer = await web.get(path)
    assert code == status
    assert answer["error"].startswith(sentence)
    assert isinstance(answer["code"], int)


async def _is_listed(web: RunningWeb) -> bool:
    return bool((await web.get("/v1/instruments"))[1].get("instruments"))


async def test_a_gateway_that_cannot_be_reached_is_said(web: RunningWeb, stub: StubGateway) -> None:
    await stub.stop()
    status, answer = await web.get("/v1/venues")
    assert status == 503
    assert answer["code"] == 14


async def test_all_who_wait_for_the_list_share_one_question() -> None:
    class Unanswered:
        def __init__(self) -> None:
            self.asked = 0
            self.fails = asyncio.Event()

        async def instruments(self) -> list[Instrument]:
            self.asked += 1
            await self.fails.wait()
            raise UnavailableError("no gateway")

    gateway = Unanswered()
    listed = Listed(cast("DragonflyClient", gateway))
    waiting = [asyncio.create_task(listed.newest()) for _ in range(3)]
    await eventually(lambda: bool(gateway.asked), "the gateway is asked")
    listed.refresh()  # as the service does four times a second: nobody waits
    gateway.fails.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in told] == [UnavailableError] * 3
    assert gateway.asked == 1


async def test_a_gateway_that_is_silent_stops_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        async with running(f"127.0.0.1:{silent.getsockname()[1]}") as web:
            beats = web.beats()
            book = asyncio.create_task(web.get("/v1/book/ETH-BTC"))
            await eventually(lambda: web.beats() > beats + 2, "the service goes on")
            assert not book.done()
            assert (await book)[0] == 503


async def test_health_says_whether_any_venue_is_live(web: RunningWeb) -> None:
    async def live() -> bool:
        return (await web.get("/v1/health")) == (
            200,
            {"live": True, "reason": "", "venues": 3, "venues_live": 3},
        )

    await eventually(live, "the venues are live")


async def test_tokens_are_asked_for(stub: StubGateway, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(write_entry("screen", hash_token("secret")))
    tokens.chmod(0o600)
    async with running(stub.address, tokens=tokens) as web:
        assert (await web.get("/v1/venues"))[0] == 401
        assert (await web.get("/v1/venues", authorization="Bearer wrong"))[0] == 401
        assert (await web.get("/v1/venues", authorization="Bearer secret"))[0] == 200
        assert (await web.get("/v1/health"))[0] in {200, 503}, "health is for everybody"
        assert (await web.http.get("/")).status_code == 200, "and so is the page"


async def test_browsers_are_told_to_be_strict(web: RunningWeb) -> None:
    for path in ("/", "/v1/venues", "/nothing"):
        headers = (await web.http.get(path, headers={"origin": "https://x.example"})).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


async def test_a_named_origin_may_ask(stub: StubGateway) -> None:
    async with running(stub.address, origins=("https://ours.example",)) as web:
        for origin, allowed in (("https://ours.example", True), ("https://x.example", False)):
            headers = (await web.http.get("/v1/venues", headers={"origin": origin})).headers
            assert ("access-control-allow-origin" in headers) is allowed


async def test_the_page_travels_packed(web: RunningWeb) -> None:
    answer = await web.http.get("/panels.js", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


async def test_the_past_is_kept_from_when_it_is_asked_for(
    web: RunningWeb, stub: StubGateway
) -> None:
    async def states() -> list[str]:
        _, told = await web.get("/v1/history/ETH-BTC")
        return [
            one["state"]
            for venue in told["venues"]
            for one in venue["states"]
            if venue["venue"] == "kraken"
        ]

    async def knows(expected: list[str]) -> bool:
        return await states() == expected

    await eventually(lambda: knows(["LIVE"]), "kraken is live")
    stub.publish(make_bbo(make_book(seq=2, states={"kraken": (pb.STATE_STALE, "no message")})))
    await eventually(lambda: knows(["LIVE", "STALE"]), "kraken is stale")
    _, told = await web.get("/v1/history/ETH-BTC")
    assert told["prices"][0]["bid"] is not None
    (kraken,) = (one for one in told["venues"] if one["venue"] == "kraken")
    _, why = await web.get("/v1/explain/ETH-BTC?venue=kraken")
    assert why["venues"][0]["since"] == kraken["states"][-1]["ts"]
    await stub.stop()
    await eventually(lambda: knows(["LIVE", "STALE", "LOST"]), "the gateway is lost")


async def test_orders_are_given_only_with_a_token(web: RunningWeb) -> None:
    answer = await web.http.post("/v1/kill")
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("orders are taken only where tokens are asked for")
    assert (await web.http.put("/v1/orders")).status_code == 405


async def test_a_venue_that_is_out_is_explained(web: RunningWeb, stub: StubGateway) -> None:
    book = make_book(seq=2, states={"kraken": (pb.STATE_STALE, "no message for 3.0 s")})
    stub.publish(make_bbo(book))
    _, told = await web.get("/v1/explain/ETH-BTC?venue=kraken")
    (kraken,) = told["venues"]
    assert kraken["sentence"] == (
        "kraken is not in the book of ETH-BTC, it is STALE: no message for 3.0 s"
    )
    assert kraken["remedy"]


async def test_the_description_names_every_path(web: RunningWeb) -> None:
    status, document = await web.get("/openapi.json")
    assert status == 200
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/v1/instruments",
        "/v1/venues",
        "/v1/book/{instrument}",
        "/v1/bbo",
        "/v1/liquidity/{instrument}",
        "/v1/executable",
        "/v1/explain/{instrument}",
        "/v1/history/{instrument}",
        "/v1/health",
        "/v1/engine",
        "/v1/orders",
        "/v1/orders/{order_id}",
        "/v1/orders/{order_id}/cancel",
        "/v1/kill",
    }
    named = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(named) == len({*named}), named
