"""Who a bot is: by its token, by its certificate, by both, or else by its connection."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from dragonfly_common.clock import Clock
from dragonfly_common.errors import ConfigError
from dragonfly_views.watched_files import WatchedFiles, read_file
from grpc import StatusCode

from grpc_gateway.accounts import Account, Caller, Denials
from grpc_gateway.context import Context
from grpc_gateway.requests import RefusedError
from grpc_gateway.tokens import Bot, Quota, Tokens, hash_token, parse_tokens

__all__ = ["Access", "read_tokens"]

COMMON_NAME: Final = "x509_common_name"
SCHEME: Final = "bearer "


class Access:
    """Decides who makes a call, and gives each bot its account."""

    def __init__(
        self, *, tokens: Path | None, certificates: bool, max_streams: int, clock: Clock
    ) -> None:
        """`tokens` is the tokens file; `certificates` says that bots must show one.

        Raises:
            ConfigError: the tokens file is bad.
        """
        self._files = (
            None
            if tokens is None
            else WatchedFiles("tokens", [tokens], lambda: read_tokens(tokens))
        )
        self._certificates = certificates
        self._max_streams = max_streams
        self._clock = clock
        self._denials = Denials(clock)
        # A bot of the file keeps its account, or its pace would begin anew with each call.
        self._accounts: dict[str, Account] = {}
        self._passing: WeakValueDictionary[str, Account] = WeakValueDictionary()

    def admit(self, context: Context) -> Caller:
        """Return who makes a call that begins.

        Raises:
            RefusedError: nobody whom this gateway knows, or a bot that opens calls too fast.
        """
        peer = context.peer()
        named = _common_name(context) if self._certificates else ""
        if self._certificates and not named:
            raise self._unknown(
                peer,
                "nameless_certificate",
                "the certificate has no common name: give it the bot's",
            )
        if self._files is None:
            return Caller(self._passing_account(named, peer), peer)
        bot, token_sha256 = self._owner(self._files.value, context, peer)
        if named and named != bot.name:
            raise self._unknown(
                peer,
                "another_ones_token",
                "the token belongs to another bot than the certificate: use those of one bot",
            )
        account = self._account(bot)
        account.count_call(peer)
        return Caller(account, peer, token_sha256)

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

    def _owner(self, tokens: Tokens, context: Context, peer: str) -> tuple[Bot, str]:
        sent = [
            value for key, value in context.invocation_metadata() or () if key == "authorization"
        ]
        if not sent:
            raise self._unknown(
                peer, "no_token", "no token: send metadata `authorization: Bearer TOKEN`"
            )
        token = _bearer(sent)
        if token is None:
            raise self._unknown(
                peer,
                "malformed_token",
                "metadata `authorization` is not `Bearer TOKEN`: send it so, and once",
            )
        token_sha256 = hash_token(token)
        bot = tokens.owner(token_sha256)
        if bot is None:
            raise self._unknown(
                peer, "unknown_token", "this gateway does not know the token: ask for a new one"
            )
        return bot, token_sha256

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
        account.quota = quota
        return account

    def _passing_account(self, name: str, peer: str) -> Account:
        account = self._passing.get(name or peer)
        if account is None:
            account = Account(name, Quota(self._max_streams), self._denials, self._clock)
            self._passing[name or peer] = account
        return account

    def _unknown(self, peer: str, reason: str, sentence: str) -> RefusedError:
        self._denials.note(reason, bot="", peer=peer)
        return RefusedError(StatusCode.UNAUTHENTICATED, sentence)


def read_tokens(path: Path) -> Tokens:
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


def _bearer(sent: Iterable[str | bytes]) -> str | None:
    value, *more = sent
    if more or not isinstance(value, str) or not value.lower().startswith(SCHEME):
        return None
    return value[len(SCHEME) :].strip() or None


def _common_name(context: Context) -> str:
    names = context.auth_context().get(COMMON_NAME, ())
    return names[0].decode(errors="replace") if names else ""
