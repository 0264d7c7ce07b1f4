"""Accounts of the tests, and requests that they sign: independently of what checks them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from patience import PATIENCE_S
from venue_client import Answer
from venue_simulator.private_side import TradingSetup
from venue_simulator.trading.accounts import AccountPlan

__all__ = [
    "BALANCES",
    "ED25519_KEY",
    "KRAKEN_SECRET",
    "SECRET",
    "binance_params",
    "send",
    "trading",
]

SECRET = "dragonfly-test-secret"
KRAKEN_SECRET = "ZHJhZ29uZmx5LWtyYWtlbi1zZWNyZXQtMDEyMzQ1Njc4OQ=="
ED25519_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BALANCES = (("BTC", Decimal(10)), ("ETH", Decimal(100)), ("USD", Decimal(500_000)))


def trading(**options: Any) -> TradingSetup:
    """Return accounts at all venues that take orders; `ED` signs with Ed25519."""
    public = base64.b64encode(ED25519_KEY.public_key().public_bytes_raw()).decode()
    accounts = (
        AccountPlan("binance", "DFKEY", SECRET, balances=BALANCES),
        AccountPlan("binance", "ED", public_key=public, balances=BALANCES),
        AccountPlan("kraken", "DFKEY", KRAKEN_SECRET, balances=BALANCES),
        AccountPlan("bitstamp", "DFKEY", SECRET, balances=BALANCES),
    )
    return TradingSetup(accounts, **options)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def binance_params(key: str = "DFKEY", **params: Any) -> dict[str, Any]:
    """Return the parameters of a request on the WebSocket API with its signature."""
    params = {"apiKey": key, "timestamp": now_ms(), **params}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
    if key == "ED":
        params["signature"] = base64.b64encode(ED25519_KEY.sign(payload)).decode()
    else:
        params["signature"] = hmac.new(SECRET.encode(), payload, hashlib.sha256).hexdigest()
    return params


async def send(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """Return the answer to a request over HTTP, its body from JSON."""

    def fetch() -> Answer:
        request = Request(url, body, headers or {}, method=method)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=PATIENCE_S) as reply:
                return Answer(reply.status, dict(reply.headers), json.loads(reply.read()))
        except HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), json.loads(error.read()))

    return await asyncio.to_thread(fetch)
