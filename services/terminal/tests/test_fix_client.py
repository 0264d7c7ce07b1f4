from __future__ import annotations

import asyncio
import errno
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from dragonfly_client.errors import UnavailableError
from dragonfly_common.errors import UserError
from patience import eventually, patiently
from rich.console import Console
from stub_fix_gateway import StubFixGateway
from terminal import fix_client, fix_command
from terminal.fix_client import FixRefusedError, run_fix_client
from terminal.fix_session import FixLogon, FixRequest, Frames

BOOK = "269=0|270=99.5|271=0.4|282=KRAKEN|299=7|269=1|270=100|271=2|282=BINANCE|299=3"
REQUEST = FixRequest(["A-B"], 10)


def logon(gateway: StubFixGateway, tls: ssl.SSLContext | None = None) -> FixLogon:
    return FixLogon(
        host="127.0.0.1",
        port=gateway.port,
        tls=tls,
        server_name="fix.test" if tls else None,
        sender="desk-1",
        target="DRAGONFLY-MD",
        name="desk-1",
        token="s3cret",
        heartbeat_s=10,
    )


class Running:
    """A client that runs, and what it printed."""

    def __init__(self, *, terminal: bool) -> None:
        self.console = Console(file=io.StringIO(), force_terminal=terminal, width=80, height=24)

    @property
    def printed(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()

    async def says(self, text: str) -> None:
        await eventually(lambda: text in self.printed, f"it says {text!r}")


@asynccontextmanager
async def running(
    gateway: StubFixGateway,
    request: FixRequest = REQUEST,
    *,
    terminal: bool = False,
    raw: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Running]:
    client = Running(terminal=terminal)
    task = asyncio.create_task(
        run_fix_client(logon(gateway, tls), request, console=client.console, raw=raw)
    )
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_lines_where_there_is_no_terminal() -> None:
    async with StubFixGateway() as gateway, running(gateway) as client:
        await gateway.asked(b"V")
        gateway.say(b"W", f"55=A-B|262=m1|268=2|{BOOK}")
        gateway.say(b"f", "324=s1|55=A-B|207=OKX|325=Y|326=18|58=no connection")
        await client.says("okx DOWN: no connection")
        await client.says("bid 0.4000 @ 99.50 kraken")
        gateway.say(b"Y", "262=m1|281=0|58=no venue lists A-B")
        await client.says("refused: no venue lists A-B")
    assert "A-B: 1 books in " in client.printed
    assert "\x1b" not in client.printed
    first, *rest = gateway.received
    assert (first.get(553), first.get(554), first.get(141)) == (b"desk-1", b"s3cret", b"Y")
    assert [one.type for one in rest] == [b"e", b"V"]
    assert [rest[1].get(tag) for tag in (263, 264, 265, 266)] == [b"1", b"10", b"0", b"N"]


async def test_a_ladder_in_a_terminal() -> None:
    async with StubFixGateway() as gateway, running(gateway, terminal=True) as client:
        await gateway.asked(b"V")
        gateway.say(b"W", f"55=A-B|262=m1|268=2|{BOOK}")
        await client.says("spread 0.50")
        await client.says("2/2 venues live")


async def test_it_logs_on_again_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_client, "LEAST_PAUSE_S", 0.01)
    async with StubFixGateway() as gateway, running(gateway) as client:
        await gateway.asked(b"V")
        gateway.drop()
        await client.says("disconnected: the other side closed")
        await gateway.asked(b"V", times=2)
        await client.says("reconnected after")
        gateway.say(b"W", f"55=A-B|262=m1|268=2|{BOOK}")
        await client.says("99.50 kraken")


async def test_raw_messages_without_the_token() -> None:
    async with StubFixGateway() as gateway, running(gateway, raw=True) as client:
        await gateway.asked(b"V")
        await client.says("> 8=FIX.4.4|9=")
        await client.says("|553=desk-1|554=***|10=")
        await client.says("< 8=FIX.4.4|9=")
        await client.says("|267=2|269=0|269=1|146=1|55=A-B|10=")
    assert "s3cret" not in client.printed


class _FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_ends_it_and_no_callback_fails() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
    async with StubFixGateway() as gateway, patiently():
        with pytest.raises(OSError, match="No space left"):
            await run_fix_client(
                logon(gateway), REQUEST, console=Console(file=_FullDisk()), raw=True
            )
    assert failures == []


def test_messages_are_cut_where_they_end() -> None:
    said: list[str] = []
    frames = Frames("<", said.append)
    data = b"8=FIX.4.4\x019=5\x0135=0\x0110=163\x01"
    for at in range(0, 3 * len(data), 7):
        frames.take((3 * data)[at : at + 7])
    assert said == ["< 8=FIX.4.4|9=5|35=0|10=163|"] * 3


async def test_it_leaves_with_a_logout() -> None:
    async with StubFixGateway() as gateway:
        async with running(gateway):
            await gateway.asked(b"V")
            session = gateway.customers[0].connection.session
        await eventually(lambda: gateway.lost == 1, "it is gone")
    assert session.reason == "the other side logged out"


async def test_all_that_venues_list() -> None:
    request = FixRequest(["A-B"], 10, lists=True)
    async with StubFixGateway() as gateway, running(gateway, request) as client:
        await gateway.asked(b"x")
        entry = "55=A-B|207=KRAKEN|561=0.01|58=symbol=AB;tick=0.1"
        gateway.say(b"y", f"320=list|322=1|560=0|893=N|146=1|{entry}")
        gateway.say(b"y", "320=list|322=2|560=0|893=Y|146=1|55=C-D|207=OKX")
        await client.says("C-D            OKX")
        await eventually(lambda: gateway.lost == 1, "it is gone")
    assert "A-B            KRAKEN             lot 0.01" in client.printed


async def test_a_refusal_is_the_gateways_sentence() -> None:
    async with StubFixGateway(refusal="no such token") as gateway:
        with pytest.raises(FixRefusedError, match="refused the Logon: no such token"):
            await run_fix_client(logon(gateway), REQUEST)


async def test_it_ends_where_nothing_that_it_asks_for_is_served() -> None:
    async with StubFixGateway() as gateway:
        client = asyncio.create_task(run_fix_client(logon(gateway), FixRequest(["A-B", "C-D"], 10)))
        await gateway.asked(b"V", times=2)
        gateway.say(b"Y", "262=m1|281=0|58=no venue lists A-B")
        gateway.say(b"f", "324=s2|55=C-D|207=OKX|325=Y|326=18")
        assert not client.done()
        gateway.say(b"Y", "262=m2|281=5|58=no such depth")
        with pytest.raises(FixRefusedError, match="refused what was asked: no such depth"):
            await client


async def test_what_is_refused_for_now_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_client, "ASKED_AGAIN_AFTER_S", 0.01)
    async with StubFixGateway() as gateway, running(gateway) as client:
        await gateway.asked(b"V")
        gateway.say(b"j", "45=2|372=e|379=s1|380=4|58=try later")
        gateway.say(b"Y", "262=m1|58=try later")
        await gateway.asked(b"e", times=2)
        await gateway.asked(b"V", times=2)
        gateway.say(b"W", f"55=A-B|262=m1|268=2|{BOOK}")
        await client.says("99.50 kraken")


async def test_a_gateway_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_client, "GIVES_UP_AFTER_S", 0.0)
    async with StubFixGateway() as gateway:
        with pytest.raises(FixRefusedError, match="does not let us in: it answers no TLS"):
            await run_fix_client(logon(gateway, ssl.create_default_context()), REQUEST)


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_client, "GIVES_UP_AFTER_S", 0.5)
    monkeypatch.setattr(fix_client, "LEAST_PAUSE_S", 0.1)
    async with StubFixGateway() as gateway:
        pass
    with pytest.raises(UnavailableError, match="Connection refused"):
        await run_fix_client(logon(gateway), REQUEST)


def test_nobody_there_is_told_with_what_starts_a_gateway_of_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise UnavailableError("nobody lets us in")

    monkeypatch.setattr(fix_command, "run_fix_client", fail)
    result = CliRunner().invoke(fix_command.fix_client, [])
    assert isinstance(result.exception, UserError)
    assert "up --fix 127.0.0.1:9878`, or name another" in str(result.exception)


async def test_it_encrypts_and_knows_whom_to_trust() -> None:
    authority = trustme.CA()
    papers = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("fix.test").configure_cert(papers)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with StubFixGateway(papers) as gateway:
        async with running(gateway, tls=trusting):
            await gateway.asked(b"V")
        with pytest.raises(FixRefusedError, match="is not trusted"):
            await run_fix_client(logon(gateway, ssl.create_default_context()), REQUEST)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--plain", "--tls"], "--plain does not encrypt"),
        (["--depth", "1"], "--depth 1 asks for best prices across venues"),
        (["--gateway", "nowhere"], "is not an address"),
        (["--cert-file", "x", "--tls"], "belong together"),
        (["--ca-file", "missing"], "cannot be read"),
        (["--sender", "a\x01b"], "printable characters of ASCII"),
    ],
)
def test_bad_options_are_one_sentence(words: list[str], sentence: str) -> None:
    result = CliRunner().invoke(fix_command.fix_client, words)
    assert isinstance(result.exception, UserError)
    assert sentence in str(result.exception)


def test_the_token_comes_from_a_file_or_the_environment_and_a_name_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[FixLogon] = []

    async def look(logon: FixLogon, *_: object, **__: object) -> None:
        seen.append(logon)

    monkeypatch.setattr(fix_command, "run_fix_client", look)
    file = tmp_path / "token"
    file.write_text("from-file\n")
    file.chmod(0o600)
    monkeypatch.setenv("DRAGONFLY_FIX_CLIENT_TOKEN", "from-environment")
    for words in (["--name", "desk"], ["--name", "desk", "--token-file", str(file)]):
        result = CliRunner().invoke(fix_command.fix_client, words)
        assert result.exception is None, result.exception
    assert [(one.name, one.sender, one.token) for one in seen] == [
        ("desk", "desk", "from-environment"),
        ("desk", "desk", "from-file"),
    ]
    assert [one.tls for one in seen] == [None, None]
    CliRunner().invoke(fix_command.fix_client, ["--gateway", "fix.example.com:9878"])
    assert seen[-1].tls is not None
