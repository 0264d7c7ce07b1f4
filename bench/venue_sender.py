"""Venues that send frames made beforehand, and write down when each was sent.

They speak their protocols with the parts of the simulator, but a frame is ready bytes in which only
the venue's sequence is written anew, and goes straight to the socket: a process sends tens of
thousands a second. Every frame changes the best bid, so that every one of them is news to a bot.

As a worker (see `measuring`) `run_sender` answers `("send", rate, seconds)` with `Sent` of each
venue, which sends `rate` frames a second, each at a random moment of its slot. `("repeat", rate,
seconds)` sends the last frame again and again, under a new sequence: no news. `("flood", frames,
news)` sends frames of either kind as fast as they are taken. `("followed",)` answers how many
instruments are followed, `("connected",)` how many connections were opened. Instruments take turns.
"""

from __future__ import annotations

import gc
import ssl
import threading
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import trustme
from measuring import paced
from venue_simulator.book import BookState, Listing, lie
from venue_simulator.catalogue import Asset
from venue_simulator.market import BookWalk
from venue_simulator.times import rfc3339
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.venue import (
    BookStream,
    FakeVenue,
    Frame,
    RestRequest,
    Send,
    Subscribe,
    Unsubscribe,
)
from venue_simulator.venues import VENUES
from venue_simulator.venues.binance import frames as binance
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

__all__ = ["INSTRUMENT", "Sent", "run_sender"]

INSTRUMENT: Final = "ETH-BTC"
"""Where one is enough."""
RING: Final = 500
"""Frames of one stream, then they begin again; fewer where there are many instruments."""
SHORTEST_RING: Final = 20
TOGETHER: Final = 50
"""Frames of a flood that go to the socket at once."""


@dataclass
class Sent:
    """What one venue sent."""

    seqs: array[int] = field(default_factory=lambda: array("q"))
    """By which a book names the states that it is made of."""
    ns: array[int] = field(default_factory=lambda: array("q"))
    """When, by the machine's clock."""
    bests: list[tuple[float, float]] = field(default_factory=list)
    """Price and amount of the best bid: what tells a frame where books have no sequences."""
    late_ns: int = 0
    """The longest that one was sent behind its time."""


class _Frame:
    """A WebSocket frame in which sequences are written anew."""

    def __init__(self, text: str, marks: Sequence[str]) -> None:
        """Each of `marks` stands in `text`, one behind the other."""
        payload = text.encode()
        size = len(payload)
        header = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
        self._bytes = bytearray(header + payload)
        self._places: list[slice] = []
        end = 0
        for mark in marks:
            start = self._bytes.index(mark.encode(), end)
            end = start + len(mark)
            self._places.append(slice(start, end))

    def fill(self, marks: Sequence[str]) -> bytearray:
        for place, mark in zip(self._places, marks, strict=True):
            self._bytes[place] = mark.encode()
        return self._bytes


class _Feed:
    """The frames of one stream, and who gets them."""

    def __init__(
        self, venue: FakeVenue, stream: BookStream, states: Sequence[BookState], whole: int
    ) -> None:
        """Where `whole` is not 0, differences name so many levels a side, changed or not."""
        self.connections: list[ServerConnection] = []
        self._has_time = venue.name == "kraken"
        self._has_range = stream.kind == binance.DIFF
        self._follows = venue.name == "okx"
        if whole:
            states = [replace(one, bids=one.bids[:whole], asks=one.asks[:whole]) for one in states]
        self._frames = []
        for before, after in zip((states[-1], *states[:-1]), states, strict=True):
            nothing = replace(before, bids=(), asks=())
            text = venue.frame(stream, nothing if whole else before, after)
            assert isinstance(text, str)
            marks = self._marks(before.venue_seq, after.venue_seq, after.ts_ns)
            self._frames.append(_Frame(text, marks))

    def fill(self, at: int, before: int, seq: int) -> bytearray:
        """Return the bytes of a frame, until it is filled again."""
        return self._frames[at].fill(self._marks(before, seq, time.time_ns()))

    def write(self, data: bytes | bytearray) -> None:
        for connection in [*self.connections]:
            try:
                with connection.protocol_mutex:
                    connection.socket.sendall(data)
            except OSError:  # who is too far behind hangs up, and comes back
                self.connections.remove(connection)

    def _marks(self, before: int, seq: int, now_ns: int) -> Sequence[str]:
        if self._has_time:
            return (rfc3339(seq),)
        if self._follows:
            ms = now_ns // 1_000_000
            return f'"ts":"{ms}"', f'"prevSeqId":{before}', f'"seqId":{seq}'
        return (str(before + 1), str(seq)) if self._has_range else (str(seq),)


class _Book:
    """One instrument at one venue: a ring of states, the same at each."""

    def __init__(self, venue: FakeVenue, asset: Asset, whole: int, ring: int) -> None:
        self._venue = venue
        self._whole = whole
        self._states: list[BookState] = []
        # One walk for all venues: where they differ, one may have no level among the ten best.
        walk = BookWalk(asset, VENUES["binance"].list_asset(asset), "", 0)
        seq, now_ns, best = 0, time.time_ns(), None
        for _ in range(ring):
            seq = venue.next_seq(seq, now_ns)
            state = BookState(seq, now_ns, *walk.step())
            if state.bids[0] == best:
                state = lie(state)
            best = state.bids[0]
            self._states.append(state)
        bests = (state.bids[0] for state in self._states)
        self._bests = [(float(price), float(amount)) for price, amount in bests]
        self._at = ring - 1
        self._seq = seq
        self.feeds: dict[BookStream, _Feed] = {}

    @property
    def state(self) -> BookState:
        return replace(self._states[self._at], venue_seq=self._seq)

    def join(self, stream: BookStream, connection: ServerConnection) -> Frame | None:
        """Return what the newcomer gets first."""
        if stream not in self.feeds:
            self.feeds[stream] = _Feed(self._venue, stream, self._states, self._whole)
        self.feeds[stream].connections.append(connection)
        return self._venue.first_frame(stream, self.state)

    def send(self, seq: int, *, news: bool) -> tuple[float, float]:
        """Return the best bid that was sent."""
        self._move(news=news)
        for feed in self.feeds.values():
            feed.write(feed.fill(self._at, self._seq, seq))
        self._seq = seq
        return self._bests[self._at]

    def next_frame(self, seq: int, *, news: bool) -> tuple[_Feed, bytearray]:
        """Return the next frame, until it is filled again, and the one stream that it is for."""
        (feed,) = self.feeds.values()
        self._move(news=news)
        frame = feed.fill(self._at, self._seq, seq)
        self._seq = seq
        return feed, frame

    def _move(self, *, news: bool) -> None:
        if news:
            self._at = (self._at + 1) % len(self._states)


class _Venue:
    """One venue: its protocol, instruments and server."""

    desk: MatchingDesk

    def __init__(
        self,
        protocol: FakeVenue,
        instruments: Sequence[str],
        tls: ssl.SSLContext | None,
        whole: int,
    ) -> None:
        self.halted = self.post_only = False
        self._protocol = protocol
        self._whole = whole
        self._assets = {name: Asset(name, 0.0702) for name in instruments}
        self._listings = [protocol.list_asset(asset) for asset in self._assets.values()]
        self._books: dict[str, _Book] = {}
        self.connected = 0
        """How many connections were opened so far."""
        self._lock = threading.Lock()
        self._turn = 0
        self._seq = 0
        server = serve(
            self._serve,
            "127.0.0.1",
            0,
            ssl=tls,
            process_request=self._answer,
            compression=None,
            ping_interval=None,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port, secure = server.socket.getsockname()[1], "s" if tls else ""
        self.urls = {
            "ws": f"ws{secure}://127.0.0.1:{port}",
            "rest": f"http{secure}://127.0.0.1:{port}",
        }

    def send(self, sent: Sent, *, news: bool) -> None:
        """Send one frame of the instrument whose turn it is."""
        with self._lock:
            books = self._followed()
            book = books[self._turn % len(books)]
            self._turn += 1
            sent.ns.append(time.time_ns())
            sent.seqs.append(self._next_seq())
            sent.bests.append(book.send(self._seq, news=news))

    @property
    def followed(self) -> int:
        """How many instruments are."""
        return len(self._books)

    def flood(self, frames: int, *, news: bool) -> None:
        """Send so many frames over the one connection that there is, as fast as they are taken."""
        with self._lock:
            books = self._followed()
            for _ in range(frames // TOGETHER):
                together = bytearray()
                for _ in range(TOGETHER):
                    book = books[self._turn % len(books)]
                    self._turn += 1
                    feed, frame = book.next_frame(self._next_seq(), news=news)
                    together += frame
                feed.write(together)

    def _followed(self) -> list[_Book]:
        if not self._books:
            raise RuntimeError(f"nobody follows {self._protocol.name}")
        return list(self._books.values())

    def _next_seq(self) -> int:
        self._seq = self._protocol.next_seq(self._seq, time.time_ns())
        return self._seq

    def listings(self) -> list[Listing]:
        return self._listings

    def listing(self, symbol: str) -> Listing | None:
        return next((one for one in self._listings if one.symbol == symbol), None)

    def state(self, symbol: str) -> BookState | None:
        return self._books[symbol].state if symbol in self._books else None

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        with self._lock:
            self.connected += 1
            session = self._protocol.session(connection.request.path, self, self.connected)
        with suppress(ConnectionClosed):
            actions = session.open(time.time_ns())
            while True:
                for action in actions:
                    match action:
                        case Send(text):
                            connection.send(text)
                        case Subscribe(stream):
                            self._subscribe(stream, connection)
                        case Unsubscribe(stream):
                            self._unsubscribe(connection, stream)
                        case _:
                            return
                actions = session.receive(connection.recv(decode=False), time.time_ns())
        self._unsubscribe(connection)

    def _subscribe(self, stream: BookStream, connection: ServerConnection) -> None:
        listing = self.listing(stream.symbol)
        if listing is None or stream.best_only:
            return
        with self._lock:
            if stream.symbol not in self._books:
                asset = self._assets[listing.instrument]
                ring = max(SHORTEST_RING, RING // len(self._assets))
                book = _Book(self._protocol, asset, self._whole, ring)
                self._books[stream.symbol] = book
                self._seq = max(self._seq, book.state.venue_seq)
            first = self._books[stream.symbol].join(stream, connection)
            if first is not None:
                connection.send(first)

    def _unsubscribe(self, connection: ServerConnection, only: BookStream | None = None) -> None:
        with self._lock:
            for book in self._books.values():
                for stream, feed in book.feeds.items():
                    if stream == (only or stream) and connection in feed.connections:
                        feed.connections.remove(connection)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        reply = self._protocol.rest(RestRequest(parts.path, query), self, time.time_ns())
        headers = Headers(reply.headers)
        headers["Content-Length"] = str(len(reply.body))
        headers["Connection"] = "close"
        return Response(reply.status, "", headers, reply.body)


def run_sender(
    pipe: Connection,
    venues: Sequence[str],
    instruments: Sequence[str],
    ca_file: Path | None,
    whole: int = 0,
) -> None:
    """Say the venues' addresses, then send as asked.

    With `ca_file` it speaks TLS, and the authority behind its certificates goes there. Where
    `whole` is not 0, channels of differences name so many levels a side in each, changed or not.
    """
    tls = None
    if ca_file is not None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(ca_file)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
    open_venues = {name: _Venue(VENUES[name], instruments, tls, whole) for name in venues}
    pipe.send({name: venue.urls for name, venue in open_venues.items()})
    gc.freeze()
    gc.disable()
    while True:
        match pipe.recv():
            case ("followed",):
                pipe.send(sum(venue.followed for venue in open_venues.values()))
            case ("connected",):
                pipe.send(sum(venue.connected for venue in open_venues.values()))
            case ("flood", int(frames), bool(news)):
                for venue in open_venues.values():
                    venue.flood(frames, news=news)
                pipe.send("sent")
            case (what, rate, seconds):
                pipe.send(_send(open_venues, rate, seconds, news=what == "send"))


def _send(
    venues: Mapping[str, _Venue], rate: float, seconds: float, *, news: bool
) -> dict[str, Sent]:
    sent: dict[str, Sent] = defaultdict(Sent)
    names = list(venues)
    for way, late_s in paced(rate, seconds, len(names)):
        name = names[way]
        sent[name].late_ns = max(sent[name].late_ns, round(late_s * 1e9))
        venues[name].send(sent[name], news=news)
    return dict(sent)
