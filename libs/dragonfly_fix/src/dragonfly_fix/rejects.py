"""The bodies of Reject and BusinessMessageReject, and the way back of the first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from dragonfly_fix.codec import Field, FixMessage, encode_fields
from dragonfly_fix.dictionary import RejectReason

__all__ = ["BusinessReason", "business_reject_body", "reject_body", "reject_route"]

LONGEST_REF: Final = 20
"""Bytes of an unknown MsgType (35) that are said back."""

_REVERSED: Final = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}
"""Where a Reject is routed to, by the tag that says where the message came from."""


class BusinessReason(IntEnum):
    """BusinessRejectReason (380)."""

    OTHER = 0
    UNKNOWN_SECURITY = 2
    UNSUPPORTED_TYPE = 3
    NOT_AVAILABLE = 4
    NOT_AUTHORISED = 6


def reject_body(
    message: FixMessage, reason: RejectReason, tag: int | None, dialect: Sequence[Field]
) -> bytes:
    """Return the body of a Reject; `dialect` are its fields behind SessionRejectReason (373)."""
    fields = [(45, b"%d" % (message.number(34) or 0)), (58, reason.text.encode())]
    if tag is not None:
        fields.append((371, b"%d" % tag))
    return encode_fields([*fields, *_ref_type(message), (373, b"%d" % reason), *dialect])


def reject_route(message: FixMessage) -> list[Field]:
    """Return the fields of a Reject's header that lead it back where the message came from."""
    route = [(_REVERSED[tag], value) for tag, value in message.fields if tag in _REVERSED]
    return sorted((tag, value) for tag, value in dict(route).items() if value)


def business_reject_body(message: FixMessage, reason: int, text: str, ref_id: bytes = b"") -> bytes:
    """Return the body of a BusinessMessageReject; `ref_id` is BusinessRejectRefID (379)."""
    fields = [(45, message.get(34) or b"0"), (58, text.encode()), *_ref_type(message)]
    if ref_id:
        fields.append((379, ref_id))
    return encode_fields([*fields, (380, b"%d" % reason)])


def _ref_type(message: FixMessage) -> list[Field]:
    """Return RefMsgType (372) where there is one to name."""
    return [(372, message.type[:LONGEST_REF])] if message.type else []
