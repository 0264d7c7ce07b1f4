"""The fake venues together: started, stepped, asked and spoilt in-process.

async with running_simulator(SimulatorOptions(keep_truth=True)) as simulator:
    client = await connect(simulator.ws_url("kraken") + "/v2")
    with simulator.silence("kraken"):
        ...
    simulator.step()
"""

from __future__ import annotations

import asyncio
import pkgutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
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
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.truth import Truth
from venue_simulator.venue import Books, RestReply
from venue_simulator.venues import VENUES

__all__ = ["FixPlace", "Simulator", "running_simulator"]

logger = structlog.get_logger()


class Driver(Protocol):
    """The driver of a market: it moves the books."""

    def start(self) -> None: ...

    def step(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FixPlace:
    """Where a venue's FIX is, and the folder of the keys that may log on."""

    venue: str
    address: str
    """HOST:PORT."""
    keys: Path
    facts: Mapping[str, str]
    """Its URL, and the files that a listener logs on with, if there is such a pair."""


class Simulator:
    """A running simulator, as tests and its own control page see it."""

    address: Address
    """Set once it listens, which is before anybody can ask."""
    fix: FixPlace | None = None
    """Where one was asked for."""

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

    def books(self, venue: str) -> Books:
        """Return a venue as its protocol knows it."""
        return self._exchanges[venue]

    def desk(self, venue: str) -> MatchingDesk:
        """Return the venue's order desk: its accounts, orders and fees."""
        return self._exchanges[venue].desk

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
            name: Exchange(
                VENUES[name],
                clock,
                truth,
                options.faster,
                paced=options.paced,
                trading=options.trading,
            )
            for name in options.venues
        }
        with (
            closing(await _driver(options, exchanges)) as driver,
            closing(FaultInjection(exchanges, clock, truth)) as faults,
        ):
            simulator = Simulator(exchanges, driver, faults, truth)
            async with (
                serve_exchanges(
                    exchanges, simulator.answer_control, options.host, options.port, tls
                ) as address,
                AsyncExitStack() as more,
            ):
                simulator.address = address
                if options.fix is not None:
                    place = _fix_place(options, options.fix, exchanges, tls)
                    simulator.fix = await more.enter_async_context(place)
                driver.start()
                for planned in options.faults:
                    faults.plan(planned)
                try:
                    yield simulator
                finally:
                    _say_what_was_done(exchanges)


@asynccontextmanager
async def _fix_place(
    options: SimulatorOptions,
    address: str,
    exchanges: Mapping[str, Exchange],
    tls: ssl.SSLContext | None,
) -> AsyncIterator[FixPlace]:
    speakers = [name for name, exchange in exchanges.items() if exchange.venue.fix]
    if not speakers:
        known = ", ".join(name for name in VENUES if VENUES[name].fix)
        raise ConfigError(
            f"none of {', '.join(exchanges)} speaks FIX: leave out --fix, or add {known}"
        )
    try:
        from venue_simulator.fix_keys import (  # noqa: PLC0415 - it needs an extra
            API_KEY_FILE,
            PRIVATE_KEY_FILE,
            load_fix_keys,
        )
        from venue_simulator.fix_server import serve_fix  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--fix needs the package {error.name}, which is not installed: "
            "install dragonflybot-venue-simulator[fix], or leave it out"
        ) from None
    exchange = exchanges[speakers[0]]
    with tempfile.TemporaryDirectory(prefix="dragonfly-keys-") as made:
        folder = options.fix_keys or Path(made)
        desk = pkgutil.resolve_name(exchange.venue.fix)(load_fix_keys(folder).verify)
        async with serve_fix(exchange, desk, address, tls) as bound:
            files = {"fix_key": folder / PRIVATE_KEY_FILE, "fix_api_key": folder / API_KEY_FILE}
            facts = {name: str(file) for name, file in files.items() if file.exists()}
            facts["fix"] = f"{'fix+tls' if tls else 'fix'}://{bound}"
            yield FixPlace(exchange.venue.name, bound, folder, facts)


def _say_what_was_done(exchanges: Mapping[str, Exchange]) -> None:
    for name, exchange in exchanges.items():
        logger.info(
            "venue closed", venue=name, states=exchange.states_made, frames=exchange.frames_sent
        )


async def _driver(options: SimulatorOptions, exchanges: Mapping[str, Exchange]) -> Driver:
    if options.captures is not None:
        # On a busy machine this may take longer than the event loop is allowed to stand still.
        recordings = await asyncio.to_thread(load_recordings, options.captures, options.venues)
        return RecordedDriver(exchanges, recordings, options.speed)
    instruments = dict.fromkeys((*ALWAYS_MOVING, *options.instruments))
    return SeededDriver(exchanges, instruments, options.seed, options.rate)
