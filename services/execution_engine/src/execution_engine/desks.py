"""A desk: one venue's account as the engine sees it, and whether it may be used now. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from dragonfly_venues.orders import AccountState, OrderEntry

from execution_engine.rows import ChildIntended

__all__ = ["SEND_WITHIN_NS", "Desk", "Doubt"]

ASK_AGAIN_S: Final = 2.0
"""What a venue did not answer when it was reconciled is asked again after so long."""
ACCOUNT_INTERVAL_S: Final = 10.0
SEND_WITHIN_NS: Final = 10**9
"""A placement leaves within this time after its intent, or never."""
READINGS_APART_NS: Final = 3 * 10**9
"""How far two readings of a venue's time may be off together (`OrderEntry.time_ns`)."""
S_NS: Final = 10**9
FIRST_QUERY_S: Final = 0.25
LONGEST_QUERY_S: Final = 5.0


@dataclass
class Doubt:
    """How far an unsettled child's fate has been looked into, by this process."""

    since: float
    """Monotonic: when it was sent, or when this process found it in its journal."""
    next_query: float
    pause_s: float = FIRST_QUERY_S
    counted_at: float = -math.inf
    """When a denial counted last."""
    alarmed: bool = False
    """Whether it was said that its venue has forgotten it."""
    asked_late: bool = False
    """Whether the child could not come to its venue any more when that was asked last."""

    def asked(self, now: float, *, late: bool) -> None:
        """Note a query: the next one follows later each time, if it is needed."""
        self.asked_late = late
        self.next_query = now + self.pause_s
        self.pause_s = min(LONGEST_QUERY_S, self.pause_s * 2)


@dataclass
class Desk:
    """One account at one venue."""

    entry: OrderEntry
    connected: bool = False
    account: AccountState | None = None
    balances: dict[str, Decimal] = field(default_factory=dict)
    """As the venue told them last, and by the fills since."""
    open_orders_known: bool = False
    trades_missing: set[str] = field(default_factory=set)
    """Symbols whose trades were asked for since it connected, and have not come."""
    quiet_until: float = -math.inf
    refused_in_a_row: int = 0
    doubts: dict[str, Doubt] = field(default_factory=dict)
    """By child, of those that are unsettled here."""
    _tokens: float = 1.0
    _tokens_at: float = -math.inf
    _ask_at: float = -math.inf
    _arm_at: float = -math.inf

    def is_ready(self, now: float) -> bool:
        """Say whether all that must be known of it is, and it asks for no patience."""
        return (
            self.connected
            and self.account is not None
            and self.open_orders_known
            and not self.trades_missing
            and now >= self.quiet_until
        )

    def fee(self, symbol: str) -> Decimal | None:
        """Return the taker fee, as a share of the notional; None where the account has not told."""
        fees = self.account.taker_fees if self.account else {}
        return fees.get(symbol, fees.get(""))

    def take_account(self, account: AccountState) -> None:
        self.account = account
        self.balances = dict(account.balances)
        self.refused_in_a_row = 0

    def tokens(self, now: float, per_second: float) -> Decimal:
        """Return how many orders may be sent: a bucket of one second's worth, one at least."""
        most = max(1.0, per_second)
        passed = now - self._tokens_at
        self._tokens = most if passed == math.inf else min(most, self._tokens + passed * per_second)
        self._tokens_at = now
        return Decimal(repr(self._tokens))

    def spend_token(self) -> None:
        self._tokens -= 1.0

    def is_too_late(self, intent: ChildIntended, now: float) -> bool:
        """Say whether a placement cannot come to its venue any more: only then a denial is a proof.

        It was stamped within `SEND_WITHIN_NS` of its intent, and its venue takes it for
        `settles_after_s` from then. That this is over is proven by either of two clocks:

            the venue's     which goes on over restarts: from what it was at the intent, by the
                            journal, to what it is now, less what the two may be off; where one of
                            them is not known, or it went back, it proves nothing
            this process's  the monotonic one: from the sending, or from when this process found the
                            child in its journal, as what was sent before was stamped before

        This machine's wall clock proves nothing: it may step either way between two processes.
        """
        settles_ns = round(self.entry.settles_after_s * S_NS) + SEND_WITHIN_NS
        if (now - self.doubts[intent.child_id].since) * S_NS > settles_ns:
            return True
        venue_ns = self.entry.time_ns()
        if intent.venue_ns is None or venue_ns is None:
            return False
        return venue_ns - intent.venue_ns > settles_ns + READINGS_APART_NS

    def lost(self) -> None:
        """Take it that nothing is known of it any more."""
        self.connected = self.open_orders_known = False
        self.account = None
        self._ask_at = -math.inf

    def ask_what_is_due(self, now: float, since: Callable[[str], tuple[str, int]]) -> None:
        """Ask for what is missing, and now and then for the account; arm the dead man's switch.

        `since` gives of a symbol the last trade that is known, and a time before which all are.
        """
        entry = self.entry
        if not self.connected or now < self.quiet_until:
            return
        if entry.dead_man_s is not None and now >= self._arm_at:
            self._arm_at = now + entry.dead_man_s / 3
            entry.arm_dead_man()
        if now < self._ask_at:
            return
        complete = self.is_ready(now)
        self._ask_at = now + (ACCOUNT_INTERVAL_S if complete else ASK_AGAIN_S)
        entry.ask_account()
        if not self.open_orders_known:
            entry.ask_open_orders()
        for symbol in sorted(self.trades_missing):
            entry.ask_trades(symbol, *since(symbol))
