"""How we stand with a venue's hosts: which told us to stay away, and which have served us before.

Everything that talks to a venue shares one: who is told "not before tomorrow" tells the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from dragonfly_common.clock import Clock

from dragonfly_venues.transport.errors import (
    LONGEST_RETRY_AFTER_S,
    PATIENT_RETRY_S,
    BannedError,
    RejectedError,
    TransportError,
    UnforeseenError,
)

__all__ = ["Standing"]

FIRST_RETRY_S: Final = 1.0
"""Where an address has served before, its first refusal is tried again so soon."""
LONGEST_FILE_BYTES: Final = 1 << 20

logger = structlog.get_logger()


class _Ban(msgspec.Struct, frozen=True):
    until_s: float
    """By the clock that never goes back; in the file, seconds since the epoch."""
    reason: str


_BANS: Final = msgspec.json.Decoder(dict[str, _Ban])


class Standing:
    """One venue's; with a file, bans outlive the process and are shared by all who name it."""

    def __init__(self, clock: Clock, file: Path | None = None) -> None:
        self._clock = clock
        self._file = file
        self._bans: dict[str, _Ban] = {}
        self._served: set[str] = set()
        """Addresses, without what was asked of them."""
        self._refused_since: dict[str, float] = {}
        self._troubled = False

    @property
    def now_s(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now_ns() / 1e9

    @contextmanager
    def attempt(self, url: str) -> Iterator[None]:
        """Ask something of `url` within the block, and let out of it nothing but `TransportError`.

        Raises:
            BannedError: its host is not to be asked yet.
            TransportError: what failed within; it may be worth another attempt sooner than it said.
        """
        host, address = urlsplit(url).hostname or "", url.partition("?")[0]
        self._check(host)
        try:
            yield
        except TransportError as error:
            self._note(address, host, error)
            raise
        except Exception as error:
            raise UnforeseenError(error) from error
        self._served.add(address)
        self._refused_since.pop(address, None)

    def _check(self, host: str) -> None:
        for bans, now_s, remark in (
            (self._bans, self._clock.monotonic(), ""),
            (self._kept(), self.now_s, f" (as {self._file} says)"),
        ):
            ban = bans.get(host)
            if ban is not None and ban.until_s > now_s:
                left_s = min(ban.until_s - now_s, LONGEST_RETRY_AFTER_S)
                raise BannedError(f"{ban.reason}{remark}", left_s)

    def _note(self, address: str, host: str, failure: TransportError) -> None:
        if isinstance(failure, RejectedError) and failure.concerns_host:
            wait_s, reason = failure.retry_after_s, str(failure)
            self._bans[host] = _Ban(self._clock.monotonic() + wait_s, reason)
            self._keep(host, _Ban(self.now_s + wait_s, reason))
        elif address in self._served and failure.retry_after_s == PATIENT_RETRY_S:
            # As long again as it has lasted: a restart of theirs is over in seconds.
            now = self._clock.monotonic()
            lasts_s = now - self._refused_since.setdefault(address, now)
            failure.retry_after_s = min(PATIENT_RETRY_S, max(FIRST_RETRY_S, lasts_s))

    def _kept(self) -> dict[str, _Ban]:
        """Return the bans that are in the file, which others may have written."""
        if self._file is None:
            return {}
        try:
            with self._file.open("rb") as file:
                return _BANS.decode(file.read(LONGEST_FILE_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._say_trouble("bans not read", error)
            return {}

    def _keep(self, host: str, ban: _Ban) -> None:
        if self._file is None:
            return
        bans = {**self._kept(), host: ban}.items()
        standing = {name: kept for name, kept in bans if kept.until_s > self.now_s}
        beside = self._file.with_suffix(f".{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(standing))
            beside.replace(self._file)
        except OSError as error:
            self._say_trouble("bans not kept", error)

    def _say_trouble(self, event: str, error: Exception) -> None:
        if not self._troubled:
            self._troubled = True
            logger.warning(event, file=str(self._file), reason=str(error))
