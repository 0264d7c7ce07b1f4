"""Callers made known: by a token, by a certificate, by both, or else by the connection."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakValueDictionary

from dragonfly_common.clock import Clock
from dragonfly_common.errors import ConfigError

from dragonfly_views.accounts import Account, Caller, Denials
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.tokens import Bot, KnownBots, Quota, hash_token, parse_tokens
from dragonfly_views.watched_files import WatchedFiles, read_file

__all__ = ["Access", "read_tokens"]


class Access:
    """Decides who asks, and gives each bot its account."""

    def __init__(self, tokens: Path | None, max_streams: int, clock: Clock) -> None:
        """`tokens` is the tokens file; without one everybody is let in.

        Raises:
            ConfigError: the tokens file is bad.
        """
        self._files = (
            WatchedFiles("tokens", [tokens], lambda: read_tokens(tokens)) if tokens else None
        )
        self._max_streams = max_streams
        self._clock = clock
        self._denials = Denials(clock)
        # A bot of the file keeps its account, or its pace would begin anew with each call.
        self._accounts: dict[str, Account] = {}
        self._passing: WeakValueDictionary[str, Account] = WeakValueDictionary()

    @property
    def asks_tokens(self) -> bool:
        """Nobody is let in without a token."""
        return self._files is not None

    def admit(self, peer: str, *, token: str = "", name: str = "") -> Caller:
        """Return who begins a call or a stream on the connection `peer`.

        `name` is that of the certificate it showed, empty where none was asked for.

        Raises:
            CallRefusedError: nobody whom this gateway knows, or a bot that opens calls too fast.
        """
        if self._files is None:
            return Caller(self._passing_account(name, peer), peer)
        token_sha256 = hash_token(token)
        bot = self._files.value.owner(token_sha256)
        if bot is None:
            raise self.unknown(
                peer, "unknown_token", "this gateway does not know the token: ask for a new one"
            )
        if name and name != bot.name:
            raise self.unknown(
                peer,
                "another_ones_token",
                "the token belongs to another bot than the certificate: use those of one bot",
            )
        account = self._account(bot)
        account.count_call(peer)
        return Caller(account, peer, token_sha256, bot.scopes, bot.comp_ids)

    def unknown(self, peer: str, reason: str, sentence: str, bot: str = "") -> CallRefusedError:
        """Return the refusal of a caller who does not show who it is, and count it by `reason`.

        `bot` is whose token it came with, where it has one.
        """
        self._denials.note(reason, bot=bot, peer=peer)
        return CallRefusedError(RefusalCode.UNKNOWN_CALLER, sentence)

    def refresh(self, now: float) -> bool:
        """Read the tokens file again if it changed; return whether it did."""
        if self._files is None or not self._files.refresh(now):
            return False
        tokens = self._files.value
        for name in self._accounts.keys() - {bot.name for bot in tokens}:
            del self._accounts[name]
        for bot in tokens:
            self._account(bot)
        return True

    def revoked(self, caller: Caller) -> bool:
        """Say whether what a caller came in with is not in the tokens file any more."""
        if self._files is None:
            return False
        owner = self._files.value.owner(caller.token_sha256)
        return owner is None or owner.name != caller.account.name

    def _account(self, bot: Bot) -> Account:
        quota = Quota(
            bot.quota.streams or self._max_streams,
            bot.quota.instruments,
            bot.quota.connections_per_s,
        )
        account = self._accounts.get(bot.name)
        if account is None:
            account = Account(bot.name, quota, self._denials, self._clock)
            self._accounts[bot.name] = account
        account.change(quota)
        account.fees = bot.fees
        return account

    def _passing_account(self, name: str, peer: str) -> Account:
        account = self._passing.get(name or peer)
        if account is None:
            account = Account(name, Quota(self._max_streams), self._denials, self._clock)
            self._passing[name or peer] = account
        return account


def read_tokens(path: Path) -> KnownBots:
    """Return what a tokens file says.

    Raises:
        ConfigError: it cannot be read, or is malformed.
    """
    content = read_file(path)
    try:
        return parse_tokens(content.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no tokens file: it is not UTF-8 text") from None
    except ConfigError as error:
        raise ConfigError(f"{path} is no tokens file: {error}") from None
