"""An account behind a WebSocket: connecting again, the venue's time, patience, what is in doubt.

A venue's own (`LineEntry`'s subclass) says where to connect, how to sign on, how to write a
placement, and what a frame says. What is promised is in `dragonfly_venues.orders`:

    a placement     is written once, by one task that nothing starts again; a line that ends, or a
                    time without an answer, leaves it in doubt (`ChildUnresolved`)
    a question      waits for its turn within the budget; without an answer there is `EntryTrouble`
    a refusal that  asks for patience stops all that would be sent, also over REST
    a frame that    cannot be read may have been a fill: the line is given up, and what was missed
                    is asked for
    a wrong clock   ends the line, and none is opened until it is right
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.errors import ConfigError
from dragonfly_common.pace import TokenBucket

from dragonfly_venues.events import FrameError
from dragonfly_venues.order_entry.addresses import order_url
from dragonfly_venues.order_entry.keys import read_account_keys
from dragonfly_venues.order_entry.venue_time import VenueTime
from dragonfly_venues.orders import (
    NOT_SENT,
    AccountState,
    ChildOrder,
    ChildRefused,
    ChildUnresolved,
    EntryConnected,
    EntryDisconnected,
    EntrySettings,
    EntryTrouble,
    OpenOrders,
    OrderEntry,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from dragonfly_venues.transport import (
    REST_SCHEMES,
    STREAM_SCHEMES,
    BannedError,
    ClientOptions,
    ClosedError,
    Connection,
    HttpReply,
    HttpRequest,
    KeptConnections,
    RejectedError,
    Standing,
    TransportError,
    UnresponsiveError,
    VenueProtocolError,
    build_client,
    exchange,
    foreseen,
    trusted,
)
from dragonfly_venues.transport.backoff import Backoff

__all__ = ["LineEntry", "RefusedQuestionError", "TooLateError"]

QUESTION_LIMIT_S: Final = 10.0
SIGN_ON_LIMIT_S: Final = 15.0
PROBE_INTERVAL_S: Final = 5.0
"""Between two pings; the answer to one comes before the next, or the line is dead."""
TIME_INTERVAL_S: Final = 60.0
FIRST_RETRY_S: Final = 0.1
GOOD_LINE_S: Final = 30.0
"""After a line that lasted so long the next one is tried at once: not after each that opens."""
MOST_WAITING: Final = 200
"""Questions at the same time: more of them are trouble."""
MAX_BYTES: Final = 1 << 22

logger = structlog.get_logger()


class RefusedQuestionError(TransportError):
    """The venue answers a question with an error of its own."""

    label = "refused"

    def __init__(self, code: str, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after_s = retry_after_s


class TooLateError(TransportError):
    """A placement would have left after the time by which it had to."""

    label = "late"


class LineEntry(OrderEntry):
    """One account at one venue that is traded at over a WebSocket, over REST beside it."""

    ws_url: ClassVar[str]
    ws_path: ClassVar[str]
    rest_url: ClassVar[str]
    max_frame_bytes: ClassVar[int] = 1 << 22
    tiers: ClassVar[Mapping[str, tuple[float, float, float]]] = {}
    """By the names of what an account may be allowed: the three of these that follow from it."""
    questions_per_second: float
    """Of the venue's allowance, in its own units of weight, with room for a person beside."""
    questions_at_once: float
    answer_limit_s: ClassVar[float] = 5.0
    """A placement without an answer is then in doubt."""

    def __init__(
        self, settings: EntrySettings, clock: Clock, on_event: Callable[[OrderEvent], None]
    ) -> None:
        """See `OrderEntryFactory`."""
        self._clock = clock
        self._on_event = on_event
        self._keys = read_account_keys(settings.key_file, self.venue)
        real_url = self.rest_url if settings.paper else None
        ws_url, rest_url = settings.ws_url or self.ws_url, settings.rest_url or self.rest_url
        self._base = order_url(ws_url, "--ws-url", STREAM_SCHEMES, self.venue, real_url)
        self._rest_base = order_url(rest_url, "--rest-url", REST_SCHEMES, self.venue, real_url)
        if self._keys.tier:
            self._take_tier(self._keys.tier, settings.key_file)
        self._trust = trusted(settings.ca_file)
        self._standing = Standing(clock)
        self._client = build_client(
            self._base,
            ClientOptions(
                self._trust, self.max_frame_bytes, compression=False, standing=self._standing
            ),
        )
        self._kept = KeptConnections()
        self._time = VenueTime(clock)
        self._places = TokenBucket(self.places_per_second, max(1.0, self.places_per_second))
        self._questions = TokenBucket(self.questions_per_second, self.questions_at_once)
        self._line: Connection | None = None
        self._connected = False
        self._quiet_until = 0.0
        self._quiet_why = ""
        self._last_id = 0
        self._replies: dict[str, asyncio.Future[bytes]] = {}
        """Of requests that wait for a reply, by their id."""
        self._unanswered: dict[str, ChildOrder] = {}
        """Placements, likewise."""
        self._doubted: set[str] = set()
        """Ids of those that were told to be in doubt: an answer may still come."""
        self._asked: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> OrderEntry:
        self._spawn(self._stay_connected())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._kept.close()

    def time_ns(self) -> int | None:
        with suppress(UnresponsiveError):
            return self._time.now_ns()
        return None

    def place(self, child: ChildOrder) -> None:
        self._spawn(self._place_once(child))

    def cancel(self, child: ChildOrder) -> None:
        self._ask(f"cancel {child.child_id}", lambda: self._cancel(child))

    def query(self, child: ChildOrder) -> None:
        self._ask(f"query {child.child_id}", lambda: self._query(child))

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        self._ask(
            f"trades of {venue_symbol}", lambda: self._trades(venue_symbol, trade_id, since_ns)
        )

    def ask_open_orders(self) -> None:
        self._ask("open orders", self._open_orders)

    def ask_account(self) -> None:
        self._ask("account", self._account)

    # What a venue says

    @abstractmethod
    async def _sign_on(self) -> None:
        """Measure the venue's time, follow the account's events: all before orders are placed."""

    @abstractmethod
    async def _measure(self) -> None:
        """Measure the venue's time.

        Raises:
            TransportError: it cannot be had, or a clock is wrong.
        """

    @abstractmethod
    def _prepare(self, child: ChildOrder, line: Connection) -> Awaitable[None]:
        """Write and sign a placement; return what sends it, once, and has what comes of it told.

        What is awaited raises `TransportError`, and the placement is in doubt, unless the error
        says that it cannot have left.

        Raises:
            TransportError: it cannot be sent, and nothing has been.
        """

    @abstractmethod
    def _take(self, frame: bytes) -> None:
        """Tell what a frame says.

        Raises:
            FrameError: it says nothing that is known.
            TransportError: the line is of no use any more.
        """

    # What a venue is asked. Each raises `TransportError` where it does not answer, or refuses.

    @abstractmethod
    async def _cancel(self, child: ChildOrder) -> OrderEvent | None:
        """Ask for the end of an order; return what is to be told of it by then."""

    @abstractmethod
    async def _query(self, child: ChildOrder) -> OrderReport: ...

    @abstractmethod
    async def _trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> TradesSince: ...

    @abstractmethod
    async def _open_orders(self) -> OpenOrders: ...

    @abstractmethod
    async def _account(self) -> AccountState: ...

    # What a venue's own uses

    def _tell(self, *events: OrderEvent) -> None:
        for event in events:
            self._on_event(event)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _ask(self, what: str, work: Callable[[], Awaitable[OrderEvent | None]]) -> None:
        """Begin a question, whose answer, if it has one, is told; unless the same is under way."""
        if what not in self._asked:
            self._asked.add(what)
            self._spawn(self._answer(what, work))

    async def _request(self, request_id: str, text: str) -> bytes:
        """Send a request, and return what `_replied` is given.

        Raises:
            TransportError: the line ended, or the venue refused.
        """
        line = self._line
        if line is None:
            raise ClosedError("it is not connected")
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._replies[request_id] = reply
        try:
            async with asyncio.timeout(QUESTION_LIMIT_S):
                await line.send(text)
                return await reply
        except TimeoutError:
            why = f"no answer within {QUESTION_LIMIT_S:g} s"
            raise UnresponsiveError("silent", why) from None
        finally:
            del self._replies[request_id]

    def _replied(self, request_id: str, reply: bytes | TransportError) -> None:
        """Give a question its answer."""
        waiting = self._replies.get(request_id)
        if waiting is None or waiting.done():
            return
        if isinstance(reply, TransportError):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    async def _post(self, request: HttpRequest, within_s: float = QUESTION_LIMIT_S) -> HttpReply:
        """Return the reply to a request over REST.

        Raises:
            TransportError: there is none.
        """
        try:
            return await exchange(
                request,
                self._trust,
                MAX_BYTES,
                self._standing,
                within_s=within_s,
                kept=self._kept,
            )
        except RejectedError as refused:
            if refused.concerns_host:
                self._be_quiet(refused.retry_after_s, str(refused))
            raise

    def _be_quiet(self, seconds: float, why: str) -> None:
        """Send nothing for so long: the venue asks for it."""
        until = self._clock.monotonic() + seconds
        if until > self._quiet_until:
            self._quiet_until, self._quiet_why = until, why
            self._tell(EntryTrouble(why, seconds))

    async def _write_placement(
        self, child: ChildOrder, line: Connection, request_id: str, text: str
    ) -> None:
        """Send a placement on the line; `_answered` is to be asked of each reply."""
        self._unanswered[request_id] = child
        asyncio.get_running_loop().call_later(self.answer_limit_s, self._doubt, request_id)
        await line.send(text)

    def _check_in_time(self, child: ChildOrder) -> None:
        """Raise `TooLateError` where a placement may not leave any more.

        That is judged by the venue's time: this machine's may be set back meanwhile.
        """
        if self._time.now_ns() > child.send_by_ns:
            raise TooLateError("it is too late to be sent")

    def _answered(self, request_id: str) -> ChildOrder | None:
        """Return the child whose placement a reply answers, None where it is none's."""
        self._doubted.discard(request_id)
        return self._unanswered.pop(request_id, None)

    # The line

    async def _stay_connected(self) -> None:
        backoff = Backoff(random.random, FIRST_RETRY_S)
        while True:
            began = self._clock.monotonic()
            try:
                # In a task of its own: a group that fails leaves its task counted as being
                # cancelled (Python 3.11), and the next group in it would end it.
                await asyncio.create_task(self._converse())
            except Exception as error:  # noqa: BLE001 - told below
                failure = self._failure(error)
            self._hang_up(failure)
            now = self._clock.monotonic()
            if now - began > GOOD_LINE_S:
                backoff.reset()
            left_s = self._quiet_until - now
            await asyncio.sleep(backoff.next_s(max(failure.retry_after_s, left_s, 0.0)))

    async def _converse(self) -> None:
        """Connect, sign on, and take what comes, until that ends with an exception."""
        line = self._line = await self._client.connect(self._base + self.ws_path)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(line.stream(self._take_all))
                try:
                    async with asyncio.timeout(SIGN_ON_LIMIT_S):
                        await self._sign_on()
                except TimeoutError:
                    raise UnresponsiveError("silent", "it does not answer") from None
                self._connected = True
                self._tell(EntryConnected())
                group.create_task(self._probe(line))
                group.create_task(self._keep_time())
        finally:
            self._line = None
            await line.close()

    def _take_all(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            try:
                self._take(frame)
            except FrameError as error:
                raise VenueProtocolError(f"it sent what cannot be read: {error}") from None

    async def _probe(self, line: Connection) -> None:
        while True:
            answered = asyncio.Event()
            await line.ping(answered.set)
            await asyncio.sleep(PROBE_INTERVAL_S)
            if not answered.is_set():
                raise UnresponsiveError("silent", f"silent for {PROBE_INTERVAL_S:g} s")

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TIME_INTERVAL_S)
            with suppress(BannedError):  # without it the time is too old soon enough
                await self._measure()

    def _hang_up(self, failure: TransportError) -> None:
        """Tell that the line is over, and what of it is in doubt."""
        for request_id in list(self._unanswered):
            self._doubt(request_id, f"the line ended: {failure}")
        self._unanswered.clear()
        self._doubted.clear()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ClosedError(f"the line ended: {failure}"))
        was_connected, self._connected = self._connected, False
        if was_connected:
            self._tell(EntryDisconnected(str(failure)))
        else:
            self._tell(EntryTrouble(str(failure), failure.retry_after_s))

    def _doubt(self, request_id: str, why: str = "") -> None:
        why = why or f"no answer within {self.answer_limit_s:g} s"
        child = self._unanswered.get(request_id)
        if child is not None and request_id not in self._doubted:
            self._doubted.add(request_id)
            self._tell(ChildUnresolved(child.child_id, why))

    # Placements and questions

    async def _place_once(self, child: ChildOrder) -> None:
        line = self._line
        obstacle = self._obstacle()
        if obstacle or line is None:
            self._tell(ChildRefused(child.child_id, NOT_SENT, obstacle))
            return
        try:
            self._check_in_time(child)
            sending = self._prepare(child, line)
        except TransportError as error:
            self._tell(ChildRefused(child.child_id, NOT_SENT, str(error)))
            return
        try:
            await sending
        except Exception as error:  # noqa: BLE001 - told as what it leaves of the order
            failure = self._failure(error)
            if failure.may_have_left:
                self._tell(ChildUnresolved(child.child_id, str(failure)))
            else:
                self._tell(ChildRefused(child.child_id, NOT_SENT, str(failure)))

    def _obstacle(self) -> str:
        """Return why a placement may not be sent now, empty where it may."""
        now = self._clock.monotonic()
        if not self._connected:
            return "it is not connected"
        if now < self._quiet_until:
            return (
                f"for {self._quiet_until - now:.1f} s more nothing may be sent: {self._quiet_why}"
            )
        return "" if self._places.admit(now) else "too many orders within a second"

    async def _answer(self, what: str, work: Callable[[], Awaitable[OrderEvent | None]]) -> None:
        event: OrderEvent | None
        try:
            if len(self._asked) > MOST_WAITING:
                raise UnresponsiveError("busy", "too many questions wait")  # noqa: TRY301
            event = await work()
        except Exception as error:  # noqa: BLE001 - told
            failure = self._failure(error)
            if self._connected:
                event = EntryTrouble(f"{what}: {failure}", failure.retry_after_s)
            else:
                event = EntryTrouble(f"{what}: it is not connected")
        finally:
            self._asked.discard(what)
        if event is not None:
            self._tell(event)

    async def _spend(self, weight: int) -> None:
        """Wait until as much of the budget is there.

        Raises:
            BannedError: the venue asks for patience.
        """
        left = weight
        while True:
            now = self._clock.monotonic()
            if now < self._quiet_until:
                raise BannedError(self._quiet_why, self._quiet_until - now)
            while left and self._questions.admit(now):
                left -= 1
            if not left:
                return
            await asyncio.sleep(self._questions.wait_s(now))

    def _failure(self, error: BaseException) -> TransportError:
        failure = (
            VenueProtocolError(f"it sent what cannot be read: {error}")
            if isinstance(error, FrameError)
            else foreseen(error)
        )
        if failure.bug is not None:
            logger.error("order entry failed", venue=self.venue, exc_info=failure.bug)
        return failure

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take_tier(self, tier: str, where: Path | None) -> None:
        """Use what an account of that tier is allowed.

        Raises:
            ConfigError: the venue has no such tier.
        """
        if tier not in self.tiers:
            known = ", ".join(self.tiers) or "none: leave it out"
            raise ConfigError(f"{where} names the tier {tier[:40]!r}; {self.venue} has {known}")
        self.places_per_second, self.questions_per_second, self.questions_at_once = self.tiers[tier]
