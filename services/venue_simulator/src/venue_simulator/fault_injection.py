"""Makes faults happen: at once, while a context lasts, or by plan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.types import normalise_instrument

from venue_simulator import counters
from venue_simulator.broadcast import Member
from venue_simulator.exchange import Exchange
from venue_simulator.faults import (
    DEFAULT_SECONDS,
    TRADING_FAULTS,
    Fault,
    FaultKind,
    PlannedFault,
    check_kind,
    check_venue,
    make_fault,
)
from venue_simulator.truth import Truth

__all__ = ["FaultInjection"]

GOING_AWAY: Final = 1001

logger = structlog.get_logger()


class FaultInjection:
    """The only way by which faults begin and end; each is written to the truth first."""

    def __init__(self, exchanges: Mapping[str, Exchange], clock: Clock, truth: Truth) -> None:
        self._exchanges = exchanges
        self._clock = clock
        self._truth = truth
        self._timers: dict[asyncio.TimerHandle, Fault] = {}
        self._lasting: set[asyncio.TimerHandle] = set()
        """Those of the timers that end a fault."""

    def inject(
        self, venue: str, kind: str, instrument: str | None = None, seconds: float | None = None
    ) -> Fault:
        """Let a fault happen now; return it as it was understood.

        Raises:
            UserError: there is no such fault; the message says what there is.
        """
        fault = make_fault(venue, kind, instrument, seconds, venues=self._exchanges)
        self._happen(fault)
        return fault

    def clear(
        self, venue: str | None = None, kind: str | None = None, instrument: str | None = None
    ) -> int:
        """End the faults that last or wait for a frame, and forget those that are planned.

        Return how many there were; None stands for every one.

        Raises:
            UserError: there is no such venue, kind or instrument; the message says what there is.
        """
        venues = self._exchanges if venue is None else [check_venue(venue, self._exchanges)]
        which = None if kind is None else check_kind(kind)
        name = None if instrument is None else normalise_instrument(instrument)
        spared = sum(self._exchanges[one].faults.disarm(which, name) for one in venues)
        meant = [
            timer
            for timer, fault in self._timers.items()
            if fault.venue in venues
            and which in {None, fault.kind}
            and name in {None, fault.instrument}
        ]
        for timer in meant:
            timer.cancel()
            fault = self._timers.pop(timer)
            if timer in self._lasting:
                self._lasting.remove(timer)
                self._end(fault)
        return spared + len(meant)

    @contextmanager
    def lasting(self, venue: str, kind: FaultKind, instrument: str | None = None) -> Iterator[None]:
        """Let a fault begin now and end with the context."""
        fault = Fault(venue, kind, instrument)
        self._note(fault)
        self._begin(fault)
        try:
            yield
        finally:
            self._end(fault)

    def plan(self, planned: PlannedFault) -> None:
        """Let a fault happen when it is due, and again where it repeats."""
        self._after(planned.at_s, partial(self._happen_as_planned, planned), planned.fault)

    def close(self) -> None:
        """Forget what is planned, and do not wait for what lasts."""
        for timer in self._timers:
            timer.cancel()

    def _happen_as_planned(self, planned: PlannedFault) -> None:
        if planned.every_s is not None:
            self._after(planned.every_s, partial(self._happen_as_planned, planned), planned.fault)
        self._happen(planned.fault)

    def _happen(self, fault: Fault) -> None:
        self._note(fault)
        members = list(self._exchanges[fault.venue].members)
        match fault:
            case Fault(kind=FaultKind.CLOSE):
                _hang_up(members)
            case Fault(kind=FaultKind.RESET):
                for member in members:
                    member.reset()
            case Fault(kind=FaultKind.SKIPPED_NUMBER):
                for member in members:
                    member.skip_number()
            case Fault(kind=FaultKind.ANNOUNCED_CLOSE):
                for member in members:
                    member.announce_close()
                self._after(fault.seconds or DEFAULT_SECONDS, partial(_hang_up, members), fault)
            case Fault(kind=FaultKind.LIST, instrument=str(instrument)):
                self._exchanges[fault.venue].open_new(instrument)
                self._exchanges[fault.venue].announce_trading(instrument)
            case Fault(seconds=None):
                self._exchanges[fault.venue].faults.arm(fault.kind, fault.instrument)
            case Fault(seconds=int() | float() as seconds):
                self._begin(fault)
                self._lasting.add(self._after(seconds, partial(self._end, fault), fault))

    def _begin(self, fault: Fault) -> None:
        exchange = self._exchanges[fault.venue]
        exchange.faults.begin(fault.kind, fault.instrument)
        if fault.kind is FaultKind.SILENCE:
            exchange.audible.clear()
        if fault.kind in TRADING_FAULTS:
            exchange.announce_trading(fault.instrument)

    def _end(self, fault: Fault) -> None:
        exchange = self._exchanges[fault.venue]
        exchange.faults.end(fault.kind, fault.instrument)
        if not exchange.faults.lasts(FaultKind.SILENCE):
            exchange.audible.set()
        if fault.kind in TRADING_FAULTS:
            exchange.announce_trading(fault.instrument)
        exchange.catch_up()
        logger.info("fault ended", venue=fault.venue, fault=fault.kind, instrument=fault.instrument)

    def _note(self, fault: Fault) -> None:
        self._truth.note_fault(fault, self._clock.now_ns())
        counters.FAULTS.labels(fault.venue, fault.kind).inc()
        logger.info(
            "fault injected",
            venue=fault.venue,
            fault=fault.kind,
            instrument=fault.instrument,
            seconds=fault.seconds,
        )

    def _after(self, seconds: float, act: Callable[[], None], fault: Fault) -> asyncio.TimerHandle:
        def fire() -> None:
            del self._timers[timer]
            self._lasting.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers[timer] = fault
        return timer


def _hang_up(members: list[Member]) -> None:
    for member in members:
        member.hang_up(GOING_AWAY, "")
