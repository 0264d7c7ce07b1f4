"""Accounts of bots: the calls and instruments that each has open, and its quota.

A bot that has a name has one account over all its connections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.pace import SayOnce, TokenBucket
from dragonfly_pricing.fees import FeeTable

from dragonfly_views import counters
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.tokens import MARKET_DATA, Quota

__all__ = ["Account", "Caller", "Denials"]

SAY_AGAIN_AFTER_S: Final = 10.0

logger = structlog.get_logger()


class Denials:
    """Counts and logs who is denied what: each reason of each bot once in ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._once = SayOnce(SAY_AGAIN_AFTER_S)
        self._unsaid: Counter[tuple[str, str]] = Counter()

    def note(self, reason: str, *, bot: str, peer: str) -> None:
        """Take note. `bot` is empty for who has no name; its values must be few."""
        counters.DENIED.labels(reason).inc()
        key = (reason, bot)
        if not self._once.due(self._clock.monotonic(), key):
            self._unsaid[key] += 1
            return
        unsaid = self._unsaid.pop(key, 0)
        logger.warning("bot denied", reason=reason, bot=bot, peer=peer, unsaid=unsaid)


class Account:
    """A bot's streams, instruments and pace, held against its quota.

    A bot without a name is one connection, and its quota the gateway's own limits.
    """

    def __init__(self, name: str, quota: Quota, denials: Denials, clock: Clock) -> None:
        self.name = name
        self.quota = quota
        self.fees: FeeTable | None = None
        """Its own table, where the gateway knows one."""
        self._bucket = _bucket(quota)
        self._denials = denials
        self._clock = clock
        self._streams = 0
        self._instruments: Counter[str] = Counter()

    def count_call(self, peer: str) -> None:
        """Count a call or stream that begins.

        Raises:
            CallRefusedError: they begin too fast.
        """
        pace = self.quota.connections_per_s
        if self._bucket and not self._bucket.admit(self._clock.monotonic()):
            raise self._denied(
                peer,
                "connections_per_s",
                f"bot {self.name} opens more than {pace:g} calls a second, which is its quota"
                " connections_per_s: open fewer, and keep them open",
            )

    @contextmanager
    def stream(self, peer: str, remedy: str = "end one") -> Iterator[None]:
        """Hold a place for one stream; `remedy` is what a bot may do where it has none.

        Raises:
            CallRefusedError: all are taken.
        """
        most = self.quota.streams
        if most is not None and self._streams >= most:
            whose, what = (
                (f"by bot {self.name}", "its quota streams")
                if self.name
                else ("on this connection", "the limit")
            )
            raise self._denied(
                peer,
                "streams",
                f"{most} streams are open {whose}, which is {what}: {remedy}",
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    @contextmanager
    def holding(self, instruments: Iterable[str], peer: str) -> Iterator[None]:
        """Hold instruments, each as often as named.

        Raises:
            CallRefusedError: they would be more different ones than the quota has.
        """
        held = tuple(instruments)
        self.hold(held, peer)
        try:
            yield
        finally:
            self.release(held)

    def hold(self, instruments: Iterable[str], peer: str) -> None:
        """Hold instruments once more each, all or none.

        Raises:
            CallRefusedError: they would be more different ones than the quota has.
        """
        held: list[str] = []
        try:
            for instrument in instruments:
                self._hold(instrument, peer)
                held.append(instrument)
        except CallRefusedError:
            self.release(held)
            raise

    def _hold(self, instrument: str, peer: str) -> None:
        most = self.quota.instruments
        new = instrument not in self._instruments
        if new and most is not None and len(self._instruments) >= most:
            raise self._denied(
                peer,
                "instruments",
                f"{most} instruments are followed by bot {self.name}, which is its quota"
                f" instruments: leave one for {instrument}",
            )
        self._instruments[instrument] += 1

    def release(self, instruments: Iterable[str]) -> None:
        """Undo one `hold`."""
        for instrument in instruments:
            self._instruments[instrument] -= 1
            if not self._instruments[instrument]:
                del self._instruments[instrument]

    def change(self, quota: Quota) -> None:
        """Hold what comes against another quota."""
        if quota != self.quota:
            self.quota, self._bucket = quota, _bucket(quota)

    def _denied(self, peer: str, quota: str, sentence: str) -> CallRefusedError:
        self._denials.note(f"quota_{quota}", bot=self.name, peer=peer)
        return CallRefusedError(RefusalCode.OVER_LIMIT, sentence)


def _bucket(quota: Quota) -> TokenBucket | None:
    pace = quota.connections_per_s
    # All streams of a bot come back at once when a gateway dies.
    return None if pace is None else TokenBucket(pace, max(1.0, pace, quota.streams or 0))


@dataclass(frozen=True)
class Caller:
    """The bot that makes a call: decided once, when it begins."""

    account: Account
    peer: str
    token_sha256: str = field(default="", repr=False)
    scopes: frozenset[str] = frozenset({MARKET_DATA})
    """The scopes of the caller; see `tokens.SCOPES`."""
    comp_ids: frozenset[str] | None = None
    """Its names in FIX; None where anyone may have any."""

    def __str__(self) -> str:
        return f"{self.account.name} {self.peer}".lstrip()
