"""A session of FIX 4.4, on one connection. Pure: bytes in, bytes and events out, time a parameter.

    session = Acceptor(admit, now)                   or Initiator(…)
    for event in session.receive(data, now, now_ns):
        …                                            an application answers here
    session.tick(now, now_ns)                        a few times a second
    transport.write(session.output())                after each of these, and while there is more
    if session.state is ENDED: transport.close()

The session owns what is of the connection: its state, its timers, and messages that came too early.
Sequence numbers and what may have to be sent again are the `Store`'s, which outlives connections.
Which peer may log on, and with which store, the application decides (`admit`).

What the numbers obey:

1.  A number is used up, and in the store, before its bytes leave. So none is used twice.
2.  A message is delivered in its turn. The next one is expected once the application asks for the
    event behind it: what it did not finish before a crash comes again.
3.  A message that came too early is kept, and its gap is asked for: once, and again when a message
    of the replay is missing, or nothing of it came for a heartbeat interval.
4.  ResendRequest and Logon are answered before their gap is asked for, or two sides that ask each
    other would do so for ever. A Logout is answered whatever its number.
5.  A replay uses up no number. It holds application messages as they were, and gap fills. What is
    sent meanwhile comes behind it.
6.  The same is asked for, and answered, `MOST_TIMES`: a side that gets no further is broken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dragonfly_fix.codec import (
    BEGIN_STRING,
    LONGEST_FRAME,
    Field,
    FixDecoder,
    FixMessage,
    Garbled,
    decode_fields,
    encode,
    encode_fields,
)
from dragonfly_fix.dictionary import Dictionary, InvalidMessageError, RejectReason
from dragonfly_fix.fix44 import FIX44, MsgType
from dragonfly_fix.gaps import MOST_TIMES, Gap, SentAgain
from dragonfly_fix.session_state import SessionEvent, SessionState, next_state
from dragonfly_fix.store import MemoryStore, Store
from dragonfly_fix.timestamps import format_timestamp, parse_timestamp

__all__ = [
    "Acceptor",
    "AdmitLogon",
    "Answered",
    "FixEvent",
    "FixSession",
    "Initiator",
    "LoggedOn",
    "LoggedOut",
    "LogonAdmitted",
    "LogonRefused",
    "NotLoggedOnError",
    "Received",
    "Rejected",
    "Rules",
    "keep_for_later",
]

AWAITING, LOGON_SENT, ACTIVE, LEAVING, CLOSING, ENDED = SessionState
HEARS: Final = frozenset({ACTIVE, LEAVING})
"""The states in which a message of the other side counts."""

UNSUPPORTED_TYPE: Final = 3
"""BusinessRejectReason (380)."""

TEST_AFTER: Final = 1.2
"""Heartbeat intervals of silence until a TestRequest is sent."""
CUT_AFTER: Final = 2.4
"""Heartbeat intervals of silence until the connection is given up."""
MOST_OUTPUT: Final = 1 << 16
"""Bytes of a replay that are made at once."""
REPLAY_STEP: Final = 256
"""Numbers of a replay that are read from the store at once."""
LONGEST_REF: Final = 20
"""Bytes of an unknown MsgType (35) that are said back."""

_TRAILER_LENGTH: Final = len(b"10=000\x01")
_ADMIN: Final = frozenset([b"0", b"1", b"2", b"3", b"4", b"5", b"A"])
_TEST_ID: Final = b"TEST"
"""TestReqID (112) of the session's own tests of a silence."""
_REVERSED: Final = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}
"""Where a Reject is routed to, by the tag that says where the message came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is agreed on with the other side."""

    dictionary: Dictionary = FIX44
    heartbeat_s: tuple[int, int] = (5, 60)
    """The least and the most HeartBtInt (108) that an acceptor takes."""
    latency_s: float = 120.0
    """By how much SendingTime (52) may be off our clock."""
    logon_within_s: float = 10.0
    logout_within_s: float = 2.0
    """How long the other side may take to answer a Logout, or to close behind one."""
    strict: bool = False
    """Whether user-defined tags that the dictionary lacks are rejected."""
    checks_sent: bool = False
    """Whether what the application sends is held against the dictionary too."""
    recovers: bool = True
    """Whether gaps are asked for, and a further Logon may begin the numbers anew.

    Otherwise both are rejected, and a gap is the end.
    """
    reject_fields: Mapping[RejectReason, Sequence[Field]] = field(default_factory=dict)
    """The fields of a dialect that a Reject has behind SessionRejectReason (373)."""
    checks_received: bool = True
    """Whether application messages that come are held against it; else who takes their frames reads
    and judges them, and a `Received` has their header alone."""
    longest_frame: int = LONGEST_FRAME
    """The largest BodyLength (9) that is taken."""


class LoggedOn(NamedTuple):
    """The other side's Logon was accepted; with 141=Y both numbers began anew."""

    logon: FixMessage


class Received(NamedTuple):
    """An application message came, in its turn and as the dictionary has it."""

    message: FixMessage


class Rejected(NamedTuple):
    """The other side rejected a message of ours."""

    reject: FixMessage


class LoggedOut(NamedTuple):
    """The other side's Logout came."""

    text: str


class Answered(NamedTuple):
    """A TestRequest of the application's was answered: all that was sent before it has come."""

    test_id: bytes


FixEvent = LoggedOn | Received | Rejected | LoggedOut | Answered | Garbled


class LogonAdmitted(NamedTuple):
    """A Logon's sender is known."""

    store: Store
    answer: Sequence[Field] | None = None
    """What our Logon has behind HeartBtInt (108), in place of the 141=Y that theirs had."""


class LogonRefused(NamedTuple):
    """A Logon's sender may not log on. Without a text, an unknown peer learns nothing."""

    text: str = ""
    reject: Sequence[Field] = ()
    """The fields of a Reject that precedes the Logout, behind RefSeqNum (45)."""


AdmitLogon = Callable[[FixMessage], LogonAdmitted | LogonRefused]
"""Judges CompIDs and credentials of a Logon. A live identity is refused without a text."""


class NotLoggedOnError(RuntimeError):
    """A message was to be sent on a session that is not logged on."""


class FixSession(ABC):
    """What acceptors and initiators share."""

    def __init__(self, state: SessionState, rules: Rules, now: float) -> None:
        self.state = state
        self.reason = ""
        """Why the session closes or has ended."""
        self.sender = self.target = b""
        """Our CompID, and that of the other side."""
        self.heartbeat_s = 0
        self._rules = rules
        self._store: Store = MemoryStore()
        read_types = None if rules.checks_received else _ADMIN
        self._decoder = FixDecoder(rules.longest_frame, read_types)
        self._out: deque[bytes | Iterator[bytes]] = deque()
        """Frames, and replays of which the frames are still to be made."""
        self._now, self._now_ns = now, 0
        self._since = self._sent_at = self._heard_at = now
        self._tested = False
        """Whether a TestRequest is unanswered. Until it is, no heartbeat is sent."""
        self._gap = Gap(now)
        self._sent_again = SentAgain()

    @property
    def is_replaying(self) -> bool:
        """Whether the next output is of a replay."""
        return bool(self._out) and not isinstance(self._out[0], bytes)

    def output(self) -> bytes:
        """Return what is to be written now, and forget it: ask again where that was not empty.

        Of a replay it is a part: the next one is made when the connection has taken this one.
        """
        data = bytearray()
        while self._out and len(data) < MOST_OUTPUT:
            first = self._out[0]
            frame = first if isinstance(first, bytes) else next(first, b"")
            if frame is first or not frame:
                self._out.popleft()
            data += frame
        if data:
            self._sent_at = self._now
        return bytes(data)

    def receive(self, data: bytes, now: float, now_ns: int) -> Iterator[FixEvent]:
        """Take what arrived at `now` (monotonic, in seconds) and `now_ns` (since 1970).

        A message counts as received once the event behind it is asked for: read to the end.
        """
        for found in self._decoder.feed(data):
            self._now, self._now_ns = now, now_ns
            if self.state is ENDED:
                return
            if isinstance(found, FixMessage):
                yield from self._take(found)
            else:
                if self.state in {AWAITING, LOGON_SENT}:
                    self.end(f"garbled before a Logon: {found.reason}")
                yield found

    def tick(self, now: float, now_ns: int) -> None:
        """Do what is due: heartbeats, tests of silence, and the ends of patience."""
        self._now, self._now_ns = now, now_ns
        if self.state is ACTIVE:
            self._watch()
        elif self.state in {AWAITING, LOGON_SENT}:
            if now - self._since >= self._rules.logon_within_s:
                self.end(f"no Logon within {self._rules.logon_within_s:g} s")
        elif now - self._since >= self._rules.logout_within_s:
            self.end(self.reason)

    def send(
        self, msg_type: bytes, body: bytes, now: float, now_ns: int, *, poss_resend: bool = False
    ) -> int:
        """Send an application message and return its number.

        The number is given now: call it when the connection can take the bytes.

        Args:
            msg_type: MsgType (35).
            body: its fields, by `encode_fields`.
            now: monotonic, in seconds.
            now_ns: nanoseconds since 1970, for SendingTime (52).
            poss_resend: it may repeat a message of another number (97=Y).

        Raises:
            NotLoggedOnError: the session is not ACTIVE.
            InvalidMessageError: it is not as the dictionary has it, where the rules check that.
        """
        self._require_active()
        self._now, self._now_ns = now, now_ns
        extra = [(97, b"Y")] if poss_resend else []
        if self._rules.checks_sent:
            header = [(34, b"1"), (49, self.sender), (52, format_timestamp(now_ns))]
            header += [(56, self.target), *extra]
            self._check(FixMessage(msg_type, [*header, *decode_fields(body)]))
        return self._send(msg_type, body, extra, kept=True)

    def reject_business(
        self,
        message: FixMessage,
        reason: int,
        text: str,
        now: float,
        now_ns: int,
        ref_id: bytes = b"",
    ) -> None:
        """Refuse an application message: BusinessRejectReason (380), Text (58), and its own id.

        Raises:
            NotLoggedOnError: the session is not ACTIVE.
        """
        body = _business_reject(message, reason, text, ref_id)
        self.send(MsgType.BUSINESS_REJECT, body, now, now_ns)

    def test(self, test_id: bytes, now: float, now_ns: int) -> None:
        """Ask the other side for a sign of life, which is told as `Answered`.

        Raises:
            NotLoggedOnError: the session is not ACTIVE.
        """
        self._require_active()
        self._now, self._now_ns = now, now_ns
        self._send(MsgType.TEST_REQUEST, encode_fields([(112, test_id)]))

    def leave(self, text: str, now: float, now_ns: int) -> None:
        """Log out; nothing where the session is not ACTIVE. Everything is heard until answered."""
        self._now, self._now_ns = now, now_ns
        if self.state is ACTIVE:
            self._send_logout(text)
            self._move(SessionEvent.LEAVE, text)

    def end(self, reason: str) -> None:
        """Give the session up: the connection was lost, or is to be closed."""
        if self.state is not ENDED:
            self._move(SessionEvent.END, reason)

    def _require_active(self) -> None:
        if self.state is not ACTIVE:
            raise NotLoggedOnError(f"not logged on: {self.state.name} {self.reason}".rstrip())

    # What comes.

    @abstractmethod
    def _take_first(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        """Take a message before anybody is logged on."""

    def _take(self, message: FixMessage) -> Iterator[FixEvent]:
        number = _number(message.get(34))
        if self.state in {AWAITING, LOGON_SENT}:
            if message.begin_string != BEGIN_STRING or number is None:
                self.end("the first message is no FIX 4.4 with a MsgSeqNum (34)")
            else:
                yield from self._take_first(message, number)
        elif self.state is CLOSING:
            if message.type == MsgType.LOGOUT:
                self._move(SessionEvent.LOGOUT, self.reason)
        elif message.begin_string != BEGIN_STRING:
            self._breach("Incorrect BeginString")
        elif number is None:
            self._breach("Required tag missing or incorrect: MsgSeqNum (34)")
        elif not self._is_of_this_session(message):
            self._reject(message, RejectReason.COMP_ID)
            self._breach("")
        elif not self._is_on_time(message):
            self._reject(message, RejectReason.SENDING_TIME)
            self._pass(number)
            self._breach("")
        else:
            self._heard_at, self._tested = self._now, False
            try:
                yield from self._take_heard(message, number)
            except InvalidMessageError as error:
                self._reject(message, error.reason, error.tag)
                self._pass(number)
            yield from self._take_early()

    def _take_heard(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        match message.type:
            case MsgType.LOGOUT:
                yield from self._take_logout(message, number)
            case MsgType.RESEND_REQUEST:
                self._check(message)
                self._serve(message)
                if self.state in HEARS:
                    self._count(number)
            case MsgType.SEQUENCE_RESET if message.get(123) != b"Y":
                self._check(message)
                new = int(message.get(36) or 0)
                if new < self._store.next_in:
                    self._reject(message, RejectReason.OUT_OF_RANGE)
                else:
                    self._skip_to(new)
            case MsgType.LOGON if self._begins_anew(message):
                self._check(message)
                yield from self._log_on(message, number, answers=True)
            case _ if number > self._store.next_in and not self._rules.recovers:
                expected = self._store.next_in
                self._reject(message, RejectReason.OUT_OF_RANGE, 34)
                self._breach(f"MsgSeqNum too high, expecting {expected} but received {number}")
            case _ if number > self._store.next_in:
                self._keep(number, message)
            case _ if number < self._store.next_in:
                self._take_late(message, number)
            case _:
                yield from self._take_in_turn(message, number)

    def _take_late(self, message: FixMessage, number: int) -> None:
        if message.get(43) != b"Y":
            self._breach(
                f"MsgSeqNum too low, expecting {self._store.next_in} but received {number}"
            )
        elif message.type != MsgType.SEQUENCE_RESET:
            original = message.get(122)
            if original is None:
                self._reject(message, RejectReason.REQUIRED_MISSING, 122)
            elif (_time(original) or 0) > (_time(message.get(52)) or 0):
                self._reject(message, RejectReason.SENDING_TIME)
                self._breach("")

    def _take_in_turn(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        if self._rules.checks_received or message.type in _ADMIN:
            self._check(message)
        match message.type:
            case MsgType.HEARTBEAT:
                test_id = message.get(112)
                if test_id not in {None, _TEST_ID}:
                    yield Answered(test_id)
            case MsgType.TEST_REQUEST:
                self._send(MsgType.HEARTBEAT, encode_fields([(112, message.get(112) or b"")]))
            case MsgType.REJECT:
                yield Rejected(message)
            case MsgType.SEQUENCE_RESET:
                new = int(message.get(36) or 0)
                if new > number:
                    self._skip_to(new)
                return
            case MsgType.LOGON:
                raise InvalidMessageError(RejectReason.OTHER)
            case kind if kind not in self._rules.dictionary.messages:
                text = "Unsupported Message Type"
                body = _business_reject(message, UNSUPPORTED_TYPE, text, b"")
                self._send(MsgType.BUSINESS_REJECT, body, kept=True)
            case _:
                yield Received(message)
        self._pass(number)

    def _take_early(self) -> Iterator[FixEvent]:
        """Take what was kept and has its turn now; ask for what is still missing."""
        while self.state in HEARS and (number := self._store.next_in) in self._gap:
            message = self._gap.take(number)
            if message is None:
                self._pass(number)
                continue
            try:
                yield from self._take_in_turn(message, number)
            except InvalidMessageError as error:
                self._reject(message, error.reason, error.tag)
                self._pass(number)
        if self.state in HEARS and (end := self._gap.unasked(self._store.next_in)):
            self._ask(end, again=False)

    def _take_logout(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        text = (message.get(58) or b"").decode(errors="replace")
        self._pass(number)
        if self.state is ACTIVE:
            self._send_logout("")
        self._move(SessionEvent.LOGOUT, f"the other side logged out: {text}".rstrip(": "))
        yield LoggedOut(text)

    # Logging on.

    def _begins_anew(self, logon: FixMessage) -> bool:
        return self._rules.recovers and self.state is ACTIVE and logon.get(141) == b"Y"

    def _log_on(
        self,
        logon: FixMessage,
        number: int,
        *,
        answers: bool,
        answer: Sequence[Field] | None = None,
    ) -> Iterator[FixEvent]:
        """Accept a Logon of the right peer: set numbers, answer, ask for what is missing."""
        reset = logon.get(141) == b"Y"
        if reset and answers:
            self._store.reset()
        elif reset:
            self._expect(1)
        if reset:
            self._gap = Gap(self._now)
            self._sent_again = SentAgain()
            self._drop_replays()
        if number < self._store.next_in:
            self._take_late(logon, number)
            return
        if self.state is not ACTIVE:
            self._move(SessionEvent.LOGON, "")
        self._heard_at = self._now
        first_new = self._store.next_out
        if answers:
            if answer is None:
                answer = [(141, b"Y")] if reset else []
            fields = [(98, b"0"), (108, b"%d" % self.heartbeat_s), *answer]
            self._send(MsgType.LOGON, encode_fields(fields))
        self._count(number)
        wanted = _number(logon.get(789))
        if wanted is not None and 0 < wanted < first_new:
            self._out.append(self._replay(wanted, first_new - 1))
        yield LoggedOn(logon)

    # Numbers.

    def _expect(self, number: int) -> None:
        self._store.expect(number)
        self._gap.moved_at = self._now

    def _skip_to(self, number: int) -> None:
        self._expect(number)
        self._gap.drop_before(number)

    def _pass(self, number: int) -> None:
        """Be done with a message, where it is the one that was expected."""
        if number == self._store.next_in:
            self._expect(number + 1)

    def _count(self, number: int) -> None:
        """Be done with a message that is served whether it has its turn or not."""
        if number > self._store.next_in:
            self._keep(number, None)
        else:
            self._pass(number)

    def _keep(self, number: int, message: FixMessage | None) -> None:
        self._gap.keep(number, message)
        replayed = message is not None and message.get(43) == b"Y"
        if self._gap.is_to_be_asked_for(self._store.next_in, replayed=replayed):
            self._ask(number, again=replayed)

    def _ask(self, end: int, *, again: bool) -> None:
        number = self._store.next_in
        if not self._gap.ask(number, end, self._now, again=again):
            self._breach(f"MsgSeqNum {number} was asked for {MOST_TIMES} times and did not come")
            return
        self._send(MsgType.RESEND_REQUEST, encode_fields([(7, b"%d" % number), (16, b"0")]))

    def _serve(self, request: FixMessage) -> None:
        """Answer a ResendRequest, unless enough was answered."""
        first, last = int(request.get(7) or 0), int(request.get(16) or 0)
        newest = self._store.next_out - 1
        if not 1 <= first <= newest or (last and last < first):
            raise InvalidMessageError(RejectReason.OUT_OF_RANGE, 7)
        last = min(last, newest) if last else newest
        if self._sent_again.note(first, last, newest):
            self._out.append(self._replay(first, last))
        else:
            self._breach(f"ResendRequest from {first}: all of it was sent {MOST_TIMES} times")

    def _replay(self, first: int, last: int) -> Iterator[bytes]:
        gap = first
        for step in range(first, last + 1, REPLAY_STEP):
            for number, frame in [*self._store.frames(step, min(last, step + REPLAY_STEP - 1))]:
                if gap < number:
                    yield self._gap_fill(gap, number)
                yield self._again(number, frame)
                gap = number + 1
        if gap <= last:
            yield self._gap_fill(gap, last + 1)

    def _drop_replays(self) -> None:
        self._out = deque(one for one in self._out if isinstance(one, bytes))

    # What is sent.

    def _send(
        self, msg_type: bytes, body: bytes, extra: Sequence[Field] = (), *, kept: bool = False
    ) -> int:
        number = self._store.next_out
        frame = self._frame(msg_type, number, body, extra)
        self._store.save(number, frame if kept else None)
        self._out.append(frame)
        self._sent_at = self._now
        return number

    def _gap_fill(self, first: int, following: int) -> bytes:
        body = encode_fields([(36, b"%d" % following), (123, b"Y")])
        extra = [(122, format_timestamp(self._now_ns))]
        return self._frame(MsgType.SEQUENCE_RESET, first, body, extra, poss_dup=True)

    def _again(self, number: int, frame: bytes) -> bytes:
        (_, msg_type), *fields = decode_fields(frame[:-_TRAILER_LENGTH])[2:]
        header = self._rules.dictionary.header.members
        extra = [
            (122 if tag == 52 else tag, value)
            for tag, value in fields
            if tag in header and tag not in {34, 49, 56}
        ]
        body = encode_fields([field for field in fields if field[0] not in header])
        return self._frame(msg_type, number, body, sorted(extra), poss_dup=True)

    def _frame(
        self,
        msg_type: bytes,
        number: int,
        body: bytes,
        extra: Sequence[Field],
        *,
        poss_dup: bool = False,
    ) -> bytes:
        """Return a frame; `extra` are fields of the header behind 56, ascending as all of it."""
        pair = (self.sender, self.target)
        return _frame(pair, msg_type, number, body, self._now_ns, extra, poss_dup=poss_dup)

    def _send_logout(self, text: str) -> None:
        self._send(MsgType.LOGOUT, encode_fields([(58, text.encode())] if text else []))

    def _reject(self, message: FixMessage, reason: RejectReason, tag: int | None = None) -> None:
        if message.type == MsgType.REJECT:
            return
        fields = [(45, b"%d" % (_number(message.get(34)) or 0)), (58, reason.text.encode())]
        if tag is not None:
            fields.append((371, b"%d" % tag))
        fields += [*_ref_type(message), (373, b"%d" % reason)]
        fields += self._rules.reject_fields.get(reason, ())
        route = [(_REVERSED[tag], value) for tag, value in message.fields if tag in _REVERSED]
        extra = sorted((tag, value) for tag, value in dict(route).items() if value)
        self._send(MsgType.REJECT, encode_fields(fields), extra)

    # Its life.

    def _move(self, event: SessionEvent, reason: str) -> None:
        state = next_state(self.state, event)
        assert state is not None, (self.state, event)
        self.state, self._since, self.reason = state, self._now, reason

    def _breach(self, text: str) -> None:
        """Close over a rule that was broken, and tell."""
        self._drop_replays()
        if self.state is not LEAVING:
            self._send_logout(text)
        self._move(SessionEvent.BREACH, text or "a message was rejected")

    def _watch(self) -> None:
        silence, interval = self._now - self._heard_at, self.heartbeat_s
        if silence >= CUT_AFTER * interval:
            self.end(f"nothing heard for {CUT_AFTER * interval:g} s")
            return
        if self._tested:
            return
        if silence >= TEST_AFTER * interval:
            self._tested = True
            self._send(MsgType.TEST_REQUEST, encode_fields([(112, _TEST_ID)]))
        elif self._now - self._sent_at >= interval:
            self._send(MsgType.HEARTBEAT, b"")
        if self._gap.is_stuck(self._store.next_in, self._now - interval):
            self._ask(self._gap.end, again=False)

    # Judgements.

    def _check(self, message: FixMessage) -> None:
        dictionary = self._rules.dictionary
        if message.type not in dictionary.known_types:
            raise InvalidMessageError(RejectReason.MSG_TYPE)
        if message.type in dictionary.messages:
            dictionary.check(message, strict=self._rules.strict)

    def _is_of_this_session(self, message: FixMessage) -> bool:
        # An empty or missing CompID is the dictionary's to reject.
        return (message.get(49) or self.target) == self.target and (
            message.get(56) or self.sender
        ) == self.sender

    def _is_on_time(self, message: FixMessage) -> bool:
        # The same of a time that is none.
        sent_ns = _time(message.get(52))
        return sent_ns is None or abs(self._now_ns - sent_ns) <= self._rules.latency_s * 1e9


class Acceptor(FixSession):
    """The side that is connected to."""

    def __init__(self, admit: AdmitLogon, now: float, rules: Rules = Rules()) -> None:
        """`admit` is asked once, with a Logon that came in time."""
        super().__init__(AWAITING, rules, now)
        self._admit = admit

    def _take_first(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        sender, target = message.get(49), message.get(56)
        if message.type != MsgType.LOGON or not sender or not target:
            self.end("the first message is no Logon with CompIDs")
            return
        if _time(message.get(52)) is None or not self._is_on_time(message):
            self.end("SendingTime (52) of the Logon is too far off")
            return
        admission = self._admit(message)
        if isinstance(admission, LogonRefused) and not admission.text:
            self.end("the Logon was refused")
            return
        self.sender, self.target = target, sender
        if isinstance(admission, LogonRefused):
            if admission.reject:
                fields = [(45, b"%d" % number), *admission.reject]
                self._send(MsgType.REJECT, encode_fields(fields))
            self._breach(admission.text)
            return
        self._store = admission.store
        try:
            self._check(message)
        except InvalidMessageError as error:
            self._breach(str(error))
            return
        self.heartbeat_s = int(message.get(108) or 0)
        least, most = self._rules.heartbeat_s
        if message.get(98) != b"0":
            self._breach("EncryptMethod (98) must be 0")
        elif not least <= self.heartbeat_s <= most:
            self._breach(f"HeartBtInt (108) must be {least} to {most}, not {self.heartbeat_s}")
        else:
            yield from self._log_on(message, number, answers=True, answer=admission.answer)


class Initiator(FixSession):
    """The side that connects."""

    def __init__(
        self,
        sender: str,
        target: str,
        store: Store,
        now: float,
        now_ns: int,
        *,
        heartbeat_s: int,
        reset: bool = False,
        credentials: Callable[[int, bytes], Iterable[Field]] = lambda _number, _time: (),
        rules: Rules = Rules(),
    ) -> None:
        """Log on, over a connection that was just made.

        Args:
            sender: our CompID.
            target: that of the other side.
            store: the numbers of this pair.
            now: monotonic, in seconds.
            now_ns: nanoseconds since 1970.
            heartbeat_s: HeartBtInt (108).
            reset: begin both numbers at 1 (141=Y).
            credentials: further fields of the Logon, by its MsgSeqNum (34) and SendingTime (52),
                which a signature covers.
            rules: what is agreed on.
        """
        super().__init__(LOGON_SENT, rules, now)
        self._now_ns = now_ns
        self.sender, self.target = sender.encode(), target.encode()
        self.heartbeat_s, self._store, self._reset = heartbeat_s, store, reset
        if reset:
            store.reset()
        fields = [(98, b"0"), (108, b"%d" % heartbeat_s)]
        if reset:
            fields.append((141, b"Y"))
        fields += credentials(store.next_out, format_timestamp(now_ns))
        self._send(MsgType.LOGON, encode_fields(fields))

    def _take_first(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        if not self._is_of_this_session(message) or not self._is_on_time(message):
            self.end("the answer to our Logon has other CompIDs, or its SendingTime is far off")
        elif message.type == MsgType.LOGOUT:
            yield from self._take_logout(message, number)
        elif message.type == MsgType.REJECT:
            yield Rejected(message)
        elif message.type != MsgType.LOGON:
            self._breach("the first message is no Logon")
        elif message.get(141) == b"Y" and not self._reset:
            self._breach("ResetSeqNumFlag (141) was not asked for")
        else:
            try:
                self._check(message)
            except InvalidMessageError as error:
                self._breach(str(error))
                return
            yield from self._log_on(message, number, answers=False)


def keep_for_later(
    store: Store,
    pair: tuple[bytes, bytes],
    msg_type: bytes,
    body: bytes,
    now_ns: int,
    *,
    poss_resend: bool = False,
) -> int:
    """Give an application message to a peer that is not there the next number, and return it.

    It is sent when the peer has logged on, sees the gap, and asks. `pair` is our CompID and that of
    the peer; `poss_resend` as of `FixSession.send`.
    """
    number = store.next_out
    extra = [(97, b"Y")] if poss_resend else []
    store.save(number, _frame(pair, msg_type, number, body, now_ns, extra))
    return number


def _frame(
    pair: tuple[bytes, bytes],
    msg_type: bytes,
    number: int,
    body: bytes,
    now_ns: int,
    extra: Sequence[Field] = (),
    *,
    poss_dup: bool = False,
) -> bytes:
    sender, target = pair
    header = b"34=%d\x01%b49=%b\x0152=%b\x0156=%b\x01%b" % (
        number,
        b"43=Y\x01" if poss_dup else b"",
        sender,
        format_timestamp(now_ns),
        target,
        encode_fields(extra),
    )
    return encode(msg_type, header, body)


def _number(value: bytes | None) -> int | None:
    return int(value) if value and value.isdigit() and len(value) <= 18 else None


def _time(value: bytes | None) -> int | None:
    """Return nanoseconds since 1970; None of what is no UTCTimestamp."""
    try:
        return parse_timestamp(value or b"")
    except ValueError:
        return None


def _ref_type(message: FixMessage) -> list[Field]:
    """Return RefMsgType (372) where there is one to name."""
    return [(372, message.type[:LONGEST_REF])] if message.type else []


def _business_reject(message: FixMessage, reason: int, text: str, ref_id: bytes) -> bytes:
    fields = [(45, message.get(34) or b"0"), (58, text.encode()), *_ref_type(message)]
    if ref_id:
        fields.append((379, ref_id))
    return encode_fields([*fields, (380, b"%d" % reason)])
