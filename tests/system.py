"""The harness: real processes on loopback, and bots that keep all they receive.

Every process is one `dragonfly` command started by this module and ended by its own id; sockets
between them are files in the test's folder. What a process logged is there to be read and waited
for: nothing here sleeps and hopes.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Final, Protocol, Self, cast
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from dragonfly_client import Book, DragonflyClient, Event, State, Tls, UnavailableError
from dragonfly_views.tokens import hash_token
from patience import PATIENCE_S, eventually

__all__ = [
    "UNTIL_CLEARED_S",
    "VENUES",
    "Bot",
    "Process",
    "System",
    "eventually",
    "live_venues",
    "outages",
    "patient_client",
]

VENUES: Final = ("binance", "bitstamp", "kraken")

UNTIL_CLEARED_S: Final = 3600.0
"""Of a fault that a test ends itself, however long the machine takes."""
ANY_PORT: Final = "--bind=127.0.0.1:0"

Facts = dict[str, object]


class Running(Protocol):
    """As much of a `subprocess.Popen` as a `Process` needs."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int, /) -> None: ...

    def kill(self) -> None: ...

    def wait(self) -> object: ...


def launch_python(
    command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
) -> Running:
    """Start a command line as it is."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
    )


class Process:
    """A running `dragonfly` command; its log is a file of JSON lines."""

    program: ClassVar[Sequence[str]] = ("-m", "dragonfly_common.cli")
    """What Python runs."""
    launch: ClassVar[staticmethod[[Sequence[str], IO[bytes], Mapping[str, str]], Running]] = (
        staticmethod(launch_python)
    )
    """Starts a command line, with a file for what it prints, and all that is set for it."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is what is set beside what this process has itself."""
        self.name = name
        self.arguments = tuple(arguments)
        self.log = log
        own = {k: v for k, v in os.environ.items() if not k.startswith("DRAGONFLY_")}
        with log.open("ab") as output:
            self._began = output.tell()
            self._running = self.launch(
                [python, *self.program, *arguments], output, own | dict(environment or {})
            )

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def running(self) -> bool:
        return self._running.poll() is None

    def events(self) -> Iterator[Facts]:
        """Yield what this process logged so far."""
        with self.log.open("rb") as lines:
            lines.seek(self._began)
            for line in lines:
                if line.startswith(b"{") and line.endswith(b"}\n"):
                    yield json.loads(line)

    async def event(self, name: str, *, within_s: float = PATIENCE_S) -> Facts:
        """Return the first event `name`, waiting for it."""
        found: list[Facts] = []

        def logged() -> bool:
            found.extend(event for event in self.events() if event["event"] == name)
            if not found and not self.running:
                raise AssertionError(f"{self.name} ended before {name!r}:\n{self.log.read_text()}")
            return bool(found)

        await eventually(logged, within_s=within_s, what=f"{name!r} from {self.name}")
        return found[0]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process."""
        self._running.send_signal(number)

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self._running.kill()
        self._running.wait()

    async def ended(self, *, within_s: float = PATIENCE_S) -> int:
        """Return its exit code, waiting for its end."""
        await eventually(lambda: not self.running, within_s=within_s, what=f"{self.name} ended")
        code = self._running.returncode
        assert code is not None
        return code


class System:
    """The processes of one test, from the simulated venues to the gateway."""

    process: ClassVar[type[Process]] = Process
    start_within_s: float = PATIENCE_S

    def __init__(self, folder: Path, *, python: str = sys.executable) -> None:
        """`python` has the packages installed."""
        self.folder = folder
        self.python = python
        self.truth_log = folder / "truth.ndjson"
        self.simulated: Facts = {}
        self.gateway_address = ""
        self.processes: dict[str, Process] = {}
        self.environments: dict[str, Mapping[str, str]] = {}
        """What is set for a process of that name when it is started."""
        self._arguments: dict[str, Sequence[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self.processes.values():
            if process.running:
                process.kill()

    async def start(
        self,
        *,
        simulator: Sequence[str] = (),
        venues: Sequence[str] = VENUES,
        listener: Sequence[str] = (),
        aggregator: Sequence[str] = (),
        gateway: Sequence[str] = (),
        together: bool = False,
    ) -> None:
        """Start all layers, and wait until the gateway knows what each venue lists.

        The arguments are options for each layer; `together`, they are one process.
        """
        await self.start_simulator(*simulator, venues=venues)
        if together:
            await self.start_together(
                venues, listener=listener, aggregator=aggregator, gateway=gateway
            )
        else:
            await asyncio.gather(
                *(self.start_listener(venue, *listener) for venue in venues),
                self.start_aggregator(*aggregator, venues=venues),
                self.start_gateway(*gateway),
            )
        await self.listed(venues)

    async def listed(self, venues: Sequence[str] = VENUES, *, token: str | None = None) -> None:
        """Wait until the gateway knows what each of `venues` lists."""
        async with patient_client(self.gateway_address, token=token) as client:

            async def known() -> bool:
                try:
                    listed = await client.instruments()
                except UnavailableError:  # it knows no list so far, and has less patience
                    return False
                return {venue for one in listed for venue in one.venues} >= set(venues)

            await eventually(known, "the venues' instruments")

    async def start_simulator(self, *options: str, venues: Sequence[str] = VENUES) -> None:
        """Start a simulator of `venues`, and of no other, which would move and be logged too."""
        simulated = [f"--venue={venue}" for venue in venues]
        arguments = ("simulator", "--truth-log", str(self.truth_log), *simulated, *options)
        self.simulated = await self._ready("simulator", arguments)

    async def start_listener(self, venue: str, *options: str, name: str = "") -> None:
        """Start a listener of a simulated venue, `name` if it is not the only one."""
        name = name or f"listener-{venue}"
        await self._ready(
            name, self._listener(venue, self.address(name), options, self.urls(venue))
        )

    async def start_aggregator(
        self, *options: str, venues: Sequence[str] = VENUES, name: str = "aggregator"
    ) -> None:
        upstreams = [f"--upstream={self.address(f'listener-{venue}')}" for venue in venues]
        await self._ready(
            name, ("aggregator", *upstreams, f"--bind={self.address(name)}", *options)
        )

    async def start_gateway(self, *options: str) -> None:
        facts = await self._ready(
            "gateway",
            ("gateway", f"--upstream={self.address('aggregator')}", ANY_PORT, *options),
        )
        self.gateway_address = str(facts["address"])

    async def start_fix_gateway(self, *options: str) -> str:
        """Start a FIX gateway, and return its address."""
        upstream = f"--upstream={self.address('aggregator')}"
        facts = await self._ready("fix-gateway", ("fix-gateway", upstream, ANY_PORT, *options))
        return str(facts["fix"])

    async def start_engine(self, *options: str) -> None:
        """Start an execution engine, on paper, that may trade whatever a test asks of it."""
        limits = self.folder / "limits.toml"
        # A machine under tests may be slow: no book is too old here, which unit tests look at.
        limits.write_text(
            "book_age_s = 600\norders_per_second = 50\n[instruments.ETH-BTC]\n"
            'child_notional = "1000"\nparent_notional = "10000"\nday_notional = "100000"\n'
        )
        places = [
            f"--upstream={self.address('aggregator')}",
            f"--bind={self.address('engine')}",
            f"--journal={self.folder}/journal",
        ]
        await self._ready("engine", ("engine", *places, f"--limits={limits}", *options))

    async def start_web(self, *options: str) -> str:
        """Start a web gateway, and return where its page is."""
        arguments = ("web", f"--gateway={self.gateway_address}", ANY_PORT, *options)
        return str((await self._ready("web", arguments))["web"])

    async def start_trading(self, bots: Mapping[str, Sequence[str]], *, depth: int = 10) -> str:
        """Start all layers, an engine and a web gateway, and return where its page is.

        Each of `bots` has its own name for a token, and these scopes; one is called screen, and
        may read.
        """
        tokens = self.folder / "tokens.toml"
        tokens.write_text(
            "".join(
                f'[bots.{name}]\ntoken_sha256 = "{hash_token(name)}"\nscopes = {[*scopes]}\n'
                for name, scopes in bots.items()
            )
        )
        tokens.chmod(0o600)
        deep = f"--depth={depth}"
        await self.start_simulator("--rate=5", "--seed=4")
        await asyncio.gather(
            *(self.start_listener(venue, deep) for venue in VENUES), self.start_aggregator(deep)
        )
        await self.start_engine()
        engine = f"--engine={self.address('engine')}"
        await self.start_gateway(engine, f"--tokens={tokens}", deep)
        await self.listed(token="screen")
        self.environments["web"] = {"DRAGONFLY_WEB_TOKEN": "screen"}
        return await self.start_web(f"--tokens={tokens}")

    async def start_together(
        self,
        venues: Sequence[str],
        *,
        listener: Sequence[str] = (),
        aggregator: Sequence[str] = (),
        gateway: Sequence[str] = (),
    ) -> None:
        """Start all layers in one process; the arguments are options for each layer."""
        arguments = self.together(venues, listener=listener, aggregator=aggregator, gateway=gateway)
        facts = await self._ready("together", arguments)
        self.gateway_address = str(facts["address"])

    def together(
        self,
        venues: Sequence[str],
        *,
        bind: str = ANY_PORT,
        urls: Callable[[str], dict[str, str]] | None = None,
        listener: Sequence[str] = (),
        aggregator: Sequence[str] = (),
        gateway: Sequence[str] = (),
    ) -> Sequence[str]:
        """Return the words that run all layers in one process, with `bind` for the gateway.

        `urls` returns where a venue is; by default where it is simulated.
        """
        at = urls or self.urls
        parts = [
            *(self._listener(venue, f"inproc://{venue}", listener, at(venue)) for venue in venues),
            (
                "aggregator",
                *(f"--upstream=inproc://{venue}" for venue in venues),
                "--bind=inproc://aggregator",
                *aggregator,
            ),
            ("gateway", "--upstream=inproc://aggregator", bind, *gateway),
        ]
        return ("together", *(f"--service={shlex.join(part)}" for part in parts))

    def _listener(
        self, venue: str, address: str, options: Sequence[str], urls: dict[str, str]
    ) -> Sequence[str]:
        return (
            "listener",
            f"--venue={venue}",
            f"--bind={address}",
            f"--ws-url={urls['ws']}",
            f"--rest-url={urls['rest']}",
            *options,
        )

    def urls(self, venue: str) -> dict[str, str]:
        """Return the addresses of a simulated venue: `ws` and `rest`."""
        return cast("dict[str, dict[str, str]]", self.simulated["venues"])[venue]

    async def restart(self, name: str) -> None:
        """Start a process that ended, with the options it had, where it was."""
        bots = f"--bind={self.gateway_address}"
        await self._ready(name, [word.replace(ANY_PORT, bots) for word in self._arguments[name]])

    async def fault(
        self, venue: str, kind: str, seconds: float | None = None, instrument: str | None = None
    ) -> None:
        """Let something go wrong at a simulated venue, now."""
        said = {"venue": venue, "kind": kind, "seconds": seconds, "instrument": instrument}
        given = {name: value for name, value in said.items() if value is not None}
        await asyncio.to_thread(self._control, f"/fault?{urlencode(given)}")

    async def step(self) -> None:
        """Move every open book at the simulated venues on."""
        await asyncio.to_thread(self._control, "/step")

    async def clear(self) -> None:
        """End all that goes wrong at the simulated venues."""
        await asyncio.to_thread(self._control, "/clear")

    async def subscriptions(self) -> dict[str, set[str]]:
        """Return which instruments of each venue anybody follows at this moment."""
        followed = await asyncio.to_thread(self._control, "/subscriptions")
        return {venue: set(instruments) for venue, instruments in followed.items()}

    def _control(self, path: str) -> dict[str, list[str]]:
        url = f"{self.simulated['control']}{path}"
        post = Request(url, b"", {"Dragonfly-Control": "1"})
        with urlopen(url if path == "/subscriptions" else post) as reply:
            answer: dict[str, list[str]] = json.load(reply)
        return answer

    def address(self, name: str) -> str:
        """Return the bus address on which the process `name` publishes."""
        return f"ipc://{self.folder}/{name}.ipc"

    def run(self, *arguments: str) -> Process:
        """Start any `dragonfly` command."""
        name = f"{arguments[0]}-{len(self.processes)}"
        return self._spawn(name, arguments)

    def logs(self) -> str:
        """Return the end of what each process logged, for a test that failed."""
        return "\n".join(
            f"── {name}: {' '.join(process.arguments)}\n{process.log.read_text()[-4000:]}"
            for name, process in self.processes.items()
        )

    async def _ready(self, name: str, arguments: Sequence[str]) -> Facts:
        self._arguments[name] = arguments
        process = self._spawn(name, (*arguments, "--id", name, "--log-format", "json"))
        return await process.event("ready", within_s=self.start_within_s)

    def _spawn(self, name: str, arguments: Sequence[str]) -> Process:
        return self._run(self.process, name, arguments)

    def _run(self, kind: type[Process], name: str, arguments: Sequence[str]) -> Process:
        log, environment = self.folder / f"{name}.log", self.environments.get(name)
        process = self.processes[name] = kind(name, arguments, log, self.python, environment)
        return process


def patient_client(
    address: str,
    tls: Tls | None = None,
    token: str | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
) -> DragonflyClient:
    """Return a client that waits as long for an answer as a test does."""
    return DragonflyClient(
        address,
        tls=tls,
        token=token,
        connect_timeout_s=PATIENCE_S,
        request_timeout_s=PATIENCE_S,
        on_event=on_event,
    )


class Bot:
    """A bot that keeps every book it receives, and answers for when one came."""

    def __init__(
        self,
        address: str,
        *instruments: str,
        tls: Tls | None = None,
        token: str | None = None,
    ) -> None:
        self.books: list[Book] = []
        self.latest: dict[str, Book] = {}
        """The last book of each instrument."""
        self.events: list[Event] = []
        self.instruments = instruments
        self._client = patient_client(address, tls, token, self.events.append)
        self._awaited: list[tuple[Callable[[Book], bool], asyncio.Future[Book]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._receive())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    def of(self, instrument: str) -> list[Book]:
        """Return the received books of one instrument."""
        return [book for book in self.books if book.instrument == instrument]

    async def instruments_everywhere(self) -> list[str]:
        """Return the instruments that all venues list."""
        listed = await self._client.instruments()
        return [one.instrument for one in listed if set(one.venues) == set(VENUES)]

    async def until(
        self, holds: Callable[[Book], bool], *, what: str, within_s: float = PATIENCE_S
    ) -> Book:
        """Return the next book for which `holds` does, the last one received included.

        Raises:
            AssertionError: none came within `within_s`; the message names `what`.
        """
        if self.books and holds(self.books[-1]):
            return self.books[-1]
        future: asyncio.Future[Book] = asyncio.get_running_loop().create_future()
        self._awaited.append((holds, future))
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            last = self.books[-1] if self.books else None
            raise AssertionError(f"not within {within_s} s: {what}; last book: {last}") from None

    async def _receive(self) -> None:
        try:
            async for book in self._client.books(self.instruments):
                self.books.append(book)
                self.latest[book.instrument] = book
                self._answer(book)
        except Exception as error:
            for _, future in self._awaited:
                if not future.done():
                    future.set_exception(error)
            raise

    def _answer(self, book: Book) -> None:
        waiting = []
        for holds, future in self._awaited:
            if future.done():
                continue
            if holds(book):
                future.set_result(book)
            else:
                waiting.append((holds, future))
        self._awaited = waiting


def live_venues(book: Book) -> set[str]:
    """Return the names of the venues that the book is made of."""
    return {feed.venue for feed in book.venues if feed.state is State.LIVE}


def outages(books: Iterable[Book], after: int = 0) -> list[tuple[float, str, str]]:
    """Return (seconds, instrument, venue) of each time that a venue left a bot's books.

    Infinity is one that had not come back in the last of them. Only what happened in books beyond
    the first `after` counts.
    """
    found = []
    before: dict[str, Book] = {}
    since: dict[tuple[str, str], int] = {}
    for number, book in enumerate(books):
        name, live = book.instrument, live_venues(book)
        if number >= after and name in before:
            since |= {(name, venue): book.ts_in for venue in live_venues(before[name]) - live}
        back = [venue for venue in live if (name, venue) in since]
        found += [((book.ts_in - since.pop((name, v))) / 1e9, name, v) for v in back]
        before[name] = book
    return found + [(math.inf, name, venue) for name, venue in since]
