"""Messages on a WebSocket of the web gateway, by the real session, before books of a stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Self, cast

from dragonfly_client.client import DragonflyClient
from dragonfly_client.messages import Book, Level, State, Venue, VenueFeed
from dragonfly_client.orders import EngineState
from dragonfly_common.clock import SystemClock
from dragonfly_views.access import Access
from fuzzing import Target
from mutation import Form
from starlette.websockets import WebSocket
from web_gateway import session
from web_gateway.feeds import WebFeeds
from web_gateway.session import WebSession

__all__ = ["TARGETS"]

MOST_FEEDS: Final = 100
MOST_TURNS: Final = 400
"""Of the loop, for a request to be answered."""
KNOWN: Final = frozenset({"ETH-BTC", "BTC-USD"})
GOOD: Final = {"method": "subscribe", "params": {"channel": "bbo", "instrument": "BTC-USD"}}
BOOK: Final = Book(
    instrument="ETH-BTC",
    spread=1.0,
    venues=(VenueFeed("kraken", State.LIVE, "", 0, 1, None, 1, 1),),
    was_live=True,
    epoch=1,
    seq=1,
    ts_agg=1,
    replaced=0,
    ts_out=1,
    ts_in=1,
    bids=(Level("kraken", 1.0, 1.0),),
    asks=(Level("kraken", 2.0, 1.0),),
)


class _Client:
    """Answers each stream with one state, and is quiet."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def _say(self, *_: object, **__: object) -> AsyncGenerator[object, None]:
        yield BOOK
        await asyncio.Event().wait()

    async def venues(self) -> AsyncGenerator[object, None]:
        yield (Venue("kraken", State.LIVE, "", "listener", 1, 1, 1, 1),)
        await asyncio.Event().wait()

    async def engine(self) -> EngineState:
        return EngineState("engine", paper=True, killed=False, venues=("kraken",))

    async def orders(self, **_: object) -> tuple[()]:
        return ()

    book = bbo = liquidity = executable = _say


class _Socket:
    """What the session takes for its peer."""

    client = None

    def __init__(self) -> None:
        self.given: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = 0
        self.listened_to = asyncio.Event()
        self.said: list[dict[str, Any]] = []
        self.farewell = ""

    async def receive(self) -> dict[str, Any]:
        self.reads += 1
        self.listened_to.set()
        return await self.given.get()

    async def send_text(self, text: str) -> None:
        self.said.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        assert code in {session.POLICY, session.GOING_AWAY}
        self.farewell = reason


class Socket(Target):
    """Each request is answered in one sentence, and whatever is asked for, little is held."""

    name = "web.socket"
    form = Form.JSON

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._run(self._begin())

    def seeds(self) -> Sequence[bytes]:
        fees = {"side": "buy", "sizes": [1.0], "fees": {"kraken": 10.0}, "venues": ["kraken"]}
        params: list[dict[str, object]] = [
            {"channel": "book", "instrument": ["ETH-BTC", "BTC-USD"], "depth": 5, "max_hz": 10},
            {"channel": "liquidity", "instrument": "ETH-BTC", "group": 0.5},
            {"channel": "executable", "instrument": "ETH-BTC", **fees},
            {"channel": "venues"},
            {"channel": "orders"},
        ]
        requests: list[object] = [
            *[{"method": "subscribe", "params": one, "req_id": 1} for one in params],
            *[{"method": "unsubscribe", "params": one} for one in params],
            {"method": "ack", "seq": 0, "window": 3, "req_id": 2},
            {"method": "auth", "params": {"token": "secret"}},
            {"method": "ping", "req_id": 3},
        ]
        return [json.dumps(one).encode() for one in requests]

    def reset(self) -> None:
        self._run(self._end())
        self._run(self._begin())

    def feed(self, data: bytes) -> str:
        outcome: str = self._run(self._give(data))
        return outcome

    def check(self) -> None:
        self.reset()
        assert self._run(self._give(json.dumps(GOOD).encode())) == "subscribe True"

    def close(self) -> None:
        self._run(self._end())
        self._loop.close()

    def _run(self, doing: Any) -> Any:
        return self._loop.run_until_complete(doing)

    async def _begin(self) -> None:
        make = cast("Callable[..., DragonflyClient]", lambda *_: _Client())
        self._feeds = WebFeeds(make, MOST_FEEDS)
        access = Access(None, 10, SystemClock())
        self._socket = _Socket()
        peer = cast("WebSocket", self._socket)
        self._session = WebSession(peer, self._feeds, access, lambda: KNOWN)
        self._serving = asyncio.create_task(self._session.run())
        await self._socket.listened_to.wait()

    async def _end(self) -> None:
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving
        await self._feeds.close()

    async def _give(self, data: bytes) -> str:
        socket = self._socket
        if self._serving.done():
            self._serving.result()
            assert socket.farewell
            return "left"
        socket.said.clear()
        message: dict[str, Any] = {"type": "websocket.receive", "bytes": data}
        with suppress(UnicodeDecodeError):
            message = {"type": "websocket.receive", "text": data.decode()}
        socket.given.put_nowait(message)
        before = socket.reads
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            if self._serving.done() or (socket.reads > before and socket.given.empty()):
                break
        else:
            raise AssertionError("a request is not answered")
        assert len(self._session._subscriptions) <= session.MOST_SUBSCRIPTIONS
        answers = [one for one in socket.said if "success" in one]
        assert len(answers) <= 1, answers
        for one in answers:
            if not one["success"]:
                assert 0 < len(one["error"]) < 600, one
                assert one["error"].isprintable(), one
                assert isinstance(one["code"], int)
        if not answers:
            assert self._serving.done() or b"ack" in data
            return "quiet"
        return f"{answers[0].get('method')} {answers[0]['success']}"


TARGETS: Final = (Socket,)
