"""Binance's FIX market data: who may log on, and what a client asks for. Pure.

Source: fix-api.md of binance-spot-api-docs (2026) and errors.md. The session itself is
`dragonfly_fix`'s; what differs here from the venue's own:

- SendingTime (52) is written in milliseconds, not microseconds.
- A client is tested after 1.2 intervals of silence and cut after 2.4, not after one and two.
- More than 10,000 changes would be sent in fragments (893): no simulated book has so many.
- Nobody trades in the simulated market: a trade stream is accepted, and silent.
- LimitQuery (XLQ) is rejected, as are all messages of order sessions.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from dragonfly_fix.codec import Field, FixMessage, encode_fields
from dragonfly_fix.dictionary import Dictionary, InvalidMessageError, RejectReason
from dragonfly_fix.fix44 import FIELDS
from dragonfly_fix.session import LogonRefused, Rules
from dragonfly_fix.timestamps import parse_timestamp

from venue_simulator.allowance import Allowance
from venue_simulator.book import Listing
from venue_simulator.fix_desk import VerifySignature
from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    Send,
    Subscribe,
    Unsubscribe,
)
from venue_simulator.venues.binance.fix_frames import (
    FIX_DEPTH,
    FIX_TICKER,
    address,
    empty,
    message,
)

__all__ = ["BinanceFix"]

TARGET: Final = b"SPOT"
MESSAGES_A_MINUTE: Final = 2000
STREAMS_A_CONNECTION: Final = 1000
CONNECTIONS: Final = 100
ATTEMPTS: Final = 300
ATTEMPTS_WINDOW_S: Final = 300.0
RECV_WINDOW_MS: Final = 5000.0
AHEAD_MS: Final = 1000.0
MAX_DEPTH: Final = 5000
DEPTH_INTERVAL_S: Final = 0.1
BLOCKED_INTERVALS: Final = 2
"""Heartbeat intervals for which an unclean end keeps a SenderCompID (49) from logging on."""

CLOSING: Final = "Your connection is about to be closed. Please reconnect."
UUID: Final = b"4392a152-3481-4499-921a-6d42c50702e2"
MAX_TRADE_VOLUME: Final = "9000.00000000"

_COMP_ID: Final = re.compile(rb"[a-zA-Z0-9_-]{1,8}")
_REQUEST_ID: Final = re.compile(rb"[a-zA-Z0-9_-]{1,36}")
_RECV_WINDOW: Final = re.compile(rb"[0-9]{1,5}(?:\.[0-9]{1,3})?")
_SIDES: Final = frozenset((b"0", b"1"))
_TRADE: Final = b"2"
_TRADES: Final = "fix trades"

ACCEPTED: Final = Dictionary(
    fields=FIELDS
    + """
    263 SubscriptionRequestType CHAR 1 2
    266 AggregatedBook BOOLEAN Y
    269 MDEntryType CHAR 0-2
    559 InstrumentListRequestType INT 0 4
    9406 DropCopyFlag BOOLEAN
    25000 RecvWindow FLOAT
    25035 MessageHandling INT 1 2
    25036 ResponseMode INT 1 2
    """,
    components={},
    header="49! 56! 34! 52! 25000",
    trailer="",
    messages="""
    0 Heartbeat: 112
    1 TestRequest: 112!
    3 Reject: 45 371 372 373 58
    5 Logout: 58
    A Logon: 98! 108! 95! 96! 141! 553! 25035! 25036 9406
    V MarketDataRequest: 262! 263! 264 266 146(55!) 267(269!)
    x InstrumentListRequest: 320! 559! 55
    """,
    known_types=["0", "1", "3", "5", "A", "V", "x"],
)
"""Message types that clients of market data may send."""

_CODES: Final = {
    RejectReason.INVALID_TAG: -1169,
    RejectReason.REQUIRED_MISSING: -1102,
    RejectReason.NOT_FOR_THIS_TYPE: -1170,
    RejectReason.NO_VALUE: -1102,
    RejectReason.OUT_OF_RANGE: -1130,
    RejectReason.FORMAT: -1130,
    RejectReason.COMP_ID: -1178,
    RejectReason.MSG_TYPE: -1187,
    RejectReason.REPEATED: -1171,
    RejectReason.ORDER: -1172,
    RejectReason.GROUP_ORDER: -1173,
    RejectReason.GROUP_COUNT: -1188,
    RejectReason.OTHER: -1176,
}

Identity = tuple[bytes, bytes]
"""An API key (553), and a SenderCompID (49)."""


class _RefusedError(Exception):
    """A Logon or a request is refused with a code; `tag` is what it is about."""

    def __init__(
        self, code: int, text: str, reason: RejectReason = RejectReason.OTHER, tag: int = 0
    ) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.tag = tag


class BinanceFix:
    """The desk of fix-md.binance.com:9000."""

    rules = Rules(
        dictionary=ACCEPTED,
        heartbeat_s=(5, 60),
        latency_s=float("inf"),  # RecvWindow (25000) takes its place
        strict=True,
        recovers=False,
        reject_fields={reason: [(25016, b"%d" % code)] for reason, code in _CODES.items()},
    )
    too_many_messages = (
        f"Too many messages; current limit is '{MESSAGES_A_MINUTE}' messages per 'MINUTE'."
    )
    greeting = ((25037, UUID),)

    def __init__(self, verify: VerifySignature) -> None:
        self._verify = verify
        self._live: set[Identity] = set()
        self._blocked: dict[Identity, float] = {}
        """Until when, by the monotonic clock."""
        self._attempts: dict[bytes, Allowance] = {}

    def messages(self) -> Allowance:
        """Return what one connection may send."""
        return Allowance(MESSAGES_A_MINUTE, 60.0)

    def admit(
        self, logon: FixMessage, now: float, now_ns: int, *, in_use: bool
    ) -> LogonRefused | None:
        """Judge a Logon; `in_use`: a fault says that its SenderCompID (49) is."""
        try:
            self._check_logon(logon, now, now_ns, in_use=in_use)
        except (_RefusedError, InvalidMessageError) as error:
            return LogonRefused(str(error), _reject_fields(error, logon.type))
        self._live.add(_identity(logon))
        return None

    def release(self, logon: FixMessage, now: float, *, clean: bool) -> None:
        """Take note that the connection of an admitted Logon is gone; `clean`: after a Logout."""
        identity = _identity(logon)
        self._live.discard(identity)
        if not clean:
            self._blocked[identity] = now + BLOCKED_INTERVALS * int(logon.get(108) or 0)

    def converse(self, books: Books, crowded: Callable[[], bool]) -> BinanceFixConversation:
        """Return the conversation with a client that has logged on.

        `crowded`: whether a fault says that it has too many subscriptions.
        """
        return BinanceFixConversation(books, crowded)

    def _check_logon(self, logon: FixMessage, now: float, now_ns: int, *, in_use: bool) -> None:
        ACCEPTED.check(logon, strict=True)
        key, sender = identity = _identity(logon)
        if not _COMP_ID.fullmatch(sender):
            text = "SenderCompId(49) contains an incorrect value."
            raise _RefusedError(-1178, text, RejectReason.COMP_ID, 49)
        if logon.get(56) != TARGET:
            text = f"TargetCompId(56) must be {TARGET.decode()}."
            raise _RefusedError(-1130, text, RejectReason.COMP_ID, 56)
        if logon.get(34) != b"1":
            text = "MsgSeqNum(34) contains an unexpected value. Expected: '1'."
            raise _RefusedError(-1179, text, RejectReason.OUT_OF_RANGE, 34)
        if logon.get(141) != b"Y":
            text = (
                "Continuation of sequence numbers to new session is currently unsupported."
                " Sequence numbers must be reset for each new session."
            )
            raise _RefusedError(-1175, text, RejectReason.OUT_OF_RANGE, 141)
        _check_time(logon, now_ns, RECV_WINDOW_MS)
        self._check_signature(logon, key)
        if in_use or identity in self._live or self._blocked.get(identity, now) > now:
            text = (
                "SenderCompId(49) is currently in use. Concurrent use of the same SenderCompId"
                " within one account is not allowed."
            )
            raise _RefusedError(-1033, text, RejectReason.OTHER, 49)
        attempts = self._attempts.setdefault(key, Allowance(ATTEMPTS, ATTEMPTS_WINDOW_S))
        if attempts.exceeded(round(now * 1e9)):
            text = (
                f"Too many connection attempts for account; current limit is {ATTEMPTS}"
                f" per '{ATTEMPTS_WINDOW_S:.0f}s'."
            )
            raise _RefusedError(-1034, text)
        if Counter(one for one, _ in self._live)[key] >= CONNECTIONS:
            text = f"Too many concurrent connections; current limit is '{CONNECTIONS}'."
            raise _RefusedError(-1034, text)

    def _check_signature(self, logon: FixMessage, key: bytes) -> None:
        signed = b"\x01".join((b"A", *(logon.get(tag) or b"" for tag in (49, 56, 34, 52))))
        try:
            signature = base64.b64decode(logon.get(96) or b"", validate=True)
        except binascii.Error:
            signature = b""
        known = self._verify(key, signature, signed)
        if known is None:
            text = "Invalid API-key, IP, or permissions for action."
            raise _RefusedError(-2015, text, tag=553)
        if not known:
            raise _RefusedError(-1022, "Signature for this request is not valid.", tag=96)


class BinanceFixConversation:
    """Subscriptions and lists of one connection."""

    def __init__(self, books: Books, crowded: Callable[[], bool]) -> None:
        self._books = books
        self._crowded = crowded
        self._requests: dict[bytes, list[BookStream]] = {}

    def receive(self, asked: FixMessage, now_ns: int) -> Sequence[Action]:
        """Return what a message of the client leads to."""
        try:
            return self._answer(asked, now_ns)
        except _RefusedError as refused:
            fields = [(45, _value(asked, 34)), *_reject_fields(refused, asked.type)]
            return [Send(b"35=3\x01" + encode_fields(fields))]

    def announce_close(self) -> bytes:
        """Return the News (B) by which the venue says that it will close this connection."""
        return message("B", [(148, CLOSING)])

    def _answer(self, asked: FixMessage, now_ns: int) -> Sequence[Action]:
        _check_time(asked, now_ns, None)
        if asked.type == b"x":
            return [self._list(asked)]
        if not _REQUEST_ID.fullmatch(request_id := _value(asked, 262)):
            text = "Illegal characters found in parameter 'MDReqID (262)'."
            raise _RefusedError(-1100, text, RejectReason.FORMAT, 262)
        if asked.get(263) == b"2":
            return self._unsubscribe(request_id)
        return self._subscribe(request_id, asked)

    def _subscribe(self, request_id: bytes, asked: FixMessage) -> Sequence[Action]:
        streams = self._streams(asked)
        if request_id in self._requests:
            text = (
                "'MDReqID (262)' contains a subscription request id that is already in use on this"
                " connection."
            )
            return [_request_reject(request_id, -1190, text, reason=1)]
        active = {_of(stream): name for name, own in self._requests.items() for stream in own}
        if self._crowded() or len(active) + len(streams) > STREAMS_A_CONNECTION:
            text = (
                "Too many subscriptions. Connection may create up to"
                f" '{STREAMS_A_CONNECTION}' subscriptions at a time."
            )
            return [_request_reject(request_id, -1191, text, reason=2)]
        for stream in streams:
            if (similar := active.get(_of(stream))) is not None:
                text = (
                    "Similar subscription is already active on this connection."
                    f" Symbol='{stream.symbol}', active subscription id: '{similar.decode()}'."
                )
                return [_request_reject(request_id, -1191, text, reason=2)]
        self._requests[request_id] = streams
        return [
            self._begin(stream, partial(address, request_id.decode()))
            for stream in streams
            if stream.kind != _TRADES
        ]

    def _begin(
        self, stream: BookStream, addressed: Callable[[str | bytes], Sequence[str | bytes]]
    ) -> Action:
        if self._books.state(stream.symbol) is None:
            [nothing] = addressed(empty(stream.symbol))
            return Send(nothing)
        return Subscribe(stream, FirstFrame.AT_ONCE, addressed)

    def _unsubscribe(self, request_id: bytes) -> Sequence[Action]:
        streams = self._requests.pop(request_id, None)
        if streams is None:
            text = (
                "'MDReqID (262)' contains an unsubscription request id that does not match any"
                " active subscription."
            )
            return [_request_reject(request_id, -1190, text)]
        return [Unsubscribe(stream) for stream in streams]

    def _streams(self, asked: FixMessage) -> list[BookStream]:
        """Return the streams that a request is for.

        Raises:
            _RefusedError: it is for none that there are.
        """
        symbols, kinds = _values(asked, 55), frozenset(_values(asked, 269))
        for tag, found in ((146, symbols), (267, kinds)):
            if not found:
                text = f"Required tag '{tag}' missing."
                raise _RefusedError(-1102, text, RejectReason.REQUIRED_MISSING, tag)
        if len(set(symbols)) < len(symbols):
            raise _RefusedError(-1151, "Symbol is present multiple times in the list.", tag=55)
        listings = [self._listing(symbol) for symbol in symbols]
        streams: list[BookStream] = []
        if book := kinds & _SIDES:
            if book != _SIDES:
                text = (
                    "Invalid 'MDEntryType (269)' combination. BID and OFFER must be requested"
                    " together."
                )
                raise _RefusedError(-1128, text, tag=269)
            depth = int(asked.get(264) or 0)
            if not 1 <= depth <= MAX_DEPTH:
                text = "Data sent for parameter 'MarketDepth (264)' is not valid."
                raise _RefusedError(-1130, text, RejectReason.OUT_OF_RANGE, 264)
            streams += [_book_stream(listing.symbol, depth) for listing in listings]
        if _TRADE in kinds:
            streams += [BookStream(_TRADES, one.symbol, _TRADES, 0) for one in listings]
        return streams

    def _listing(self, symbol: bytes) -> Listing:
        listing = self._books.listing(symbol.decode(errors="replace"))
        if listing is None:
            raise _RefusedError(-1121, "Invalid symbol.", RejectReason.OUT_OF_RANGE, 55)
        return listing

    def _list(self, asked: FixMessage) -> Send:
        if asked.get(559) == b"4":
            listings = [one for one in self._books.listings() if one.tradable]
        elif not (symbol := asked.get(55)):
            text = "Required tag '55' missing."
            raise _RefusedError(-1102, text, RejectReason.REQUIRED_MISSING, 55)
        else:
            listings = [self._listing(symbol)]
            if not listings[0].tradable:
                raise _RefusedError(-1121, "Invalid symbol.", RejectReason.OUT_OF_RANGE, 55)
        request_id = _value(asked, 320).decode(errors="replace")
        entries = [field for one in listings for field in _instrument(one)]
        return Send(message("y", [(320, request_id), (146, len(listings)), *entries]))


def _book_stream(symbol: str, depth: int) -> BookStream:
    if depth == 1:
        return BookStream(FIX_TICKER, symbol, FIX_TICKER, 1, best_only=True)
    return BookStream(f"{FIX_DEPTH} {depth}", symbol, FIX_DEPTH, depth, interval_s=DEPTH_INTERVAL_S)


def _of(stream: BookStream) -> tuple[str, str]:
    """Return what two subscriptions that are similar have in common."""
    return stream.kind, stream.symbol


def _instrument(listing: Listing) -> Iterable[tuple[int, str]]:
    lot = listing.lot
    return (
        (55, listing.symbol),
        (15, listing.quote),
        (562, lot),
        (1140, MAX_TRADE_VOLUME),
        (25039, lot),
        (25040, lot),
        (25041, MAX_TRADE_VOLUME),
        (25042, lot),
        (969, listing.tick),
    )


def _request_reject(request_id: bytes, code: int, text: str, reason: int | None = None) -> Send:
    why = [] if reason is None else [(281, reason)]
    return Send(message("Y", [(262, request_id.decode()), *why, (25016, code), (58, text)]))


def _reject_fields(error: _RefusedError | InvalidMessageError, msg_type: bytes) -> list[Field]:
    """Return the fields of a Reject behind RefSeqNum (45)."""
    code = error.code if isinstance(error, _RefusedError) else _CODES[error.reason]
    about = [(371, b"%d" % error.tag)] if error.tag else []
    coded = [(373, b"%d" % error.reason), (25016, b"%d" % code)]
    return [(58, str(error).encode()), *about, (372, msg_type), *coded]


def _check_time(sent: FixMessage, now_ns: int, usual_ms: float | None) -> None:
    """Hold SendingTime (52) against RecvWindow (25000), `usual_ms` where none is given.

    Raises:
        _RefusedError: it is too old, or ahead of us.
    """
    given = sent.get(25000)
    if given is not None and not (_RECV_WINDOW.fullmatch(given) and float(given) <= 60_000):
        text = "Data sent for parameter 'RecvWindow (25000)' is not valid."
        raise _RefusedError(-1130, text, RejectReason.OUT_OF_RANGE, 25000)
    window_ms = usual_ms if given is None else float(given)
    if window_ms is None:
        return
    age_ms = (now_ns - parse_timestamp(_value(sent, 52))) / 1e6
    if age_ms > window_ms:
        text = "Timestamp for this request is outside of the recvWindow."
        raise _RefusedError(-1021, text, RejectReason.SENDING_TIME, 52)
    if age_ms <= -AHEAD_MS:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise _RefusedError(-1021, text, RejectReason.SENDING_TIME, 52)


def _identity(logon: FixMessage) -> Identity:
    return _value(logon, 553), _value(logon, 49)


def _value(sent: FixMessage, tag: int) -> bytes:
    return sent.get(tag) or b""


def _values(sent: FixMessage, tag: int) -> list[bytes]:
    return [value for found, value in sent.fields if found == tag]
