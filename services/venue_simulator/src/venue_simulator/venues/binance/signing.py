"""Who signed a request to Binance, and whether in time.

Source: rest-api.md and web-socket-api.md, "Request Security". HMAC-SHA256 in hex, or Ed25519 in
base64, of the parameters; RSA is not simulated.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from venue_simulator import ed25519
from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.desk import MatchingDesk

__all__ = ["BinanceError", "authenticate", "check_time", "mandatory", "ws_payload"]

DEFAULT_RECV_WINDOW_MS: Final = 5000
MAX_RECV_WINDOW_MS: Final = 60_000
AHEAD_MS: Final = 1000


class BinanceError(Exception):
    """An error as Binance tells it."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status


def ws_payload(params: Mapping[str, str]) -> str:
    """Return the text that a request on the WebSocket API signs: sorted by name, not encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


def authenticate(
    desk: MatchingDesk, key: str, payload: str, signature: str, *, ed25519_only: bool = False
) -> TradingAccount:
    """Return the account whose key signed `payload`.

    Raises:
        BinanceError: no account has that key, or it signed something else.
    """
    account = desk.accounts.get(key)
    if account is None:
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    if ed25519_only and not account.public_key:
        raise BinanceError(-4056, "HMAC_SHA256 API key is not supported.")
    if not _is_signed(account, payload.encode(), signature):
        raise BinanceError(-1022, "Signature for this request is not valid.")
    return account


def check_time(params: Mapping[str, str], now_ns: int) -> None:
    """Check `timestamp` and `recvWindow` against the venue's clock.

    Raises:
        BinanceError: the request comes too late, or from too far ahead.
    """
    stamp = _integer("timestamp", mandatory(params, "timestamp"))
    window = _integer("recvWindow", params.get("recvWindow", str(DEFAULT_RECV_WINDOW_MS)))
    if window > MAX_RECV_WINDOW_MS:
        raise BinanceError(-1131, "recvWindow must be less than 60000")
    now_ms = now_ns // 1_000_000
    if stamp >= now_ms + AHEAD_MS:
        raise BinanceError(
            -1021, "Timestamp for this request was 1000ms ahead of the server's time."
        )
    if now_ms - stamp > window:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def mandatory(params: Mapping[str, str], name: str) -> str:
    """Return a parameter.

    Raises:
        BinanceError: it is not there, or empty.
    """
    if not params.get(name):
        raise BinanceError(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return params[name]


def _is_signed(account: TradingAccount, payload: bytes, signature: str) -> bool:
    if not account.public_key:
        made = hmac.new(account.secret.encode(), payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), signature.lower().encode())
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return ed25519.verify(ed25519.read_public_key(account.public_key), payload, raw)


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(text)
