"""The key of an account at a venue that is listened to by FIX, read from its files.

Nothing of a key is ever in a message: a sentence names files alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import exposed_to

from dragonfly_venues.venue import FixKey

__all__ = ["read_fix_key"]

_API_KEY: Final = re.compile(rb"[!-~]{1,256}")
_LONGEST: Final = 1 << 14


def read_fix_key(private_key: Path, api_key: Path) -> FixKey:
    """Return the key of two files that their owner alone may read.

    Args:
        private_key: an Ed25519 key in PEM (PKCS #8), not encrypted.
        api_key: what the venue calls it, in one line.

    Raises:
        ConfigError: a file cannot be read or used, others may read it, or cryptography is missing.
    """
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
            "a Logon by FIX is signed with Ed25519, for which something is missing:"
            " pip install cryptography"
        ) from None
    pem = _read_secret(private_key, "--fix-key")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            f"--fix-key {private_key} holds no Ed25519 private key in PEM without a password:"
            " make one with openssl genpkey -algorithm ed25519 -out FILE"
        )
    name = _read_secret(api_key, "--fix-api-key").strip()
    if not _API_KEY.fullmatch(name):
        raise ConfigError(
            f"--fix-api-key {api_key} holds no API key: write the one that the venue gave for the"
            " public half of --fix-key, in one line"
        )
    return FixKey(name, key.sign)


def _read_secret(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            if others := exposed_to(file.fileno()):
                raise ConfigError(f"{option} {path} may be read by {others}: chmod 600 {path}")
            return file.read(_LONGEST)
    except OSError as error:
        raise ConfigError(
            f"{option} {path} cannot be read: {(error.strerror or str(error)).lower()}"
        ) from None
