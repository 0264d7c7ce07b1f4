"""How a refusal is said in HTTP and in JSON, and what of the client's errors is one."""

from __future__ import annotations

from typing import Final

from dragonfly_client.errors import (
    AccessError,
    ClientError,
    DuplicateError,
    InvalidRequestError,
    LimitError,
    NotFoundError,
    SettingError,
    UnknownOutcomeError,
    UnsupportedError,
)
from dragonfly_views.refusals import CallRefusedError, RefusalCode

__all__ = ["NUMBERS", "STATUSES", "refusal_of"]

NUMBERS: Final = {
    RefusalCode.INVALID: 3,
    RefusalCode.NOT_FOUND: 5,
    RefusalCode.DUPLICATE: 6,
    RefusalCode.OVER_LIMIT: 8,
    RefusalCode.UNKNOWN_CALLER: 16,
    RefusalCode.UNAVAILABLE: 14,
    RefusalCode.OVERDUE: 4,
    RefusalCode.STALLED: 10,
    RefusalCode.UNKNOWN_OUTCOME: 2,
}
"""The `code` of a refusal: gRPC's number, as bots over gRPC are told."""

STATUSES: Final = {
    RefusalCode.INVALID: 400,
    RefusalCode.NOT_FOUND: 404,
    RefusalCode.DUPLICATE: 409,
    RefusalCode.OVER_LIMIT: 429,
    RefusalCode.UNKNOWN_CALLER: 401,
    RefusalCode.UNAVAILABLE: 503,
    RefusalCode.OVERDUE: 408,
    RefusalCode.STALLED: 409,
    RefusalCode.UNKNOWN_OUTCOME: 504,
}
"""The status of HTTP."""

_CODES: Final[dict[type[ClientError], RefusalCode]] = {
    InvalidRequestError: RefusalCode.INVALID,
    SettingError: RefusalCode.INVALID,
    NotFoundError: RefusalCode.NOT_FOUND,
    UnsupportedError: RefusalCode.NOT_FOUND,
    LimitError: RefusalCode.OVER_LIMIT,
    DuplicateError: RefusalCode.DUPLICATE,
    UnknownOutcomeError: RefusalCode.UNKNOWN_OUTCOME,
}


def refusal_of(error: ClientError) -> CallRefusedError:
    """Return what an error of the client is to who asked us.

    What the gateway holds against ourselves is no fault of theirs.
    """
    if isinstance(error, AccessError):
        return CallRefusedError(
            RefusalCode.UNAVAILABLE, f"the gateway refuses this web gateway: {error}"
        )
    code = _CODES.get(type(error), RefusalCode.UNAVAILABLE)
    # Where bots over gRPC look for what there is.
    return CallRefusedError(code, str(error).replace("ListInstruments", "/v1/instruments"))
