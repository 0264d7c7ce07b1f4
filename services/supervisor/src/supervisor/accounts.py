"""The engine's side of the accounts at simulated venues: their file has both sides' secrets."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import create_secret

__all__ = ["account_keys"]


def account_keys(accounts: Path, folder: Path) -> dict[str, Path]:
    """Write a file of keys for each venue's first account, and return them by venue.

    The simulator has read `accounts` by now, and found it sound.

    Raises:
        ConfigError: an account has no secret, or the file is gone.
    """
    found: dict[str, Path] = {}
    try:
        told = tomllib.loads(accounts.read_text("utf-8"))["account"]
    except OSError as error:
        raise ConfigError(f"cannot read the accounts {accounts}: {error.strerror}") from None
    for one in told:
        venue, key, secret = (one.get(name, "") for name in ("venue", "key", "secret"))
        if venue in found:
            continue
        if not secret:
            raise ConfigError(
                f"the first account at {venue} in {accounts} has a public_key alone, by which"
                " nobody can sign: give it a secret"
            )
        found[venue] = folder / f"{venue}.keys"
        create_secret(found[venue], f"key = {json.dumps(key)}\nsecret = {json.dumps(secret)}\n")
    return found
