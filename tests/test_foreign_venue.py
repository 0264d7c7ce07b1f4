"""A venue that this repository does not know: somebody's own package, installed and listened to.

It is of no kind that the others are: whole books in MessagePack, in binary frames, from a server
that speaks first and wants its question answered. Its fake is in the same package.
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest
from dragonfly_conformance import CASES
from system import Bot, System, eventually, live_venues

PROJECT: Final = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "lighthouse-venue"
    version = "1"

    [project.entry-points."dragonfly.venues"]
    lighthouse = "lighthouse:Lighthouse"

    [project.entry-points."dragonfly.simulated_venues"]
    lighthouse = "lighthouse.fake:FakeLighthouse"

    [tool.hatch.build.targets.wheel]
    packages = ["lighthouse"]
"""
MODULE: Final = """
    import json

    import msgspec
    from dragonfly_venues.events import (
        Acked, BookTop, FrameError, Reply, RequestRefused, Trading, Unchanged, Welcome
    )
    from dragonfly_venues.venue import Decoder, InstrumentSource, Limits, Liveness, Market, Venue


    class LighthouseDecoder(Decoder):
        def __init__(self, depth):
            self._depth = depth
            self._tops = {}

        def decode(self, frame, book=None, /):
            try:
                kind, *rest = msgspec.msgpack.decode(frame)
            except (msgspec.MsgspecError, TypeError, ValueError):
                raise FrameError("bad_shape") from None
            if kind == "hello":
                return (Welcome(),)
            if kind == "who":
                return (Reply(json.dumps({"it is me": rest[0]})),)
            if kind == "yes":
                return (Acked(rest[0]),)
            if kind == "no":
                return (RequestRefused(rest[0], (), "lighthouse knows no such market"),)
            name, number, *sides = rest
            if number <= self.seq(name):
                return (Unchanged(name),)
            bids, asks = (tuple(map(tuple, side[: self._depth])) for side in sides)
            top = BookTop(name, number, None, bids, asks)
            known, self._tops[name] = self._tops.get(name), top
            same = known is not None and (known.bids, known.asks) == (bids, asks)
            return (Unchanged(name) if same else top,)

        def forget(self, symbol):
            self._tops.pop(symbol, None)

        def seq(self, symbol):
            top = self._tops.get(symbol)
            return -1 if top is None else top.venue_seq


    def requests(ask):
        return [json.dumps({"want": list(ask.symbols), "id": ask.request_id, "on": ask.subscribe})]


    def markets(reply):
        return {
            name: Market(symbol, Trading(not lit, "" if lit else "dark"))
            for name, (symbol, lit) in json.loads(reply).items()
        }


    class Lighthouse(Venue):
        name = "lighthouse"
        ws_url = "wss://lighthouse.example"
        rest_url = "https://lighthouse.example"
        decoder = LighthouseDecoder
        requests = staticmethod(requests)
        welcomes = True
        instruments = InstrumentSource(parse=markets, rest_path="/markets")
        limits = Limits(
            streams_per_connection=10,
            symbols_per_request=10,
            requests_per_second=10.0,
            connects_per_minute=60.0,
            max_frame_bytes=2**16,
        )
        liveness = Liveness(
            probe_after_s=10.0,
            stale_after_s=20.0,
            reconnect_after_s=30.0,
            first_book_timeout_s=20.0,
        )
"""


FAKE: Final = """
    import json

    import msgspec
    from venue_simulator.decimals import list_unpadded
    from venue_simulator.venue import (
        BookStream, FirstFrame, KeepaliveRules, RestReply, Send, Subscribe, Unsubscribe
    )


    def say(*words):
        return Send(msgspec.msgpack.encode(words))


    class Session:
        def __init__(self, books):
            self._books = books
            self._asked = []

        def open(self, now_ns):
            return [say("hello")]

        def receive(self, frame, now_ns):
            told = json.loads(frame)
            if told == {"it is me": 41}:
                asked, self._asked = self._asked, []
                return [Subscribe(stream, FirstFrame.AT_ONCE) for stream in asked]
            if not all(map(self._books.listing, told["want"])):
                return [say("no", told["id"])]
            streams = [BookStream(name, name, "book", 50) for name in told["want"]]
            if not told["on"]:
                return [say("yes", told["id"]), *map(Unsubscribe, streams)]
            self._asked += streams
            return [say("yes", told["id"]), say("who", 41)]

        def receive_control(self, now_ns):
            return []

        def announce_close(self, now_ns):
            return ""

        def announce_trading(self, symbol, now_ns):
            return []


    class FakeLighthouse:
        name = "lighthouse"
        liveness = KeepaliveRules()
        rate_limited = RestReply(b"", 429)

        def list_asset(self, asset):
            return list_unpadded(asset, asset.instrument.replace("-", "/"))

        def rebuild(self, folder):
            return []

        def next_seq(self, previous, now_ns):
            return previous + 1

        def accepts(self, path):
            return True

        def session(self, path, books, connection_id):
            return Session(books)

        def first_frame(self, stream, state):
            sides = (
                [(float(price), float(amount)) for price, amount in side[: stream.depth]]
                for side in (state.bids, state.asks)
            )
            return say("book", stream.symbol, state.venue_seq, *sides).frame

        def frame(self, stream, before, after):
            return self.first_frame(stream, after)

        def spoil_checksum(self, frame):
            return frame

        def rest(self, request, books, now_ns):
            if request.path != "/markets":
                return RestReply(b"", 404)
            listed = {one.instrument: (one.symbol, one.tradable) for one in books.listings()}
            return RestReply(json.dumps(listed).encode())
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the foreign package into a folder, as its owner would, for processes to find."""
    pytest.importorskip("hatchling")
    source, target = tmp_path / "source", tmp_path / "installed"
    (source / "lighthouse").mkdir(parents=True)
    (source / "pyproject.toml").write_text(dedent(PROJECT))
    (source / "lighthouse" / "__init__.py").write_text(dedent(MODULE))
    (source / "lighthouse" / "fake.py").write_text(dedent(FAKE))
    words = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *words, "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PYTHONPATH", str(target))


async def printed(system: System, *command: str) -> str:
    """Return what a command printed that ended well."""
    process = system.run(*command)
    assert await process.ended() == 0, process.log.read_text()
    return process.log.read_text()


@pytest.mark.usefixtures("installed")
async def test_the_whole_system_knows_a_venue_from_outside(system: System) -> None:
    up = system.run("up", "--simulated", "--venue=lighthouse", "--gateway=127.0.0.1:0")
    found: list[str] = []

    def told() -> bool:
        found.extend(re.findall(r'"gateway": "(127\.0\.0\.1:\d+)"', up.log.read_text()))
        return bool(found)

    await eventually(told, "`up` says where bots connect")
    gateway = f"--gateway={found[0]}"
    async with Bot(found[0], "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == {"lighthouse"}, what="lighthouse LIVE")
        listed, watched, verdicts = await asyncio.gather(
            printed(system, "instruments", "--venue=lighthouse", gateway),
            printed(system, "watch", "ETH-BTC", "--seconds=0.5", gateway),
            printed(system, "conformance", "--venue=lighthouse"),
        )
    assert re.search(r"lighthouse +ETH-BTC +ETH/BTC .*trading", listed), listed
    assert re.search(r"bid .* lighthouse .* 1/1 live", watched), watched
    # It has no second source, by which a stream that died would be found out, and no FIX.
    others = {"dead_stream", "skipped_number", "id_in_use"}
    assert set(re.findall(r"✓ (\w+)", verdicts)) == CASES.keys() - others, verdicts
    assert "✗" not in verdicts
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
