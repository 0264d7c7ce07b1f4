"""Frames and lists of venues, by the way they take in a listener.

The venue is the simulator's, so a good frame is one that the venue would send just now, and the
session asks it, is acknowledged and resyncs as it would over a socket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import parse_qsl, urlsplit

import msgspec
from dragonfly_common import codec
from dragonfly_common.clock import ManualClock
from dragonfly_common.messages import Body, Book
from dragonfly_common.types import FeedState, is_instrument
from dragonfly_venues.events import FRAME_ERROR_REASONS, BookTop, FrameError
from dragonfly_venues.instruments import LONGEST_WORD
from dragonfly_venues.kraken.book import KrakenBook, RawLevel, read_changes
from dragonfly_venues.registry import find_venue
from dragonfly_venues.transport import UnresponsiveError, VenueProtocolError
from dragonfly_venues.venue import EndpointSource, SnapshotSource, Venue
from feed_listener import counters
from feed_listener.audit.comparing import Audit, Watch
from feed_listener.connection.context import VenueContext
from feed_listener.connection.endpoint import check_endpoint
from feed_listener.connection.liveness import new_pause_detector
from feed_listener.connection.session import Session
from feed_listener.feeds import Feeds
from fuzzing import Target
from judging import by_label, counted, judge_side
from mutation import Form
from venue_simulator.exchange import Exchange
from venue_simulator.seeded import SeededDriver
from venue_simulator.truth import Truth
from venue_simulator.venue import Frame, RestRequest, Send, Subscribe, Unsubscribe
from venue_simulator.venues import VENUES as SIMULATED

__all__ = ["TARGETS", "stream_symbol", "ws_path"]

DEPTH: Final = 5
INSTRUMENT: Final = "ETH-BTC"
WS_BASE: Final = "ws://127.0.0.1:9"
"""Of every simulated venue."""
STEPS_TO_HEAL: Final = 100
"""Of a second each; a symbol that broke again and again is asked for more and more slowly."""

CONTROL: Final = {
    "binance": [
        b'{"code":2,"msg":"Invalid request"}',
        b'{"error":{"code":2,"msg":"no"},"id":1}',
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
    ],
    "bitget": [
        b"pong",
        b'{"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"ETHBTC"}}',
        b'{"event":"error","arg":{"instId":"ETHBTC"},"code":30001,"msg":"no","op":"subscribe"}',
        b'{"event":"error","code":"30007","msg":"request over limit","op":"subscribe"}',
    ],
    "bitfinex": [
        b'{"event":"info","version":2,"platform":{"status":0}}',
        b'{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}',
        b'{"event":"info","code":20061,"msg":"Maintenance ended"}',
        b'{"event":"error","msg":"subscribe: dup","code":10301,"symbol":"tETHBTC"}',
        b'{"event":"subscribed","channel":"book","chanId":7,"symbol":"tETHBTC"}',
        b'{"event":"unsubscribed","status":"OK","chanId":7}',
        b'[7,"hb",1,1790114272304]',
        b'[7,"cs",1756193398,2,1790114272304]',
    ],
    "bitstamp": [
        b'{"event":"bts:error","channel":"","data":{"code":null,"message":"no"}}',
        b'{"event":"bts:request_reconnect","channel":"","data":""}',
        b'{"event":"bts:heartbeat","channel":"","data":""}',
    ],
    "deribit": [
        b'{"jsonrpc":"2.0","id":3,"result":["book.ETH_BTC.none.20.100ms"],"testnet":false}',
        b'{"jsonrpc":"2.0","id":3,"result":[],"testnet":false}',
        b'{"jsonrpc":"2.0","id":3,"error":{"code":10028,"message":"too_many_requests"}}',
        b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"platform_state",'
        b'"data":{"price_index":"eth_btc","locked":true}}}',
    ],
    "gateio": [
        b'{"id":1,"channel":"spot.obu","event":"subscribe","error":null,"result":{}}',
        b'{"id":1,"channel":"spot.obu","event":"subscribe","error":{"code":2,"message":"no"}}',
        b'{"channel":"spot.pong","event":"","error":null,"result":null}',
    ],
    "coinbase_advanced": [
        b'{"channel":"heartbeats","sequence_num":7,"events":[{"heartbeat_counter":"3"}]}',
        b'{"type":"error","message":"invalid product_ids: A-B"}',
        b'{"channel":"subscriptions","sequence_num":7,"events":[{"subscriptions":{"level2":['
        b'"ETH-BTC"]}}]}',
    ],
    "coinbase": [
        b'{"type":"heartbeat","sequence":7,"last_trade_id":2,"product_id":"ETH-BTC"}',
        b'{"type":"error","message":"Failed to subscribe","reason":"A-B is not a valid product"}',
        b'{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["ETH-BTC"]}]}',
    ],
    "bybit": [
        b'{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"1","op":"subscribe"}',
        b'{"success":false,"ret_msg":"Invalid symbol :[X]","req_id":"1","op":"subscribe"}',
        b'{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"2","op":"ping"}',
        b'{"req_id":"2","op":"pong","args":["1672304484978"]}',
    ],
    "htx": [
        b'{"ping":1492420473027}',
        b'{"pong":7}',
        b'{"id":"1 ethbtc","status":"ok","subbed":"market.ethbtc.mbp.refresh.20","ts":1}',
        b'{"status":"error","ts":1,"id":"1 ethbtc","err-code":"bad-request","err-msg":"no"}',
    ],
    "gemini": [
        b'{"id":1,"status":200}',
        b'{"id":1,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: x"}}',
        b'{"u":7,"E":1,"s":"ethbtc","b":"1","B":"2","a":"","A":"","c":"1","C":"1"}',
    ],
    "kraken": [
        b'{"channel":"heartbeat"}',
        b'{"channel":"status","type":"update","data":[{"system":"online"}]}',
        b'{"error":"no","method":"subscribe","success":false,"symbol":"ETH/BTC","req_id":1}',
        b'{"method":"pong","req_id":7}',
        b'{"channel":"status","type":"update","data":[{"system":"maintenance"}]}',
        b'{"channel":"instrument","type":"update","data":{"assets":[],"pairs":['
        b'{"symbol":"ETH/BTC","status":"cancel_only"}]}}',
    ],
    "cryptocom": [
        b'{"id":1,"method":"subscribe","code":0,"channel":"book.ETH_BTC.10"}',
        b'{"id":1790114291578,"method":"public/heartbeat","code":0}',
        b'{"id":1,"method":"subscribe","code":40003,"channel":"book.X_Y.10","message":"no"}',
        b'{"id":-1,"method":"subscribe","code":40107,"message":"Maximum subscriptions exceeded"}',
    ],
    "kucoin": [
        b'{"id":"7","type":"welcome"}',
        b'{"id":"1","type":"ack"}',
        b'{"id":"2","type":"pong","timestamp":1780000000000000}',
        b'{"id":"1","type":"error","code":404,"data":"topic does not exist"}',
    ],
    "okx": [
        b"pong",
        b'{"id":"1","event":"subscribe","arg":{"channel":"books","instId":"ETH-BTC"}}',
        b'{"event":"error","code":"60018","msg":"Wrong URL or channel"}',
        b'{"event":"notice","code":"64008","msg":"The connection will soon be closed"}',
        b'{"event":"channel-conn-count","channel":"books","connCount":"1"}',
    ],
}
CONTROL["binanceus"] = CONTROL["binance"]


class _Connection:
    """What a session sends to; each frame that arrives is handed to the session itself."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def receive(self) -> bytes:
        raise AssertionError("frames are handed over, not received")

    async def stream(self, take: Callable[[Sequence[bytes]], None]) -> NoReturn:
        raise AssertionError("frames are handed over, not streamed")

    async def ping(self, on_answer: Callable[[], None]) -> None:
        on_answer()

    async def close(self) -> None:
        return


class _Outlet:
    """Judges whatever a listener would publish."""

    def __init__(self) -> None:
        self.last: Book | None = None
        self.books = 0

    def publish(self, topic: str, body: Body) -> None:
        assert codec.decode_body(codec.encode_body(body)) == body, f"{topic} {body}"
        if not isinstance(body, Book):
            return
        self.last = body
        self.books += 1
        if body.state is not FeedState.LIVE:
            assert (body.bids, body.asks) == ((), ()), body
        judge_side(body.bids, DEPTH, falling=True)
        judge_side(body.asks, DEPTH, falling=False)

    def forget(self, topic: str) -> None:
        raise AssertionError(f"nobody asked to forget {topic}")


class _Member:
    """The connection, as the exchange sees it."""

    def __init__(self) -> None:
        self.inbox: deque[bytes] = deque()

    def push(self, frame: Frame) -> None:
        self.inbox.append(_bytes(frame))

    def announce_close(self) -> None:
        return

    def announce_trading(self, symbol: str | None) -> None:
        return

    def hang_up(self, code: int, reason: str) -> None:
        return

    def reset(self) -> None:
        return


class Frames(Target):
    """Frames of one venue: session, decoder, subscriber, feeds."""

    form = Form.JSON
    venue: ClassVar[str]

    def reset(self) -> None:
        self._clock = ManualClock()
        venue = find_venue(self.venue)
        self._exchange = Exchange(SIMULATED[self.venue], self._clock, Truth())
        self._market = SeededDriver({self.venue: self._exchange}, [], seed=1, rate=0.0)
        self._traded_as = _traded_symbol(self._exchange)
        self.outlet = _Outlet()
        self._feeds = Feeds(self.venue, DEPTH, self.outlet, self._clock)
        self._feeds.follow(INSTRUMENT, "fuzzing")
        self._symbol = stream_symbol(self.venue)
        self._feeds.bind(INSTRUMENT, self._symbol)
        self._pauses = new_pause_detector(self._clock.monotonic())
        self._around = VenueContext(
            venue,
            DEPTH,
            DEPTH,
            self._feeds,
            self._clock,
            self._pauses,
            lambda: None,
            lambda symbol, trading: None,
            audit=True,
        )
        self._connections = 0
        self._seen: deque[bytes] = deque(maxlen=100)
        self._open()
        self._live()

    def seeds(self) -> Sequence[bytes]:
        self.reset()
        for _ in range(40):
            self._step(1.0)
        by_length = sorted(dict.fromkeys(self._seen), key=len)
        return [*_control_frames(self.venue), *by_length[:8], *by_length[-8:]]

    def feed(self, data: bytes) -> str:
        before = counted(counters.MALFORMED), self.outlet.books
        before_by_label = by_label(counters.MALFORMED)
        self._clock.advance(0.001)
        # By itself, or in one read with what the venue sent last, before it or behind.
        together = [data]
        if self._seen and (place := len(data) % 3):
            together.insert(place - 1, self._seen[-1])
        ended = self._receive(*together)
        malformed = counted(counters.MALFORMED) - before[0]
        self._converse()
        if ended:
            return ended
        assert malformed <= len(together), f"{len(together)} frames, counted {malformed} times"
        if malformed:
            now = by_label(counters.MALFORMED)
            reasons = [name for name in now if now[name] != before_by_label.get(name, 0.0)]
            assert FRAME_ERROR_REASONS.issuperset(reasons), reasons
            return " ".join(reasons)
        return "published" if self.outlet.books > before[1] else "taken"

    def check(self) -> None:
        # Where it was said to be halted, the venue says what is true.
        self._act(self._conversation.open(self._clock.now_ns()))
        self._live()

    def _live(self) -> None:
        """Step the market until the book that is published is the venue's."""
        for _ in range(STEPS_TO_HEAL):
            self._step(1.0)
            state = self._exchange.state(self._traded_as)
            said = self.outlet.last
            if state is None or said is None or said.state is not FeedState.LIVE:
                continue
            truth = [
                tuple((float(price), float(amount)) for price, amount in side[:DEPTH])
                for side in (state.bids, state.asks)
            ]
            if [said.bids, said.asks] == truth:
                return
            self._audit()
        raise AssertionError(f"no good book in {STEPS_TO_HEAL} s: {self.outlet.last}")

    def _audit(self) -> None:
        """Hold the book against REST's, where it is as new: nothing else finds a wrong level."""
        symbol, decoder = self._symbol, self.session._decoder
        if find_venue(self.venue).snapshots is None or symbol not in self.session.tops:
            return
        source = _source(self.venue)
        reply = _asked(self._exchange, source.path(symbol))
        snapshot = source.parse(reply, symbol, DEPTH)
        watch = Watch(symbol)
        watch.note(decoder.seq(symbol), self.session.tops[symbol][0])
        verdict = watch.judge(snapshot)
        self.session._auditor.judged(symbol, Audit.SNAPSHOT, verdict, self._clock.monotonic())

    def _step(self, seconds: float) -> None:
        self._clock.advance(seconds)
        self._pauses.beat(self._clock.monotonic())
        self._market.step()
        if self.session.retiring:
            self._feeds.on_lost(self.session, "replaced", None)
            self._open()
        self._converse()
        for symbol in self.session.unbooked():
            self.session.seed(_seed(symbol, self._exchange))

    def _open(self) -> None:
        self._connections += 1
        self._member = _Member()
        self._conversation = SIMULATED[self.venue].session(
            ws_path(self._exchange), self._exchange, self._connections
        )
        self._connection = _Connection()
        self.session = Session(
            self._connection,
            self._around,
            rank=self._connections,
            lifetime_s=1e9,
            on_news=lambda: None,
        )
        # Its time limit needs a loop.
        setattr(self.session._upkeep, "_deliver", self._connection.send)  # noqa: B010 - a method
        self.session.want([self._symbol])
        self._act(self._conversation.open(self._clock.now_ns()))
        self._converse()

    def _receive(self, *frames: bytes) -> str | None:
        """Let the session take frames; where it gives up, a new connection follows."""
        try:
            self.session._hear(frames)
        except UnresponsiveError as error:
            self._feeds.on_lost(self.session, str(error), None)
            self._open()
            return f"given up: {error.label}"
        return None

    def _converse(self) -> None:
        """Let both sides say all that they have to say now."""
        while True:
            asking: Any = self.session._upkeep._request(self._clock.monotonic())
            with suppress(StopIteration):
                asking.send(None)
            for request in self._connection.sent:
                self._act(self._conversation.receive(request.encode(), self._clock.now_ns()))
            self._connection.sent.clear()
            if not self._member.inbox:
                return
            frames = [*self._member.inbox]
            self._member.inbox.clear()
            self._seen.extend(frames)
            self._receive(*frames)

    def _act(self, actions: Sequence[object]) -> None:
        for action in actions:
            match action:
                case Send(frame):
                    self._member.push(frame)
                case Subscribe():
                    self._exchange.subscribe(self._member, action)
                case Unsubscribe(stream):
                    self._exchange.unsubscribe(self._member, stream)


class KrakenFrames(Frames):
    """Frames of Kraken, whose checksum would refuse what is changed."""

    def mend(self, data: bytes) -> bytes:
        """Give a snapshot the checksum of the levels that it has now."""
        try:
            frame = msgspec.json.decode(data, type=_KrakenFrame)
            for part in frame.data:
                book = KrakenBook(10)
                book.apply(read_changes(part.bids), read_changes(part.asks))
                part.checksum = book.checksum()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FrameError):
            return data
        return msgspec.json.encode(frame)


class _KrakenPart(msgspec.Struct):
    symbol: msgspec.Raw
    bids: list[RawLevel]
    asks: list[RawLevel]
    checksum: int
    timestamp: msgspec.Raw


class _KrakenFrame(msgspec.Struct):
    channel: str
    type: str
    data: list[_KrakenPart]


class Snapshots(Target):
    """Whole books over REST, which audits compare with."""

    form = Form.JSON
    weight = 2
    venue: ClassVar[str]

    def seeds(self) -> Sequence[bytes]:
        exchange = _open_exchange(self.venue)
        return [_asked(exchange, _source(self.venue).path(stream_symbol(self.venue)))]

    def feed(self, data: bytes) -> str:
        try:
            top = _source(self.venue).parse(data, stream_symbol(self.venue), DEPTH)
        except FrameError as error:
            assert error.reason in FRAME_ERROR_REASONS, error.reason
            return error.reason
        assert 0 <= top.venue_seq < 2**63, top
        judge_side(top.bids, DEPTH, falling=True)
        judge_side(top.asks, DEPTH, falling=False)
        return "a book"


class Endpoints(Target):
    """Where a venue says that its socket is."""

    form = Form.JSON
    weight = 2
    venue: ClassVar[str]

    def seeds(self) -> Sequence[bytes]:
        return [_asked(_open_exchange(self.venue), self._source().rest_path, method="POST")]

    def feed(self, data: bytes) -> str:
        asked = f"http://127.0.0.1{self._source().rest_path}"
        try:
            url = self._source().parse(data, 7)
        except FrameError as error:
            assert error.reason in FRAME_ERROR_REASONS, error.reason
            return error.reason
        try:
            check_endpoint(url, asked)
        except VenueProtocolError as error:
            assert str(error).isprintable(), error
            return "elsewhere"
        assert urlsplit(url).hostname == "127.0.0.1", url
        return "a socket"

    def _source(self) -> EndpointSource:
        source = find_venue(self.venue).endpoint
        assert source is not None
        return source


def _source(venue: str) -> SnapshotSource:
    source = find_venue(venue).snapshots
    assert source is not None
    return source


def _seed(symbol: str, exchange: Exchange) -> BookTop:
    source = _source(exchange.venue.name)
    reply = _asked(exchange, source.path(symbol))
    return source.parse(reply, symbol, source.levels or DEPTH)


def _open_exchange(venue: str) -> Exchange:
    """Return a simulated venue that trades the whole catalogue."""
    exchange = Exchange(SIMULATED[venue], ManualClock(), Truth())
    SeededDriver({venue: exchange}, [], seed=1, rate=0.0).want(INSTRUMENT)
    return exchange


def _asked(exchange: Exchange, path: str, method: str = "GET") -> bytes:
    path, _, query = path.partition("?")
    request = RestRequest(path, dict(parse_qsl(query)), method, WS_BASE)
    reply = exchange.venue.rest(request, exchange, exchange.clock.now_ns())
    assert reply.status == 200, reply
    return reply.body


def _bytes(frame: Frame) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def ws_path(exchange: Exchange) -> str:
    """Return where a venue has its socket, below its own address."""
    rules = find_venue(exchange.venue.name)
    url = (
        rules.connect_url(WS_BASE)
        if rules.endpoint is None
        else rules.endpoint.parse(_asked(exchange, rules.endpoint.rest_path, method="POST"), 7)
    )
    return url.removeprefix(WS_BASE) or "/"


def _lists(exchange: Exchange) -> list[bytes]:
    """Return each reply in which a venue lists its instruments."""
    source = find_venue(exchange.venue.name).instruments
    paths = [path for path in (source.rest_path, source.other_rest_path) if path is not None]
    if paths:
        return [_asked(exchange, path) for path in paths]
    assert source.ws_request is not None
    talk = exchange.venue.session(ws_path(exchange), exchange, 1)
    said = talk.receive(source.ws_request.encode(), exchange.clock.now_ns())
    return [_bytes(action.frame) for action in said if isinstance(action, Send)]


@cache
def stream_symbol(venue: str) -> str:
    """Return what a venue's streams call `INSTRUMENT`, as its list tells a listener."""
    parse = find_venue(venue).instruments.parse
    (symbol,) = {
        listed[INSTRUMENT].symbol
        for reply in _lists(_open_exchange(venue))
        if (listed := parse(reply)) is not None
    }
    return symbol


def _traded_symbol(exchange: Exchange) -> str:
    """Return what the simulated venue itself calls `INSTRUMENT`."""
    return next(one.symbol for one in exchange.listings() if one.instrument == INSTRUMENT)


def _control_frames(venue: str) -> Sequence[bytes]:
    if venue not in CONTROL:
        raise LookupError(
            f"target_venues.CONTROL has nothing of {venue}: write down what it sends beside books"
            " (acknowledgements, errors, pongs, halts, announced ends), after its documents"
        )
    return CONTROL[venue]


class Lists(Target):
    """What a venue says it lists."""

    form = Form.JSON
    weight = 2
    venue: ClassVar[str]

    def seeds(self) -> Sequence[bytes]:
        return _lists(_open_exchange(self.venue))

    def feed(self, data: bytes) -> str:
        venue: Venue = find_venue(self.venue)
        try:
            found = venue.instruments.parse(data)
        except FrameError as error:
            assert error.reason in FRAME_ERROR_REASONS, error.reason
            return error.reason
        if found is None:
            return "another message"
        for name, market in found.items():
            assert is_instrument(name), repr(name)
            assert market.symbol, repr(name)
            assert len(market.trading.word) <= LONGEST_WORD, repr(name)
            numbers = (market.tick, market.lot, market.min_amount, market.min_notional)
            assert all(Decimal(number) > 0 for number in numbers if number is not None), market
        return "a list" if found else "an empty list"


def _of(venue: str) -> Iterator[type[Target]]:
    """Yield a target for each thing that `venue` sends."""
    rules = find_venue(venue)
    kinds: dict[str, type[Target]] = {
        "frames": KrakenFrames if venue == "kraken" else Frames,
        "list": Lists,
    }
    if rules.snapshots is not None:
        kinds["snapshot"] = Snapshots
    if rules.endpoint is not None:
        kinds["endpoint"] = Endpoints
    for name, kind in kinds.items():
        yield type(kind.__name__, (kind,), {"name": f"{name}.{venue}", "venue": venue})


TARGETS: Final = tuple(target for venue in SIMULATED for target in _of(venue))
