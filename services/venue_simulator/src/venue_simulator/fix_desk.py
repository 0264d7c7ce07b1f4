"""All that a fake venue must supply for FIX; sockets, timers and faults are generic. Pure.

A message is handed on as `35=W|…`: its type and body, which the session completes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from dragonfly_fix.codec import Field, FixMessage
from dragonfly_fix.session import LogonRefused, Rules

from venue_simulator.allowance import Allowance
from venue_simulator.venue import Action, Books

__all__ = ["FixConversation", "FixDesk", "VerifySignature"]

VerifySignature = Callable[[bytes, bytes, bytes], bool | None]
"""Says whether (API key, signature, what was signed) fit; None where nobody has that key."""


class FixConversation(Protocol):
    """One client's conversation with the venue, once it has logged on."""

    def receive(self, asked: FixMessage, now_ns: int) -> Sequence[Action]:
        """Return what an application message leads to; it is as `Rules.dictionary` has it.

        By FIX there are `Send`, `Subscribe` and `Unsubscribe` alone.
        """
        ...

    def announce_close(self) -> bytes:
        """Return the message by which the venue says that it will close this connection."""
        ...


class FixDesk(Protocol):
    """One venue's FIX: what its sessions obey, and who may log on."""

    @property
    def rules(self) -> Rules: ...

    @property
    def greeting(self) -> Sequence[Field]:
        """The fields of the answer to a Logon, behind HeartBtInt (108)."""
        ...

    @property
    def too_many_messages(self) -> str:
        """The Text (58) of the Logout that a client gets which sends more than it may."""
        ...

    def messages(self) -> Allowance:
        """Return how many messages one connection may send."""
        ...

    def admit(
        self, logon: FixMessage, now: float, now_ns: int, *, in_use: bool
    ) -> LogonRefused | None:
        """Judge a Logon at `now` (monotonic, in seconds): None, and it is live until `release`.

        `in_use`: its CompID is, by a fault.
        """
        ...

    def release(self, logon: FixMessage, now: float, *, clean: bool) -> None:
        """Take note that the connection of an admitted Logon is gone; `clean`: after a Logout."""
        ...

    def converse(self, books: Books, crowded: Callable[[], bool]) -> FixConversation:
        """Return the conversation with a client that has logged on.

        `crowded`: whether it has too many subscriptions, by a fault.
        """
        ...
