"""Orders of FIX customers, between their sessions and the execution engine.

    D, F, G, q   are noted in the store together with the number under which they came, and then
                 asked of the engine under an id of their own, until it answers.
    reports      become messages, kept in the store with their numbers before the engine is told
                 that they are handed on. A customer that is away asks for them when it is back.

So nothing is carried out twice and nothing is told twice, whichever process dies when.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec
import structlog
from dragonfly_common.bus import ChannelClient, Keys
from dragonfly_common.clock import Clock
from dragonfly_fix.codec import FixMessage, encode_fields
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.rejects import BusinessReason
from dragonfly_fix.sqlite_store import SqliteStore
from dragonfly_orders.front_end import PATIENCE_S, AnswerOverdueError, FrontEnd, new_command_id
from dragonfly_orders.messages import (
    AnswerCode,
    Cancel,
    Command,
    CommandAnswer,
    FinalStatusOf,
    Liquidate,
    OrderState,
    Report,
    Resume,
    order_id,
    owner_by_fix,
)
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode, invalid

from fix_gateway import counters
from fix_gateway.access import ORDERS
from fix_gateway.customers import CustomerSession
from fix_gateway.order_reports import (
    ExecType,
    FixOrder,
    PendingChange,
    UnchangedFor,
    execution,
    refusal_of_change,
    refusal_of_order,
    take_report,
    unknown_order,
)
from fix_gateway.order_requests import (
    OrderRefusedError,
    RejectedFor,
    number_of,
    read_change,
    read_order,
    words_of,
)
from fix_gateway.order_store import OrderStore
from fix_gateway.requests import FixBody

__all__ = ["DeskOptions", "OrderDesk"]

LONGEST_NAME: Final = 50
"""Of CompIDs and ClOrdIDs, in characters."""
DAY: Final = timedelta(days=1)

ONE_SYMBOL: Final = b"1"
ALL_ORDERS: Final = b"7"
"""MassCancelRequestType (530); of MassStatusReqType (585) too: 7 all orders, and 1 one symbol."""

ORDER_REASONS: Final[Mapping[AnswerCode, int]] = {
    AnswerCode.FAILED_PRECONDITION: RejectedFor.BROKER,
    AnswerCode.RESOURCE_EXHAUSTED: RejectedFor.LIMIT,
    AnswerCode.ALREADY_EXISTS: RejectedFor.DUPLICATE,
    AnswerCode.OUT_OF_RANGE: RejectedFor.QUANTITY,
}
CHANGE_REASONS: Final[Mapping[AnswerCode, int]] = {
    AnswerCode.NOT_FOUND: UnchangedFor.UNKNOWN_ORDER,
    AnswerCode.FAILED_PRECONDITION: UnchangedFor.TOO_LATE,
}
ENGINE_AWAY: Final = "the execution engine is away: nothing was done, try again later"
REAL_WITHOUT_TOKENS: Final = (
    "the engine's orders are real, and this gateway asks for no token: start it with --tokens"
)
LINE_BROKE: Final = "the line broke, and the order was to be cancelled then"
STORE_FAILED: Final = "the order store cannot be written, and this gateway ends: try later"
DAILY_RESET: Final = "daily reset: numbers begin anew, log on again"

logger = structlog.get_logger()


@dataclass(frozen=True)
class DeskOptions:
    """The options of a gateway that takes orders."""

    engine: str
    """Where the execution engine takes orders."""
    store: Path
    cancel_on_disconnect: frozenset[str] = frozenset()
    """The CompIDs whose orders are cancelled when their line breaks."""
    reset_at_s: int = 22 * 3600
    """Of the day in UTC: when the numbers of all sessions begin anew."""


class OrderSession(CustomerSession):
    """One connection of a customer that sends orders."""

    def __init__(
        self, desk: OrderDesk, connection: FixConnection, caller: Caller, comp_id: str
    ) -> None:
        super().__init__(connection, caller)
        self.comp_id = comp_id
        self._desk = desk
        self._store = desk.store.session(comp_id)

    @property
    def store(self) -> SqliteStore:
        return self._store

    def take(self, message: FixMessage) -> None:
        self._desk.take(self, message)

    def refuse_for(self, message: FixMessage, error: CallRefusedError) -> None:
        self.refuse(message, BusinessReason.OTHER, error.sentence)

    def on_logged_on(self) -> None:
        self._desk.is_back(self)

    def wake(self) -> None:
        """Nothing waits: what is told has its number at once."""

    def on_lost(self) -> None:
        self._desk.is_gone(self)


class OrderDesk:
    """All customers that send orders."""

    def __init__(
        self, options: DeskOptions, clock: Clock, keys: Keys | None, *, asks_tokens: bool
    ) -> None:
        """Open the store, and connect to the engine.

        Where customers are not asked for tokens (`asks_tokens`), orders are on paper only.

        Raises:
            AddressError: the engine's address is malformed.
            ConfigError: the store cannot be used.
        """
        self._options = options
        self._clock = clock
        self._asks_tokens = asks_tokens
        self.store: Final = OrderStore(options.store, ORDERS)
        self._front_end = FrontEnd(
            options.engine,
            self.store.name,
            clock,
            self._on_report,
            kept={order.order_id: order.seq for order in self.store.orders.values()},
            keys=keys,
        )
        self.channel: Final[ChannelClient] = self._front_end.channel
        self._live: dict[str, OrderSession] = {}
        self._unflushed: set[FixConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._resetting = False
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Go on with what was not answered; cancel what was to be cancelled meanwhile."""
        if not self.store.day:
            self.store.begin_day(self._day(), self._clock.now_ns())
        for order, command, at_ns in [*self.store.commands()]:
            age_s = (self._clock.now_ns() - at_ns) / 1e9
            self._start(self._carry_out(order, command, doubts=age_s > PATIENCE_S))
        for order in [*self.store.orders.values()]:
            if order.cancels and order.open:
                self._cancel(order, LINE_BROKE)

    async def close(self) -> None:
        """Stop asking; what is unanswered is gone on with after a restart."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._front_end.close()
        self.store.close()

    def turn(self) -> float:
        """Take what came from the engine; return seconds until the next time."""
        if self._failure is not None:
            raise self._failure
        wait_s = self._front_end.turn()
        self._follow_the_day()
        return wait_s

    # Customers come and go.

    def begin(self, connection: FixConnection, caller: Caller, comp_id: bytes) -> CustomerSession:
        name = comp_id.decode(errors="replace")
        if not _is_name(name):
            raise invalid(
                f"SenderCompID (49) has more than {LONGEST_NAME} characters, or others than"
                " printable ones without blanks: no orders can be kept under it"
            )
        if self._failure is not None:
            # Its numbers in memory may not be those that are kept.
            raise CallRefusedError(RefusalCode.UNAVAILABLE, STORE_FAILED)
        if self._resetting:
            raise CallRefusedError(RefusalCode.UNAVAILABLE, DAILY_RESET)
        return OrderSession(self, connection, caller, name)

    def is_back(self, session: OrderSession) -> None:
        self._live[session.comp_id] = session
        with self._durably():
            self.store.is_back(session.comp_id)

    def is_gone(self, session: OrderSession) -> None:
        if self._live.get(session.comp_id) is not session:
            return
        del self._live[session.comp_id]
        if not self._resetting:
            for order in self.store.open_of(session.comp_id):
                if order.cancels:
                    self._cancel(order, LINE_BROKE)

    # What customers send.

    def take(self, session: OrderSession, message: FixMessage) -> None:
        match message.type:
            case b"D":
                self._take_order(session, message)
            case b"F" | b"G":
                self._take_change(session, message)
            case b"q":
                self._take_mass_cancel(session, message)
            case b"H":
                self._take_status_request(session, message)
            case b"AF":
                self._take_mass_status_request(session, message)
            case _:
                text = "this session is for orders: market data is at TargetCompID DRAGONFLY-MD"
                session.refuse(message, BusinessReason.UNSUPPORTED_TYPE, text)

    def _take_order(self, session: OrderSession, message: FixMessage) -> None:
        comp_id, name = session.comp_id, _text(message, 11)
        now_ns = self._clock.now_ns()

        def refuse(reason: int, text: str) -> None:
            counters.REFUSED.labels("D").inc()
            exec_id = new_command_id()
            self._tell(comp_id, refusal_of_order(message, "", exec_id, reason, text, now_ns))

        if not _is_name(name):
            text = f"ClOrdID (11): give 1 to {LONGEST_NAME} printable characters without blanks"
            refuse(RejectedFor.OTHER, text)
            return
        known = self.store.find(comp_id, name, today=True)
        if known is not None:
            if message.get(97) == b"Y" and known.words == words_of(message):
                self._tell_status(known)
            else:
                text = f"ClOrdID (11) {name} was used today: give each order a new one"
                refuse(RejectedFor.DUPLICATE, text)
            return
        if why := self._why_not():
            session.refuse(message, BusinessReason.NOT_AVAILABLE, why)
            return
        client_id = f"{self.store.day}:{name}"
        own_id = order_id(owner_by_fix(comp_id), client_id)
        cancels = comp_id in self._options.cancel_on_disconnect
        try:
            order, wish = read_order(message, comp_id, own_id, client_id, cancels=cancels)
        except OrderRefusedError as error:
            refuse(error.reason, error.sentence)
            return
        order.day = self.store.day
        with self._durably():
            self.store.save(order)
            self.store.give_name(order, name)
            self._ask(order, Command(new_command_id(), owner_by_fix(comp_id), wish))
            self._taken(session, message)

    def _take_change(self, session: OrderSession, message: FixMessage) -> None:
        comp_id, name, orig = session.comp_id, _text(message, 11), _text(message, 41)
        order = self.store.find(comp_id, orig)
        change = PendingChange(
            name, orig, message.type == b"F", new_command_id(), number_of(message, 44)
        )

        def refuse(reason: int, text: str) -> None:
            counters.REFUSED.labels(message.type.decode()).inc()
            now_ns = self._clock.now_ns()
            self._tell(comp_id, refusal_of_change(order, change, reason, text, now_ns))

        known = self.store.find(comp_id, name, today=True)
        if not _is_name(name):
            text = f"ClOrdID (11): give 1 to {LONGEST_NAME} printable characters without blanks"
            refuse(UnchangedFor.OTHER, text)
        elif known is not None and known is order and message.get(97) == b"Y":
            self._tell_status(known)
        elif known is not None:
            refuse(
                UnchangedFor.DUPLICATE,
                f"ClOrdID (11) {name} was used today: give each request a new one",
            )
        elif order is None:
            refuse(UnchangedFor.UNKNOWN_ORDER, f"no order has the ClOrdID {orig}: OrigClOrdID (41)")
        elif not order.open:
            refuse(UnchangedFor.TOO_LATE, "the order is over")
        elif order.pending is not None or order.state is OrderState.CANCELLING:
            refuse(
                UnchangedFor.ALREADY_PENDING,
                "an earlier request for this order is not answered so far",
            )
        elif (_text(message, 55), _text(message, 54)) != (order.symbol, order.side):
            refuse(UnchangedFor.OTHER, "Symbol (55) and Side (54) are not those of the order")
        elif why := self._why_not():
            session.refuse(message, BusinessReason.NOT_AVAILABLE, why)
        else:
            try:
                wish = Cancel(order.order_id) if change.cancels else read_change(message, order)
            except OrderRefusedError as error:
                refuse(UnchangedFor.OTHER, error.sentence)
                return
            resumes = isinstance(wish, Resume)
            with self._durably():
                order.pending = msgspec.structs.replace(change, resumes=resumes)
                self.store.save(order)
                self.store.give_name(order, name)
                self._ask(order, Command(change.command, owner_by_fix(comp_id), wish))
                self._taken(session, message)

    def _take_mass_cancel(self, session: OrderSession, message: FixMessage) -> None:
        kind = message.get(530) or b""
        if why := self._why_not():
            session.refuse(message, BusinessReason.NOT_AVAILABLE, why)
            return
        fields = [(11, message.get(11) or b""), (37, new_command_id().encode()), (530, kind)]
        with self._durably():
            if kind not in {ONE_SYMBOL, ALL_ORDERS}:
                text = b"MassCancelRequestType (530) must be 1 (one symbol) or 7 (all)"
                fields += [(58, text), (531, b"0"), (532, b"0")]
            else:
                orders = self._asked_for(session, message, by_symbol=kind == ONE_SYMBOL)
                for order in orders:
                    self._cancel(order, f"mass cancel {_text(message, 11)}")
                fields += [(531, kind), (533, b"%d" % len(orders))]
            self._tell(session.comp_id, (b"r", encode_fields(fields)))
            self._taken(session, message)

    def _take_status_request(self, session: OrderSession, message: FixMessage) -> None:
        asked = message.get(790)
        extra = [(790, asked)] if asked else []
        order = self.store.find(session.comp_id, _text(message, 11))
        if order is None:
            text = f"no order has the ClOrdID {_text(message, 11)}"
            body = unknown_order(message, text, self._clock.now_ns(), extra)
            self._tell(session.comp_id, body)
        else:
            self._tell_status(order, *extra)

    def _take_mass_status_request(self, session: OrderSession, message: FixMessage) -> None:
        request, kind = message.get(584) or b"", message.get(585)
        if kind not in {ONE_SYMBOL, ALL_ORDERS}:
            session.refuse(
                message, BusinessReason.OTHER, "MassStatusReqType (585) must be 1 (one symbol) or 7"
            )
            return
        orders = self._asked_for(session, message, by_symbol=kind == ONE_SYMBOL)
        with self._durably():
            for number, order in enumerate(orders, 1):
                last = b"Y" if number == len(orders) else b"N"
                total = b"%d" % len(orders)
                self._tell_status(order, (584, request), (911, total), (912, last))
            if not orders:
                extra = [(584, request), (911, b"0"), (912, b"Y")]
                body = unknown_order(message, "no order is open", self._clock.now_ns(), extra)
                self._tell(session.comp_id, body)

    def _asked_for(
        self, session: OrderSession, message: FixMessage, *, by_symbol: bool
    ) -> list[FixOrder]:
        side = message.get(54)
        return [
            order
            for order in self.store.open_of(session.comp_id)
            if (not by_symbol or order.symbol == _text(message, 55))
            and side in {None, order.side.encode()}
        ]

    def _why_not(self) -> str:
        """Return why the engine cannot be asked; empty where it can."""
        engine = self._front_end.engine
        if engine is None:
            return ENGINE_AWAY
        return "" if engine.paper or self._asks_tokens else REAL_WITHOUT_TOKENS

    # What the engine is asked, and says.

    def _ask(self, order: FixOrder, command: Command) -> None:
        self.store.add_command(order, command, self._clock.now_ns())
        self._start(self._carry_out(order, command))

    def _cancel(self, order: FixOrder, why: str) -> None:
        """Cancel an order, though not by its customer's F."""
        if order.why or order.state is OrderState.CANCELLING:
            return
        with self._durably():
            order.why = why
            self.store.save(order)
            owner = owner_by_fix(order.comp_id)
            self._ask(order, Command(new_command_id(), owner, Cancel(order.order_id)))

    async def _carry_out(self, order: FixOrder, command: Command, *, doubts: bool = False) -> None:
        """Ask until there is an answer; those of one order one after the other.

        An order that was not answered in time is not sent again, which could be much later than its
        customer means: the engine is asked whether it has it, and takes none that it denied.
        """
        if self._failure is not None:
            return  # it may not be kept
        lock = self._locks.setdefault(order.order_id, asyncio.Lock())
        told = False
        async with lock:
            while True:
                body = command.body
                try:
                    if doubts and isinstance(body, Liquidate):
                        question = FinalStatusOf(body.client_id)
                        answer = await self._front_end.ask(command.owner, question)
                    else:
                        answer = await self._front_end.ask(command.owner, body, command.id)
                    break
                except AnswerOverdueError:
                    doubts = True
                    if not told:
                        told = True
                        self._tell_overdue(order, command)
            self._take_answer(order, command, answer)

    def _take_answer(self, order: FixOrder, command: Command, answer: CommandAnswer) -> None:
        refused, now_ns = answer.code is not AnswerCode.ACCEPTED, self._clock.now_ns()
        pending = order.pending
        with self._durably():
            self.store.drop_command(command)
            if not refused:
                return
            text = answer.text
            if isinstance(command.body, Liquidate) and order.state is None:
                if answer.code is AnswerCode.NOT_FOUND:
                    text = "the engine did not take it in time, and will not"
                order.refused = True
                reason = ORDER_REASONS.get(answer.code, RejectedFor.OTHER)
                exec_id = f"{order.order_id}-0"
                extra = [(103, b"%d" % reason)]
                body = execution(order, ExecType.REFUSED, exec_id, now_ns, text, extra=extra)
            elif pending is not None and pending.command == command.id:
                order.pending = None
                reason = CHANGE_REASONS.get(answer.code, UnchangedFor.OTHER)
                body = refusal_of_change(order, pending, reason, text, now_ns)
            else:
                return
            self.store.save(order)
            self._tell(order.comp_id, body)

    def _on_report(self, report: Report) -> None:
        order = self.store.orders.get(report.order_id)
        if order is None or report.seq <= order.seq:
            return  # another front end's; or told, and the acknowledgement was lost
        with self._durably():
            told = [*take_report(order, report)]
            if told:
                self.store.save(order)
            for body in told:
                self._tell(order.comp_id, body)

    # What customers are told.

    def _tell_status(self, order: FixOrder, *extra: tuple[int, bytes]) -> None:
        text = "" if self._front_end.engine else "as it was last known: the engine is away"
        now_ns = self._clock.now_ns()
        body = execution(order, ExecType.STATUS, "0", now_ns, text, extra=extra)
        self._tell(order.comp_id, body)

    def _tell_overdue(self, order: FixOrder, command: Command) -> None:
        kind = ExecType.PENDING_NEW
        names = order.pending
        if not isinstance(command.body, Liquidate):
            if names is None or names.command != command.id:
                return
            kind = ExecType.PENDING_CANCEL if names.cancels else ExecType.PENDING_REPLACE
        else:
            names = None
        text = "the engine has not answered so far: its fate will be told"
        exec_id, now_ns = new_command_id(), self._clock.now_ns()
        self._tell(
            order.comp_id,
            execution(order, kind, exec_id, now_ns, text, names=names, status=kind),
        )

    def _tell(self, comp_id: str, body: FixBody) -> None:
        """Give a message its number, in the store; it leaves when all is durable."""
        session, now_ns = self._live.get(comp_id), self._clock.now_ns()
        with self._durably():
            if session is not None and session.is_active():
                session.connection.session.send(*body, self._clock.monotonic(), now_ns)
                self._unflushed.add(session.connection)
            else:
                self.store.keep(comp_id, body, now_ns)
        counters.SENT.count += 1

    def _taken(self, session: OrderSession, message: FixMessage) -> None:
        """Be done with a message, together with what was noted of it."""
        session.store.expect(int(message.get(34) or 0) + 1)

    @contextmanager
    def _durably(self) -> Iterator[None]:
        outermost = not self.store.is_writing
        try:
            with self.store.transaction():
                yield
        except sqlite3.Error as error:
            # What is in memory may not be what is kept: none of it leaves, and the process ends.
            self._failure = error
            for connection in self._unflushed:
                connection.transport.abort()
            self._unflushed.clear()
            raise
        if outermost:
            connections, self._unflushed = self._unflushed, set()
            for connection in connections:
                connection.flush()

    # The day.

    def _day(self) -> str:
        now = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC)
        return f"{now - timedelta(seconds=self._options.reset_at_s) + DAY:%Y%m%d}"

    def _follow_the_day(self) -> None:
        day = self._day()
        if day == self.store.day:
            return
        if not self._resetting:
            self._resetting = True
            for session in [*self._live.values()]:
                session.connection.leave(DAILY_RESET)
        if not self._live:
            self.store.begin_day(day, self._clock.now_ns())
            self._resetting = False
            logger.info("numbers begin anew", day=day)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._failure = error

        task.add_done_callback(done)


def _is_name(text: str) -> bool:
    return (
        0 < len(text) <= LONGEST_NAME and text.isascii() and text.isprintable() and " " not in text
    )


def _text(message: FixMessage, tag: int) -> str:
    return (message.get(tag) or b"").decode(errors="replace")
