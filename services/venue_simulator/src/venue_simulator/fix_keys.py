"""The API keys that a simulated venue knows, and the public key of each (Ed25519)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import create_secret

__all__ = ["API_KEY_FILE", "PRIVATE_KEY_FILE", "FixKeys", "load_fix_keys"]

OWN: Final = "simulated"
"""The API key of the pair that is made where a folder has none."""
API_KEY_FILE: Final = f"{OWN}.api-key"
PRIVATE_KEY_FILE: Final = f"{OWN}.key"


@dataclass(frozen=True, slots=True)
class FixKeys:
    """By API key: who holds the private key that belongs to `known` may log on."""

    known: Mapping[bytes, Ed25519PublicKey]

    def verify(self, api_key: bytes, signature: bytes, signed: bytes) -> bool | None:
        """Say whether the signature fits; None where nobody has that API key."""
        if api_key not in self.known:
            return None
        try:
            self.known[api_key].verify(signature, signed)
        except InvalidSignature:
            return False
        return True


def load_fix_keys(folder: Path) -> FixKeys:
    """Read `NAME.pem`, the public key of the API key NAME; a folder without any gets a pair.

    Who logs on with that needs the files PRIVATE_KEY_FILE and API_KEY_FILE of the folder.

    Raises:
        ConfigError: the folder cannot be used, or a file holds no such key.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not any(folder.glob("*.pem")):
            _make_pair(folder)
        return FixKeys({path.stem.encode(): _read(path) for path in folder.glob("*.pem")})
    except OSError as error:
        raise ConfigError(
            f"cannot use the keys in {str(folder)!r}: {error.strerror}; "
            "give --fix-keys a folder that can be read, and written where it is empty"
        ) from None


def _make_pair(folder: Path) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    create_secret(folder / PRIVATE_KEY_FILE, pem.decode())
    create_secret(folder / API_KEY_FILE, OWN)
    (folder / f"{OWN}.pem").write_bytes(public)


def _read(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(
            f"{str(path)!r} holds no public key for Ed25519: write one there, "
            "as `openssl pkey -pubout` does, named after its API key"
        )
    return key
