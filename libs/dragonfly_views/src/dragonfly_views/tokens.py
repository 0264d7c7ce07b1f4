"""The tokens file: which bots there are, the hashes of their tokens, and their quotas. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from dragonfly_common.errors import ConfigError
from dragonfly_pricing.fees import FeeError, FeeTable

__all__ = [
    "MARKET_DATA",
    "SCOPES",
    "TRADE",
    "Bot",
    "KnownBots",
    "Quota",
    "check_name",
    "hash_token",
    "parse_tokens",
    "write_entry",
]

MARKET_DATA: Final = "md"
"""May follow the market."""
TRADE: Final = "trade"
"""May send orders."""
SCOPES: Final = frozenset({MARKET_DATA, TRADE})

MOST_HASHES: Final = 2
"""One, and a second one while a token is being replaced."""

LARGEST: Final = sys.float_info.max

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")

N = TypeVar("N", bound=float)


@dataclass(frozen=True)
class Quota:
    """A bot's quota, over all its connections; None leaves it to the gateway's limits."""

    streams: int | None = None
    """Open at a time."""
    instruments: int | None = None
    """Different ones at a time, in all its streams."""
    connections_per_s: float | None = None
    """Calls and streams opened a second, on average."""


@dataclass(frozen=True)
class Bot:
    name: str
    token_sha256: frozenset[str]
    quota: Quota
    scopes: frozenset[str]
    comp_ids: frozenset[str]
    """Its SenderCompIDs in FIX: its name, unless the file says others."""
    fees: FeeTable | None = None
    """The fees that its account pays at venues; None leaves it to the gateway's table."""


class KnownBots:
    """Every bot of one tokens file."""

    def __init__(self, bots: Iterable[Bot] = ()) -> None:
        self._bots = {bot.name: bot for bot in bots}

    def __iter__(self) -> Iterator[Bot]:
        return iter(self._bots.values())

    def __contains__(self, name: str) -> bool:
        return name in self._bots

    def owner(self, token_sha256: str) -> Bot | None:
        """Return whose token has this hash, in a time that says nothing about the hashes held."""
        owner = None
        for bot in self._bots.values():
            for known in bot.token_sha256:
                if hmac.compare_digest(known, token_sha256):
                    owner = bot
        return owner


def hash_token(token: str) -> str:
    """Return what the file holds instead of a token. A token is random: no salt makes it safer."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_name(name: str) -> str:
    """Return `name` if a bot may be called so.

    Raises:
        ConfigError: it may not.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name[:64]!r} is no bot's name: write 1 to 64 letters, digits, '.', '_' or '-'"
        )
    return name


def parse_tokens(text: str) -> KnownBots:
    """Return the bots of a tokens file.

    Raises:
        ConfigError: it is no TOML, or says what no tokens file says.
    """
    try:
        document = tomllib.loads(text)
    # Of deep nesting and of numbers beyond all bounds tomllib complains in other ways.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"it is no TOML: {error}") from None
    entries = document.pop("bots", {})
    if document or not _is_table_of_tables(entries):
        raise ConfigError("it holds more than tables [bots.NAME]; `dragonfly token new` writes one")
    bots = [_bot(check_name(name), dict(entry)) for name, entry in entries.items()]
    _check_own(bots, lambda bot: bot.token_sha256, "token: make a new one")
    _check_own(bots, lambda bot: bot.comp_ids, "CompID: give each its own in comp_ids")
    return KnownBots(bots)


def _check_own(bots: Iterable[Bot], held: Callable[[Bot], Iterable[str]], what: str) -> None:
    seen: dict[str, str] = {}
    for bot in bots:
        for one in held(bot):
            if (other := seen.setdefault(one, bot.name)) != bot.name:
                raise ConfigError(f"{other} and {bot.name} have the same {what}")


def write_entry(name: str, token_sha256: str) -> str:
    """Return the lines of a tokens file for a new bot, with quotas to edit."""
    key = f'"{name}"' if "." in name else name
    return (
        f"[bots.{key}]\n"
        f'token_sha256 = ["{token_sha256}"]\n'
        "streams = 16\n"
        "instruments = 64\n"
        "connections_per_s = 5\n"
    )


def _is_table_of_tables(entries: object) -> bool:
    return isinstance(entries, Mapping) and all(
        isinstance(entry, Mapping) for entry in entries.values()
    )


def _bot(name: str, entry: dict[str, Any]) -> Bot:
    given: object = entry.pop("token_sha256", None)
    if isinstance(given, str):
        given = [given]
    if (
        not isinstance(given, list)
        or not 1 <= len(given) <= MOST_HASHES
        or not all(isinstance(one, str) and _HASH.fullmatch(one.lower()) for one in given)
    ):
        raise ConfigError(
            f"token_sha256 of {name} must be one SHA-256 in hexadecimal, or a list of one or two"
        )
    quota = Quota(
        streams=_positive(name, "streams", int, entry),
        instruments=_positive(name, "instruments", int, entry),
        connections_per_s=_positive(name, "connections_per_s", float, entry),
    )
    scopes = _words(name, "scopes", entry, (MARKET_DATA,))
    if not SCOPES.issuperset(scopes):
        raise ConfigError(f"scopes of {name} must be some of {', '.join(sorted(SCOPES))}")
    comp_ids = _words(name, "comp_ids", entry, (name,))
    fees = _fees(name, entry.pop("fees", None))
    if entry:
        raise ConfigError(
            f"{next(iter(entry))[:40]!r} of {name} means nothing here: there are token_sha256,"
            " scopes, comp_ids, streams, instruments, connections_per_s and fees"
        )
    return Bot(name, frozenset(one.lower() for one in given), quota, scopes, comp_ids, fees)


def _fees(name: str, given: object) -> FeeTable | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(f"fees of {name} must be a table {{venue = basis points}}")
    try:
        return FeeTable.of(given)
    except FeeError as error:
        raise ConfigError(f"fees of {name}: {error}") from None


def _words(name: str, key: str, entry: dict[str, Any], default: tuple[str, ...]) -> frozenset[str]:
    given: object = entry.pop(key, default)
    if not isinstance(given, list | tuple) or not given or not all(map(_is_word, given)):
        raise ConfigError(
            f"{key} of {name} must be a list of 1 to 64 letters, digits, '.', '_' or '-' each"
        )
    return frozenset(given)


def _is_word(one: object) -> bool:
    return isinstance(one, str) and bool(_NAME.fullmatch(one))


def _positive(name: str, key: str, kind: type[N], entry: dict[str, Any]) -> N | None:
    value = entry.pop(key, None)
    if value is None:
        return None
    kinds = (int, float) if kind is float else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value <= LARGEST:
        raise ConfigError(f"{key} of {name} must be a number above 0")
    return kind(value)
