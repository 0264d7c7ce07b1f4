"""A session: subscribe, unsubscribe and acknowledge on one stream.

Requests are taken by one task while another sends; they meet in the session's mailbox, its window
and its refusals. Nothing here is unbounded: a bot that asks without reading is ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from dragonfly_common.clock import Clock
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.refusals import (
    CallRefusedError,
    RefusalCode,
    check_market,
    check_room,
    check_view_depth,
    invalid,
)
from dragonfly_views.relay import Relay, ViewKey
from dragonfly_views.views import sealed
from dragonfly_views.wire import wrap

from grpc_gateway.ack_window import AckWindow
from grpc_gateway.context import STATUS
from grpc_gateway.requests import check_view, check_window
from grpc_gateway.streams import BotStream

__all__ = ["BotSession"]

MOST_REFUSALS_WAITING: Final = 64


class BotSession:
    """One bot's subscriptions and what it has been sent."""

    def __init__(
        self,
        stream: BotStream,
        relay: Relay,
        clock: Clock,
        *,
        depth: int,
        max_instruments: int,
        window: AckWindow,
        lists: Callable[[str], bool],
        listed: Callable[[str], Awaitable[None]],
        held: Callable[[ViewKey], Iterable[str]],
    ) -> None:
        """`lists` says whether any venue lists an instrument; `listed` waits until that is known,
        and refuses one that none does. `held` is what of the quota a view takes."""
        self._stream = stream
        self._caller = stream.caller
        self._relay = relay
        self._clock = clock
        self._depth = depth
        self._max_instruments = max_instruments
        self._window = window
        self._lists = lists
        self._listed = listed
        self._held = held
        self._depths: dict[ViewKey, int] = {}
        self._refusals: deque[pb.Refusal] = deque()
        self._first = True

    @property
    def idle(self) -> bool:
        """Nothing is subscribed and nothing waits."""
        return not (self._depths or self._refusals)

    async def take(self, request: pb.SessionRequest) -> None:
        """Do what a request says.

        Raises:
            CallRefusedError: the session cannot go on.
        """
        first, self._first = self._first, False
        if first:
            self._window.size = check_window(request.window, self._window.size)
            if request.window:  # a bot that is slow with its first update would find a backlog
                self._acknowledge(0)
        match request.WhichOneof("request"):
            case _ if not first and request.window not in (0, self._window.size):
                self._refuse(
                    invalid(
                        f"window {request.window} comes too late, this session's is"
                        f" {self._window.size}: give it with the first request"
                    )
                )
            case "subscribe":
                await self._subscribe(request.subscribe)
            case "unsubscribe":
                self._unsubscribe(request.unsubscribe)
            case "ack":
                self._acknowledge(request.ack)
            case _ if not (first and request.window):
                self._refuse(invalid("an empty request: give subscribe, unsubscribe or ack"))
        self._stream.wake()

    def next_update(self) -> bytes | None:
        """Return the next encoded SessionUpdate, or None if nothing waits or may be sent."""
        if self._refusals:
            refusal = self._refusals.popleft()
            return pb.SessionUpdate(refusal=refusal, number=self._number()).SerializeToString()
        while self._window.may_send() and (mail := self._stream.take()) is not None:
            body = sealed(mail, self._depths[mail.key], self._clock.now_ns())
            if body is not None:
                return wrap(mail.key.kind, body, self._number())
        return None

    def close(self) -> None:
        """Give up every subscription."""
        for key in self._depths:
            self._leave(key)
        self._depths.clear()

    async def _subscribe(self, asked: pb.Subscription) -> None:
        try:
            key, depth = self._check_new(asked)
            await self._until_listed(key.instrument)
            self._caller.account.hold(self._held(key), self._caller.peer)
        except CallRefusedError as error:
            self._refuse(error, asked)
        else:
            self._depths[key] = depth
            self._relay.join(self._stream.mailbox, key, self._clock.monotonic())

    def _check_new(self, asked: pb.Subscription) -> tuple[ViewKey, int]:
        key = self._check_key(asked)
        depth = check_view_depth(key.kind, asked.depth, self._depth)
        if key in self._depths:
            raise CallRefusedError(
                RefusalCode.DUPLICATE,
                f"{_name(key)} is subscribed already: unsubscribe first to change its depth",
            )
        held = (held.instrument for held in self._depths)
        check_room(held, key.instrument, self._max_instruments)
        return key, depth

    def _check_key(self, asked: pb.Subscription) -> ViewKey:
        return ViewKey(check_view(asked.view), check_market(asked.instrument, self._lists))

    async def _until_listed(self, instrument: str) -> None:
        # Acknowledgements are not read meanwhile, which is not the bot's fault.
        self._window.hold()
        try:
            await self._listed(instrument)
        finally:
            self._window.release(self._clock.monotonic())

    def _unsubscribe(self, asked: pb.Subscription) -> None:
        try:
            key = self._check_key(asked)
        except CallRefusedError as error:
            self._refuse(error, asked)
            return
        if self._depths.pop(key, None) is None:
            self._refuse(invalid(f"{_name(key)} is not subscribed in this session"), asked)
        else:
            self._leave(key)

    def _acknowledge(self, number: int) -> None:
        if not self._window.acknowledge(number, self._clock.monotonic()):
            raise invalid(
                f"ack {number} was never sent: this session's last update is {self._window.sent}"
            )

    def _refuse(self, error: CallRefusedError, asked: pb.Subscription | None = None) -> None:
        if len(self._refusals) >= MOST_REFUSALS_WAITING:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"{MOST_REFUSALS_WAITING} refusals of this session wait unread: read them",
            )
        self._refusals.append(
            pb.Refusal(subscription=asked, message=error.sentence, code=STATUS[error.code].value[0])
        )

    def _leave(self, key: ViewKey) -> None:
        self._caller.account.release(self._held(key))
        self._relay.leave(self._stream.mailbox, key, self._clock.monotonic())

    def _number(self) -> int:
        return self._window.number_next(self._clock.monotonic())


def _name(key: ViewKey) -> str:
    return f"the {key.kind} of {key.instrument}"
