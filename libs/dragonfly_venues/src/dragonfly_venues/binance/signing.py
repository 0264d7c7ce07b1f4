"""How requests to Binance's WebSocket API are signed. Pure. Source: web-socket-api.md (2026-07)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from dragonfly_venues.signatures import hmac_sha256_hex

__all__ = ["BinanceSign", "ed25519_sign", "hmac_sign", "payload"]

BinanceSign = Callable[[str], str]
"""Returns the signature of a payload."""


def payload(params: Mapping[str, str | int]) -> str:
    """Return what is signed: all parameters, sorted by name, not percent-encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params))


def hmac_sign(secret: str) -> BinanceSign:
    """Return how a key of the kind HMAC signs: in hexadecimal digits."""
    return lambda text: hmac_sha256_hex(secret, text)


def ed25519_sign(sign: Callable[[bytes], bytes]) -> BinanceSign:
    """Return how a key of the kind Ed25519 signs, of which `sign` is the raw form: in base64."""
    return lambda text: base64.b64encode(sign(text.encode())).decode()
