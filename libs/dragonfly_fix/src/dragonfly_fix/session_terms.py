"""What a session and its application tell each other: rules, who may log on, events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dragonfly_fix.codec import LONGEST_FRAME, Field, FixMessage, Garbled
from dragonfly_fix.dictionary import Dictionary, RejectReason
from dragonfly_fix.fix44 import FIX44
from dragonfly_fix.store import Store

__all__ = [
    "AdmitLogon",
    "Answered",
    "FixEvent",
    "LoggedOn",
    "LoggedOut",
    "LogonAdmitted",
    "LogonRefused",
    "NotLoggedOnError",
    "Received",
    "Rejected",
    "Rules",
]


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
