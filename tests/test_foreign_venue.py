"""A venue that this repository does not know: somebody's own package, installed and listened to.

It is of no kind that the others are: whole books in MessagePack, in binary frames, from a server
that speaks first and wants its questions answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from typing import Final

import msgspec
import pytest
from dragonfly_common.bus import Delivery, Subscriber, drive
from dragonfly_common.clock import SystemClock
from dragonfly_common.messages import Book
from dragonfly_common.topics import book_interest
from dragonfly_common.types import FeedState
from system import Process, eventually
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

LIVE: Final = FeedState.LIVE

PROJECT: Final = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "lighthouse-venue"
    version = "1"

    [project.entry-points."dragonfly.venues"]
    lighthouse = "lighthouse:Lighthouse"

    [tool.hatch.build.targets.wheel]
    packages = ["lighthouse"]
"""
MODULE: Final = """
    import json

    import msgspec
    from dragonfly_venues.events import Acked, BookTop, FrameError, Reply, Unchanged, Welcome
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
            name, number, *sides = rest
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
        return {name: Market(symbol) for name, symbol in json.loads(reply).items()}


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


class Server:
    """The venue itself."""

    def __init__(self) -> None:
        self.heard: list[dict[str, object]] = []
        self.url = ""

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with serve(
            self._converse, "127.0.0.1", 0, process_request=self._list, ping_interval=None
        ) as server:
            self.url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield

    async def _converse(self, connection: ServerConnection) -> None:
        async def say(*words: object) -> None:
            await connection.send(msgspec.msgpack.encode(words))

        with contextlib.suppress(ConnectionClosed):
            await say("hello")
            async for text in connection:
                told = json.loads(text)
                self.heard.append(told)
                if "want" in told:
                    await say("yes", told["id"])
                    await say("book", "E/B", 7, [[9.0, 1.0], [8.0, 2.0]], [[10.0, 3.0]])
                    await say("who", 41)
                else:
                    await say("book", "E/B", 8, [[9.5, 1.0]], [[10.0, 3.0]])

    async def _list(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path != "/markets":
            return None
        return connection.respond(http.HTTPStatus.OK, json.dumps({"ETH-BTC": "E/B"}))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder into which the foreign package was installed, as its owner would."""
    pytest.importorskip("hatchling")
    source, target = tmp_path / "source", tmp_path / "installed"
    (source / "lighthouse").mkdir(parents=True)
    (source / "pyproject.toml").write_text(dedent(PROJECT))
    (source / "lighthouse" / "__init__.py").write_text(dedent(MODULE))
    words = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *words, "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


async def test_a_venue_from_outside_is_listened_to(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    venue, bind = Server(), f"ipc://{tmp_path}/listener.ipc"
    async with venue.served():
        listener = Process(
            "listener",
            (
                *("listener", "--venue=lighthouse", f"--bind={bind}", "--instrument=ETH-BTC"),
                *(f"--ws-url=ws://{venue.url}", f"--rest-url=http://{venue.url}"),
            ),
            tmp_path / "listener.log",
        )
        books: list[Book] = []
        subscriber = Subscriber([bind], SystemClock())
        subscriber.subscribe(book_interest("ETH-BTC"))

        def drain() -> None:
            deliveries = (one for one in subscriber.drain() if isinstance(one, Delivery))
            books.extend(one.body for one in deliveries if isinstance(one.body, Book))

        hearing = asyncio.create_task(drive([subscriber], drain))
        try:
            await listener.event("ready")
            await eventually(
                lambda: bool(books) and (books[-1].state, books[-1].venue_seq) == (LIVE, 8),
                "the book of the foreign venue",
            )
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            subscriber.close()
            listener.kill()
            await listener.ended()
    assert (books[-1].bids, books[-1].asks) == (((9.5, 1.0),), ((10.0, 3.0),))
    asked, answered = venue.heard
    assert (asked["want"], answered) == (["E/B"], {"it is me": 41})
