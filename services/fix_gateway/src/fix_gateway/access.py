"""Who may log on: CompIDs, a name and a token in the Logon, a name in the certificate."""

from __future__ import annotations

from typing import Final, NoReturn

from dragonfly_fix.codec import FixMessage
from dragonfly_views.access import Access
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.tokens import TRADE

__all__ = ["MARKET", "ORDERS", "Logons"]

MARKET: Final = b"DRAGONFLY-MD"
ORDERS: Final = b"DRAGONFLY-OE"
"""Our CompIDs: of market data, whose numbers begin anew at each Logon, and of orders."""


class Logons:
    """Decides who logs on. A pair of CompIDs has one session at a time: the first one stays."""

    def __init__(
        self, access: Access, most: int, *, certificates: bool, takes_orders: bool = False
    ) -> None:
        """At most `most` at a time; `certificates` says that customers must show one."""
        self._access = access
        self._most = most
        self._certificates = certificates
        self._targets = {MARKET, ORDERS} if takes_orders else {MARKET}
        self._live: set[tuple[bytes | None, bytes | None]] = set()

    def admit(self, logon: FixMessage, peer: str, certified: str) -> Caller:
        """Return whose Logon it is, and hold its CompIDs until `release`.

        `certified` is the name in the certificate that came with the connection.

        Raises:
            CallRefusedError: it may not log on. Without a sentence its sender is to learn nothing.
        """
        if logon.get(56) not in self._targets:
            self._unknown(peer, "target_comp_id", "")
        if self._certificates and not certified:
            self._unknown(
                peer,
                "nameless_certificate",
                "the certificate has no common name: give it the bot's",
            )
        comp_id = logon.get(49) or b""
        caller = self._caller(logon, comp_id, peer, certified)
        pair = (logon.get(56), comp_id)
        if pair in self._live:
            self._unknown(peer, "already_logged_on", "")
        if pair[0] == ORDERS:
            if self._access.asks_tokens and TRADE not in caller.scopes:
                sentence = "the token is not for orders: ask for the scope trade"
                self._unknown(peer, "scope", sentence, caller.account.name)
        elif logon.get(34) != b"1" and logon.get(141) != b"Y":
            raise CallRefusedError(
                RefusalCode.INVALID,
                "numbers begin anew at each Logon: send ResetSeqNumFlag (141) Y and"
                " MsgSeqNum (34) 1",
            )
        if len(self._live) >= self._most:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"{self._most} customers are logged on at this gateway, which is the limit:"
                " try another gateway, or later",
            )
        self._live.add(pair)
        return caller

    def release(self, logon: FixMessage) -> None:
        """Let the CompIDs of a Logon that was admitted log on again."""
        self._live.discard((logon.get(56), logon.get(49)))

    def _caller(self, logon: FixMessage, comp_id: bytes, peer: str, certified: str) -> Caller:
        name, token = (logon.get(tag) or b"" for tag in (553, 554))
        if not self._access.asks_tokens:
            return self._access.admit(peer, name=certified)
        if not token:
            self._unknown(
                peer,
                "no_token",
                "no token: send the bot's name as Username (553) and its token as Password (554)",
            )
        caller = self._access.admit(peer, token=token.decode(errors="replace"), name=certified)
        if name.decode(errors="replace") != caller.account.name:
            self._unknown(
                peer,
                "another_ones_token",
                "the token belongs to another bot than Username (553): use those of one bot",
                caller.account.name,
            )
        if caller.comp_ids is not None and comp_id.decode(errors="replace") not in caller.comp_ids:
            self._unknown(
                peer,
                "comp_id",
                "SenderCompID (49) is none of this token's: use the bot's name, or one of its"
                " comp_ids in the tokens file",
                caller.account.name,
            )
        return caller

    def _unknown(self, peer: str, reason: str, sentence: str, bot: str = "") -> NoReturn:
        raise self._access.unknown(peer, reason, sentence, bot)
