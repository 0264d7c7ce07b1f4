"""Who may log on, and what becomes of those who may not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from customer_world import BOTH, Running, running
from dragonfly_common.clock import ManualClock
from dragonfly_common.errors import AddressError, ConfigError
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_views.tls_files import TlsFiles
from dragonfly_views.tokens import hash_token
from fix_gateway import counters
from fix_gateway.door import FORGOTTEN_AFTER_S, MOST_STRANGERS, Door, Visit
from fix_gateway.service import FixGatewayOptions, serve
from patience import eventually, patiently
from structlog.testing import capture_logs
from view_world import Aggregator, make_book, replace_file

TOKEN = "a-token-that-nobody-may-ever-read-in-a-log"
OTHER_TOKEN = "another-token-that-nobody-may-read"
DESK = f"553=desk|554={TOKEN}"


def write(tokens: Path, desk: str = "", other: str = 'scopes = ["trade"]') -> None:
    replace_file(
        tokens,
        f'[bots.desk]\ntoken_sha256 = "{hash_token(TOKEN)}"\n{desk}\n'
        f'[bots.other]\ntoken_sha256 = "{hash_token(OTHER_TOKEN)}"\n{other}\n'.encode(),
    )


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.toml"
    write(file)
    return file


@pytest.fixture
async def guarded(fix_options: FixGatewayOptions, tokens: Path) -> AsyncIterator[Running]:
    async with running(replace(fix_options, tokens=tokens)) as gateway:
        yield gateway


async def test_a_bot_logs_on_by_its_name_and_its_token(
    aggregator: Aggregator, guarded: Running
) -> None:
    async with guarded.customer("desk", logon=DESK) as customer:
        aggregator.say(make_book())
        answer = await customer.ask("V", f"262=m|263=0|264=0|{BOTH}|146=1|55=ETH-BTC")
        assert answer.startswith("35=W|")
        refusal = await customer.ask("H", "11=c1|55=ETH-BTC|54=1")
        assert refusal.endswith("|379=c1|380=6")


@pytest.mark.parametrize(
    ("name", "logon", "last_words", "whose"),
    [
        ("desk", "", "no token: send the bot's name as Username (553)", ""),
        ("desk", "553=desk|554=wrong", "this gateway does not know the token", ""),
        (
            "desk",
            f"553=other|554={TOKEN}",
            "the token belongs to another bot than Username",
            "desk",
        ),
        ("desk2", DESK, "SenderCompID (49) is none of this token's", "desk"),
    ],
)
async def test_who_is_not_known_is_told_why_and_nothing_secret_is_logged(
    fix_options: FixGatewayOptions,
    tokens: Path,
    name: str,
    logon: str,
    last_words: str,
    whose: str,
) -> None:
    before = counters.LOGONS_REFUSED._value.get()
    async with running(replace(fix_options, tokens=tokens), "debug") as gateway:
        with capture_logs() as logs:
            async with gateway.connected(name, logon=logon) as stranger:
                assert str(await stranger.end()).startswith(last_words)
            await eventually(
                lambda: counters.LOGONS_REFUSED._value.get() == before + 1, "it is counted"
            )
    assert not stranger.logged_on.is_set()
    assert [log["bot"] for log in logs if log["event"] == "bot denied"] == [whose]
    assert "token-that" not in str(logs)
    assert "wrong" not in str(logs)


async def test_another_target_and_a_second_logon_learn_nothing(
    aggregator: Aggregator, guarded: Running
) -> None:
    async with guarded.connected("desk", target="SOMEBODY", logon=DESK) as stranger:
        assert await stranger.end() is None
    async with guarded.customer("desk", logon=DESK) as first:
        async with guarded.connected("desk", logon=DESK) as second:
            assert await second.end() is None
            assert not second.logged_on.is_set()
        await first.nothing_more()
    async with guarded.customer("desk", logon=DESK):
        pass  # once it is gone, it may come again


async def test_scopes_say_what_a_token_is_for(
    aggregator: Aggregator, guarded: Running, tokens: Path
) -> None:
    async with guarded.customer("other", logon=f"553=other|554={OTHER_TOKEN}") as trader:
        answer = await trader.ask("V", f"262=m|263=1|264=0|{BOTH}|146=1|55=ETH-BTC")
        assert answer.startswith("35=Y|262=m|281=3|58=the token is not for market data")
        assert (await trader.ask("x", "320=l|559=4")).endswith("|379=l|380=6")
        refusal = await trader.ask("H", "11=c1|55=ETH-BTC|54=1")
        assert "|58=no execution engine is behind this gateway" in refusal
        assert refusal.endswith("|379=c1|380=4")


async def test_comp_ids_of_a_token_are_sessions_of_their_own(
    aggregator: Aggregator, fix_options: FixGatewayOptions, tokens: Path
) -> None:
    write(tokens, 'comp_ids = ["DESK1", "DESK2", "DESK3"]\nstreams = 2')
    async with (
        running(replace(fix_options, tokens=tokens)) as gateway,
        gateway.customer("DESK1", logon=DESK),
        gateway.customer("DESK2", logon=DESK),
        gateway.connected("DESK3", logon=DESK) as third,
    ):
        assert str(await third.end()).startswith("2 streams are open by bot desk, which is its")


async def test_a_quota_of_instruments_holds(
    aggregator: Aggregator, fix_options: FixGatewayOptions, tokens: Path
) -> None:
    write(tokens, "instruments = 1")
    aggregator.say(make_book())
    async with (
        running(replace(fix_options, tokens=tokens)) as gateway,
        gateway.customer("desk", logon=DESK) as customer,
    ):
        subscribe = f"263=1|264=0|{BOTH}|146=1|55"
        assert (await customer.ask("V", f"262=a|{subscribe}=ETH-BTC")).startswith("35=W|")
        answer = await customer.ask("V", f"262=b|{subscribe}=BTC-USD")
        assert answer.startswith("35=Y|262=b|281=2|58=1 instruments are followed by bot desk")
        customer.send("V", f"262=a|263=2|264=0|{BOTH}|146=1|55=ETH-BTC")
        aggregator.say(make_book("BTC-USD"))
        assert (await customer.ask("V", f"262=b|{subscribe}=BTC-USD")).startswith("35=W|")


async def test_a_token_that_is_revoked_ends_its_session(
    aggregator: Aggregator, guarded: Running, tokens: Path
) -> None:
    async with guarded.customer("desk", logon=DESK) as customer:
        replace_file(tokens, b"")
        assert await customer.end() == "the token holds no more: ask for a new one"


async def test_numbers_begin_anew_at_each_logon(
    aggregator: Aggregator, fix_gateway: Running
) -> None:
    async with fix_gateway.connected("ME", reset=False) as customer, patiently():
        await customer.logged_on.wait()
    async with (
        fix_gateway.customer("A"),
        fix_gateway.customer("B"),
        fix_gateway.customer("C"),
        fix_gateway.connected("D") as fourth,
    ):
        assert str(await fourth.end()).startswith("3 customers are logged on at this gateway")


def certificates(folder: Path) -> tuple[TlsFiles, trustme.CA]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = TlsFiles(folder / "cert.pem", folder / "key.pem", folder / "clients.pem")
    replace_file(files.cert, issued.cert_chain_pems[0].bytes())
    replace_file(files.key, issued.private_key_pem.bytes())
    assert files.client_ca
    replace_file(files.client_ca, authority.cert_pem.bytes())
    return files, authority


def client_context(authority: trustme.CA, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if name:
        authority.issue_cert("bot.example", common_name=name).configure_cert(context)
    return context


async def test_tls_with_certificates_of_customers(
    aggregator: Aggregator, fix_options: FixGatewayOptions, tokens: Path, tmp_path: Path
) -> None:
    files, authority = certificates(tmp_path)
    aggregator.say(make_book())
    before = counters.HANDSHAKES_REFUSED._value.get()
    async with running(replace(fix_options, tokens=tokens, tls=files)) as gateway:
        context = client_context(authority, "desk")
        async with gateway.customer("desk", logon=DESK, context=context) as customer:
            answer = await customer.ask("V", f"262=m|263=1|264=0|{BOTH}|146=1|55=ETH-BTC")
            assert answer.startswith("35=W|")
        other = client_context(authority, "other")
        async with gateway.connected("desk", logon=DESK, context=other) as thief:
            assert str(await thief.end()).startswith("the token belongs to another bot than the c")
        nameless = client_context(authority)
        with suppress(OSError):  # it hears of it at once, or when it first reads
            async with gateway.connected("desk", logon=DESK, context=nameless) as stranger:
                await stranger.end()
                assert not stranger.logged_on.is_set()
        await eventually(lambda: counters.HANDSHAKES_REFUSED._value.get() > before, "it is counted")


async def test_certificates_are_read_again(
    aggregator: Aggregator, fix_options: FixGatewayOptions, tmp_path: Path
) -> None:
    files, _ = certificates(tmp_path)
    tls = TlsFiles(files.cert, files.key)
    async with running(replace(fix_options, tls=tls)) as gateway:
        _, newer = certificates(tmp_path)

        async def trusted() -> bool:
            try:
                async with gateway.customer("ME", context=client_context(newer)):
                    return True
            except ssl.SSLError:
                return False

        await eventually(trusted, "the new certificate is served")


async def test_plain_beyond_this_machine_is_asked_for_by_name(
    fix_options: FixGatewayOptions,
) -> None:
    open_to_all = replace(fix_options, bind="0.0.0.0:0")
    runtime = Runtime("fix-gateway", RuntimeOptions("x", log_level="error"))
    with pytest.raises(ConfigError, match="give --tls-cert and --tls-key, or --plain"):
        await serve(runtime, open_to_all)
    async with running(replace(open_to_all, plain=True)) as gateway, gateway.customer():
        with pytest.raises(
            AddressError, match=r"cannot serve customers on \S+: Address already in use; choose"
        ):
            await serve(runtime, replace(fix_options, bind=f"127.0.0.1:{gateway.port}"))


async def test_strangers_are_few_and_who_is_logged_on_notices_nothing(
    aggregator: Aggregator, guarded: Running
) -> None:
    before = counters.CONNECTIONS_REFUSED._value.get()
    async with guarded.customer("desk", logon=DESK) as customer:
        silent = [
            await asyncio.open_connection("127.0.0.1", guarded.port)
            for _ in range(MOST_STRANGERS + 4)
        ]
        await eventually(
            lambda: counters.CONNECTIONS_REFUSED._value.get() == before + 4, "four are closed"
        )
        await customer.nothing_more()
        for _, writer in silent:
            writer.transport.abort()


async def test_an_address_that_fails_waits_and_is_forgiven() -> None:
    clock = ManualClock()
    door = Door(lambda visit: asyncio.BufferedProtocol(), clock, tls=None, most=4)
    for failure in range(1, 101):
        door._strangers["192.0.2.1"] += 1
        Visit(door, "192.0.2.1:1", "192.0.2.1").over()
        assert door.wait_s("192.0.2.1") == pytest.approx(min(0.1 * failure, 5.0))
    assert door.wait_s("192.0.2.2") == 0.0
    clock.advance(FORGOTTEN_AFTER_S + 1)
    assert door.wait_s("192.0.2.1") == 0.0
