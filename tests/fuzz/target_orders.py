"""Messages of front ends to the execution engine, by the way they take to orders on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec
from dragonfly_common.clock import ManualClock
from dragonfly_common.errors import DecodeError
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    AnswerCode,
    Cancel,
    Command,
    CommandAnswer,
    CommandBody,
    FinalStatusOf,
    FromFrontEnd,
    FrontEndHello,
    ImplementationShortfall,
    Kill,
    Liquidate,
    ListOrders,
    OrderState,
    Pause,
    Replace,
    ReportAck,
    Resume,
    Revive,
    StatusOf,
    Sweep,
    Twap,
    decode_from_engine,
    decode_from_front_end,
    encode,
    order_id,
)
from dragonfly_venues.orders import EntryConnected
from execution_engine.engine import Engine
from execution_engine.journal import Journal
from execution_engine.limits import OrderLimits
from execution_engine.market import InstrumentBook, MarketRules, VenueTop
from execution_engine.outbox import Outbox
from execution_engine.paper import PaperVenue
from fuzzing import Target
from mutation import Form

__all__ = ["TARGETS"]

INSTRUMENT: Final = "ETH-BTC"
VENUES: Final = ("binance", "kraken")
OWNER: Final = "alice"
ORDER: Final = order_id(OWNER, "one")
BEGIN_NS: Final = 1_700_000_000_000_000_000
BODIES: Final[tuple[CommandBody, ...]] = (
    Liquidate("one", INSTRUMENT, OrderSide.SELL, Decimal("5.5"), Sweep(), limit=Decimal("0.05")),
    Liquidate(
        "two", INSTRUMENT, OrderSide.BUY, Decimal(40), Twap(BEGIN_NS + 10**11, interval_s=1.0),
        max_slippage_bps=Decimal(30), venues=("kraken",), min_child=Decimal(1),
        max_child=Decimal(4),
    ),
    Liquidate(
        "three", INSTRUMENT, OrderSide.BUY, Decimal(40), ImplementationShortfall(BEGIN_NS + 10**11),
        dry_run=True,
    ),
    Replace(ORDER, quantity=Decimal(3), limit=Decimal("0.051")),
    Pause(ORDER),
    Resume(ORDER),
    Cancel(ORDER),
    StatusOf(client_id="one"),
    FinalStatusOf("one"),
    FinalStatusOf("four"),
    ListOrders(everyone=True, open_only=False),
    Kill("a drill"),
    Revive(),
)  # fmt: skip


class Orders(Target):
    """Commands, greetings and acknowledgements: each is answered, and no order is overfilled."""

    name = "orders.channel"
    form = Form.MSGPACK

    def seeds(self) -> Sequence[bytes]:
        said: list[FromFrontEnd] = [Command(f"c{n}", OWNER, one) for n, one in enumerate(BODIES)]
        said += [FrontEndHello("gateway"), FrontEndHello("fix", (OWNER,), True, {ORDER: 1})]
        return [encode(one) for one in (*said, ReportAck(ORDER, 1))]

    def reset(self) -> None:
        self._clock = ManualClock(BEGIN_NS)
        self._waiting: list[Callable[[], None]] = []
        self._count = 0
        journal = Journal(None)
        self._engine = engine = Engine(journal, OrderLimits.for_paper(), self._clock, paper=True)
        self._outbox = Outbox(engine.orders, journal.reports)
        engine.ledger.on_report = self._outbox.on_report
        for venue in VENUES:
            on_event = partial(engine.on_order_event, venue)
            entry = PaperVenue(
                venue,
                Decimal("0.001"),
                0.0,
                top_of=partial(_top_of, engine, venue),
                assets=lambda: INSTRUMENT.split("-"),
                later=lambda _, call: self._waiting.append(call),
                now_ns=self._clock.now_ns,
                on_event=on_event,
            )
            engine.attach(venue, entry)
            engine.market.rules[INSTRUMENT, venue] = MarketRules(
                "ETHBTC", Decimal("0.0001"), Decimal("0.1"), min_notional=Decimal("0.01")
            )
            on_event(EntryConnected())
        self._pass_time(1.0)

    def feed(self, data: bytes) -> str:
        try:
            message = decode_from_front_end(data)
        except DecodeError as error:
            assert len(str(error)) < 300, error
            return error.reason
        now = self._clock.monotonic()
        outcome = type(message).__name__
        match message:
            case FrontEndHello():
                self._outbox.on_hello(b"peer", message, dict, now)
            case ReportAck():
                self._outbox.on_ack(b"peer", message.order_id, message.seq)
            case Command():
                answer = self._engine.on_command(message)
                assert answer.id == message.id
                assert len(answer.text) < 500, answer
                assert decode_from_engine(encode(answer)) == answer
                outcome = f"{type(message.body).__name__} {answer.code}"
        self._pass_time(0.5)
        return outcome

    def mend(self, data: bytes) -> bytes:
        """Let a command be a new one."""
        self._count += 1
        try:
            said = msgspec.msgpack.decode(data)
            if said["type"] == "command":
                said["id"] = f"m{self._count}"
            return msgspec.msgpack.encode(said)
        except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError, LookupError):
            return data

    def check(self) -> None:
        self._count += 1
        name = f"check{self._count}"
        self._ask(name + "r", Revive())
        order = Liquidate(name, INSTRUMENT, OrderSide.SELL, Decimal(2), Sweep(rounds=1000))
        assert self._ask(name, order).code is AnswerCode.ACCEPTED
        parent = self._engine.orders.parents[order_id("judge", name)]
        for _ in range(20):
            self._pass_time(0.5)
        assert parent.state is OrderState.DONE, parent.status()
        assert parent.filled == 2

    def _ask(self, name: str, body: CommandBody) -> CommandAnswer:
        return self._engine.on_command(Command(name, "judge", body))

    def _pass_time(self, seconds: float) -> None:
        """Let a newer book come, and venues answer what they were asked."""
        self._clock.advance(seconds)
        top = VenueTop(
            tuple((Decimal("0.0500") - Decimal("0.0001") * n, Decimal(9)) for n in range(5)),
            tuple((Decimal("0.0501") + Decimal("0.0001") * n, Decimal(9)) for n in range(5)),
            self._clock.now_ns(),
        )
        engine = self._engine
        engine.market.proven_at = self._clock.monotonic()
        engine.on_book(INSTRUMENT, InstrumentBook(dict.fromkeys(VENUES, top)))
        engine.tick()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()
        for _, report in self._outbox.due(self._clock.monotonic()):
            assert decode_from_engine(encode(report)) == report
        for parent in engine.orders.parents.values():
            assert parent.filled + parent.reserved <= parent.quantity, parent.status()


def _top_of(engine: Engine, venue: str, instrument: str) -> VenueTop:
    return engine.market.books[instrument].tops[venue]


TARGETS: Final = (Orders,)
