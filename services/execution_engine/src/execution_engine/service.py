"""The engine's process: books from the bus, orders from front ends, venues; begin and end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from dragonfly_common.bus import ChannelServer, Keys, drive
from dragonfly_common.errors import ConfigError, DecodeError
from dragonfly_common.runtime import Runtime
from dragonfly_common.topics import ViewKind
from dragonfly_orders.messages import (
    Command,
    EngineHello,
    FinalStatusOf,
    FrontEndHello,
    Liquidate,
    ReportAck,
    StatusOf,
    decode_from_front_end,
    encode,
    order_id,
)
from dragonfly_pricing.fees import FeeTable
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_venues.orders import EntryConnected, EntrySettings, OrderEvent
from dragonfly_venues.registry import find_order_entry
from dragonfly_views.mailbox import Mailbox
from dragonfly_views.relay import Reader, ViewKey
from dragonfly_views.views import Views, sealed

from execution_engine import counters
from execution_engine.engine import Engine
from execution_engine.journal import Journal
from execution_engine.limits import OrderLimits
from execution_engine.market import (
    BPS,
    DecimalLevel,
    InstrumentBook,
    VenueTop,
    decimal_of,
    rules_of,
)
from execution_engine.outbox import Outbox
from execution_engine.paper import PaperVenue

__all__ = ["EngineOptions", "book_of", "serve"]

ALL_LEVELS: Final = 2**31
LOOK_INTERVAL_S: Final = 0.1
LISTS_INTERVAL_S: Final = 1.0
BOOK_PATIENCE_S: Final = 2.0
"""How long the first order of an instrument waits for its book, to have a price of arrival."""
NO_FEE: Final = Decimal(0)

logger = structlog.get_logger()


@dataclass(frozen=True)
class EngineOptions:
    """The options of an engine."""

    upstreams: Sequence[str]
    bind: str
    journal: Path
    instruments: tuple[str, ...] = ()
    limits: OrderLimits = field(default_factory=OrderLimits.for_paper)
    venues: tuple[str, ...] = ()
    """On paper: where orders may go; none named: at all that the aggregators know."""
    accounts: Mapping[str, EntrySettings] = field(default_factory=dict)
    """Where orders go by the venues' own protocols; empty: nowhere, fills are assumed."""
    live: bool = False
    """Those accounts hold real money."""
    fees: FeeTable = field(default_factory=lambda: FeeTable.of({"*": 10}))
    """On paper."""
    latency_s: float = 0.05
    """On paper."""
    kill_file: Path | None = None
    resume: bool = False
    linger_s: float = 10.0
    keys: Keys | None = None


async def serve(runtime: Runtime, options: EngineOptions) -> None:
    """Work orders until cancelled.

    Raises:
        AddressError: an address is malformed or taken.
        ConfigError: the journal, a key file or a limit cannot be used.
    """
    async with AsyncExitStack() as opened:
        service = _EngineService(runtime, options, opened)
        await service.start(opened)
        await drive((service.channel, service.views.subscriber), service.turn)


class _EngineService:
    """The parts, joined."""

    def __init__(self, runtime: Runtime, options: EngineOptions, opened: AsyncExitStack) -> None:
        clock, paper = runtime.clock, not options.live
        self._runtime = runtime
        self._options = options
        journal = Journal(options.journal, paper=paper)
        self._journal = opened.enter_context(closing(journal))
        self.views = opened.enter_context(
            closing(
                Views(
                    options.upstreams,
                    clock,
                    always=(),
                    linger_s=options.linger_s,
                    patience_s=2.0,
                    settles_after_s=1.0,
                    keys=options.keys,
                )
            )
        )
        self.channel = opened.enter_context(
            closing(ChannelServer(options.bind, clock, keys=options.keys))
        )
        self._engine = Engine(
            journal,
            options.limits,
            clock,
            paper=paper,
            kill_file=options.kill_file,
            resume=options.resume,
        )
        self._outbox = Outbox(self._engine.orders, journal.reports)
        self._engine.ledger.on_report = self._outbox.on_report
        self._mailbox: Reader = Mailbox(lambda: None)
        self._followed: set[str] = set()
        self._assets: set[str] = set()
        """Of all that was followed so far: an account on paper has some of each."""
        self._acks: dict[str, dict[str, int]] = {}
        self._awaiting: dict[tuple[str, str], tuple[bytes, Command, Liquidate, float]] = {}
        """Orders whose instrument has no book so far: from whom, and until when."""
        self._failure: Exception | None = None
        self._next_look = 0.0
        self._next_lists = 0.0
        if options.keys is None:
            risk = "everybody who reaches it can place orders"
            runtime.warn_if_open(self.channel.address, risk, "give --curve-key and --curve-trust")

    async def start(self, opened: AsyncExitStack) -> None:
        """Open the accounts, and take signals."""
        self._require_venues_of_the_journal()
        for instrument in self._options.instruments:
            self._follow(instrument)
        clock = self._runtime.clock
        for venue, settings in self._options.accounts.items():
            entry = find_order_entry(venue)(settings, clock, partial(self._on_event, venue))
            self._engine.attach(venue, entry)
            await opened.enter_async_context(entry)
            if self._options.live:
                logger.warning("real orders", venue=venue)
        if not self._options.accounts:
            for venue in self._options.venues:
                self._attach_paper(venue)

        def kill(*_: object) -> None:
            self._engine.kill_asked = "SIGUSR1"

        # Not the loop's own way: the flag holds from the instant of the signal, also between a
        # commit and the send after it.
        before = signal.signal(signal.SIGUSR1, kill)
        opened.callback(signal.signal, signal.SIGUSR1, before)
        self._runtime.ready(
            address=self.channel.address,
            mode="live" if self._options.live else "paper",
            journal=str(self._options.journal),
        )

    def _require_venues_of_the_journal(self) -> None:
        """Refuse to begin where nobody could find out what became of orders in doubt."""
        venues = self._options.accounts or self._options.venues
        doubtful = {child.intent.venue for child in self._engine.orders.unsettled.values()}
        if venues and (missing := doubtful.difference(venues)):
            name = min(missing)
            is_paper = "--paper" if self._options.accounts else "--venue"
            option = "--live" if self._options.live else is_paper
            raise ConfigError(
                f"{self._options.journal} has orders at {name} whose fate is not known, and this"
                f" engine would not trade there: give {option} {name} too"
            )

    def turn(self) -> float:
        """Take what came, decide, and tell; return seconds until the next turn."""
        if self._failure is not None:
            raise self._failure
        self._runtime.beat()
        if self.views.drain():
            # What came while this process stood still is old, and newer books are there.
            logger.warning("books were old", remedy="none needed: newer ones are read")
        self._take_books()
        for peer, payload in self.channel.receive():
            self._take_message(peer, payload)
        for peer, command, _, _ in list(self._awaiting.values()):
            self._take_command(peer, command)
        now = self._runtime.clock.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL_S
            self._look(now)
        self._tell(now)
        return max(0.0, self._next_look - self._runtime.clock.monotonic())

    # Books

    def _look(self, now: float) -> None:
        self.views.look(self.views.drained_at)
        wanted = self._engine.instruments.union(
            self._options.instruments,
            (order.instrument for _, _, order, _ in self._awaiting.values()),
        )
        for instrument in wanted - self._followed:
            self._follow(instrument)
        for instrument in self._followed - wanted:
            self._leave(instrument)
        if now >= self._next_lists:
            self._next_lists = now + LISTS_INTERVAL_S
            for instrument in self._followed:
                self._take_lists(instrument)
        if not self._options.accounts and not self._options.venues:
            for venue in set(self.views.statuses.venues) - self._engine.desks.keys():
                self._attach_paper(venue)
        self._engine.tick()
        counters.OPEN_PARENTS.set(sum(1 for _ in self._engine.orders.open_parents()))
        if self._engine.killed:
            self._runtime.not_ready("the kill switch is thrown")
        elif not self.views.statuses.is_live():
            self._runtime.not_ready("no venue is live")
        elif not any(desk.is_ready(now) for desk in self._engine.desks.values()):
            self._runtime.not_ready("no account is ready")
        else:
            self._runtime.ready()

    def _follow(self, instrument: str) -> None:
        self._followed.add(instrument)
        self._assets.update(instrument.split("-"))
        now = self._runtime.clock.monotonic()
        self.views.relay.join(self._mailbox, ViewKey(ViewKind.LEVELS, instrument), now)
        self._take_lists(instrument)

    def _leave(self, instrument: str) -> None:
        self._followed.discard(instrument)
        key = ViewKey(ViewKind.LEVELS, instrument)
        self.views.relay.leave(self._mailbox, key, self._runtime.clock.monotonic())
        self._engine.market.books.pop(instrument, None)

    def _take_lists(self, instrument: str) -> None:
        for venue, market in self.views.statuses.markets(instrument).items():
            rules = rules_of(market)
            known = self._engine.market.rules.get((instrument, venue))
            if rules is not None and rules != known:
                self._engine.market.rules[instrument, venue] = rules
                if known is None and venue in self._engine.desks:
                    self._engine.desks[venue].entry.ask_account()

    def _take_books(self) -> None:
        """Take newer books; then those that are there are proven.

        A venue is in a book for as long as its listener says that it is live and the aggregator
        is heard: what rests is as true as what has just changed.
        """
        while self.views.current():
            mail = self._mailbox.take()
            if mail is None:
                self._engine.market.proven_at = self.views.drained_at
                return
            body = sealed(mail, ALL_LEVELS, self._runtime.clock.now_ns())
            if body is not None:
                book = book_of(pb.Book.FromString(body))
                self._engine.on_book(mail.key.instrument, book)

    # Venues

    def _attach_paper(self, venue: str) -> None:
        loop = asyncio.get_running_loop()
        on_event = partial(self._on_event, venue)
        entry = PaperVenue(
            venue,
            (self._options.fees.of_venue(venue) or NO_FEE) / BPS,
            self._options.latency_s,
            top_of=partial(self._top_of, venue),
            assets=lambda: self._assets,
            later=loop.call_later,
            now_ns=self._runtime.clock.now_ns,
            on_event=on_event,
        )
        self._engine.attach(venue, entry)
        loop.call_soon(on_event, EntryConnected())

    def _top_of(self, venue: str, instrument: str) -> VenueTop | None:
        book = self._engine.market.books.get(instrument)
        return book.tops.get(venue) if book else None

    def _on_event(self, venue: str, event: OrderEvent) -> None:
        """Give a venue's event to the engine; a failure ends the process with the next turn."""
        if self._failure is None:
            self._try(lambda: self._engine.on_order_event(venue, event))

    def _try(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - raised by the next turn
            self._failure = error

    # Front ends

    def _take_message(self, peer: bytes, payload: bytes) -> None:
        try:
            message = decode_from_front_end(payload)
        except DecodeError as error:
            counters.UNREADABLE.inc()
            logger.warning("unreadable message", reason=str(error))
            return
        match message:
            case FrontEndHello():
                self._greet(peer, message)
            case ReportAck():
                name = self._outbox.on_ack(peer, message.order_id, message.seq)
                if name is not None:
                    self._acks.setdefault(name, {})[message.order_id] = message.seq
            case Command():
                self._take_command(peer, message)

    def _take_command(self, peer: bytes, command: Command) -> None:
        """Answer it; the first order of an instrument once its book is there, or a little later."""
        body, now = command.body, self._runtime.clock.monotonic()
        if isinstance(body, Liquidate):
            is_listed = self.views.statuses.lists(body.instrument)
            if is_listed and body.instrument not in self._followed:
                self._follow(body.instrument)
            may_be_listed = is_listed or not self.views.knows_all_lists()
            if may_be_listed and self._engine.awaits_book(command):
                known = self._awaiting.get((command.owner, command.id))
                until = known[-1] if known else now + BOOK_PATIENCE_S
                if now < until:
                    self._awaiting[command.owner, command.id] = (peer, command, body, until)
                    return
        elif isinstance(body, StatusOf | FinalStatusOf) and self._is_undecided(command.owner, body):
            return  # "no such order" would be a proof; it is asked again
        self._awaiting.pop((command.owner, command.id), None)
        self._send(peer, self._engine.on_command(command))

    def _is_undecided(self, owner: str, asked: StatusOf | FinalStatusOf) -> bool:
        """Say whether an order that is asked for has come, and waits for its book."""
        wanted = asked.wanted(owner)
        return any(
            order_id(command.owner, order.client_id) == wanted
            for _, command, order, _ in self._awaiting.values()
        )

    def _greet(self, peer: bytes, hello: FrontEndHello) -> None:
        now = self._runtime.clock.monotonic()
        acked = self._outbox.on_hello(
            peer, hello, lambda: self._journal.acked(hello.front_end), now
        )
        ready = tuple(name for name, desk in self._engine.desks.items() if desk.is_ready(now))
        self._send(
            peer,
            EngineHello(
                self._runtime.instance, self._engine.paper, self._engine.killed, ready, acked
            ),
        )

    def _tell(self, now: float) -> None:
        for peer, report in self._outbox.due(now):
            self._send(peer, report)
            counters.REPORTS_SENT.inc()
        acks, self._acks = self._acks, {}
        for name, seqs in acks.items():
            self._journal.ack(name, seqs)

    def _send(self, peer: bytes, message: Any) -> None:
        # One that is not taken is asked for, or sent, again.
        self.channel.send(peer, encode(message))


def book_of(book: pb.Book) -> InstrumentBook:
    """Return the live venues' levels of a consolidated book, as decimals."""
    bids: dict[str, list[DecimalLevel]] = {}
    asks: dict[str, list[DecimalLevel]] = {}
    for side, levels in ((bids, book.bids), (asks, book.asks)):
        for level in levels:
            side.setdefault(level.venue, []).append(
                (decimal_of(level.price), decimal_of(level.amount))
            )
    return InstrumentBook(
        {
            feed.venue: VenueTop(
                tuple(bids.get(feed.venue, ())), tuple(asks.get(feed.venue, ())), feed.ts_recv
            )
            for feed in book.venues
            if feed.state == pb.STATE_LIVE
        }
    )
