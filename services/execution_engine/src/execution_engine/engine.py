"""The engine: one thread, one writer: commands, venues' events, books and time in, orders out.

Nothing here waits. Every fact becomes a row (`ledger.py`), all rows of a turn are committed
together, and only then is anything sent, answered or reported. What a crash leaves is in the
journal:

    an intent without an end    may have been sent, or not: UNKNOWN, until its venue says
    a command without an answer was never carried out: its sender asks again
    a report                    is owed to front ends until they acknowledge it

After a restart no order runs by itself (`PAUSED`), and no venue is used before it has told its open
orders, its trades since the last that is known, and its balances.

`fates.py` takes what venues say of children, `deciding.py` what follows for orders.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog
from dragonfly_common.clock import Clock
from dragonfly_orders.messages import (
    AnswerCode,
    ArrivalTop,
    Cancel,
    ChildState,
    Command,
    CommandAnswer,
    FinalStatusOf,
    Kill,
    Liquidate,
    ListOrders,
    OrderState,
    Pause,
    Replace,
    ReportKind,
    Resolve,
    Resume,
    Revive,
    StatusOf,
    order_id,
)
from dragonfly_venues.orders import (
    AccountState,
    ChildAccepted,
    ChildClosed,
    ChildFill,
    ChildRefused,
    ChildUnresolved,
    EntryConnected,
    EntryDisconnected,
    EntryTrouble,
    OpenOrders,
    OrderEntry,
    OrderEvent,
    OrderReport,
    TradesSince,
)

from execution_engine import counters
from execution_engine.acceptance import (
    CommandRefusedError,
    accept,
    check_replacement,
    unsound_number,
)
from execution_engine.algorithms.schedules import schedule_of
from execution_engine.deciding import Decisions
from execution_engine.desks import Desk, Doubt
from execution_engine.fates import Fates
from execution_engine.journal import Journal, Moment, no_moment
from execution_engine.ledger import Ledger
from execution_engine.limits import OrderLimits
from execution_engine.market import InstrumentBook, KnownMarkets
from execution_engine.orders import Parent
from execution_engine.rows import (
    ChildDoubted,
    CommandAnswered,
    KillSwitched,
    OrderDenied,
    ParentOpened,
    ParentReplaced,
)

__all__ = ["Engine"]

logger = structlog.get_logger()


class Engine:
    """All orders of one account set."""

    def __init__(
        self,
        journal: Journal,
        limits: OrderLimits,
        clock: Clock,
        *,
        paper: bool,
        kill_file: Path | None = None,
        resume: bool = False,
        at: Moment = no_moment,
    ) -> None:
        """Read the journal, and take over from whoever wrote it last.

        Args:
            journal: open, and nobody else's.
            limits: what may be done at most.
            clock: the time.
            paper: whether no money is at stake.
            kill_file: the kill switch is thrown when this file is there.
            resume: whether orders go on by themselves after a restart.
            at: see `journal.Moment`.

        Raises:
            ConfigError: the journal holds what this version cannot read.
        """
        self.ledger: Final = Ledger(journal, clock)
        self.orders: Final = self.ledger.orders
        self.desks: Final[dict[str, Desk]] = {}
        self.market: Final = KnownMarkets()
        self.kill_asked: str = ""
        """Set by a signal handler: why everything is to stop."""
        self.paper = paper
        self._limits = limits
        self._clock = clock
        self._kill_file = kill_file
        self._fates = Fates(self.ledger, self.desks, clock)
        self._decisions = Decisions(
            self.ledger,
            self.desks,
            self.market,
            limits,
            clock,
            paper=paper,
            killed=lambda: self.killed,
            at=at,
        )
        self._recover(resume=resume)

    def attach(self, venue: str, entry: OrderEntry) -> None:
        """Trade at `venue` through `entry`, whose events come to `on_order_event`."""
        now = self._clock.monotonic()
        desk = self.desks[venue] = Desk(entry)
        for child in self.orders.at_venue(venue):
            # How long ago its last denial counted is not known: at this moment, at the latest.
            counted_at = now if child.denials else -math.inf
            desk.doubts[child.intent.child_id] = Doubt(now, now, counted_at=counted_at)

    @property
    def killed(self) -> bool:
        return self.orders.killed is not None or bool(self.kill_asked) or self._kill_file_is_there()

    @property
    def instruments(self) -> set[str]:
        """Of all orders that are not over: whose books are needed."""
        return {parent.order.instrument for parent in self.orders.open_parents()}

    # What comes in

    def on_command(self, command: Command) -> CommandAnswer:
        """Carry out a command, once; return its answer, the same for each copy."""
        if name := unsound_number(command.body):
            text = f"{name} must be a finite number"
            return CommandAnswer(command.id, AnswerCode.INVALID, text)
        known = self.orders.answers.get((command.owner, command.id))
        if known is not None:
            if known.body == command.body:
                return known.answer
            text = f"the id {command.id!r} was another command's: give each one of its own"
            return CommandAnswer(command.id, AnswerCode.ALREADY_EXISTS, text)
        try:
            answer = self._carry_out(command)
        except CommandRefusedError as error:
            answer = CommandAnswer(command.id, error.code, str(error))
        if not _only_asks(command):
            self.ledger.note(
                CommandAnswered(command.owner, command.body, answer, self._clock.now_ns())
            )
        self.ledger.commit()
        counters.COMMANDS.labels(answer.code.value).inc()
        self._turn()
        return answer

    def on_order_event(self, venue: str, event: OrderEvent) -> None:  # noqa: PLR0912 - a table
        """Take what became of something at a venue."""
        desk, now = self.desks[venue], self._clock.monotonic()
        match event:
            case ChildAccepted():
                self._fates.accepted(event)
            case ChildFill():
                self._fates.count(venue, event)
            case ChildClosed():
                self._fates.closed(venue, event.child_id, event.filled, event.text)
            case ChildRefused():
                self._fates.refused(desk, event)
            case ChildUnresolved():
                self._fates.doubt(event.child_id, event.text)
            case OrderReport():
                self._fates.take_report(desk, event, now)
            case TradesSince():
                for fill in event.fills:
                    self._fates.count(venue, fill)
                desk.trades_missing.discard(event.venue_symbol)
            case OpenOrders():
                self._fates.take_open_orders(desk, event)
            case AccountState():
                desk.take_account(event)
            case EntryConnected():
                self._fates.connected(desk)
            case EntryDisconnected():
                logger.warning("account disconnected", venue=venue, reason=event.text)
                desk.lost()
                for child in list(self.orders.at_venue(venue)):
                    self._fates.doubt(child.intent.child_id, f"the line is lost: {event.text}")
            case EntryTrouble():
                logger.warning("account trouble", venue=venue, reason=event.text)
                desk.quiet_until = max(desk.quiet_until, now + event.retry_after_s)
        self.ledger.commit()
        self._turn()

    def awaits_book(self, command: Command) -> bool:
        """Say whether it is a new order of an instrument whose book has not come."""
        body = command.body
        return (
            isinstance(body, Liquidate)
            and (command.owner, command.id) not in self.orders.answers
            and order_id(command.owner, body.client_id) not in self.orders.parents
            and self.market.mid(body.instrument) is None
        )

    def on_book(self, instrument: str, book: InstrumentBook) -> None:
        """Take a newer book."""
        self.market.books[instrument] = book
        for parent in list(self.orders.open_parents()):
            if parent.order.instrument == instrument:
                self._decisions.decide(parent)
        self.ledger.commit()

    def tick(self) -> None:
        """Do what is due by the time. Call it several times a second."""
        now = self._clock.monotonic()
        for venue, desk in self.desks.items():
            desk.ask_what_is_due(now, partial(self._fates.trades_since, venue))
            self._fates.look_into_doubts(venue, desk, now)
        self._turn()

    # Commands

    def _carry_out(self, command: Command) -> CommandAnswer:
        body = command.body
        match body:
            case Liquidate():
                return self._liquidate(command, body)
            case Kill():
                self.kill(body.reason or f"asked for by {command.owner}")
                return CommandAnswer(command.id, AnswerCode.ACCEPTED)
            case Revive():
                return self._revive(command)
            case ListOrders():
                found = tuple(
                    parent.status()
                    for parent in self.orders.parents.values()
                    if (body.everyone or parent.opened.owner == command.owner)
                    and not (body.open_only and parent.final)
                )
                return CommandAnswer(command.id, AnswerCode.ACCEPTED, orders=found)
            case StatusOf() | FinalStatusOf():
                return self._status(command, body)
        parent = self._parent(command, body.order_id)
        # A child may come into doubt again when its order is over.
        if parent.final and not isinstance(body, Resolve):
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION, f"the order is {parent.state}: nothing changes it"
            )
        match body:
            case Cancel():
                self._cancel(parent, f"asked for by {command.owner}")
            case Pause():
                self._require(parent, OrderState.RUNNING, "paused")
                self.ledger.move(parent, OrderState.PAUSED, f"asked for by {command.owner}")
            case Resume():
                self._require_alive()
                self._require(parent, OrderState.PAUSED, "resumed")
                self.ledger.move(parent, OrderState.RUNNING, f"asked for by {command.owner}")
            case Replace():
                self._replace(parent, body)
            case Resolve():
                self._resolve(parent, body, command.owner)
        return CommandAnswer(command.id, AnswerCode.ACCEPTED, "", parent.id)

    def _status(self, command: Command, body: StatusOf | FinalStatusOf) -> CommandAnswer:
        wanted, orders = body.wanted(command.owner), self.orders
        is_known = wanted in orders.parents or wanted in orders.denied
        if isinstance(body, FinalStatusOf) and not is_known:
            self.ledger.note(OrderDenied(wanted, self._clock.now_ns()))
        parent = self._parent(command, wanted)
        status = msgspec.structs.replace(parent.status(), arrival=parent.arrival)
        return CommandAnswer(command.id, AnswerCode.ACCEPTED, "", wanted, (status,))

    def _parent(self, command: Command, wanted: str) -> Parent:
        parent = self.orders.parents.get(wanted)
        if parent is None or parent.opened.owner != command.owner:
            raise CommandRefusedError(
                AnswerCode.NOT_FOUND, f"{wanted[:64]!r} is no order of {command.owner}"
            )
        return parent

    def _require_alive(self) -> None:
        if self.killed:
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION,
                "the kill switch is thrown: release it first (Revive, or `kill --release`)",
            )

    @staticmethod
    def _require(parent: Parent, state: OrderState, done: str) -> None:
        if parent.state is not state:
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION,
                f"the order is {parent.state}: only one that is {state} can be {done}",
            )

    def _liquidate(self, command: Command, order: Liquidate) -> CommandAnswer:
        wanted = order_id(command.owner, order.client_id)
        known = self.orders.parents.get(wanted)
        if known is not None:
            if known.order == order:
                return CommandAnswer(command.id, AnswerCode.ACCEPTED, "", wanted, (known.status(),))
            raise CommandRefusedError(
                AnswerCode.ALREADY_EXISTS,
                f"client_id {order.client_id!r} names another order: give a new one",
            )
        if wanted in self.orders.denied:
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION,
                f"client_id {order.client_id!r} was denied for good before its order came: give a"
                " new one",
            )
        self._require_alive()
        opened = accept(
            order,
            wanted,
            command.owner,
            rules={venue: self.market.rules.get((order.instrument, venue)) for venue in self.desks},
            limits=self._limits.of(order.instrument, paper=self.paper),
            mid=self.market.mid(order.instrument),
            now_ns=self._clock.now_ns(),
        )
        if order.dry_run:
            return CommandAnswer(command.id, AnswerCode.ACCEPTED, self._preview(opened))
        self.ledger.note(msgspec.structs.replace(opened, arrival=self._arrival(opened.order)))
        parent = self.orders.parents[wanted]
        known_mid = opened.arrival_mid is not None
        self.ledger.report(
            parent, ReportKind.NEW, "" if known_mid else "no live book at its arrival"
        )
        return CommandAnswer(command.id, AnswerCode.ACCEPTED, "", wanted, (parent.status(),))

    def _arrival(self, order: Liquidate) -> tuple[ArrivalTop, ...]:
        """Return what an order met: what cost is measured against later."""
        book = self.market.books.get(order.instrument)
        tops = book.tops if book else {}
        return tuple(
            ArrivalTop(
                venue, tops[venue].taken_by(order.side), self.desks[venue].fee(rules.venue_symbol)
            )
            for venue in self.desks
            if (rules := self.market.rules.get((order.instrument, venue))) and venue in tops
        )

    def _preview(self, opened: ParentOpened) -> str:
        """Say what would be sent first: all of it, or the first slice, by the book of now."""
        parent = Parent(opened, opened.order.quantity, opened.order.limit)
        due = schedule_of(opened, parent.quantity).cumulative
        pieces = self._decisions.plan(parent, due[0])
        if not pieces:
            return "nothing can be taken now"
        said = "; ".join(f"{one.venue} {one.amount} at {one.limit}" for one in pieces)
        return said if len(due) == 1 else f"slice 1 of {len(due)}: {said}"

    def _replace(self, parent: Parent, body: Replace) -> None:
        self._require_alive()
        if parent.state is OrderState.CANCELLING:
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION, "the order is being cancelled: nothing changes it"
            )
        quantity = parent.quantity if body.quantity is None else body.quantity
        limit = parent.limit if body.limit is None else body.limit
        check_replacement(
            quantity,
            limit,
            most=parent.quantity,
            least=parent.filled + parent.reserved,
            lot=parent.opened.lot,
        )
        self.ledger.note(ParentReplaced(parent.id, quantity, limit, self._clock.now_ns()))
        self.ledger.report(parent, ReportKind.REPLACED)

    def _resolve(self, parent: Parent, body: Resolve, owner: str) -> None:
        """End a doubt by a person's word, where the venue's can no longer be had."""
        child = parent.unsettled.get(body.child_id)
        if child is None or child.state is not ChildState.UNKNOWN:
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION,
                f"{body.child_id!r} is no child of the order whose fate is unknown",
            )
        if not self._fates.is_denied(child):
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION,
                f"{child.intent.venue} may still say what became of it: it is asked, and only what"
                " it has denied three times is for a person to resolve",
            )
        if body.filled != child.filled:
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION,
                f"{child.filled} is counted as filled of it, and not {body.filled}: wait for what"
                " is missing, or look again",
            )
        text = f"by the word of {owner}: {body.reason}"
        self.ledger.end(child, ChildState.RESOLVED, child.filled, text)
        logger.warning("child resolved by hand", child=body.child_id, by=owner, reason=body.reason)

    def kill(self, reason: str) -> None:
        """Throw the kill switch: cancel all orders, and take none until it is released."""
        if self.orders.killed is None:
            self.ledger.note(KillSwitched(True, reason, self._clock.now_ns()))
            logger.critical("kill switch thrown", reason=reason)
        for parent in list(self.orders.open_parents()):
            if parent.state is not OrderState.CANCELLING:
                self._cancel(parent, f"kill switch: {reason}")

    def _revive(self, command: Command) -> CommandAnswer:
        if self._kill_file_is_there():
            raise CommandRefusedError(
                AnswerCode.FAILED_PRECONDITION, f"{self._kill_file} is there: remove it first"
            )
        self.kill_asked = ""
        if self.orders.killed is not None:
            self.ledger.note(KillSwitched(False, command.owner, self._clock.now_ns()))
            logger.warning("kill switch released", by=command.owner)
        return CommandAnswer(command.id, AnswerCode.ACCEPTED)

    def _kill_file_is_there(self) -> bool:
        return self._kill_file is not None and self._kill_file.exists()

    def _cancel(self, parent: Parent, reason: str) -> None:
        if parent.state is not OrderState.CANCELLING:
            self.ledger.move(parent, OrderState.CANCELLING, reason)
        for child in list(parent.unsettled.values()):
            self._fates.cancel(child)

    def _turn(self) -> None:
        """Do what all that is known by now asks for."""
        if self.orders.killed is None and self.killed:
            self.kill(self.kill_asked or f"{self._kill_file} is there")
        for parent in list(self.orders.open_parents()):
            self._decisions.decide(parent)
        self.ledger.commit()
        counters.KILLED.set(self.killed)

    def _recover(self, *, resume: bool) -> None:
        for child in list(self.orders.unsettled.values()):
            if child.state in {ChildState.SENT, ChildState.OPEN}:
                now_ns = self._clock.now_ns()
                self.ledger.note(
                    ChildDoubted(child.intent.child_id, "the engine restarted", now_ns)
                )
        for parent in list(self.orders.open_parents()):
            if parent.state is OrderState.RUNNING and not resume:
                self.ledger.move(parent, OrderState.PAUSED, "the engine restarted: resume it")
        self.ledger.commit()


def _only_asks(command: Command) -> bool:
    body = command.body
    asks = isinstance(body, StatusOf | FinalStatusOf | ListOrders)
    return asks or (isinstance(body, Liquidate) and body.dry_run)
