"""How requests to Kraken's private REST are signed. Pure. Source: docs.kraken.com."""

from __future__ import annotations

import base64
import hashlib
import hmac

__all__ = ["api_sign"]


def api_sign(secret: bytes, path: str, nonce: str, body: str) -> str:
    """Return the header `API-Sign`; `secret` is decoded, `body` has the nonce too."""
    digest = hashlib.sha256(f"{nonce}{body}".encode()).digest()
    made = hmac.new(secret, path.encode() + digest, hashlib.sha512).digest()
    return base64.b64encode(made).decode()
