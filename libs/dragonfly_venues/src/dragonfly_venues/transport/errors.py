"""The errors of a connection to a venue, as one tree; each says how soon to try again.

TransportError               every one is worth another attempt, none sooner than `retry_after_s`
├── UnreachableError         no connection: name not found, refused, reset, timed out
├── ProxyError               a proxy is set that is of no use, or refuses us
├── VenueCertificateError    the venue's certificate could not be verified
├── RejectedError            the venue answered with an HTTP status that is not success
├── LogonRefusedError        the venue does not let us log on to its FIX session
├── BannedError              the venue has told us to stay away, and that time is not over
├── VenueProtocolError       it answered, but not in the protocol of the URL
├── ClosedError              the connection is over
├── UnresponsiveError        we gave the connection up: silent, lagging, not reading
└── UnforeseenError          something that nobody foresaw: a bug, with its traceback
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Final

from dragonfly_common.errors import DragonflyError
from dragonfly_common.printable import LONGEST_SENTENCE, printable

__all__ = [
    "BannedError",
    "ClosedError",
    "LogonRefusedError",
    "ProxyError",
    "RejectedError",
    "TransportError",
    "UnforeseenError",
    "UnreachableError",
    "UnresponsiveError",
    "VenueCertificateError",
    "VenueProtocolError",
    "foreseen",
    "plain",
]

PATIENT_RETRY_S: Final = 30.0
"""For what time alone seldom mends: a certificate, a wrong path, too many requests."""
BAN_S: Final = 120.0
"""The shortest ban that a venue documents (Binance), where it does not say how long."""
LONGEST_RETRY_AFTER_S: Final = 3 * 86400.0
"""The longest ban that a venue documents (Binance); a server cannot park us for longer."""
QUOTED_BYTES: Final = 4096
"""Of a refusal: its first line is looked for in them."""
LONGEST_QUOTED_LINE: Final = 160
BANNED: Final = 418
TOO_MANY_REQUESTS: Final = 429


class TransportError(DragonflyError):
    """Base of all failures towards a venue; the message is a printable sentence for people."""

    label = "error"
    """A counter label."""
    retry_after_s: float = 0.0
    """The least wait before another attempt."""
    may_have_left = True
    """True where the request may have reached the venue."""
    bug: BaseException | None = None
    """The exception that belongs into the log with its traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, LONGEST_SENTENCE))


class UnreachableError(TransportError):
    """Nobody answered at the address."""

    label = "unreachable"


class ProxyError(TransportError):
    """A proxy that is set cannot be used, or does not let us through."""

    label = "proxy"
    retry_after_s = PATIENT_RETRY_S


class VenueCertificateError(TransportError):
    """The certificate was not signed by an authority that we trust, or names another host."""

    label = "certificate"
    retry_after_s = PATIENT_RETRY_S


class RejectedError(TransportError):
    """An HTTP status other than success; `Retry-After` is obeyed up to three days.

    Args:
        url: What was asked for.
        status: The reply's.
        retry_after: The header's value: seconds, or a date.
        now_s: Seconds since the epoch, which a date is compared with.
        location: Where a redirect leads, which is not followed.
        body: As much of it as was read; its first line is quoted.
    """

    label = "rejected"

    def __init__(
        self,
        url: str,
        status: int,
        retry_after: str | None = None,
        *,
        now_s: float = 0.0,
        location: str | None = None,
        body: bytes = b"",
    ) -> None:
        said = f"{url} answered HTTP {status}{_meaning(status, location)}"
        line = _first_line(body)
        super().__init__(f'{said}: "{line}"' if line else said)
        self.status = status
        self.body = body
        asked_s = None if retry_after is None else _retry_after_s(retry_after, now_s)
        self.concerns_host = asked_s is not None or status in {BANNED, TOO_MANY_REQUESTS}
        """True where nothing else may be asked of the host before `retry_after_s` is over."""
        if asked_s is not None:
            self.retry_after_s = asked_s
        elif status == BANNED:
            self.retry_after_s = BAN_S
        elif status < 500:  # a server's trouble passes by itself; its judgement of us does not
            self.retry_after_s = PATIENT_RETRY_S


class LogonRefusedError(TransportError):
    """The venue refuses the key, its signature, or another session of the account."""

    label = "logon"
    retry_after_s = PATIENT_RETRY_S


class BannedError(TransportError):
    """The host said when to come back, so it is not asked before: that would make it longer."""

    label = "banned"

    def __init__(self, message: str, left_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = left_s


class VenueProtocolError(TransportError):
    """The other end does not speak the protocol, or broke its rules."""

    label = "protocol"
    retry_after_s = 1.0


class ClosedError(TransportError):
    """The connection was closed, by the venue or by the network."""

    label = "closed"


class UnresponsiveError(TransportError):
    """The connection is open and of no use; `label` says in which way."""

    def __init__(self, label: str, message: str) -> None:
        super().__init__(message)
        self.label = label


class UnforeseenError(TransportError):
    """Something that nobody foresaw, which is to end no more than what it befell."""

    label = "unforeseen"
    retry_after_s = 1.0

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"our own fault, whose traceback is in the log: {type(error).__name__}: {error}"
        )
        self.bug = error


def foreseen(error: BaseException) -> TransportError:
    """Return the failure that `error` is; of a group, its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, TransportError) else UnforeseenError(error)


def plain(error: BaseException) -> str:
    """Return what a library's error says, without its number and class."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _meaning(status: int, location: str | None) -> str:
    if 300 <= status < 400:
        to = f" to {printable(location)}" if location else ""
        return f" (a redirect{to}, which is not followed: {_OTHER_ADDRESS})"
    meaning = _MEANINGS.get(status) or (_FRONT if 520 <= status < 530 else "")
    return f" ({meaning})" if meaning else ""


def _retry_after_s(text: str, now_s: float) -> float | None:
    """Return the seconds that `Retry-After` asks for, of either form, None where it is neither."""
    seconds = text.partition(",")[0].strip()
    if seconds.isdecimal():
        return min(float(seconds), LONGEST_RETRY_AFTER_S)
    try:
        until_s = parsedate_to_datetime(text.strip()).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, until_s - now_s), LONGEST_RETRY_AFTER_S)


def _first_line(body: bytes) -> str:
    """Return the first line that says something: of a page, its title."""
    text = body[:QUOTED_BYTES].decode(errors="replace")
    title = _TITLE.search(text)
    lines = (title[1] if title else text).strip().splitlines()
    return printable(lines[0].strip(), LONGEST_QUOTED_LINE) if lines else ""


_TITLE: Final = re.compile(r"<title[^<>]*>([^<]+)", re.IGNORECASE)
_OTHER_ADDRESS: Final = "if the venue has moved, give its address with --rest-url or --ws-url"
_MIRROR: Final = "where it has a mirror for the public, give that with --rest-url or --ws-url"
_FRONT: Final = "what stands before it cannot reach it"
_MEANINGS: Final = {
    401: "it wants to know who asks; public data needs no key: check the URL",
    403: f"forbidden: it, or a firewall on the way, blocks our address or region; {_MIRROR}",
    404: "not found: check the URL",
    407: "a proxy on the way wants a user and a password",
    410: "gone: it is not offered any more",
    418: "banned, for asking on after it had said too many requests",
    429: "too many requests",
    451: f"not offered, for legal reasons, where our address is; {_MIRROR}",
    500: "an error of its own",
    502: _FRONT,
    503: "out of service for now: maintenance, or overload",
    504: _FRONT,
}
