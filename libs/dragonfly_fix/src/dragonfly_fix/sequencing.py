"""What both sides of a session do: each message in its turn, gaps asked for, silence watched. Pure.

The rules that the numbers obey are those of `session`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final

from dragonfly_fix.codec import (
    BEGIN_STRING,
    Field,
    FixDecoder,
    FixMessage,
    decode_fields,
    encode_fields,
)
from dragonfly_fix.dictionary import InvalidMessageError, RejectReason
from dragonfly_fix.fix44 import MsgType
from dragonfly_fix.gaps import MOST_TIMES, Gap
from dragonfly_fix.outgoing import Outgoing
from dragonfly_fix.rejects import BusinessReason, business_reject_body, reject_body, reject_route
from dragonfly_fix.session_state import SessionEvent, SessionState, next_state
from dragonfly_fix.session_terms import (
    Answered,
    FixEvent,
    LoggedOn,
    LoggedOut,
    NotLoggedOnError,
    Received,
    Rejected,
    Rules,
)
from dragonfly_fix.store import MemoryStore, Store
from dragonfly_fix.timestamps import format_timestamp, parse_timestamp

__all__ = ["CUT_AFTER", "FixSession", "sent_ns"]

AWAITING, LOGON_SENT, ACTIVE, LEAVING, CLOSING, ENDED = SessionState
HEARS: Final = frozenset({ACTIVE, LEAVING})
"""The states in which a message of the other side counts."""

TEST_AFTER: Final = 1.2
"""Heartbeat intervals of silence until a TestRequest is sent."""
CUT_AFTER: Final = 2.4
"""Heartbeat intervals of silence until the connection is given up."""
_ADMIN: Final = frozenset([b"0", b"1", b"2", b"3", b"4", b"5", b"A"])
_TEST_ID: Final = b"TEST"
"""TestReqID (112) of the session's own tests of a silence."""


class FixSession(ABC):
    """What acceptors and initiators share."""

    def __init__(self, state: SessionState, rules: Rules, now: float) -> None:
        self.state = state
        self.reason = ""
        """Why the session closes or has ended."""
        self.heartbeat_s = 0
        self._rules = rules
        self._begin(b"", b"", MemoryStore())
        read_types = None if rules.checks_received else _ADMIN
        self._decoder = FixDecoder(rules.longest_frame, read_types)
        self._now, self._now_ns = now, 0
        self._since = self._sent_at = self._heard_at = now
        self._tested = False
        """Whether a TestRequest is unanswered. Until it is, no heartbeat is sent."""
        self._gap = Gap(now)

    def _begin(self, sender: bytes, target: bytes, store: Store) -> None:
        """Know the pair of CompIDs, ours first, and its numbers."""
        self.sender, self.target, self._store = sender, target, store
        self._outgoing = Outgoing((sender, target), store, self._rules.dictionary)

    @property
    def is_replaying(self) -> bool:
        """Whether the next output is of a replay."""
        return self._outgoing.is_replaying

    def output(self) -> bytes:
        """Return what is to be written now, and forget it: ask again where that was not empty.

        Of a replay it is a part: the next one is made when the connection has taken this one.
        """
        data = self._outgoing.output(self._now_ns)
        if data:
            self._sent_at = self._now
        return data

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
        body = business_reject_body(message, reason, text, ref_id)
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
        number = message.number(34)
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
            elif (sent_ns(message, 122) or 0) > (sent_ns(message) or 0):
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
                reason, text = BusinessReason.UNSUPPORTED_TYPE, "Unsupported Message Type"
                body = business_reject_body(message, reason, text)
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
            self._outgoing.begin_anew()
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
        wanted = logon.number(789)
        if wanted is not None and 0 < wanted < first_new:
            self._outgoing.replay(wanted, first_new - 1)
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
        if not self._outgoing.resend(first, last):
            self._breach(f"ResendRequest from {first}: all of it was sent {MOST_TIMES} times")

    # What is sent.

    def _send(
        self, msg_type: bytes, body: bytes, extra: Sequence[Field] = (), *, kept: bool = False
    ) -> int:
        number = self._outgoing.send(msg_type, body, self._now_ns, extra, kept=kept)
        self._sent_at = self._now
        return number

    def _send_logout(self, text: str) -> None:
        self._send(MsgType.LOGOUT, encode_fields([(58, text.encode())] if text else []))

    def _reject(self, message: FixMessage, reason: RejectReason, tag: int | None = None) -> None:
        if message.type == MsgType.REJECT:
            return
        body = reject_body(message, reason, tag, self._rules.reject_fields.get(reason, ()))
        self._send(MsgType.REJECT, body, reject_route(message))

    # Its life.

    def _move(self, event: SessionEvent, reason: str) -> None:
        state = next_state(self.state, event)
        assert state is not None, (self.state, event)
        self.state, self._since, self.reason = state, self._now, reason

    def _breach(self, text: str) -> None:
        """Close over a rule that was broken, and tell."""
        self._outgoing.drop_replays()
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
        at_ns = sent_ns(message)
        return at_ns is None or abs(self._now_ns - at_ns) <= self._rules.latency_s * 1e9


def sent_ns(message: FixMessage, tag: int = 52) -> int | None:
    """Return its SendingTime since 1970, or another time; None of what is no UTCTimestamp."""
    try:
        return parse_timestamp(message.get(tag) or b"")
    except ValueError:
        return None
