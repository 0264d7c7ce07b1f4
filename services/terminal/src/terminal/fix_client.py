"""A client of FIX for people: logs on, subscribes, and shows what it is sent.

It is logged on as long as it runs: after each loss it tries again, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
import time
from collections.abc import Callable
from typing import Final

from dragonfly_client.errors import ClientError, UnavailableError
from dragonfly_client.events import Disconnected, Reconnected
from dragonfly_client.messages import Book
from dragonfly_common.clock import SystemClock
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_fix.codec import FixMessage, Garbled, encode_fields
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.session import (
    FixEvent,
    FixSession,
    LoggedOn,
    LoggedOut,
    Received,
    Rejected,
)
from rich.console import Console
from rich.text import Text

from terminal.fix_books import FixBooks, entries, text_of
from terminal.fix_session import ClientSession, FixLogon, FixRequest
from terminal.ladder import Frame, VenueRow
from terminal.screens import LadderScreen, LineScreen, Screen, Watched
from terminal.statistics import Rates, WatchSummary
from terminal.text import decimals_of

__all__ = ["FixRefusedError", "run_fix_client"]

GIVES_UP_AFTER_S: Final = 10.0
"""How long a client tries anew: a gateway may be starting."""
CONNECT_TIMEOUT_S: Final = 10.0
"""How long one attempt may take."""
HANDSHAKE_LIMIT_S: Final = 8.0
"""More than a gateway lets somebody wait who failed before."""
LEAST_PAUSE_S: Final = 0.25
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 10.0
LEAVES_WITHIN_S: Final = 2.0
ASKED_AGAIN_AFTER_S: Final = 1.0
"""What a gateway refuses for now, as long as no venue has listed anything."""
STEADY_AFTER_S: Final = 5.0
"""A session that lasted so long was a good one: the next pause is the shortest again."""
TAPE: Final = "FIX"

_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")


class FixRefusedError(ClientError):
    """The gateway does not let this client log on, or serves nothing that it asks for; why."""


async def run_fix_client(
    logon: FixLogon,
    request: FixRequest,
    *,
    console: Console | None = None,
    seconds: float | None = None,
    raw: bool = False,
) -> WatchSummary:
    """Log on and show what comes, until `seconds` after the first book, or until cancelled.

    In a terminal a ladder of the first instrument, elsewhere and where TERM is dumb lines; with
    `raw` the messages instead.

    Raises:
        UnavailableError: there is no gateway that lets us in.
        FixRefusedError: this client may not log on, or nothing that it asks for is served.
        OSError: the output takes no more.
    """
    if console is None:
        console = Console(highlight=False)
    lines = raw or request.lists
    redraws = console.is_terminal and not console.is_dumb_terminal and not lines
    screen = LadderScreen(console) if redraws else LineScreen(console, books=not lines)
    shown = console

    def say(line: str) -> None:
        shown.print(Text(line), soft_wrap=True)

    client = _Client(logon, request, screen, say, raw=raw)
    await client.run(seconds)
    return client.summary()


class _Client:
    """Follows what a `FixRequest` asks for. It is what a screen shows, and a session's application.

    Everything it has to say in words goes to `say`.
    """

    def __init__(
        self,
        logon: FixLogon,
        request: FixRequest,
        screen: Screen[Watched],
        say: Callable[[str], None],
        *,
        raw: bool = False,
    ) -> None:
        self.target = logon.address
        self._logon, self._request = logon, request
        self._screen, self._print, self._raw = screen, say, raw
        self._clock = SystemClock()
        self._books = FixBooks()
        self._latest: dict[str, Book] = {}
        self._rates = Rates()
        self._count = 0
        self._reconnects = 0
        self._notes: list[str] = []
        self._connection: FixConnection | None = None
        self._closed = asyncio.Event()
        self._done = asyncio.Event()
        self._started_s: float | None = None
        self._up_since_s: float | None = None
        self._lost: tuple[str, float] | None = None
        self._last_word = ""
        self._answered = False
        """Whether somebody is there at all."""
        self._unrefused: set[bytes] = set()
        """The ids (262) of requests that may still be answered."""
        self._refusal: str | None = None
        self._unprinted: OSError | None = None
        """Why the output takes no more."""

    async def run(self, seconds: float | None) -> None:
        following = asyncio.create_task(self._keep_logged_on())
        try:
            with self._screen:
                while not following.done():
                    wait_s = self._screen.period_s
                    if seconds is not None and self._started_s is not None:
                        wait_s = min(wait_s, self._started_s + seconds - time.monotonic())
                    if wait_s <= 0:
                        break
                    self._rates.sample(time.monotonic(), {**self._books.updates, "": self._count})
                    self._screen.show(self)
                    await asyncio.wait([following], timeout=wait_s)
                else:
                    following.result()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._leave()
            if self._started_s is not None:
                self._screen.end(self)

    # What a screen asks.

    def notices(self) -> list[str]:
        """Return what is to be shown beneath, newest last."""
        return self._notes

    def frame(self) -> Frame:
        """Return what a ladder shows now."""
        first, *others = self._request.instruments
        book = self._latest.get(first)
        levels = (*book.bids, *book.asks) if book else ()
        outage = None
        if self._lost is not None:
            reason, since_s = self._lost
            outage = f"logged off for {time.monotonic() - since_s:.0f} s: {reason}"
        return Frame(
            target=self.target,
            instrument=first,
            book=book,
            venues=[
                VenueRow(
                    feed,
                    time.time_ns() - (feed.ts_recv or 0),
                    self._rates.per_second(feed.venue),
                    None,
                )
                for feed in (book.venues if book else ())
            ],
            books_per_s=self._rates.per_second(""),
            others=[self._latest[name] for name in others if name in self._latest],
            notices=self._notes,
            outage=outage,
            decimals=decimals_of(level.price for level in levels),
        )

    def summary(self) -> WatchSummary:
        """Return the figures of the run."""
        return WatchSummary(
            instruments=tuple(self._request.instruments),
            seconds=time.monotonic() - self._started_s if self._started_s else 0.0,
            books=self._count,
            updates=dict(sorted(self._books.updates.items())),
            latency=None,
            waited=None,
            faults=(),
            reconnects=self._reconnects,
            counts_faults=False,
        )

    # What the connection tells.

    def on_connected(self, connection: FixConnection) -> FixSession:
        self._connection = connection
        self._answered = True
        return ClientSession(self._logon, self._clock, self._say if self._raw else None)

    def on_event(self, event: FixEvent) -> None:
        match event:
            case LoggedOn():
                self._on_logged_on()
            case Received(message):
                self._take(message)
            case Rejected(message):
                self._note(f"the gateway rejected a message of ours: {text_of(message, 58)}")
            case LoggedOut(text):
                self._last_word = text
            case Garbled(reason):
                self._note(f"garbled: {reason}")

    def on_writable(self) -> None:
        """Do nothing: what this client sends is little, and all sent at once."""

    def on_lost(self) -> None:
        self._closed.set()

    # Its own.

    async def _keep_logged_on(self) -> None:
        pause_s, began_s = LEAST_PAUSE_S, time.monotonic()
        while True:
            reason = await self._be_logged_on()
            now_s = time.monotonic()
            if self._unprinted is not None:
                raise self._unprinted
            if self._refusal is not None:
                raise FixRefusedError(f"{self.target} refused what was asked: {self._refusal}")
            if self._done.is_set():
                return
            if self._up_since_s is None and self._lost is None:
                if self._last_word:
                    raise FixRefusedError(f"{self.target} refused the Logon: {self._last_word}")
                if now_s - began_s > GIVES_UP_AFTER_S:
                    if self._answered:
                        raise FixRefusedError(f"{self.target} does not let us in: {reason}")
                    raise UnavailableError(f"nobody lets us in at {self.target}: {reason}")
            if self._up_since_s is not None:
                if now_s - self._up_since_s > STEADY_AFTER_S:
                    pause_s = LEAST_PAUSE_S
                self._up_since_s = None
                self._lost = reason, now_s
                self._latest.clear()
                self._books.clear()
                self._screen.on_event(Disconnected(TAPE, reason))
            await asyncio.sleep(pause_s)
            # Who waits at the start for a gateway wants it as soon as it is there.
            pause_s = min(LONGEST_PAUSE_S if self._lost else FIRST_PAUSE_S, 2 * pause_s)

    async def _be_logged_on(self) -> str:
        """Connect, and return why it is over."""
        logon = self._logon
        self._closed.clear()
        self._last_word = ""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: FixConnection(self, self._clock),
                    logon.host,
                    logon.port,
                    ssl=logon.tls,
                    server_hostname=(logon.server_name or logon.host) if logon.tls else None,
                    ssl_handshake_timeout=HANDSHAKE_LIMIT_S if logon.tls else None,
                )
        except ssl.SSLCertVerificationError as error:
            raise FixRefusedError(
                f"the certificate of {self.target} is not trusted: {error.verify_message}"
            ) from None
        except (ssl.SSLError, ConnectionAbortedError, ConnectionResetError) as error:
            why = getattr(error, "reason", None) or "it closes, or is silent"
            self._answered = True
            return f"it answers no TLS ({why}): where it has none, give --plain and no --tls"
        except (OSError, TimeoutError) as error:
            return _reason_of(error)
        await self._closed.wait()
        if self._up_since_s is None and not self._last_word:
            return (
                "it closes without a word: it is no FIX gateway, wants TLS (--tls), knows no such"
                " --target, or has a session of this --sender"
            )
        return self._last_word or connection.session.reason

    async def _leave(self) -> None:
        """Log out, where we are logged on."""
        connection = self._connection
        if connection is None or self._closed.is_set():
            return
        connection.leave("")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVES_WITHIN_S):
                await self._closed.wait()
        connection.transport.abort()

    def _on_logged_on(self) -> None:
        assert self._connection is not None
        self._up_since_s = time.monotonic()
        if self._lost is not None:
            self._reconnects += 1
            self._screen.on_event(Reconnected(TAPE, self._up_since_s - self._lost[1]))
            self._lost = None
        self._unrefused = {
            value for _, fields in self._request.messages() for tag, value in fields if tag == 262
        }
        self._ask(self._connection)

    def _ask(self, connection: FixConnection, only: bytes | None = None) -> None:
        """Send the requests, or the one with an id, unless the connection is another by now."""
        if connection is not self._connection or self._closed.is_set():
            return
        for kind, fields in self._request.messages():
            if only in {None, fields[0][1]}:
                connection.send(kind, encode_fields(fields))

    def _take(self, message: FixMessage) -> None:
        match message.type:
            case b"Y" | b"j":
                self._on_refused(message)
                return
            case b"B":
                self._note(f"news: {printable(text_of(message, 148), LONGEST_SENTENCE)}")
                return
            case b"y":
                self._list(message)
                return
        try:
            books = self._books.take(message, time.time_ns())
        except ValueError as error:
            self._note(f"a {message.type.decode()} makes no sense: {error}")
            return
        if self._started_s is None:
            self._started_s = time.monotonic()
        for book in books:
            self._count += message.type != b"f"
            self._latest[book.instrument] = book
            self._screen.observe(book)

    def _on_refused(self, message: FixMessage) -> None:
        connection = self._connection
        assert connection is not None
        asked = message.get(262) or message.get(379) or b""
        sentence = printable(text_of(message, 58), LONGEST_SENTENCE)
        if message.get(281) is None and message.get(380) in {None, b"4"}:
            loop = asyncio.get_running_loop()
            loop.call_later(ASKED_AGAIN_AFTER_S, self._ask, connection, asked)
        elif message.type == b"Y":
            self._unrefused.discard(asked)
            if not self._unrefused and not self._count:
                self._refusal = sentence
                connection.leave("")
                return
        self._note(f"refused: {sentence}")

    def _say(self, line: str) -> None:
        """Print for the connection, whose caller is the event loop: no error may reach that."""
        try:
            self._print(line)
        except OSError as error:
            self._unprinted = error
            assert self._connection is not None
            self._connection.transport.abort()

    def _list(self, message: FixMessage) -> None:
        for entry in entries(message, 55):
            told = {tag: printable(value.decode(errors="replace"), 200) for tag, value in entry}
            lot, least = told.get(561, "-"), told.get(562, "-")
            self._say(
                f"{told[55]:<14} {told.get(207, ''):<18} lot {lot:<12} min {least:<12}"
                f" {told.get(58, '')}".rstrip()
            )
        match message.get(560):
            case b"4":
                self._say("no venue's list is there so far: try again")
            case b"1" | b"2":
                self._say("no venue lists anything")
        if message.get(893) != b"N":
            self._done.set()
            assert self._connection is not None
            self._connection.leave("")

    def _note(self, text: str) -> None:
        if text not in self._notes[-1:]:
            self._notes = [*self._notes[-9:], text]


def _reason_of(error: OSError | TimeoutError) -> str:
    """Say it as the machine does, without the addresses that asyncio adds."""
    if number := _ERRNO.search(str(error)):
        return os.strerror(int(number[1]))
    return getattr(error, "strerror", None) or str(error) or "it takes too long"
