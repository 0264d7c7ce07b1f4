"""Ed25519 as others sign it."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from venue_simulator.ed25519 import read_public_key, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def test_the_first_vectors_of_rfc_8032() -> None:
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert verify(key, b"", signature)
    assert not verify(key, b"x", signature)


@pytest.mark.parametrize("length", [0, 1, 63, 200])
def test_what_another_library_signed_is_true_and_nothing_else(length: int) -> None:
    message = bytes(n % 251 for n in range(length))
    signature = KEY.sign(message)
    assert verify(PUBLIC, message, signature)
    assert not verify(PUBLIC, message + b"!", signature)
    for index in (0, 31, 32, 63):
        spoilt = bytearray(signature)
        spoilt[index] ^= 1
        assert not verify(PUBLIC, message, bytes(spoilt))
    assert not verify(PUBLIC, message, signature[:-1])
    assert not verify(PUBLIC, message, signature[:32] + b"\xff" * 32)


def test_a_public_key_is_base64_or_pem() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert read_public_key(pem) == PUBLIC
    assert read_public_key(base64.b64encode(PUBLIC).decode()) == PUBLIC
    for nonsense in ("", "x", "AAAA", base64.b64encode(b"\xff" * 32).decode()):
        with pytest.raises(ValueError, match="no "):
            read_public_key(nonsense)
