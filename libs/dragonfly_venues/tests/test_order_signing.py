"""Signatures against vectors that were computed by others."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dragonfly_venues.binance.signing import ed25519_sign, hmac_sign, payload
from dragonfly_venues.bitstamp.signing import auth_headers
from dragonfly_venues.kraken.signing import api_sign

SECRET = "dragonfly-test-secret"
BINANCE_REST = (
    "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&quantity=0.01000000&price=50000.00"
    "&newClientOrderId=df-01J9Z3Q8-0001&recvWindow=5000&timestamp=1790000000000"
)


def test_binance_over_websocket() -> None:
    params = dict(pair.split("=") for pair in BINANCE_REST.split("&"))
    text = payload({**params, "timestamp": 1790000000000, "apiKey": "DFKEY"})
    assert text == (
        "apiKey=DFKEY&newClientOrderId=df-01J9Z3Q8-0001&price=50000.00&quantity=0.01000000"
        "&recvWindow=5000&side=SELL&symbol=BTCUSDT&timeInForce=IOC&timestamp=1790000000000"
        "&type=LIMIT"
    )
    assert hmac_sign(SECRET)(text) == (
        "3ad47dda556846c20bf9cd141bb31308b82445f03b0793f9871abe8e56368f6d"
    )
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    assert ed25519_sign(key.sign)(text) == (
        "GD6cpqvyO7wFpn4Z6uhVwO3IF/6bYG7Gyfc2alPkd/dYXcuUSImlla3NLGSeehe86bdiLqR5gd1ecNO3OhrvCw=="
    )


def test_binance_over_rest() -> None:
    assert hmac_sign(SECRET)(BINANCE_REST) == (
        "e0fb03c1c8fdf83d1b0366c9d010f758a6cd4ee61e3ea3d4995bc763c22f087c"
    )


def test_kraken() -> None:
    secret = base64.b64decode("ZHJhZ29uZmx5LWtyYWtlbi1zZWNyZXQtMDEyMzQ1Njc4OQ==")
    nonce = "1790000000000"
    made = api_sign(secret, "/0/private/GetWebSocketsToken", nonce, f"nonce={nonce}")
    assert made == (
        "0F8ps1PcOY1Tk3NKySFCGUXfTVO9YlU+l5K2zGxk/gm/MTmgsfJB+b7chXR66SrAZWn4Fd2gYXuCAeyAwnnjYw=="
    )


def test_kraken_as_its_documents_have_it() -> None:
    secret = base64.b64decode(
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    )
    nonce = "1616492376594"
    body = f"nonce={nonce}&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    assert api_sign(secret, "/0/private/AddOrder", nonce, body) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_bitstamp() -> None:
    nonce, timestamp = "00000000-0000-4000-8000-000000000001", 1790000000000
    form = "amount=0.01000000&price=50000.00&client_order_id=df-01J9Z3Q8-0001&ioc_order=True"
    for place, body, signature in (
        (
            "www.bitstamp.net/api/v2/sell/btcusd/",
            form,
            "0b4a4fcb632399e1d36cb33ac2ed77328d830af8ba49a83e42f779712ee7b80f",
        ),
        (
            "www.bitstamp.net/api/v2/websockets_token/",
            "",
            "30f47fd012c8bee08bb18823bd2890d69db2e1fb81c3fd3ef8c9bba9a04d21c1",
        ),
    ):
        headers = auth_headers("DFKEY", SECRET, place, body, nonce, timestamp)
        assert headers["X-Auth-Signature"] == signature
        assert headers["X-Auth"] == "BITSTAMP DFKEY"
        assert ("Content-Type" in headers) == bool(body)
