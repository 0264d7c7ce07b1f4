"""Verifies Ed25519 signatures. Source: RFC 8032, sections 5.1 and 6.

Only public data is handled, so that it does not matter how long it takes. Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

__all__ = ["read_public_key", "verify"]

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)
_DER_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
"""Of a public key as PEM has it (RFC 8410)."""

_Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""


def read_public_key(text: str) -> bytes:
    """Return the 32 bytes of a public key that is base64 or PEM.

    Raises:
        ValueError: it is neither.
    """
    lines = [line for line in text.split() if "-" not in line and line not in {"PUBLIC", "BEGIN"}]
    try:
        raw = base64.b64decode("".join(lines), validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
    raw = raw.removeprefix(_DER_PREFIX)
    if len(raw) != 32 or _decompress(raw) is None:
        raise ValueError("no Ed25519 public key")
    return raw


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the holder of `public_key` (32 bytes) signed `message`."""
    if len(signature) != 64:
        return False
    key, commitment = _decompress(public_key), _decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    return _equal(_multiply(scalar, _BASE), _add(commitment, _multiply(challenge, key)))


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    product: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            product = _add(product, point)
        point = _add(point, point)
        scalar >>= 1
    return product


def _equal(one: _Point, other: _Point) -> bool:
    same_x = (one[0] * other[2] - other[0] * one[2]) % _P == 0
    return same_x and (one[1] * other[2] - other[1] * one[2]) % _P == 0


def _decompress(raw: bytes) -> _Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _recover_x(y: int, sign: int) -> int | None:
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    return _P - x if x & 1 != sign else x


_BASE_Y: Final = 4 * pow(5, _P - 2, _P) % _P
_base = _decompress(_BASE_Y.to_bytes(32, "little"))
assert _base is not None
_BASE: Final = _base
