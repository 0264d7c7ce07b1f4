"""The fake venues together: started, stepped, asked and spoilt in-process.

async with running_simulator(SimulatorOptions(keep_truth=True)) as simulator:
    client = await connect(simulator.ws_url("kraken") + "/v2")
    with simulator.silence("kraken"):
        ...
    simulator.step()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, closing
from typing import Protocol

import structlog
from dragonfly_common.clock import Clock, SystemClock
from dragonfly_common.errors import ConfigError
from websockets.datastructures import Headers

from venue_simulator import control
from venue_simulator.book import Levels
from venue_simulator.catalogue import ALWAYS_MOVING
from venue_simulator.exchange import Exchange
from venue_simulator.fault_injection import FaultInjection
from venue_simulator.faults import FaultKind
from venue_simulator.options import SimulatorOptions, tls_context
from venue_simulator.recorded import RecordedDriver
from venue_simulator.recordings import load_recordings
from venue_simulator.seeded import SeededDriver
from venue_simulator.server import Address, serve_exchanges
from venue_simulator.truth import Truth
from venue_simulator.venue import RestReply
from venue_simulator.venues import VENUES

__all__ = ["Simulator", "running_simulator"]

logger = structlog.get_logger()


class Driver(Protocol):
    """The driver of a market: it moves the books."""

    def start(self) -> None: ...

    def step(self) -> None: ...

    def close(self) -> None: ...


class Simulator:
    """A running simulator, as tests and its own control page see it."""

    address: Address
    """Set once it listens, which is before anybody can ask."""

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        driver: Driver,
        faults: FaultInjection,
        truth: Truth,
    ) -> None:
        self.faults = faults
        self.truth = truth
        self._exchanges = exchanges
        self._driver = driver

    @property
    def venues(self) -> tuple[str, ...]:
        return tuple(self._exchanges)

    def ws_url(self, venue: str) -> str:
        """Return what stands in for the venue's WebSocket base (`wss://stream.binance.com:9443`)."""
        return self.address.url("ws", venue)

    def rest_url(self, venue: str) -> str:
        """Return what stands in for the venue's REST base (`https://api.binance.com`)."""
        return self.address.url("http", venue)

    @property
    def control_url(self) -> str:
        return self.address.url("http", "control")

    def subscriptions(self, venue: str) -> dict[str, int]:
        """Return the number of streams that are followed now, by instrument."""
        return self._exchanges[venue].subscriptions()

    def clients(self, venue: str) -> int:
        """Return the number of open connections."""
        return len(self._exchanges[venue].members)

    def frames_sent(self, venue: str) -> int:
        """Return the number of frames of books that the venue has sent, replies not counted."""
        return self._exchanges[venue].frames_sent

    def step(self, count: int = 1) -> None:
        """Move every open book on by `count` states, at once."""
        for _ in range(count):
            self._driver.step()

    def set_book(self, venue: str, instrument: str, bids: Levels, asks: Levels) -> None:
        """Make these levels, in the venue's own text, the next state of a book."""
        exchange = self._exchanges[venue]
        exchange.advance(exchange.book(instrument), bids, asks)

    def silence(self, venue: str) -> AbstractContextManager[None]:
        """Let nothing leave the venue while the context lasts; its sockets stay open."""
        return self.during(venue, FaultKind.SILENCE)

    def mute(self, venue: str, instrument: str | None = None) -> AbstractContextManager[None]:
        """Stop the venue's books, or one of them, while the context lasts; all else goes on."""
        return self.during(venue, FaultKind.MUTE, instrument)

    def during(
        self, venue: str, kind: FaultKind, instrument: str | None = None
    ) -> AbstractContextManager[None]:
        """Let any fault that is not a moment last as long as the context."""
        return self.faults.lasting(venue, kind, instrument)

    def answer_control(
        self, method: str, headers: Headers, path: str, query: Mapping[str, str]
    ) -> RestReply:
        refused = control.refusal(method, headers, path)
        return refused or control.answer(self, path, query)


@asynccontextmanager
async def running_simulator(
    options: SimulatorOptions, clock: Clock | None = None
) -> AsyncIterator[Simulator]:
    """Serve the venues until the context ends.

    Raises:
        ConfigError: the options do not fit together, or name what is not there.
        AddressError: the address is taken.
    """
    clock = clock or SystemClock()
    unknown = [name for name in options.venues if name not in VENUES]
    if unknown:
        raise ConfigError(f"no simulated venue {unknown[0]!r}: name {', '.join(VENUES)}")
    tls = tls_context(options)
    with closing(Truth(options.truth_log, options.keep_truth, options.truth_levels)) as truth:
        exchanges = {
            name: Exchange(VENUES[name], clock, truth, options.faster, paced=options.paced)
            for name in options.venues
        }
        with (
            closing(await _driver(options, exchanges)) as driver,
            closing(FaultInjection(exchanges, clock, truth)) as faults,
        ):
            simulator = Simulator(exchanges, driver, faults, truth)
            async with serve_exchanges(
                exchanges, simulator.answer_control, options.host, options.port, tls
            ) as address:
                simulator.address = address
                driver.start()
                for planned in options.faults:
                    faults.plan(planned)
                try:
                    yield simulator
                finally:
                    _say_what_was_done(exchanges)


def _say_what_was_done(exchanges: Mapping[str, Exchange]) -> None:
    for name, exchange in exchanges.items():
        logger.info(
            "venue closed", venue=name, states=exchange.states_made, frames=exchange.frames_sent
        )


async def _driver(options: SimulatorOptions, exchanges: Mapping[str, Exchange]) -> Driver:
    if options.captures is not None:
        # On a busy machine this may take longer than the event loop is allowed to stand still.
        recordings = await asyncio.to_thread(load_recordings, options.captures)
        return RecordedDriver(exchanges, recordings, options.speed)
    instruments = dict.fromkeys((*ALWAYS_MOVING, *options.instruments))
    return SeededDriver(exchanges, instruments, options.seed, options.rate)
