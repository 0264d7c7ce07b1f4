"""The file that names the accounts of simulated venues.

[[account]]
venue = "binance"
key = "PAPER"
secret = "…"              # Kraken's in base64; Ed25519 of Binance: public_key = "…" instead
maker = "0.001"           # fee rates; without them those of the venue's first tier
taker = "0.001"
[account.balances]
BTC = "10"
USD = "250000"
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections import Counter
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import msgspec
from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import warn_if_exposed

from venue_simulator.ed25519 import read_public_key
from venue_simulator.trading.accounts import AccountPlan

__all__ = ["load_accounts"]

_MOST: Final = Decimal(10) ** 11
"""The largest balance: with it every sum of prices times amounts is exact."""

_AmountText = Annotated[str, msgspec.Meta(pattern=r"^\d{1,12}(\.\d{1,18})?$")]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    venue: str
    key: str
    secret: str = ""
    public_key: str = ""
    balances: dict[str, _AmountText] = {}
    maker: _AmountText | None = None
    taker: _AmountText | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    account: list[_Entry]


def load_accounts(path: Path, venues: Collection[str]) -> tuple[AccountPlan, ...]:
    """Read the accounts that a file names.

    Args:
        path: TOML, as above.
        venues: those that have a private side.

    Raises:
        ConfigError: it cannot be read, or breaks a rule; the message never shows a secret.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the accounts {str(path)!r}: {error.strerror}; name a file of accounts"
        ) from None
    except ValueError:
        raise ConfigError(f"the accounts {str(path)!r} are no TOML: {_RULE}") from None
    warn_if_exposed(path)
    try:
        entries = msgspec.convert(raw, _File).account
    except msgspec.ValidationError as error:
        raise ConfigError(f"in the accounts {str(path)!r}: {error}; {_RULE}") from None
    plans = tuple(_plan(entry, path, venues) for entry in entries)
    for (venue, key), count in Counter((plan.venue, plan.key) for plan in plans).items():
        if count > 1:
            raise ConfigError(
                f"in the accounts {str(path)!r}: {venue} has the key {key!r} twice: keep one"
            )
    return plans


_RULE: Final = (
    'write [[account]] with venue, key, secret or public_key, and [account.balances] BTC = "10"'
)


def _plan(entry: _Entry, path: Path, venues: Collection[str]) -> AccountPlan:
    where = f"in the accounts {str(path)!r}, key {entry.key!r}"
    if entry.venue not in venues:
        known = ", ".join(sorted(venues)) or "others with --venue"
        raise ConfigError(f"{where}: {entry.venue!r} takes no orders here: name {known}")
    if bool(entry.secret) == bool(entry.public_key):
        raise ConfigError(f"{where}: give either secret or public_key")
    if entry.public_key and not _is_public_key(entry.public_key):
        raise ConfigError(f"{where}: public_key is no Ed25519 key: give base64 of 32 bytes, or PEM")
    if entry.venue == "kraken" and not _is_base64(entry.secret):
        raise ConfigError(f"{where}: Kraken's secrets are base64: give one that is")
    balances = {asset: Decimal(amount) for asset, amount in entry.balances.items()}
    if any(amount > _MOST for amount in balances.values()):
        raise ConfigError(f"{where}: a balance is above {_MOST}: give less")
    rates = [None if rate is None else Decimal(rate) for rate in (entry.maker, entry.taker)]
    if any(rate is not None and rate >= 1 for rate in rates):
        raise ConfigError(f"{where}: a fee rate is a share of the amount: write 0.001 for 0.1 %")
    return AccountPlan(
        entry.venue, entry.key, entry.secret, entry.public_key, tuple(balances.items()), *rates
    )


def _is_public_key(text: str) -> bool:
    try:
        read_public_key(text)
    except ValueError:
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
