"""What the client of FIX for people says: its Logon, its requests, and each frame on request."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dragonfly_common.printable import printable
from dragonfly_fix.codec import Field
from dragonfly_fix.connection import FixClock
from dragonfly_fix.session import FixEvent, Initiator
from dragonfly_fix.store import MemoryStore

__all__ = ["ClientSession", "FixLogon", "FixRequest", "Frames"]

_END: Final = re.compile(rb"\x0110=[0-9]{3}\x01")
_SECRET: Final = re.compile(rb"\x01(554|925|96)=[^\x01]*")


@dataclass(frozen=True)
class FixLogon:
    """Where to log on, and as whom."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    server_name: str | None
    sender: str
    target: str
    name: str
    token: str | None
    heartbeat_s: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def credentials(self, _number: int, _sent_at: bytes) -> list[Field]:
        fields = [(553, self.name.encode()), (554, (self.token or "").encode())]
        return [field for field in fields if field[1]]


@dataclass(frozen=True)
class FixRequest:
    """What is asked for, of each instrument."""

    instruments: Sequence[str]
    depth: int
    """Levels a side; 1 asks for the best prices across venues."""
    merged: bool = False
    incremental: bool = False
    lists: bool = False
    """Ask for what venues list, and for nothing else."""

    def messages(self) -> Iterator[tuple[bytes, list[Field]]]:
        """Yield type and fields of each message to send."""
        if self.lists:
            yield b"x", [(320, b"list"), (559, b"4")]
            return
        for place, name in enumerate(self.instruments, start=1):
            symbol = [(55, name.encode())]
            status = [(324, b"s%d" % place), *symbol, (263, b"1")]
            yield b"e", status
            wanted = [(262, b"m%d" % place), (263, b"1"), (264, b"%d" % self.depth)]
            wanted += [(265, b"%d" % self.incremental), (266, b"Y" if self.merged else b"N")]
            wanted += [(267, b"2"), (269, b"0"), (269, b"1"), (146, b"1"), *symbol]
            yield b"V", wanted


class Frames:
    """Cuts bytes that pass into messages, as people read them: `|` for SOH, and no secret."""

    def __init__(self, mark: str, say: Callable[[str], None]) -> None:
        self._mark, self._say = mark, say
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Say the messages that are complete now."""
        self._rest += data
        while found := _END.search(self._rest):
            frame, self._rest = self._rest[: found.end()], self._rest[found.end() :]
            masked = _SECRET.sub(b"\x01\\1=***", frame).replace(b"\x01", b"|")
            self._say(f"{self._mark} {printable(masked.decode(errors='replace'), len(masked))}")


class ClientSession(Initiator):
    """A session of which each message is said, where `say` is there."""

    def __init__(self, logon: FixLogon, clock: FixClock, say: Callable[[str], None] | None) -> None:
        self._taps = (Frames("<", say), Frames(">", say)) if say else None
        super().__init__(
            logon.sender,
            logon.target,
            MemoryStore(keeps=False),
            clock.monotonic(),
            clock.now_ns(),
            heartbeat_s=logon.heartbeat_s,
            reset=True,
            credentials=logon.credentials,
        )

    def receive(self, data: bytes, now: float, now_ns: int) -> Iterator[FixEvent]:
        if self._taps:
            self._taps[0].take(data)
        return super().receive(data, now, now_ns)

    def output(self) -> bytes:
        data = super().output()
        if self._taps:
            self._taps[1].take(data)
        return data
