"""A small venue: its rules as the listener wants them, and a real server that speaks by them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from dragonfly_venues.events import (
    Acked,
    Bbo,
    BookTop,
    Broken,
    Closing,
    Event,
    FrameError,
    Heard,
    Lost,
    Reply,
    RequestRefused,
    Trading,
    TradingChange,
    Unchanged,
    Verified,
    Welcome,
    WholeBook,
)
from dragonfly_venues.venue import (
    Ask,
    AuditSources,
    Decoder,
    EndpointSource,
    InstrumentSource,
    Limits,
    Liveness,
    Market,
    SnapshotSource,
    Venue,
)
from patience import eventually
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

__all__ = [
    "FakeServer",
    "FakeVenue",
    "book_around",
    "eventually",
    "listing",
    "parse_list",
    "pki",
    "server",
    "tls_server",
]

LIMITS: Final = Limits(
    streams_per_connection=100,
    symbols_per_request=10,
    requests_per_second=1000.0,
    connects_per_minute=60_000.0,
    max_frame_bytes=2**16,
)
# Long enough for nothing to happen by itself.
CALM: Final = Liveness(
    probe_after_s=20.0,
    stale_after_s=30.0,
    reconnect_after_s=40.0,
    first_book_timeout_s=30.0,
    ack_timeout_s=30.0,
)

Levels = Sequence[tuple[float, float]]


class FakeDecoder(Decoder):
    """Reads the fake venue's frames."""

    def __init__(self, depth: int, *, whole_books: bool = False) -> None:
        self._depth = depth
        self._whole_books = whole_books
        self.last: dict[str, tuple[object, object]] = {}
        self.seqs: dict[str, int] = {}
        self.forgotten: list[str] = []
        self.seeds: set[str] = set()

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        try:
            told = json.loads(frame)
        except ValueError:
            raise FrameError("not_json") from None
        event: Event = Heard()
        match told["t"]:
            case "book":
                event = self._book(told)
            case "bbo":
                event = Bbo(told["s"], told["seq"], tuple(told["b"]), tuple(told["a"]))
            case "ack":
                event = Acked(
                    told["id"], tuple(told.get("symbols", ())), others=told.get("others", "")
                )
            case "refused":
                event = RequestRefused(told["id"], tuple(told["symbols"]), told["why"])
            case "broken" | "verified" as checked:
                broken = Broken(told["s"], "checksum", "1 is not 2")
                event = broken if checked == "broken" else Verified(told["s"])
            case "unsound":
                raise FrameError("unsorted", symbol=told["s"])
            case "trading":
                event = TradingChange(told["s"], Trading(told["halted"], told["word"]))
            case "closing":
                event = Closing("maintenance")
            case "welcome":
                event = Welcome()
            case "challenge":
                event = Reply(_frame(op="response", id=told["id"], symbols=[]))
            case "lost":
                event = Lost("7 frames")
        return (event,)

    def whole_book(self, frame: bytes) -> WholeBook | None:
        try:
            told = json.loads(frame)
        except ValueError:
            return None
        known = self._whole_books and told["t"] == "book" and told["s"] in self.last
        return WholeBook(told["s"], told["seq"], b"", 0, 0) if known else None

    def forget(self, symbol: str) -> None:
        self.forgotten.append(symbol)
        self.last.pop(symbol, None)
        self.seqs.pop(symbol, None)

    def seq(self, symbol: str) -> int:
        return self.seqs.get(symbol, -1)

    def seeded(self, symbol: str) -> bool:
        return symbol in self.seeds

    def seed(self, book: BookTop) -> Sequence[Event]:
        self.seeds.add(book.symbol)
        self.seqs[book.symbol] = book.venue_seq
        self.last[book.symbol] = ([*map(list, book.bids)], [*map(list, book.asks)])
        return (book,)

    def _book(self, told: dict[str, Any]) -> Event:
        symbol = told["s"]
        self.seeds.discard(symbol)
        if told["seq"] < self.seqs.get(symbol, -1):
            return Unchanged(symbol)
        self.seqs[symbol] = told["seq"]
        if self.last.get(symbol) == (told["b"], told["a"]):
            return Unchanged(symbol)
        self.last[symbol] = (told["b"], told["a"])
        bids = tuple((p, a) for p, a in told["b"][: self._depth])
        asks = tuple((p, a) for p, a in told["a"][: self._depth])
        return BookTop(symbol, told["seq"], told.get("ts"), bids, asks)


class FakeVenue(Venue):
    """The rules of a venue that has none of its own."""

    name = "fake"
    ws_url = "wss://ws.fake.example"
    rest_url = "https://fake.example"
    ws_path = "/stream"

    def __init__(
        self,
        *,
        limits: Limits = LIMITS,
        liveness: Liveness = CALM,
        instruments: InstrumentSource | None = None,
        probes: bool = False,
        audits: AuditSources | None = None,
        snapshots: SnapshotSource | None = None,
        whole_books: bool = False,
        endpoint: EndpointSource | None = None,
        welcomes: bool = False,
        best_prices: bool = False,
    ) -> None:
        """Each book stands for itself where there are `whole_books`; else each is wanted."""
        self.limits = limits
        self.liveness = liveness
        self.instruments = instruments or listing()
        self.audits = audits or AuditSources()
        self.snapshots = snapshots
        self.whole_books = whole_books
        self.endpoint = endpoint
        self.welcomes = welcomes
        self.best_prices = best_prices
        self.greeting: Sequence[str] = ()
        self.requests = self._requests
        self.decoder = self._decoder
        self.probe = _probe if probes else None
        self.keepalive = _keepalive
        self.decoders: list[FakeDecoder] = []

    def _requests(self, ask: Ask) -> list[str]:
        op = "sub" if ask.subscribe else "unsub"
        told = {"bbo": ask.bbo} if ask.subscribe else {}
        return [_frame(op=op, id=ask.request_id, symbols=list(ask.symbols), **told)]

    def _decoder(self, depth: int) -> Decoder:
        made = FakeDecoder(depth, whole_books=self.whole_books)
        self.decoders.append(made)
        return made


def parse_list(reply: bytes) -> dict[str, Market] | None:
    """Return the fake venue's markets by instrument."""
    try:
        told = json.loads(reply)
    except ValueError:
        raise FrameError("not_json") from None
    if not isinstance(told, dict) or "list" not in told:
        return None
    halted = told.get("halted", {})
    return {
        name: Market(symbol, Trading(symbol in halted, halted.get(symbol, "")))
        for name, symbol in told["list"].items()
    }


def listing(**how: Any) -> InstrumentSource:
    """Return where the fake venue lists its markets: by REST, unless `how` says otherwise."""
    return InstrumentSource(parse=parse_list, **(how or {"rest_path": "/list"}))


class FakeServer:
    """Serves the fake venue on a free port of this machine."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.listed = {"ETH-BTC": "ethbtc", "BTC-USD": "btcusd", "SOL-USD": "solusd"}
        self.halted: dict[str, str] = {}
        """The venue's word for each symbol that cannot be traded."""
        self.lists_asked: list[str] = []
        """The paths by which the list, or a part of it, was asked for."""
        self.requests: list[dict[str, Any]] = []
        self.connections: list[ServerConnection] = []
        self.subscribed: dict[ServerConnection, set[str]] = {}
        self.acks = True
        self.refuses: set[str] = set()
        self.why = "not supported"
        """What a refusal says."""
        self.may_answer = asyncio.Event()
        """Whether snapshots are sent; while it is clear, who asks waits."""
        self.may_answer.set()
        self.first_books = True
        self.list_status = http.HTTPStatus.OK
        self.stream_status: http.HTTPStatus | None = None
        self.retry_after: str | None = None
        self.pages: dict[str, tuple[int, str]] = {}
        """What REST answers at a path instead, status and text."""
        self.gzip = False
        """Whether all that it says is packed."""
        self.opened = 0
        self.rejected = 0
        self.snapshots: dict[str, object] = {}
        """What stands in for the true book of a symbol."""
        self.snapshots_asked: list[str] = []
        """The symbols of which whole books were asked for, in order."""
        self._books: dict[str, dict[str, Any]] = {}
        self._tls = tls
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse,
            "127.0.0.1",
            0,
            process_request=self._answer_http,
            ssl=self._tls,
            ping_interval=None,
            close_timeout=0.2,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self.connections:
            connection.transport.resume_reading()
        self._server.close(close_connections=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open(self) -> list[ServerConnection]:
        """The connections that have not ended."""
        return [connection for connection in self.connections if connection in self.subscribed]

    def asked(self, op: str) -> list[list[str]]:
        """Return the symbols of each request `op` so far."""
        return [request["symbols"] for request in self.requests if request["op"] == op]

    async def book(self, symbol: str, seq: int, price: float, *, ts: int | None = None) -> None:
        """Send a book around `price` to whoever subscribed, and keep it for who will."""
        book = self._books[symbol] = book_around(price, symbol, seq, ts)
        await self.send(book, symbol)

    def send_at_once(self, *frames: dict[str, Any] | str) -> None:
        """Send to every connection, so that all arrives together."""
        texts = [frame if isinstance(frame, str) else json.dumps(frame) for frame in frames]
        said = b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)
        for connection in self.open:
            connection.transport.write(said)

    async def send(self, frame: dict[str, Any] | str, symbol: str | None = None) -> None:
        """Send to every connection, or to those that subscribed `symbol`."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        for connection, symbols in list(self.subscribed.items()):
            if symbol is None or symbol in symbols:
                with contextlib.suppress(ConnectionClosed):
                    await self._say(connection, text)

    def deafen(self) -> None:
        """Read nothing any more: neither requests nor pings are answered."""
        for connection in self.open:
            connection.transport.pause_reading()

    def hear(self) -> None:
        """Read again, beginning with what came meanwhile."""
        for connection in self.open:
            connection.transport.resume_reading()

    async def _converse(self, connection: ServerConnection) -> None:
        self.opened += 1
        self.connections.append(connection)
        self.subscribed[connection] = set()
        try:
            async for text in connection:
                await self._take(connection, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            del self.subscribed[connection]

    async def _take(self, connection: ServerConnection, request: dict[str, Any]) -> None:
        self.requests.append(request)
        symbols = self.subscribed[connection]
        refused = sorted(self.refuses & set(request["symbols"]))
        match request["op"]:
            case "list":
                await connection.send(_frame(t="hello"))
                await connection.send(self._list())
                return
            case "probe":
                await connection.send(_frame(t="pong"))
                return
            case "keepalive" | "response" | "greeting":
                return
            case "sub":
                symbols |= set(request["symbols"]) - set(refused)
            case "unsub":
                symbols -= set(request["symbols"])
        if refused and request["op"] == "sub":
            why = _frame(t="refused", id=request["id"], symbols=refused, why=self.why)
            await self._say(connection, why)
        if self.acks:
            await self._say(connection, _frame(t="ack", id=request["id"]))
        if request["op"] == "sub" and self.first_books:
            for symbol in sorted(symbols & set(request["symbols"]) & set(self._books)):
                await self._say(connection, json.dumps(self._books[symbol]))

    async def _say(self, connection: ServerConnection, text: str) -> None:
        await connection.send(gzip.compress(text.encode()) if self.gzip else text)

    def _list(self, path: str = "/list") -> str:
        """Return the list, or the part of it that `/list/ethbtc,btcusd` names."""
        _, _, symbols = path.removeprefix("/").partition("/")
        part = symbols.split(",")
        return _frame(
            list={n: s for n, s in self.listed.items() if not symbols or s in part},
            halted=self.halted,
        )

    async def _answer_http(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path in self.pages:
            response = connection.respond(*self.pages[request.path])
        elif request.path.startswith("/list"):
            self.lists_asked.append(request.path)
            response = connection.respond(self.list_status, self._list(request.path))
        elif request.path.startswith("/book/"):
            symbol = request.path.removeprefix("/book/")
            self.snapshots_asked.append(symbol)
            await self.may_answer.wait()
            book = self.snapshots.get(symbol, self._books.get(symbol))
            text = book if isinstance(book, str) else json.dumps(book)
            response = connection.respond(http.HTTPStatus.OK, text)
        elif self.stream_status is not None:
            self.rejected += 1
            response = connection.respond(self.stream_status, "no")
        else:
            return None
        if self.retry_after is not None:
            response.headers["Retry-After"] = self.retry_after
        return response


def book_around(price: float, symbol: str, seq: int, ts: int | None = None) -> dict[str, Any]:
    """Return a book as the fake venue sends it."""
    return {
        "t": "book",
        "s": symbol,
        "seq": seq,
        "ts": ts,
        "b": [[price - 1, 1.0], [price - 2, 2.0]],
        "a": [[price + 1, 1.0], [price + 2, 2.0]],
    }


def _probe(request_id: int) -> str:
    return _frame(op="probe", id=request_id, symbols=[])


def _keepalive(request_id: int) -> str:
    return _frame(op="keepalive", id=request_id, symbols=[])


def _frame(**told: object) -> str:
    return json.dumps(told)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as fake:
        yield fake


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, `ca` and `stranger`, and a certificate for 127.0.0.1 signed by `ca`."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def key_and(kind: str, name: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        return [*curve, "-keyout", f"{name}.key", "-out", f"{name}.{kind}", "-subj", f"/CN={name}"]

    for authority in ("ca", "stranger"):
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        openssl("req", "-x509", "-days", "2", *usage, *key_and("pem", authority))
    (folder / "extensions").write_text(
        "subjectAltName=IP:127.0.0.1,DNS:venue.example\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    openssl("req", "-new", *key_and("csr", "venue"))
    signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"]
    openssl("x509", "-req", "-days", "2", "-in", "venue.csr", "-out", "venue.pem", *signer)
    return folder


@pytest.fixture
async def tls_server(pki: Path) -> AsyncIterator[FakeServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "venue.pem", pki / "venue.key")
    async with FakeServer(context) as fake:
        yield fake
