"""What can go wrong between us and a venue, as one tree; each says how soon to try again.

ClientError                  every one is worth another attempt, none sooner than `retry_after_s`
├── UnreachableError         no connection: name not found, refused, reset, timed out
├── CertificateError         the venue's certificate could not be verified
├── RejectedError            the venue answered with an HTTP status that is not success
├── ProtocolError            it answered, but not in the protocol of the URL
├── ClosedError              the connection is over
└── UnresponsiveError        we gave the connection up: silent, lagging, not reading
"""

from __future__ import annotations

from typing import Final

from dragonfly_common.errors import DragonflyError
from dragonfly_common.printable import LONGEST_SENTENCE, printable

__all__ = [
    "CertificateError",
    "ClientError",
    "ClosedError",
    "ProtocolError",
    "RejectedError",
    "UnreachableError",
    "UnresponsiveError",
]

PATIENT_RETRY_S: Final = 30.0
"""For what time alone seldom mends: a certificate, a wrong path, a ban."""
LONGEST_RETRY_AFTER_S: Final = 600.0
"""The longest ban that a venue documents; a server cannot park us for longer."""


class ClientError(DragonflyError):
    """Base of all failures towards a venue; the message is a printable sentence for people."""

    label = "error"
    """A counter label."""
    retry_after_s: float = 0.0
    """The least wait before another attempt."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, LONGEST_SENTENCE))


class UnreachableError(ClientError):
    """Nobody answered at the address."""

    label = "unreachable"


class CertificateError(ClientError):
    """The certificate was not signed by an authority that we trust, or names another host."""

    label = "certificate"
    retry_after_s = PATIENT_RETRY_S


class RejectedError(ClientError):
    """An HTTP status other than success; `Retry-After` is honoured up to ten minutes."""

    label = "rejected"

    def __init__(self, url: str, status: int, retry_after: str | None) -> None:
        super().__init__(f"{url} answered HTTP {status}{_MEANINGS.get(status, '')}")
        self.status = status
        # A server's trouble passes by itself; its judgement of us does not.
        self.retry_after_s = 0.0 if status >= 500 else PATIENT_RETRY_S
        if retry_after is not None and retry_after.strip().isdecimal():
            self.retry_after_s = min(float(retry_after), LONGEST_RETRY_AFTER_S)


class ProtocolError(ClientError):
    """What answered does not speak the protocol, or broke its rules."""

    label = "protocol"
    retry_after_s = 1.0


class ClosedError(ClientError):
    """The connection was closed, by the venue or by the network."""

    label = "closed"


class UnresponsiveError(ClientError):
    """The connection is open and of no use; `label` says in which way."""

    def __init__(self, label: str, message: str) -> None:
        super().__init__(message)
        self.label = label


_MEANINGS: Final = {
    403: " (forbidden: blocked address or region)",
    404: " (not found: check the URL)",
    418: " (banned for ignoring its rate limit)",
    429: " (too many requests)",
}
