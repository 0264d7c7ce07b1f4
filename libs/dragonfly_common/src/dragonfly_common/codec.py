"""Bytes to messages and back: msgpack, array-like, tagged, versioned; one error type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from dragonfly_common.errors import DecodeError
from dragonfly_common.messages import Body, Envelope, Instruments, ListedMarket

__all__ = [
    "SCHEMA_VERSION",
    "decode_body",
    "decode_envelope",
    "encode_body",
    "encode_envelope",
    "encode_message",
    "pack_markets",
    "unpack_markets",
]

SCHEMA_VERSION: Final = 1

# Measured over mutated payloads: msgspec also raises these two, which are not MsgspecError.
_FAILURES: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MemoryError)

_encoder = msgspec.msgpack.Encoder()
_envelopes = msgspec.msgpack.Decoder(Envelope)
_bodies: msgspec.msgpack.Decoder[Body] = msgspec.msgpack.Decoder(Body)
_packed = msgspec.msgpack.Decoder(list[msgspec.Raw])
_markets = msgspec.msgpack.Decoder(ListedMarket)

T = TypeVar("T")


def encode_body(body: Body) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(body))


def encode_envelope(envelope: Envelope) -> bytes:
    return _encoder.encode(envelope)


def encode_message(publisher: str, epoch: int, seq: int, ts_pub: int, body: Body) -> bytes:
    """Encode a body in its envelope, in one go: what `encode_envelope` would make of them."""
    return _encoder.encode((SCHEMA_VERSION, publisher, epoch, seq, ts_pub, body))


def decode_envelope(payload: bytes) -> Envelope:
    """Decode what surrounds a body; the body stays bytes.

    Raises:
        DecodeError: `bad_envelope` or `schema_version`.
    """
    envelope = _decode(_envelopes, payload, "bad_envelope")
    if envelope.version != SCHEMA_VERSION:
        raise DecodeError(
            "schema_version", f"{envelope.version}, this process speaks {SCHEMA_VERSION}"
        )
    return envelope


def decode_body(raw: msgspec.Raw) -> Body:
    """Decode a body.

    Raises:
        DecodeError: `bad_body`.
    """
    return _decode(_bodies, raw, "bad_body")


def pack_markets(markets: Iterable[ListedMarket]) -> bytes:
    """Return the `markets` of an `Instruments`, in the order of its names."""
    return _encoder.encode(tuple(markets))


def unpack_markets(listing: Instruments, only: str = "") -> Iterator[tuple[str, ListedMarket]]:
    """Yield (instrument, market) of `listing`, or of the instrument `only`; none if it tells none.

    Raises:
        DecodeError: `bad_body`.
    """
    if listing.markets:
        packed = _decode(_packed, listing.markets, "bad_body")
        for name, market in zip(listing.names, packed, strict=False):
            if only in ("", name):
                yield name, _decode(_markets, market, "bad_body")


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes | msgspec.Raw, reason: str) -> T:
    try:
        return decoder.decode(data)
    except _FAILURES as error:
        raise DecodeError(reason, str(error)[:200]) from None
