"""`dragonfly gateway` as a process, and bots that are processes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main
from dragonfly_protos import market_data_pb2 as pb
from gateway_world import READ_LITTLE_AHEAD, Bot, running
from grpc import StatusCode
from grpc_gateway import counters
from grpc_gateway.cli import gateway as gateway_command
from grpc_gateway.service import GatewayOptions
from patience import patiently
from view_world import Aggregator, make_book, until

BOT_PROGRAM = Path(__file__).parent / "bot_program.py"
COMMAND = (sys.executable, "-m", "dragonfly_common.cli", "gateway")
BEFORE, AFTER = 1.0, 2.0
"""Prices around which a market moves before a pause of the gateway, and after it."""


@asynccontextmanager
async def process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def ready_address(gateway: asyncio.subprocess.Process) -> str:
    assert gateway.stderr is not None
    async with patiently():
        while True:
            event = json.loads(await gateway.stderr.readline())
            if event["event"] == "ready":
                return str(event["address"])


async def test_it_serves_and_stops_with_code_0(aggregator: Aggregator, upstream: str) -> None:
    aggregator.say(make_book())
    options = ("--upstream", upstream, "--bind", "127.0.0.1:0", "--instrument", "eth-btc")
    async with (
        process(*COMMAND, *options, "--log-format", "json") as gateway,
        Bot(await ready_address(gateway)) as bot,
    ):
        stream = bot.stream("BookSummary")
        assert (await stream.read(pb.Book)).instrument == "ETH-BTC"
        gateway.send_signal(signal.SIGTERM)
        assert await stream.end() == (
            StatusCode.UNAVAILABLE,
            "gateway is stopping: connect to another",
        )
        assert await gateway.wait() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Missing option '--upstream'"),
        (("--upstream", "ipc:///tmp/x", "--instrument", "x"), "'x' is not an instrument"),
        (("--upstream", "ipc:///tmp/x", "--depth", "101"), "1<=x<=100"),
        (("--upstream", "ipc:///tmp/x", "--window", "0"), "1<=x<=1024"),
        (("--upstream", "ipc:///tmp/x", "--ack-timeout-s", "0"), "0.1<=x<=3600"),
        (("--upstream", "ipc:///tmp/x", "--pong-timeout-s", "0"), "0.5<=x<=3600"),
        (("--upstream", "ipc:///tmp/x", "--pong-timeout-s", "1e18"), "0.5<=x<=3600"),
        (("--upstream", "ipc:///tmp/x", "--max-streams", "0"), "1<=x<=1000000"),
        (("--upstream", "ipc:///tmp/x", "--max-total-streams", "0"), "1<=x<=1000000"),
        (("--upstream", "ipc:///tmp/x", "--max-instruments", "no"), "not a valid integer"),
        (("--upstream", "ipc:///tmp/x", "--linger-s", "-1"), "x>=0"),
    ],
)
def test_a_bad_option_is_a_sentence(options: tuple[str, ...], words: str) -> None:
    outcome = CliRunner().invoke(main, ["gateway", *options])
    assert outcome.exit_code == 2
    assert words in outcome.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--upstream", "nowhere"), "'nowhere' is not a bus address"),
        (("--upstream", "ipc:///tmp/x", "--tls-cert", "x"), "give both or neither"),
        (("--upstream", "ipc:///tmp/x", "--tls-key", "x"), "give both or neither"),
        (("--upstream", "ipc:///tmp/x", "--tls-client-ca", "x"), "give --tls-cert and --tls-key"),
        (
            ("--upstream", "ipc:///tmp/x", "--tls-cert", "/x", "--tls-key", "/x"),
            "cannot read /x: No such file",
        ),
        (("--upstream", "ipc:///tmp/x", "--tokens", "/x"), "cannot read /x: No such file"),
        (("--upstream", "ipc:///tmp/x", "--bind", "nowhere"), "write HOST:PORT"),
    ],
)
def test_an_address_or_a_file_that_cannot_be_used_is_a_sentence(
    options: tuple[str, ...], words: str
) -> None:
    outcome = CliRunner().invoke(main, ["gateway", *options])
    assert outcome.exit_code == 78
    assert words in outcome.stderr
    assert "Traceback" not in outcome.stderr


async def test_a_gateway_that_stood_still_sends_no_book_of_before(
    aggregator: Aggregator, upstream: str
) -> None:
    async def publish(mid: float) -> None:
        while True:
            aggregator.say(make_book(mid=mid))
            await asyncio.sleep(0.001)

    options = ("--upstream", upstream, "--bind", "127.0.0.1:0", "--instrument", "eth-btc")
    publishing = asyncio.create_task(publish(BEFORE))
    async with (
        process(*COMMAND, *options, "--log-format", "json") as gateway,
        Bot(await ready_address(gateway), READ_LITTLE_AHEAD) as bot,
    ):
        streams = [bot.stream("StreamBook", pb.BookRequest(instrument="ETH-BTC")) for _ in range(4)]
        for stream in streams:
            await stream.read(pb.Book)
        gateway.send_signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)  # the pause itself: longer than a publisher may be silent
        publishing.cancel()
        publishing = asyncio.create_task(publish(AFTER))
        woken_ns = time.time_ns()
        gateway.send_signal(signal.SIGCONT)
        for stream in streams:
            books = [await stream.read(pb.Book)]
            while not (books[-1].live and books[-1].bids[0].price > BEFORE):
                books.append(await stream.read(pb.Book))
            sent = [book for book in books if book.ts_out >= woken_ns]
            assert [book for book in sent[:-1] if book.live] == []
    publishing.cancel()


@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_bot_that_is_frozen_or_killed_is_noticed(
    aggregator: Aggregator, options: GatewayOptions, end: signal.Signals
) -> None:
    aggregator.say(make_book())
    async with (
        running(replace(options, pong_within_s=0.9)) as gateway,
        process(sys.executable, str(BOT_PROGRAM), gateway.address) as bot,
    ):
        assert bot.stdout is not None
        async with patiently():
            assert await bot.stdout.readline() == b"reading\n"
        assert counters.STREAMS._value.get() == 1
        bot.send_signal(end)
        await until(lambda: counters.STREAMS._value.get() == 0)


async def test_a_bot_that_stands_still_for_a_while_keeps_its_stream(
    aggregator: Aggregator, options: GatewayOptions
) -> None:
    aggregator.say(make_book())
    async with (
        running(options) as gateway,
        process(sys.executable, str(BOT_PROGRAM), gateway.address) as bot,
    ):
        assert bot.stdout is not None
        async with patiently():
            assert await bot.stdout.readline() == b"reading\n"
        bot.send_signal(signal.SIGSTOP)
        await asyncio.sleep(2.5)  # the pause itself
        bot.send_signal(signal.SIGCONT)
        aggregator.say(make_book())
        async with patiently():
            assert await bot.stdout.readline() == b"reading\n"
        assert counters.STREAMS._value.get() == 1


def test_by_default_no_limit_cuts_a_bot_that_is_busy_for_seconds() -> None:
    given = gateway_command.make_context("gateway", ["--upstream", "ipc:///tmp/x"]).params
    assert given["pong_timeout_s"] == GatewayOptions.pong_within_s >= 10
    assert given["ack_timeout_s"] >= 10
