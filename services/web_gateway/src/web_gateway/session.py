"""One WebSocket: what it asked for, and what it is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

import msgspec
from dragonfly_common.pace import TokenBucket
from dragonfly_views.access import Access
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode, invalid
from starlette.websockets import WebSocket, WebSocketDisconnect

from web_gateway import counters
from web_gateway.access import admit_token, check_trades, peer_of
from web_gateway.dialogue import Ack, Asked, Auth, Ping, UnsubscribeAsked, parse, questions
from web_gateway.feeds import FeedQuestion, WebFeed, WebFeeds
from web_gateway.refusing import NUMBERS

__all__ = ["WebSession"]

SUBSCRIBE_WITHIN_S: Final = 5.0
HEARTBEAT_S: Final = 1.0
ANSWER_WITHIN_S: Final = 3.0
"""How long a subscription waits for the gateway's word before it is granted."""
MOST_SUBSCRIPTIONS: Final = 64
MAX_WINDOW: Final = 64
REQUESTS_PER_S: Final = 50.0
REQUESTS_AT_ONCE: Final = 200

POLICY: Final = 1008
"""The code of RFC 6455 for who breaks a rule."""
GOING_AWAY: Final = 1001


class _Subscription:
    """A question, and how far its answers are."""

    def __init__(self, feed: WebFeed, hz: float) -> None:
        self.feed = feed
        self.interval_s = 1.0 / hz
        self.seen = 0
        self.due = 0.0

    @property
    def has_news(self) -> bool:
        return self.feed.number != self.seen or self.feed.refused is not None


class WebSession:
    """Reads requests and writes what is due, until either ends.

    Only the newest state of each subscription is ever written. Where the caller acknowledges, no
    more than its window is on its way; and a socket that is full stops the writer, not the feeds.
    """

    def __init__(
        self,
        socket: WebSocket,
        feeds: WebFeeds,
        access: Access,
        known: Callable[[], frozenset[str]],
    ) -> None:
        self._socket = socket
        self._feeds = feeds
        self._access = access
        self._known = known
        self._caller: Caller | None = None
        self._token = ""
        self._holding = ExitStack()
        self._subscriptions: dict[FeedQuestion, _Subscription] = {}
        self._news = asyncio.Event()
        self._farewell = ""
        self._sent = 0
        self._acknowledged = 0
        self._window: int | None = None
        self._said_at = time.monotonic()
        self._bucket = TokenBucket(REQUESTS_PER_S, REQUESTS_AT_ONCE)

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Serve until the peer leaves, or breaks a rule."""
        counters.SOCKETS.inc()
        try:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._write())
                try:
                    await self._read()
                finally:
                    writing.cancel()
        except* (WebSocketDisconnect, OSError):
            pass
        except* CallRefusedError as refusals:
            refusal = refusals.exceptions[0]
            with suppress(WebSocketDisconnect, OSError, RuntimeError):
                await self._socket.close(POLICY, str(refusal)[:120])
        finally:
            counters.SOCKETS.dec()
            for question in [*self._subscriptions]:
                self._drop(question)
            self._holding.close()

    def revoked(self) -> bool:
        return self._caller is not None and self._access.revoked(self._caller)

    def leave(self, sentence: str) -> None:
        """Have the writer close it, once a socket that is full has room for that."""
        self._farewell = sentence
        self._news.set()

    # -- What the peer asks.

    async def _read(self) -> None:
        if not self._access.asks_tokens:
            self._admit("")
        while True:
            message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            began = time.time_ns()
            if not self._bucket.admit(time.monotonic()):
                raise invalid(f"more than {REQUESTS_PER_S:g} requests a second: send fewer")
            text = message.get("text")
            asked: Asked | None = None
            try:
                asked = parse(text if text is not None else message.get("bytes") or b"")
                result = await self._answer(asked)
            except CallRefusedError as refusal:
                counters.REFUSED.inc()
                await self._say(
                    method=asked.__struct_config__.tag if asked else None,
                    req_id=asked.req_id if asked else _req_id(text),
                    success=False,
                    error=refusal.sentence,
                    code=NUMBERS[refusal.code],
                    time_in=str(began),
                    time_out=str(time.time_ns()),
                )
                continue
            if isinstance(asked, Ack) and asked.req_id is None:
                continue
            await self._say(
                method="pong" if isinstance(asked, Ping) else asked.__struct_config__.tag,
                req_id=asked.req_id,
                success=True,
                result=result,
                time_in=str(began),
                time_out=str(time.time_ns()),
            )
            self._news.set()

    async def _answer(self, asked: Asked) -> object:
        match asked:
            case Auth(params=params):
                if self._caller is None:
                    self._admit(params.token)
                return {"bot": self._caller.account.name if self._caller else ""}
            case Ping():
                return None
            case Ack():
                self._take_ack(asked)
                return None
        if self._caller is None:
            raise self._access.unknown(
                peer_of(self._socket),
                "no_token",
                'no token: send {"method":"auth","params":{"token":"…"}} first',
            )
        if asked.params.channel == "orders":
            check_trades(self._caller, self._access, changes=False)
        wanted = questions(asked.params, self._known(), self._token)
        if isinstance(asked, UnsubscribeAsked):
            for question in wanted:
                if question not in self._subscriptions:
                    raise CallRefusedError(
                        RefusalCode.NOT_FOUND,
                        f"{question.channel} {question.instrument} is not subscribed to: name what"
                        " is, with all its parameters",
                    )
            for question in wanted:
                self._drop(question)
        else:
            await self._subscribe(wanted, asked.params.max_hz)
        return {
            "channel": asked.params.channel,
            "instrument": [question.instrument for question in wanted if question.instrument],
        }

    def _admit(self, token: str) -> None:
        peer = peer_of(self._socket)
        caller = admit_token(peer, token, self._access)
        self._holding.enter_context(caller.account.stream(peer))
        self._caller, self._token = caller, token

    def _take_ack(self, ack: Ack) -> None:
        if not self._acknowledged <= ack.seq <= self._sent:
            raise invalid(
                f"seq {ack.seq} is none that is on its way: acknowledge {self._acknowledged} to"
                f" {self._sent}"
            )
        if not 1 <= ack.window <= MAX_WINDOW:
            raise invalid(f"window {ack.window} is out of range: give 1 to {MAX_WINDOW}")
        self._acknowledged, self._window = ack.seq, ack.window
        self._news.set()

    async def _subscribe(self, wanted: list[FeedQuestion], hz: float) -> None:
        for question in wanted:
            if question in self._subscriptions:
                raise CallRefusedError(
                    RefusalCode.DUPLICATE,
                    f"{question.channel} {question.instrument} is subscribed to already:"
                    " unsubscribe first to change it".replace("  ", " "),
                )
        if len(self._subscriptions) + len(wanted) > MOST_SUBSCRIPTIONS:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"{MOST_SUBSCRIPTIONS} subscriptions of one WebSocket are the limit: leave one, or"
                " open another",
            )
        feeds: list[WebFeed] = []
        assert self._caller is not None
        names = [question.instrument for question in wanted if question.instrument]
        self._caller.account.hold(names, self._caller.peer)
        try:
            feeds.extend(self._feeds.follow(question, self) for question in wanted)
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    for feed in feeds:
                        await feed.answered.wait()
            _check(feeds)
        except BaseException:
            for feed in feeds:
                self._feeds.leave(feed, self)
            self._caller.account.release(names)
            raise
        for question, feed in zip(wanted, feeds, strict=True):
            self._subscriptions[question] = _Subscription(feed, hz)
        counters.SUBSCRIPTIONS.inc(len(wanted))

    def _drop(self, question: FeedQuestion) -> None:
        one = self._subscriptions.pop(question)
        counters.SUBSCRIPTIONS.dec()
        if self._caller is not None and question.instrument:
            self._caller.account.release([question.instrument])
        self._feeds.leave(one.feed, self)

    # -- What the peer is due.

    async def _write(self) -> None:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            if self._farewell:
                await self._socket.close(GOING_AWAY, self._farewell[:120])
                return
            now = time.monotonic()
            if self._has_room:
                ready = [one for one in self._subscriptions.values() if one.has_news]
                next_one = min(ready, key=lambda one: one.due, default=None)
                if next_one is not None and next_one.due <= now:
                    await self._send(next_one)
                    continue
                until = next_one.due if next_one is not None else now + HEARTBEAT_S
                if now >= self._said_at + HEARTBEAT_S:
                    await self._say(channel="heartbeat", time_out=str(time.time_ns()))
                until = min(until, self._said_at + HEARTBEAT_S)
            else:
                # It is the peer's turn; a hidden tab does not take it, and costs nothing.
                until = now + SUBSCRIBE_WITHIN_S
            if not self._subscriptions and now > began + SUBSCRIBE_WITHIN_S:
                raise invalid(f"nothing is subscribed to within {SUBSCRIBE_WITHIN_S:g} s")
            if self._subscriptions:
                began = now
            waking = loop.call_later(max(0.0, until - now), self._news.set)
            try:
                await self._news.wait()
            finally:
                waking.cancel()

    @property
    def _has_room(self) -> bool:
        return self._window is None or self._sent - self._acknowledged < self._window

    async def _send(self, one: _Subscription) -> None:
        feed = one.feed
        question = feed.question
        if feed.refused:
            self._drop(question)
            await self._say(
                channel=question.channel,
                type="refusal",
                instrument=question.instrument,
                error=feed.refused.sentence,
                code=NUMBERS[feed.refused.code],
            )
            return
        skipped = feed.number - one.seen - 1 if one.seen else 0
        one.seen = feed.number
        one.due = max(time.monotonic(), one.due) + one.interval_s
        self._sent += 1
        counters.SENT.count += 1
        counters.SKIPPED.count += skipped
        head = (
            f'{{"channel":"{question.channel}","type":"snapshot","seq":{self._sent},'
            f'"replaced":{skipped},"time_out":"{time.time_ns()}","data":['
        )
        await self._put(f"{head}{feed.body}]}}")

    async def _say(self, **message: object) -> None:
        known = {key: value for key, value in message.items() if value is not None}
        await self._put(msgspec.json.encode(known).decode())

    async def _put(self, message: str) -> None:
        self._said_at = time.monotonic()
        await self._socket.send_text(message)


def _check(feeds: list[WebFeed]) -> None:
    for feed in feeds:
        if feed.refused:
            raise feed.refused


def _req_id(text: str | None) -> int | None:
    """Return the id of a request that is otherwise none, if it has one."""
    with suppress(msgspec.MsgspecError, RecursionError, UnicodeError):
        return msgspec.json.decode(text or "", type=_Numbered).req_id
    return None


class _Numbered(msgspec.Struct):
    req_id: int | None = None
