"""Streams at the gRPC gateway, each opened once for all who ask the same, and encoded once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias, cast, get_args

import msgspec
import structlog
from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import ClientError, UnavailableError
from dragonfly_client.events import Disconnected, Event
from dragonfly_client.messages import TakeSide, Venue
from dragonfly_views.refusals import CallRefusedError, RefusalCode

from web_gateway import counters
from web_gateway.forms import FormedView, form_of, venue_form
from web_gateway.order_forms import orders_form
from web_gateway.orders import OrdersTold, follow_orders
from web_gateway.refusing import refusal_of

__all__ = ["CHANNELS", "Channel", "FeedFollower", "FeedQuestion", "WebFeed", "WebFeeds"]

Channel: TypeAlias = Literal["book", "bbo", "liquidity", "venues", "executable", "orders"]
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)

PACE_S: Final = 0.05
"""Between two states that are taken of a stream: nobody is sent more than 20 a second."""
AGAIN_S: Final = 1.0
"""Between two attempts to reach a gateway that was never reached."""

logger = structlog.get_logger()

Said: TypeAlias = FormedView | tuple[Venue, ...] | OrdersTold


class MakeClient(Protocol):
    """Makes a client of the gateway, with the web gateway's token or that of who asks."""

    def __call__(self, on_event: Callable[[Event], None], token: str = ...) -> DragonflyClient: ...


@dataclass(frozen=True)
class FeedQuestion:
    """What is asked of the gateway: who asks the same shares the stream."""

    channel: Channel
    instrument: str = ""
    depth: int = 0
    group: float = 0.0
    side: str = ""
    sizes: tuple[float, ...] = ()
    in_quote: bool = False
    venues: tuple[str, ...] = ()
    fees: tuple[tuple[str, float], ...] = ()
    token: str = field(default="", repr=False)
    """Whose orders; empty for those of the web gateway itself."""

    def stream(self, client: DragonflyClient) -> AsyncGenerator[Said, None]:
        match self.channel:
            case "book":
                stream: object = client.book(self.instrument, depth=self.depth)
            case "bbo":
                stream = client.bbo(self.instrument)
            case "liquidity":
                stream = client.liquidity(self.instrument, depth=self.depth)
            case "venues":
                stream = client.venues()
            case "executable":
                stream = client.executable(
                    self.instrument,
                    cast("TakeSide", self.side),
                    self.sizes,
                    in_quote=self.in_quote,
                    venues=self.venues,
                    fees=dict(self.fees) or None,
                    min_interval_ms=int(PACE_S * 1000),
                )
            case "orders":
                stream = follow_orders(client)
        return cast("AsyncGenerator[Said, None]", stream)


class FeedFollower(Protocol):
    """Who follows a feed."""

    def wake(self) -> None:
        """Take note that a feed has something new."""


class WebFeed:
    """One stream and the newest that it said, or why it says nothing."""

    def __init__(self, question: FeedQuestion, make_client: MakeClient) -> None:
        self.question = question
        self.number = 0
        """Of the newest state, counted from 1."""
        self.refused: CallRefusedError | None = None
        """Why this feed is over."""
        self.followers: set[FeedFollower] = set()
        self.answered = asyncio.Event()
        """Set once there is a state or a refusal."""
        self.said: Said | None = None
        self.lost = "the gateway was not reached yet"
        """Why nothing holds now; empty while the stream works."""
        self._body: str | None = None
        self._make_client = make_client
        self._task = asyncio.create_task(self._run())

    @property
    def body(self) -> str:
        """The newest state as JSON, encoded once for all."""
        if self._body is None:
            self._body = msgspec.json.encode(self._form()).decode()
        return self._body

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _form(self) -> object:
        reason = self.lost or None
        if isinstance(self.said, FormedView):
            return form_of(self.said, reason=reason, group=self.question.group)
        if self.question.channel == "orders":
            told = self.said if isinstance(self.said, OrdersTold) else None
            return orders_form(told, self.lost)
        if self.question.channel == "venues":
            said = self.said if isinstance(self.said, tuple) and not reason else ()
            venues = [venue_form(one) for one in said]
            return {"live": reason is None, "reason": reason or "", "venues": venues}
        return {"instrument": self.question.instrument, "live": False, "reason": self.lost}

    async def _run(self) -> None:
        try:
            async with self._make_client(self._on_event, self.question.token) as client:
                while True:
                    try:
                        await self._follow(client)
                    except UnavailableError as error:
                        self._lose(str(error))
                    await asyncio.sleep(AGAIN_S)
        except ClientError as error:
            self._refuse(refusal_of(error))
        except Exception:
            logger.exception("feed failed", channel=self.question.channel)
            self._refuse(
                CallRefusedError(RefusalCode.UNAVAILABLE, "the web gateway failed: subscribe anew")
            )

    async def _follow(self, client: DragonflyClient) -> None:
        async with aclosing(self.question.stream(client)) as stream:
            async for said in stream:
                self.said, self.lost = said, ""
                self._tell()
                await asyncio.sleep(PACE_S)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Disconnected):
            self._lose(event.reason)

    def _lose(self, reason: str) -> None:
        lost = (
            reason if self.question.channel == "orders" else f"the gateway is not reached: {reason}"
        )
        if self.lost != lost:
            self.lost = lost
            self._tell()

    def _tell(self) -> None:
        self.number += 1
        self._body = None
        self._wake()

    def _refuse(self, refused: CallRefusedError) -> None:
        self.refused = refused
        self._wake()

    def _wake(self) -> None:
        self.answered.set()
        for follower in self.followers:
            follower.wake()


class WebFeeds:
    """All feeds that somebody follows."""

    def __init__(self, make_client: MakeClient, most: int) -> None:
        self._make_client = make_client
        self._most = most
        self._feeds: dict[FeedQuestion, WebFeed] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def follow(self, question: FeedQuestion, follower: FeedFollower) -> WebFeed:
        """Return the feed that answers `question`, until `leave`.

        Raises:
            CallRefusedError: there are too many different ones.
        """
        feed = self._feeds.get(question)
        if feed is None or feed.refused:
            if len(self._feeds) >= self._most:
                raise CallRefusedError(
                    RefusalCode.OVER_LIMIT,
                    f"{self._most} different streams are followed through this web gateway, which"
                    " is its limit: ask for one that others have, or later",
                )
            feed = self._feeds[question] = WebFeed(question, self._make_client)
            counters.FEEDS.set(len(self._feeds))
        feed.followers.add(follower)
        return feed

    def leave(self, feed: WebFeed, follower: FeedFollower) -> None:
        """Follow no more; a feed without followers ends."""
        feed.followers.discard(follower)
        if feed.followers:
            return
        if self._feeds.get(feed.question) is feed:
            del self._feeds[feed.question]
            counters.FEEDS.set(len(self._feeds))
        closing = asyncio.create_task(feed.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        feeds = [*self._feeds.values()]
        self._feeds.clear()
        await asyncio.gather(*(feed.close() for feed in feeds), *self._closing)
