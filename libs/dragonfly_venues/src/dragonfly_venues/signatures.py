"""Signatures that several venues ask for alike. Pure."""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["hmac_sha256_hex"]


def hmac_sha256_hex(secret: str, text: str) -> str:
    """Return the HMAC-SHA256 of `text` in hexadecimal digits."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
