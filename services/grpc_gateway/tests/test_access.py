"""Bots with and without tokens and certificates, at a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.counters import DENIED, FILE_FAILURES
from dragonfly_views.tokens import hash_token
from gateway_world import Bot, Call, RunningGateway, running
from grpc import StatusCode
from grpc_gateway import counters, handshakes
from grpc_gateway.service import GatewayOptions
from grpc_health.v1 import health_pb2
from papers import TOKEN, Authority
from patience import PATIENCE_S, patiently
from view_world import Aggregator, make_book, replace_file, until, write_tokens

ETH = pb.BookRequest(instrument="ETH-BTC")
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
OTHER = "another-token-that-nobody-may-ever-read"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return Authority()


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.toml"
    write_tokens(file, {"alpha": [TOKEN]}, streams=2, instruments=2)
    return file


@pytest.fixture
async def guarded(
    options: GatewayOptions, tokens: Path, aggregator: Aggregator
) -> AsyncIterator[RunningGateway]:
    """A gateway that asks for tokens."""
    aggregator.say(make_book())
    async with running(replace(options, tokens=tokens), log_level="info") as gateway:
        yield gateway


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What this process has written; it must not hold a token or a key."""
    seen: list[str] = []

    def read() -> str:
        seen.extend(capfd.readouterr())
        return "".join(seen)

    yield read
    everything = read()
    assert TOKEN not in everything
    assert OTHER not in everything
    assert "PRIVATE" not in everything


def denied(reason: str) -> float:
    count: float = DENIED.labels(reason)._value.get()
    return count


async def streams_eth(bot: Bot) -> Call:
    """Open a stream that works."""
    stream = bot.stream("StreamBook", ETH)
    await stream.read(pb.Book)
    return stream


async def test_a_bot_with_its_token_has_all_that_there_is(guarded: RunningGateway) -> None:
    async with guarded.bot(token=TOKEN) as bot:
        assert (await bot.stream("StreamBook", ETH).read(pb.Book)).live
        assert (await bot.stream("BookSummary").read(pb.Book)).live
        assert isinstance(await bot.get("GetVenues"), pb.Venues)


@pytest.mark.parametrize(
    ("metadata", "reason", "words"),
    [
        ([], "no_token", "no token: send metadata `authorization: Bearer TOKEN`"),
        ([("authorization", f"Bearer {OTHER}")], "unknown_token", "does not know the token"),
        ([("authorization", TOKEN)], "malformed_token", "is not `Bearer TOKEN`"),
        ([("authorization", "Bearer ")], "malformed_token", "is not `Bearer TOKEN`"),
        ([("authorization", f"Bearer {TOKEN}")] * 2, "malformed_token", "send it so, and once"),
    ],
)
async def test_nobody_else_has_anything_but_health(
    guarded: RunningGateway,
    logged: Callable[[], str],
    metadata: list[tuple[str, str]],
    reason: str,
    words: str,
) -> None:
    before = denied(reason)
    async with guarded.bot() as bot:
        bot.metadata = metadata
        sessions = bot.session()
        reflection = bot.channel.stream_stream(REFLECTION)(metadata=metadata)
        for code, sentence in [
            await bot.stream("StreamBook", ETH).end(),
            await bot.stream("BookSummary").end(),
            await bot.refusal("GetBook", ETH),
            await bot.refusal("ListInstruments"),
            await sessions.end(),
            await Call(reflection).end(),
        ]:
            assert code is StatusCode.UNAUTHENTICATED
            assert words in sentence
            assert TOKEN not in sentence
            assert OTHER not in sentence
        payload = await bot.channel.unary_unary(HEALTH)(b"")
        assert health_pb2.HealthCheckResponse.FromString(payload).status
    assert denied(reason) == before + 6
    assert logged().count(f'"reason": "{reason}"') == 1


async def test_a_token_for_orders_alone_follows_no_market(
    guarded: RunningGateway, tokens: Path
) -> None:
    entry = f'[bots.beta]\ntoken_sha256 = "{hash_token(OTHER)}"\nscopes = ["trade"]\n'
    replace_file(tokens, entry.encode())

    async def refused() -> str:
        async with guarded.bot(token=OTHER) as bot:
            return (await bot.refusal("GetVenues"))[1]

    async with patiently():
        while "does not know" in (words := await refused()):
            pass
    assert words.startswith("the token is not for market data")


async def test_reflection_is_for_those_with_a_token(guarded: RunningGateway) -> None:
    async with guarded.bot(token=TOKEN) as bot:
        call = bot.channel.stream_stream(REFLECTION)(metadata=bot.metadata)
        await call.write(b"\x3a\x00")  # list_services
        assert b"dragonfly.v1.MarketData" in await call.read()
        call.cancel()


async def test_the_quota_of_streams_counts_all_connections_of_a_bot(
    guarded: RunningGateway,
) -> None:
    before = denied("quota_streams")
    async with guarded.bot(token=TOKEN) as one, guarded.bot(token=TOKEN) as other:
        await streams_eth(one)
        second = await streams_eth(other)
        refused = await other.stream("StreamVenues").end()
        assert refused == (
            StatusCode.RESOURCE_EXHAUSTED,
            "2 streams are open by bot alpha, which is its quota streams:"
            " end one, or follow many instruments in one Session",
        )
        assert denied("quota_streams") == before + 1
        second.cancel()
        await until(lambda: counters.STREAMS._value.get() == 1)
        await streams_eth(other)


async def test_the_quota_of_instruments_counts_all_streams_of_a_bot(
    guarded: RunningGateway,
) -> None:
    async with guarded.bot(token=TOKEN) as one, guarded.bot(token=TOKEN) as other:
        await streams_eth(one)
        session = other.session()

        def book(instrument: str) -> pb.Subscription:
            return pb.Subscription(view=pb.VIEW_BOOK, instrument=instrument)

        async def subscribe(instrument: str) -> None:
            await session.send(pb.SessionRequest(subscribe=book(instrument)))

        await subscribe("ETH-BTC")
        assert (await session.read(pb.SessionUpdate)).book.instrument == "ETH-BTC"
        await subscribe("LTC-BTC")
        await subscribe("BTC-USD")
        while not (update := await session.read(pb.SessionUpdate)).HasField("refusal"):
            pass
        assert "bot alpha, which is its quota instruments" in update.refusal.message
        refused, sentence = await one.refusal("GetBook", pb.BookRequest(instrument="BTC-USD"))
        assert refused is StatusCode.RESOURCE_EXHAUSTED
        assert "leave one for BTC-USD" in sentence
        await session.send(pb.SessionRequest(unsubscribe=book("LTC-BTC")))
        await subscribe("BTC-USD")
        update = await session.read(pb.SessionUpdate)
        assert update.book.instrument == "BTC-USD"


async def test_a_bot_that_opens_calls_too_fast_is_refused(
    options: GatewayOptions, tokens: Path, aggregator: Aggregator
) -> None:
    write_tokens(tokens, {"alpha": [TOKEN]}, streams=1, connections_per_s=3)
    async with running(replace(options, tokens=tokens)) as gateway, gateway.bot(token=TOKEN) as bot:
        for _ in range(3):
            await bot.get("GetVenues")
        code, sentence = await bot.refusal("GetVenues")
        assert code is StatusCode.RESOURCE_EXHAUSTED
        assert "more than 3 calls a second, which is its quota connections_per_s" in sentence


async def test_a_token_is_replaced_while_a_stream_runs(
    guarded: RunningGateway, tokens: Path, aggregator: Aggregator, logged: Callable[[], str]
) -> None:
    async with guarded.bot(token=TOKEN) as old, guarded.bot(token=OTHER) as new:
        running_on = await streams_eth(old)
        assert (await new.refusal("GetVenues"))[0] is StatusCode.UNAUTHENTICATED
        write_tokens(tokens, {"alpha": [TOKEN, OTHER]})
        await until_accepted(guarded, token=OTHER)
        said = aggregator.say(make_book())
        assert (await running_on.read(pb.Book)).seq == said.seq
        kept = await streams_eth(new)
        write_tokens(tokens, {"alpha": [OTHER]})
        assert await running_on.end() == (
            StatusCode.UNAUTHENTICATED,
            "the token holds no more: ask for a new one",
        )
        said = aggregator.say(make_book())
        assert (await kept.read(pb.Book)).seq == said.seq
        assert (await old.refusal("GetVenues"))[0] is StatusCode.UNAUTHENTICATED


async def test_a_malformed_tokens_file_leaves_the_old_one(
    guarded: RunningGateway, tokens: Path, aggregator: Aggregator, logged: Callable[[], str]
) -> None:
    failures = FILE_FAILURES.labels("tokens")._value
    before = failures.get()
    async with guarded.bot(token=TOKEN) as bot:
        stream = await streams_eth(bot)
        replace_file(tokens, b"[bots.alpha]\ntoken_sha256 = 5")
        await until(lambda: failures.get() == before + 1)
        said = aggregator.say(make_book())
        assert (await stream.read(pb.Book)).seq == said.seq
        await bot.get("GetVenues")
        tokens.unlink()  # noqa: ASYNC240 - a file of the test's own
        await until(lambda: failures.get() == before + 2)
        await bot.get("GetVenues")
    assert "tokens not read" in logged()


async def test_certificates_are_required_and_verified(
    options: GatewayOptions,
    aggregator: Aggregator,
    authority: Authority,
    stranger: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handshakes, "CALL_WITHIN_S", 0.3)
    refused = counters.HANDSHAKES_REFUSED._value
    refused_before = refused.get()
    aggregator.say(make_book())
    clients = Authority()
    files = authority.write(tmp_path, clients=clients)
    async with running(replace(options, tls=files)) as gateway, AsyncExitStack() as bots:

        async def outcome(credentials: grpc.ChannelCredentials | None) -> StatusCode | None:
            bot = await bots.enter_async_context(gateway.bot(credentials=credentials))
            try:
                await bot.get("GetVenues", timeout_s=PATIENCE_S)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return None

        good = authority.credentials(name="alpha", signer=clients)
        assert await outcome(good) is None
        for bad in (
            None,
            authority.credentials(),
            authority.credentials(name="alpha", signer=stranger),
            authority.credentials(name="alpha", signer=clients, expired=True),
            stranger.credentials(name="alpha", signer=clients),
        ):
            assert await outcome(bad) is StatusCode.UNAVAILABLE
        before = denied("nameless_certificate")
        nameless = authority.credentials(name="", signer=clients)
        assert await outcome(nameless) is StatusCode.UNAUTHENTICATED
        assert denied("nameless_certificate") == before + 1
        await until(lambda: refused.get() >= refused_before + 4)


async def test_the_certificates_name_is_the_bot_whose_streams_count(
    options: GatewayOptions, aggregator: Aggregator, authority: Authority, tmp_path: Path
) -> None:
    aggregator.say(make_book())
    files = authority.write(tmp_path, clients=authority)
    alpha, beta = (authority.credentials(name=name) for name in ("alpha", "beta"))
    strict = replace(options, tls=files, max_streams=1)
    async with (
        running(strict) as gateway,
        gateway.bot(credentials=alpha) as one,
        gateway.bot(credentials=alpha) as two,
        gateway.bot(credentials=beta) as other,
    ):
        await streams_eth(one)
        code, sentence = await two.stream("StreamBook", ETH).end()
        assert code is StatusCode.RESOURCE_EXHAUSTED
        assert "by bot alpha" in sentence
        await streams_eth(other)


async def test_a_certificate_and_a_token_must_be_of_one_bot(
    options: GatewayOptions,
    aggregator: Aggregator,
    authority: Authority,
    tmp_path: Path,
    tokens: Path,
) -> None:
    files = authority.write(tmp_path, clients=authority)
    alpha, beta = (authority.credentials(name=name) for name in ("alpha", "beta"))
    async with (
        running(replace(options, tls=files, tokens=tokens)) as gateway,
        gateway.bot(credentials=alpha, token=TOKEN) as bot,
        gateway.bot(credentials=alpha) as tokenless,
        gateway.bot(credentials=beta, token=TOKEN) as thief,
    ):
        await bot.get("GetVenues")
        for refused in (tokenless, thief):
            assert (await refused.refusal("GetVenues"))[0] is StatusCode.UNAUTHENTICATED


async def test_certificates_are_replaced_while_a_stream_runs(
    options: GatewayOptions, aggregator: Aggregator, authority: Authority, tmp_path: Path
) -> None:
    aggregator.say(make_book())
    old, new = authority, Authority()
    files = old.write(tmp_path, clients=old)
    failures = FILE_FAILURES.labels("certificates")._value
    before = failures.get()
    async with (
        running(replace(options, tls=files)) as gateway,
        gateway.bot(credentials=old.credentials(name="alpha")) as bot,
    ):
        stream = await streams_eth(bot)
        replace_file(files.cert, b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
        await until(lambda: failures.get() == before + 1)
        async with gateway.bot(credentials=old.credentials(name="beta")) as still:
            await still.get("GetVenues")
        new.write(tmp_path, clients=new)
        await until_accepted(gateway, credentials=new.credentials(name="gamma"))
        async with gateway.bot(credentials=new.credentials(name="beta", signer=old)) as late:
            assert (await late.refusal("GetVenues"))[0] is StatusCode.UNAVAILABLE
        said = aggregator.say(make_book())
        assert (await stream.read(pb.Book)).seq == said.seq


@pytest.mark.parametrize(("bind", "warned"), [("127.0.0.1:0", False), ("0.0.0.0:0", True)])
async def test_tokens_in_the_clear_are_warned_of(
    options: GatewayOptions, tokens: Path, logged: Callable[[], str], bind: str, warned: bool
) -> None:
    async with running(replace(options, bind=bind, tokens=tokens), log_level="info"):
        assert ("tokens travel in the clear" in logged()) is warned


@pytest.mark.parametrize(
    ("bind", "encrypts", "asks", "said"),
    [
        ("0.0.0.0:0", False, False, "everybody who reaches it is served, in the clear"),
        ("0.0.0.0:0", True, False, "give --tokens or --tls-client-ca"),
        ("0.0.0.0:0", True, True, None),
        ("127.0.0.1:0", False, False, None),
    ],
)
async def test_a_gateway_that_others_reach_says_what_it_lacks(
    options: GatewayOptions,
    tokens: Path,
    authority: Authority,
    tmp_path: Path,
    logged: Callable[[], str],
    bind: str,
    encrypts: bool,
    asks: bool,
    said: str | None,
) -> None:
    options = replace(
        options,
        bind=bind,
        tls=authority.write(tmp_path) if encrypts else None,
        tokens=tokens if asks else None,
    )
    async with running(options, log_level="info"):
        assert ("open to other machines" in logged()) is (said is not None)
    assert said is None or said in logged()


async def until_accepted(gateway: RunningGateway, **papers: Any) -> None:
    """Wait until a bot with such papers is let in."""
    async with patiently():
        while True:
            async with gateway.bot(**papers) as bot:
                if await bot.status("GetVenues", b"") is StatusCode.OK:
                    return
            await asyncio.sleep(0.05)
