"""What the tests of FIX share: where the standard is, a peer to play, and a lossy line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dragonfly_fix.codec import Field, FixDecoder, FixMessage, decode_fields, encode, encode_fields
from dragonfly_fix.session import (
    Acceptor,
    FixEvent,
    FixSession,
    Initiator,
    LoggedOut,
    LogonAdmitted,
    LogonRefused,
    Received,
    Rules,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore, Store
from dragonfly_fix.timestamps import format_timestamp

__all__ = [
    "BODY",
    "EPOCH_NS",
    "NEWS",
    "SCRIPTS",
    "SPECIFICATION",
    "Line",
    "Peer",
    "app",
    "drawn",
    "frame",
    "logged_on",
]

SCRIPTS: Final = Path(__file__).parents[4] / "shared" / "fix44"
"""QuickFIX's acceptance scripts for FIX 4.4."""
SPECIFICATION: Final = SCRIPTS / "FIX44.xml"

EPOCH_NS: Final = 1_790_000_000_000_000_000
BODY: Final = encode_fields([(148, b"news"), (33, b"1"), (58, b"x")])
"""Of a News (B): an application message."""
NEWS: Final = "148=news|33=1|58=x"
"""The same, as documents draw it."""
HEARTBEAT_S: Final = 10


def frame(text: str) -> bytes:
    """Return a frame of `35=…|…`, as documents draw it."""
    fields = decode_fields(text.replace("|", "\x01").encode() + b"\x01")
    return encode(fields[0][1], encode_fields(fields[1:]), b"")


def drawn(data: bytes) -> list[str]:
    """Return each message as documents draw it, without its frame, CompIDs and times."""
    return [
        "|".join(
            ["35=" + found.type.decode()]
            + [f"{tag}={value.decode()}" for tag, value in found.fields if tag not in {49, 52, 56}]
        )
        for found in FixDecoder().feed(data)
        if isinstance(found, FixMessage)
    ]


def app(events: Sequence[FixEvent]) -> list[int]:
    """Return the numbers of the application messages."""
    return [int(one.message.get(34) or 0) for one in events if isinstance(one, Received)]


class Peer:
    """Plays the other side of an acceptor by hand."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        answer: Sequence[Field] | None = None,
        refusal: str | LogonRefused | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.store = MemoryStore() if store is None else store
        self.now = 100.0
        admission: LogonAdmitted | LogonRefused = LogonAdmitted(self.store, answer)
        if refusal is not None:
            admission = LogonRefused(refusal) if isinstance(refusal, str) else refusal
        self.session = Acceptor(lambda _: admission, self.now, rules or Rules())

    @property
    def now_ns(self) -> int:
        return EPOCH_NS + round(self.now * 1e9)

    def clock(self, late_s: float = 0.0) -> str:
        """Return the time as a message says it."""
        return format_timestamp(self.now_ns - round(late_s * 1e9)).decode()

    def is_in(self, state: SessionState) -> bool:
        return self.session.state is state

    def stamp(self, kind: str, number: int, rest: str = "", late_s: float = 0.0) -> bytes:
        """Return a frame of the peer's, sent now."""
        text = f"35={kind}|34={number}|49=ME|52={self.clock(late_s)}|56=YOU"
        return frame(f"{text}|{rest}" if rest else text)

    def says(self, kind: str, number: int, rest: str = "", late_s: float = 0.0) -> list[str]:
        """Send a message; return what is answered."""
        return self.sends(self.stamp(kind, number, rest, late_s))[0]

    def sends(self, data: bytes) -> tuple[list[str], list[FixEvent]]:
        events = list(self.session.receive(data, self.now, self.now_ns))
        return drawn(self.session.output()), events

    def logs_on(self, number: int = 1, rest: str = "") -> list[str]:
        return self.says("A", number, f"98=0|108={HEARTBEAT_S}" + (f"|{rest}" if rest else ""))

    def waits(self, seconds: float) -> list[str]:
        self.now += seconds
        self.session.tick(self.now, self.now_ns)
        return drawn(self.session.output())

    def is_sent(self) -> list[str]:
        self.session.send(b"B", BODY, self.now, self.now_ns)
        return drawn(self.session.output())


def logged_on(store: Store | None = None, rules: Rules | None = None) -> Peer:
    """Return a peer with which an acceptor is logged on."""
    peer = Peer(store, rules=rules)
    assert peer.logs_on(peer.store.next_in) == [f"35=A|34={peer.store.next_out - 1}|98=0|108=10"]
    assert peer.is_in(SessionState.ACTIVE)
    return peer


class Line:
    """An initiator and an acceptor, a line between them that loses frames, and their stores."""

    def __init__(self, loses: Callable[[], bool]) -> None:
        self.now = 0.0
        self.stores = MemoryStore(), MemoryStore()
        self.delivered: tuple[list[bytes], list[bytes]] = [], []
        """Texts that each side's application was handed, the initiator's first."""
        self.used: tuple[list[int], list[int]] = [], []
        """Numbers of what each side sent for the first time."""
        self._loses = loses
        self.connect()

    def connect(self) -> None:
        """Make a connection; what the last one still held is lost."""
        now_ns = EPOCH_NS + round(self.now * 1e9)
        self.sides: tuple[FixSession, FixSession] = (
            Initiator("ME", "YOU", self.stores[0], self.now, now_ns, heartbeat_s=HEARTBEAT_S),
            Acceptor(lambda _: LogonAdmitted(self.stores[1]), self.now),
        )

    @property
    def up(self) -> bool:
        return all(side.state is SessionState.ACTIVE for side in self.sides)

    def say(self, side: int, text: bytes) -> bool:
        """Let a side's application send; return False where it is not logged on."""
        if self.sides[side].state is not SessionState.ACTIVE:
            return False
        body = encode_fields([(148, text), (33, b"1"), (58, b"x")])
        self.sides[side].send(b"B", body, self.now, EPOCH_NS + round(self.now * 1e9))
        return True

    def turn(self, seconds: float = 0.1) -> None:
        """Let time pass, and carry what was written."""
        self.now += seconds
        now_ns = EPOCH_NS + round(self.now * 1e9)
        for side, session in enumerate(self.sides):
            session.tick(self.now, now_ns)
            other = self.sides[1 - side]
            for part in session.output().split(b"8=FIX.4.4")[1:]:
                data = b"8=FIX.4.4" + part
                [message] = FixDecoder().feed(data)
                assert isinstance(message, FixMessage)
                if message.get(43) != b"Y":
                    self.used[side].append(int(message.get(34) or 0))
                # A lost frame is a garbled one: a line of TCP loses nothing by itself.
                if self._loses():
                    data = data.replace(b"\x0110=", b"\x0110=9")
                for event in other.receive(data, self.now, now_ns):
                    if isinstance(event, Received):
                        self.delivered[1 - side].append(event.message.get(148) or b"")
                    assert not isinstance(event, LoggedOut), event
        if SessionState.ENDED in {side.state for side in self.sides}:
            self.connect()
