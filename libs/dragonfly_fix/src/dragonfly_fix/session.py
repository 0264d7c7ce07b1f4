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

Here the two sides log on. `sequencing` is what follows: the order of what comes, and silence.
`outgoing` gives numbers to what is sent, and replays it; `gaps` counts what is missing.

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

from collections.abc import Callable, Iterable, Iterator

from dragonfly_fix.codec import Field, FixMessage, encode_fields
from dragonfly_fix.dictionary import InvalidMessageError
from dragonfly_fix.fix44 import MsgType
from dragonfly_fix.outgoing import keep_for_later
from dragonfly_fix.sequencing import FixSession, sent_ns
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.session_terms import (
    AdmitLogon,
    Answered,
    FixEvent,
    LoggedOn,
    LoggedOut,
    LogonAdmitted,
    LogonRefused,
    NotLoggedOnError,
    Received,
    Rejected,
    Rules,
)
from dragonfly_fix.store import MemoryStore, Store
from dragonfly_fix.timestamps import format_timestamp

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


class Acceptor(FixSession):
    """The side that is connected to."""

    def __init__(
        self,
        admit: AdmitLogon,
        now: float,
        rules: Rules = Rules(),  # noqa: B008 - it is frozen
    ) -> None:
        """`admit` is asked once, with a Logon that came in time."""
        super().__init__(SessionState.AWAITING, rules, now)
        self._admit = admit

    def _take_first(self, message: FixMessage, number: int) -> Iterator[FixEvent]:
        sender, target = message.get(49), message.get(56)
        if message.type != MsgType.LOGON or not sender or not target:
            self.end("the first message is no Logon with CompIDs")
            return
        if sent_ns(message) is None or not self._is_on_time(message):
            self.end("SendingTime (52) of the Logon is too far off")
            return
        admission = self._admit(message)
        if isinstance(admission, LogonRefused) and not admission.text:
            self.end("the Logon was refused")
            return
        if isinstance(admission, LogonRefused):
            self._begin(target, sender, MemoryStore())
            if admission.reject:
                fields = [(45, b"%d" % number), *admission.reject]
                self._send(MsgType.REJECT, encode_fields(fields))
            self._breach(admission.text)
            return
        self._begin(target, sender, admission.store)
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
        rules: Rules = Rules(),  # noqa: B008 - it is frozen
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
        super().__init__(SessionState.LOGON_SENT, rules, now)
        self._now_ns = now_ns
        self._begin(sender.encode(), target.encode(), store)
        self.heartbeat_s, self._reset = heartbeat_s, reset
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
