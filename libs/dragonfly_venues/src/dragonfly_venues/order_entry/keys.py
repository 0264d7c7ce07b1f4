"""The keys of an account, read from the file that its owner alone may read.

key = "…"            # what the venue calls it
secret = "…"         # as the venue gave it
tier = "pro"         # Kraken alone: starter, which it is without this, intermediate or pro
private_key = '''    # instead of it, Binance: Ed25519 in PEM (PKCS #8), not encrypted
-----BEGIN PRIVATE KEY-----
…'''

Nothing of it is ever in a message or a representation: sentences name the file alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import exposed_to

__all__ = ["AccountKeys", "read_account_keys"]

_LONGEST: Final = 1 << 14
_NAMES: Final = frozenset({"key", "secret", "private_key", "tier"})


@dataclass(frozen=True)
class AccountKeys:
    """One account's keys: a secret, or what signs by Ed25519."""

    key: str = field(repr=False)
    secret: str = field(default="", repr=False)
    ed25519: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    tier: str = field(default="", repr=False)
    """Of what the venue allows, where an account can have one."""


def read_account_keys(path: Path | None, venue: str) -> AccountKeys:
    """Return the keys that a file holds.

    Raises:
        ConfigError: there is no file, it cannot be read or used, or others may read it; of what is
            in it nothing is said.
    """
    if path is None:
        raise ConfigError(f"orders at {venue} need its keys: give --key-file {venue}=FILE")
    try:
        with path.open("rb") as file:
            if others := exposed_to(file.fileno()):
                raise ConfigError(f"{path} may be read by {others}: chmod 600 {path}")
            text = file.read(_LONGEST)
    except OSError as error:
        raise ConfigError(
            f"the keys {path} cannot be read: {(error.strerror or str(error)).lower()}"
        ) from None
    try:
        told = tomllib.loads(text.decode())
    except ValueError:
        told = {}
    usable = all(isinstance(one, str) and one.strip().isascii() for one in told.values())
    key, secret, pem, tier = (
        str(told.get(name, "")).strip() for name in ("key", "secret", "private_key", "tier")
    )
    if not (usable and key and bool(secret) != bool(pem) and told.keys() <= _NAMES):
        raise ConfigError(
            f'{path} holds no keys of {venue}: write key = "…" and secret = "…" in two lines'
        )
    return AccountKeys(key, secret, _ed25519(path, pem) if pem else None, tier)


def _ed25519(path: Path, pem: str) -> Callable[[bytes], bytes]:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - of an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )
    except ImportError:
        raise ConfigError(
            f"the private_key in {path} signs with Ed25519, for which something is missing:"
            " pip install cryptography"
        ) from None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            f"private_key in {path} is no Ed25519 key in PEM without a password: make one with"
            " openssl genpkey -algorithm ed25519"
        )
    return key.sign
