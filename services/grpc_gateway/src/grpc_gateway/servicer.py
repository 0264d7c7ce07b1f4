"""The two gRPC services, one method per rpc; `rpc` binds them to the contracts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from dragonfly_common.clock import Clock
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import MAX_DEPTH
from dragonfly_pricing.fees import FeeTable
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_protos import orderbook_pb2
from dragonfly_views.accounts import Caller
from dragonfly_views.mailbox import Mail
from dragonfly_views.refusals import (
    LONGEST_QUOTED,
    CallRefusedError,
    RefusalCode,
    check_depth,
    check_instrument,
    check_instruments,
    check_market,
)
from dragonfly_views.relay import ViewKey
from dragonfly_views.views import PriceTeller, Tell, Views, sealed
from dragonfly_views.wire import SharedView, seal

from grpc_gateway.ack_window import AckWindow
from grpc_gateway.context import Context
from grpc_gateway.requests import (
    check_interval,
    check_no_interval,
    check_question,
    legacy_instrument,
    legacy_interval,
    parse,
)
from grpc_gateway.session import BotSession
from grpc_gateway.streams import BotStream, Streams

__all__ = ["BotLimits", "Servicer"]

LEGACY_DEPTH: Final = 10
SHARE_OF_DEADLINE: Final = 0.8
"""A get waits for a live view for so much of its call's deadline, and then says what there is."""


@dataclass(frozen=True)
class BotLimits:
    """The limits of one bot, and the defaults of what it leaves out."""

    depth: int
    max_instruments: int
    window: int
    acknowledge_within_s: float
    patience_s: float = 2.0
    """How long a request waits for the instrument lists, or for a view's first live state."""
    settles_after_s: float = 1.5
    """How long after the last new venue no more are expected."""


class Servicer:
    """Answers bots from what the views say."""

    def __init__(
        self,
        views: Views,
        streams: Streams,
        *,
        limits: BotLimits,
        always: tuple[str, ...],
        clock: Clock,
        fees: FeeTable | None = None,
    ) -> None:
        """`always` are the configured instruments, the first of them the legacy service's own.

        `fees` are what bots pay at venues that neither say it nor have a table of their own.
        """
        self._views = views
        self._venues = views.statuses
        self._streams = streams
        self._limits = limits
        self._always = always
        self._clock = clock
        self._fees = fees

    def book_summary(
        self, request: orderbook_pb2.Empty, context: Context, caller: Caller
    ) -> Awaitable[None]:
        default = self._always[0] if self._always else None
        metadata = tuple(context.invocation_metadata() or ())
        instrument = legacy_instrument(metadata, default, self._venues.lists)
        depth = min(LEGACY_DEPTH, self._limits.depth)
        wishes = {ViewKey(ViewKind.BOOK, instrument): depth}
        return self._stream_views(context, caller, wishes, legacy_interval(metadata))

    def stream_book(
        self, request: pb.BookRequest, context: Context, caller: Caller
    ) -> Awaitable[None]:
        return self._stream_view(context, caller, ViewKind.BOOK, request)

    def stream_liquidity(
        self, request: pb.LiquidityRequest, context: Context, caller: Caller
    ) -> Awaitable[None]:
        return self._stream_view(context, caller, ViewKind.LIQUIDITY, request)

    def stream_bbo(
        self, request: pb.BboRequest, context: Context, caller: Caller
    ) -> Awaitable[None]:
        names = check_instruments(
            request.instruments, self._limits.max_instruments, self._venues.lists
        )
        wishes = {ViewKey(ViewKind.BBO, name): MAX_DEPTH for name in names}
        return self._stream_views(context, caller, wishes, check_interval(request.min_interval_ms))

    def get_book(
        self, request: pb.BookRequest, context: Context, caller: Caller
    ) -> Awaitable[bytes]:
        check_no_interval(request.min_interval_ms)
        return self._get_view(context, caller, self._wish(ViewKind.BOOK, request))

    def get_liquidity(
        self, request: pb.LiquidityRequest, context: Context, caller: Caller
    ) -> Awaitable[bytes]:
        check_no_interval(request.min_interval_ms)
        return self._get_view(context, caller, self._wish(ViewKind.LIQUIDITY, request))

    def get_bbo(
        self, request: pb.GetBboRequest, context: Context, caller: Caller
    ) -> Awaitable[bytes]:
        name = check_market(request.instrument, self._venues.lists)
        return self._get_view(context, caller, {ViewKey(ViewKind.BBO, name): MAX_DEPTH})

    def stream_executable(
        self, request: pb.ExecutableRequest, context: Context, caller: Caller
    ) -> Awaitable[None]:
        interval_s = check_interval(request.min_interval_ms)
        key, teller = self._priced(request, caller)
        return self._stream(context, caller, (key,), teller, interval_s)

    def get_executable(
        self, request: pb.ExecutableRequest, context: Context, caller: Caller
    ) -> Awaitable[bytes]:
        check_no_interval(request.min_interval_ms)
        key, teller = self._priced(request, caller)
        return self._get(context, caller, key, teller)

    async def stream_venues(
        self, request: pb.VenuesRequest, context: Context, caller: Caller
    ) -> None:
        with self._streams.open(caller) as stream:
            while True:
                body, version = self._venues.encoded_venues, self._venues.version
                await self._write(stream, context, seal(body, 0, self._clock.now_ns()))
                await self._views.statuses_changed.until(self._venues.newer_than(version))

    async def get_venues(
        self, request: pb.VenuesRequest, context: Context, caller: Caller
    ) -> bytes:
        if not await self._views.until_known(lambda: bool(self._venues.venues)):
            raise _unavailable("no venue has been reported: is an aggregator running?")
        return seal(self._venues.encoded_venues, 0, self._clock.now_ns())

    async def list_instruments(
        self, request: pb.ListInstrumentsRequest, context: Context, caller: Caller
    ) -> bytes:
        statuses, venue, instrument = self._venues, request.venue, request.instrument
        if instrument:
            await self._views.require_listed(check_instrument(instrument, statuses.lists))
        await self._views.until_known(
            lambda: bool(venue and statuses.has_list_of(venue)) or self._views.knows_all_lists()
        )
        if statuses.has_list_of(venue):
            listers = statuses.listers(instrument)
            if venue and instrument and venue not in listers:
                others = f"{', '.join(listers)} {'does' if len(listers) == 1 else 'do'}"
                raise CallRefusedError(
                    RefusalCode.NOT_FOUND, f"{venue} does not list {instrument}: {others}"
                )
            return statuses.encode_instruments(venue, instrument)
        known, shown = statuses.venues, venue[:LONGEST_QUOTED]
        if venue and known and venue not in known and statuses.is_settled(self._now()):
            raise CallRefusedError(
                RefusalCode.NOT_FOUND, f"no venue {shown!r}: there are {', '.join(known)}"
            )
        raise _unavailable(
            f"the instrument list of {shown or 'any venue'} is not there yet: try later"
        )

    async def session(
        self, requests: AsyncIterator[bytes], context: Context, caller: Caller
    ) -> None:
        limits = self._limits
        with self._streams.open(caller) as stream:
            stream.window = AckWindow(limits.window, limits.acknowledge_within_s)
            session = BotSession(
                stream,
                self._views.relay,
                self._clock,
                depth=limits.depth,
                max_instruments=limits.max_instruments,
                window=stream.window,
                lists=self._venues.lists,
                listed=self._views.require_listed,
                held=self._views.held,
            )
            try:
                async with asyncio.TaskGroup() as tasks:
                    reading = tasks.create_task(_take_requests(session, stream, requests))
                    while not (reading.done() and session.idle):
                        update = session.next_update()
                        if update is None:
                            await stream.woken()
                        else:
                            await self._write(stream, context, update)
            finally:
                session.close()

    def _wish(
        self, kind: ViewKind, request: pb.BookRequest | pb.LiquidityRequest
    ) -> dict[ViewKey, int]:
        key = ViewKey(kind, check_market(request.instrument, self._venues.lists))
        return {key: check_depth(request.depth, self._limits.depth)}

    def _priced(self, request: pb.ExecutableRequest, caller: Caller) -> tuple[ViewKey, PriceTeller]:
        name = check_market(request.instrument, self._venues.lists)
        question = check_question(request, caller.account.fees, self._fees)
        return ViewKey(ViewKind.LEVELS, name), PriceTeller(self._venues, name, question)

    def _stream_view(
        self,
        context: Context,
        caller: Caller,
        kind: ViewKind,
        request: pb.BookRequest | pb.LiquidityRequest,
    ) -> Awaitable[None]:
        interval_s = check_interval(request.min_interval_ms)
        return self._stream_views(context, caller, self._wish(kind, request), interval_s)

    def _stream_views(
        self, context: Context, caller: Caller, wishes: Mapping[ViewKey, int], interval_s: float
    ) -> Awaitable[None]:
        """Send every state of some views, each at its depth."""

        def tell(mail: Mail[ViewKey, SharedView], now_ns: int) -> bytes | None:
            return sealed(mail, wishes[mail.key], now_ns)

        return self._stream(context, caller, wishes, tell, interval_s)

    async def _stream(
        self,
        context: Context,
        caller: Caller,
        keys: Collection[ViewKey],
        tell: Tell,
        interval_s: float,
    ) -> None:
        """Send what `tell` makes of every state of some views, until the bot leaves.

        A bot that says how long it takes for a message is sent none sooner: its library would
        queue them, and nothing on the wire would tell.
        """
        clock = self._clock
        with self._streams.open(caller) as stream:
            for key in keys:
                await self._views.require_listed(key.instrument)
            with self._views.following(caller, stream.mailbox, keys):
                while True:
                    while (mail := stream.take()) is not None:
                        body = tell(mail, clock.now_ns())
                        if body is not None:
                            await stream.write(context, body, clock.monotonic())
                            if interval_s:
                                await asyncio.sleep(interval_s)
                    await stream.woken()

    def _get_view(
        self, context: Context, caller: Caller, wishes: Mapping[ViewKey, int]
    ) -> Awaitable[bytes]:
        ((key, depth),) = wishes.items()
        return self._get(context, caller, key, lambda mail, now_ns: sealed(mail, depth, now_ns))

    async def _get(self, context: Context, caller: Caller, key: ViewKey, tell: Tell) -> bytes:
        """Return the present state of one view, live if it is shortly before the deadline."""
        remaining_s = context.time_remaining()
        in_time_s = math.inf if remaining_s is None else remaining_s * SHARE_OF_DEADLINE
        return await self._views.get(caller, key, tell, in_time_s)

    async def _write(self, stream: BotStream, context: Context, payload: bytes) -> None:
        await stream.write(context, payload, self._now())

    def _now(self) -> float:
        return self._clock.monotonic()


async def _take_requests(
    session: BotSession, stream: BotStream, requests: AsyncIterator[bytes]
) -> None:
    """Hand a bot's requests to its session until it sends no more."""
    try:
        async for payload in requests:
            await session.take(parse(pb.SessionRequest, payload))
    except CallRefusedError as error:
        stream.end(error)
    finally:
        stream.wake()


def _unavailable(sentence: str) -> CallRefusedError:
    return CallRefusedError(RefusalCode.UNAVAILABLE, sentence)
