"""How requests to Bitstamp's REST are signed. Pure. Source: bitstamp.net/api, "Authentication"."""

from __future__ import annotations

from typing import Final

from dragonfly_venues.signatures import hmac_sha256_hex

__all__ = ["auth_headers"]

FORM: Final = "application/x-www-form-urlencoded"
VERSION: Final = "v2"


def auth_headers(
    key: str, secret: str, place: str, body: str, nonce: str, timestamp_ms: int
) -> dict[str, str]:
    """Return the headers of a POST.

    Args:
        key: of the account.
        secret: of the key.
        place: host, path and query that are asked (`www.bitstamp.net/api/v2/buy/btcusd/`).
        body: a form; without one nothing is said of its kind.
        nonce: a UUID that was never used.
        timestamp_ms: now.
    """
    who, kind = f"BITSTAMP {key}", FORM if body else ""
    text = f"{who}POST{place}{kind}{nonce}{timestamp_ms}{VERSION}{body}"
    headers = {
        "X-Auth": who,
        "X-Auth-Nonce": nonce,
        "X-Auth-Timestamp": str(timestamp_ms),
        "X-Auth-Version": VERSION,
        "X-Auth-Signature": hmac_sha256_hex(secret, text),
    }
    return {**headers, "Content-Type": kind} if body else headers
